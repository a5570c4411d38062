"""From latents to meshes, one frame at a time, the grid shared by all frames."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..geometry.decimate import decimate
from ..geometry.mesh import is_closed, vertex_normals
from ..memory import require
from ..models.cancelling import cancellable
from ..progress import Check, Progress, tick
from ..sequence import LatentSequence, MeshSequence
from .cleanup import remove_floaters
from .coarse import CoarseToFine
from .dense import Dense
from .grid import Grid, GridSample
from .memory import BYTES_PER_VERTEX, ChunkedField, Field, bytes_per_point, choose_chunk
from .published import Published, extract_published
from .settings import DecodeSettings
from .surface import extract_surface

Sampler = Callable[[ChunkedField], GridSample]


@dataclass(frozen=True)
class DecodedFrame:
    """One mesh: vertices float32 [V,3], faces int32 [F,3], how many points were evaluated, the largest value
    seen less the level (below 0: no surface), and whether the mesh is closed."""

    vertices: np.ndarray
    faces: np.ndarray
    evaluations: int
    highest: float
    closed: bool


def make_sampler(
    settings: DecodeSettings, truncation: float | None = None, device: torch.device | str = "cpu"
) -> Sampler:
    """The sampler that ``settings`` ask for; ``truncation`` is the model's, used when settings name none."""
    grid = Grid(settings.resolution, settings.bounds)
    if settings.method == "dense":
        return Dense(grid, device)
    if settings.method == "published":
        return Published(grid, device=device)
    known = settings.truncation if settings.truncation is not None else truncation
    return CoarseToFine(grid, known, settings.level, device)


def decode_field(
    field: Field, sampler: Sampler, settings: DecodeSettings, chunk: int, check: Check | None = None
) -> DecodedFrame:
    """Mesh of a ``field``, points float32 [P,3] -> values [P], cleaned up as ``settings`` say.

    Raises InputError for values that are not finite and when memory does not suffice; see ChunkedField.
    """
    sample = sampler(ChunkedField(field, chunk, settings.level, check))
    extract = extract_published if settings.method == "published" else extract_surface
    vertices, faces = extract(sample)
    vertices, faces = remove_floaters(vertices, faces, settings.floater_ratio)
    if settings.max_faces is not None:
        vertices, faces = decimate(vertices, faces, settings.max_faces)
    highest = float(sample.values.nan_to_num(-1).max())
    return DecodedFrame(vertices, faces, sample.evaluations, highest, is_closed(faces))


class FrameDecoder:
    """Decodes latents [N,C] of one frame after another on one grid; ``vae`` and ``device`` as for decode_sequence."""

    def __init__(
        self, vae: Any, settings: DecodeSettings, latent_count: int, device: torch.device | str | None = None
    ) -> None:
        self._vae, self._settings = vae, settings
        self._device = _device(vae) if device is None else torch.device(device)
        config = getattr(vae, "config", None)
        require(
            BYTES_PER_VERTEX * (settings.resolution + 1) ** 3,
            f"A grid of resolution {settings.resolution}",
            "lower resolution",
            self._device,
        )
        point = bytes_per_point(config, latent_count, _itemsize(vae), self._device)
        self._chunk = settings.chunk or choose_chunk(point, self._device)
        self._sampler = make_sampler(settings, getattr(config, "truncation", None), self._device)

    def __call__(self, latent: torch.Tensor, check: Check | None = None) -> DecodedFrame:
        """The mesh of one frame; raises InputError as :func:`decode_field`."""
        with torch.inference_mode():
            with cancellable(check, self._vae if isinstance(self._vae, torch.nn.Module) else None):
                field = self._vae.field(self._vae.decode(latent[None].to(self._device)))
            return decode_field(_single(field), self._sampler, self._settings, self._chunk, check)


def decode_sequence(
    vae: Any,
    latents: LatentSequence,
    settings: DecodeSettings | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
    device: torch.device | str | None = None,
) -> MeshSequence:
    """Meshes of a latent sequence, each with its own topology, normals weighted by area.

    vae: a shape autoencoder with ``decode`` and ``field`` (see ShapeVAE); its configuration's truncation and
    sizes are used when present. device: where to compute, by default where the parameters are.
    ``progress`` counts frames; ``check`` is also called before every chunk of points. A frame without surface
    is empty and named in a warning, as are open frames and frames above max_faces. ``settings`` of the result
    hold those of the latents and, under "decoding", these and the evaluations per frame.
    Raises InputError when no frame has a surface.
    """
    settings = settings or DecodeSettings()
    decoder = FrameDecoder(vae, settings, latents.latents.shape[1], device)
    frames = []
    for step, latent in enumerate(latents.latents, start=1):
        frames.append(decoder(latent, check))
        tick(progress, check, step, len(latents.latents))
    _report(frames, settings)
    decoding = settings.to_dict() | {"evaluations": [frame.evaluations for frame in frames]}
    return MeshSequence(
        vertices=tuple(frame.vertices for frame in frames),
        faces=tuple(frame.faces for frame in frames),
        fps=latents.fps,
        name=latents.name,
        normals=tuple(vertex_normals(frame.vertices, frame.faces) for frame in frames),
        settings={**latents.settings, "decoding": decoding},
    )


def _device(vae: Any) -> torch.device:
    first = _first_parameter(vae)
    return torch.device("cpu") if first is None else first.device


def _itemsize(vae: Any) -> int:
    """Bytes of a value in the computation."""
    first = _first_parameter(vae)
    kind = getattr(vae, "compute_dtype", None) or (torch.float32 if first is None else first.dtype)
    return kind.itemsize


def _first_parameter(vae: Any) -> torch.Tensor | None:
    parameters = getattr(vae, "parameters", None)
    return next(iter(parameters()), None) if parameters is not None else None


def _single(field: Callable[[torch.Tensor], torch.Tensor]) -> Field:
    """A field of one item, [1,P,3] -> [1,P], as [P,3] -> [P]."""
    return lambda points: field(points[None])[0]


def _report(frames: list[DecodedFrame], settings: DecodeSettings) -> None:
    """Warn about frames that are empty, open or too large; raises InputError when all are empty."""
    empty = [t for t, frame in enumerate(frames) if len(frame.faces) == 0]
    if len(empty) == len(frames):
        best = settings.level + max(frame.highest for frame in frames)
        raise InputError(
            f"No frame has a surface: the field reaches at most {best:.3g} and level is {settings.level:g}; "
            "lower level, raise resolution, or check that the latents belong to this model."
        )
    if empty:
        _warn(f"Frames without a surface are empty: {_numbers(empty)}; lower level to fill them.")
    opened = [t for t, frame in enumerate(frames) if not frame.closed]
    if opened:
        _warn(f"Frames that are not closed: {_numbers(opened)}.")
    budget = settings.max_faces
    large = [t for t, frame in enumerate(frames) if budget is not None and len(frame.faces) > budget]
    if large:
        _warn(f"Frames that could not be reduced to max_faces {budget}: {_numbers(large)}.")


def _numbers(frames: list[int]) -> str:
    return ", ".join(str(t + 1) for t in frames)  # people count from 1


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)
