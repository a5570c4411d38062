"""One texture from all frames of the video, for a sequence of one topology that lies on the video."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..errors import InputError
from ..progress import Check, Progress
from ..sequence import Camera, Clip, MeshSequence
from .colour import to_stored
from .combine import Observed, observe
from .complete import Completed, complete
from .frame_views import FrameViews
from .page import page_bytes, paint_page
from .result import TextureReport, TextureResult
from .settings import TextureSettings
from .surface import Surface, cut_surface
from .texels import Texels, surface_texels


def texture_from_video(
    meshes: MeshSequence,
    clip: Clip,
    camera: Camera,
    settings: TextureSettings | None = None,
    given: Any = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> TextureResult:
    """Unwrap ``meshes`` (one topology, lying on the clip through ``camera``) and texture it from the clip's frames.

    ``given`` is a textured mesh (:class:`SourceMesh`) whose colours are taken where no frame shows the surface. What
    is left is mirrored and diffused, and marked in the confidence. Deterministic; memory does not grow with the number
    of frames. Raises InputError for frames of different topology, another frame count than the clip's, an empty mask,
    a camera of another shape than the clip's source, and meshes that no frame shows.
    """
    settings = settings or TextureSettings()
    began, notes = time.perf_counter(), []
    share = Shared(progress, (("unwrap", 20), ("frames", 70), ("fill", 10)))
    settings.check_memory()
    surface = cut_surface(meshes, settings.size, share("unwrap"), check, notes.append)
    texels = surface_texels(surface.faces, surface.cut.uv, settings.size, check)
    views = FrameViews(surface, texels, clip, camera, settings, check)
    seen = observe(views, share("frames"), check)
    if given is None and not (seen.quality > settings.min_quality).any():
        raise InputError(_unseen(clip, settings))
    colour = to_stored(seen.colour, settings.linear_light)
    other = None
    if given is not None:
        from .from_mesh import transferred

        other = transferred(surface, texels, given, settings, check)[:2]
    done = complete(surface, texels, colour.astype(np.float32), seen.quality, settings, other, check)
    share("fill")(1, 1)
    source = "the first frame of the video" if settings.mode == "first frame" else "the video"
    if given is not None:
        source += " over the textured mesh"
    notes += _notes(seen, done, settings)
    return finish(meshes, surface, texels, done, settings, source, len(views.frames), began, tuple(notes), check)


def finish(
    meshes: MeshSequence,
    surface: Surface,
    texels: Texels,
    done: Completed,
    settings: TextureSettings,
    source: str,
    frames: int,
    began: float,
    notes: tuple[str, ...],
    check: Check | None = None,
) -> TextureResult:
    """Paint the page, and put sequence, confidence and report together."""
    texture = page_bytes(paint_page(texels, done.colour, check=check))
    confidence = np.zeros(texels.size**2, np.float32)
    confidence[texels.pixel] = done.confidence
    report = TextureReport(
        source=source,
        size=settings.size,
        charts=surface.cut.charts,
        frames=frames,
        shares=done.shares,
        mean_confidence=float(done.confidence[texels.inside].mean()) if texels.inside.any() else 0.0,
        mirror=done.mirror_note,
        seconds=time.perf_counter() - began,
        notes=notes,
    )
    return TextureResult(surface.sequence(meshes, texture), confidence.reshape(texels.size, texels.size), report)


class Shared:
    """One progress for several stages, each with its share of 100."""

    def __init__(self, progress: Progress | None, stages: tuple[tuple[str, int], ...]) -> None:
        self.progress, self.stages = progress, dict(stages)

    def __call__(self, stage: str) -> Progress:
        """Progress of one stage; it reports steps of 100 over all."""
        names = list(self.stages)
        before = sum(self.stages[name] for name in names[: names.index(stage)])

        def report(step: int, total: int, preview: Any = None) -> None:
            if self.progress is not None:
                self.progress(before + round(self.stages[stage] * step / max(total, 1)), 100, preview)

        return report


def _unseen(clip: Clip, settings: TextureSettings) -> str:
    if settings.mode == "first frame":
        return f"The first frame of {clip.name!r} shows nothing of the meshes; set mode to video or check their pose."
    return f"No frame of {clip.name!r} shows the meshes; register their pose first and check it with an overlay."


def _notes(seen: Observed, done: Completed, settings: TextureSettings) -> list[str]:
    notes = []
    if done.shares["seen"] < 0.2:
        notes.append(
            "Less than a fifth of the surface was seen; if the meshes should lie on the video, check their pose with "
            "an overlay."
        )
    if settings.match_gain and len(seen.gains) > 1:
        notes.append(f"Brightness of frames {seen.gains.min():.2f} to {seen.gains.max():.2f} was evened out.")
    return notes
