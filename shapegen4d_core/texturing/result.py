"""What texturing gives back: the textured sequence, how sure each texel is, and figures about how it went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..sequence import MeshSequence


@dataclass(frozen=True)
class TextureReport:
    """Figures of one texture: shares of the surface (0..1) by where their colour comes from, and costs.

    ``mean_confidence`` is over the surface; ``notes`` are sentences for people.
    """

    source: str
    size: int
    charts: int
    frames: int
    shares: dict[str, float]
    mean_confidence: float
    mirror: str
    seconds: float
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """The report as a few lines."""
        names = {"seen": "seen in the video", "given": "from the textured mesh", "mirrored": "mirrored"}
        names["spread"] = "made up by diffusion"
        shares = {text: f"{100 * self.shares.get(key, 0.0):.1f}" for key, text in names.items()}
        parts = [f"{share} % {text}" for text, share in shares.items() if float(share) != 0]
        lines = [
            f"Texture {self.size} x {self.size} from {self.source}, {self.frames} frame"
            f"{'' if self.frames == 1 else 's'}, {self.charts} charts, {self.seconds:.1f} s.",
            f"Surface: {', '.join(parts)}; mean confidence {self.mean_confidence:.2f}.",
            f"Symmetry: {self.mirror}.",
        ]
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True, eq=False)
class TextureResult:
    """``meshes`` with uv and texture, ``confidence`` [H,W] float32 0..1 (0 outside the charts), and the report."""

    meshes: MeshSequence
    confidence: np.ndarray
    report: TextureReport
