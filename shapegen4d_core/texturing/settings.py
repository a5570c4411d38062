"""How textures are made: one frozen dataclass, checked when made, that also tells what memory it will take."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..memory import require
from ..setting_checks import check_between, check_choice, check_whole

MODES = ("video", "first frame")
ALIGNMENTS = ("none", "icp", "search")
MIN_SIZE, MAX_SIZE = 256, 8192
_BYTES_PER_TEXEL = 260  # measured peak over the whole page, charts and gaps together
_MIB = 1 << 20


@dataclass(frozen=True)
class TextureSettings:
    """Settings of :func:`texture_from_video` and :func:`texture_from_mesh`.

    size: texture side in texels, 256 to 8192.
    mode: "video" takes colours from all frames, "first frame" from the first one alone.
    sharpness: exponent of the weights, 1 to 16; 1 averages all views, high values keep only the best view.
    border_pixels: width in clip pixels of the band along outlines whose colours count less; 0 trusts outlines.
    depth_tolerance: how far behind the visible surface a point still counts as visible, in half boxes.
    robust_passes: re-weighting passes against the mean found before, 0 to 4; frames that disagree lose.
    outlier: colour difference 0..1 at which a frame loses three quarters of its weight in these passes.
    refine_passes: how often the re-rendered frames are compared with the clip and the difference put back, 0 to 8.
    match_gain: estimate one brightness per frame and colour channel first, for video whose exposure drifts.
    linear_light: average in linear light instead of stored colour values.
    min_quality: quality (0..1) below which a texel counts as unseen and is filled.
    symmetry: fill unseen texels from their mirror image when the mesh is symmetric.
    symmetry_tolerance: largest root mean square distance of the mirrored mesh from itself, in half boxes.
    alignment: for a textured mesh as source: "none", "icp" from where it lies, or "search" over 24 axis turns first.
    transfer_distance: largest distance in half boxes over which a textured mesh gives its colours away.
    cached_samples_mib: memory for samples that are kept between passes; beyond it they are computed again.
    """

    size: int = 1024
    mode: str = "video"
    sharpness: float = 4.0
    border_pixels: float = 2.0
    depth_tolerance: float = 0.01
    robust_passes: int = 2
    outlier: float = 0.1
    refine_passes: int = 2
    match_gain: bool = False
    linear_light: bool = False
    min_quality: float = 0.003
    symmetry: bool = True
    symmetry_tolerance: float = 0.02
    alignment: str = "icp"
    transfer_distance: float = 0.1
    cached_samples_mib: int = 512

    def __post_init__(self) -> None:
        check_whole("Texture setting size", self.size, MIN_SIZE, MAX_SIZE)
        check_choice("Texture setting mode", self.mode, MODES)
        check_choice("Texture setting alignment", self.alignment, ALIGNMENTS)
        check_between("Texture setting sharpness", self.sharpness, 1, 16)
        check_between("Texture setting border_pixels", self.border_pixels, 0, 100)
        check_between("Texture setting depth_tolerance", self.depth_tolerance, 1e-5, 1)
        check_whole("Texture setting robust_passes", self.robust_passes, 0, 4)
        check_between("Texture setting outlier", self.outlier, 1e-3, 1)
        check_whole("Texture setting refine_passes", self.refine_passes, 0, 8)
        check_between("Texture setting min_quality", self.min_quality, 0, 1)
        check_between("Texture setting symmetry_tolerance", self.symmetry_tolerance, 0, 1)
        check_between("Texture setting transfer_distance", self.transfer_distance, 1e-4, 10)
        check_whole("Texture setting cached_samples_mib", self.cached_samples_mib, 0, 1 << 20)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)

    def memory_bytes(self) -> int:
        """Rough peak of working memory in bytes: the page, and the samples kept between passes."""
        return _BYTES_PER_TEXEL * self.size**2 + self.cached_samples_mib * _MIB

    def check_memory(self) -> None:
        """Raise InputError when that much memory is not free."""
        require(self.memory_bytes(), f"A texture of {self.size} x {self.size}", "set texture_size to half of that")

    def memory_sentence(self) -> str:
        """What memory the texture takes, for people."""
        stored = 3 * self.size**2 / _MIB
        return (
            f"A texture of {self.size} x {self.size} takes {stored:.0f} MiB as an image, and making it up to "
            f"{self.memory_bytes() / (1 << 30):.1f} GiB of memory; halve the size to quarter the larger part."
        )
