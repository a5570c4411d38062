"""What every writer asks of a sequence and of the host's extras before it writes."""

from __future__ import annotations

import warnings

from ..errors import InputError
from ..sequence import MeshSequence


def check_drawable(sequence: MeshSequence, unlit: bool) -> None:
    """Raise InputError for a sequence without a single face, and for ``unlit`` without a texture to show."""
    if not any(len(faces) for faces in sequence.faces):
        raise InputError(
            f"None of the {sequence.frame_count} frames of {sequence.name!r} has a face, so there is no mesh to write; "
            "look at the earlier stages."
        )
    check_light(sequence, unlit)


def check_light(sequence: MeshSequence, unlit: bool) -> None:
    """Raise InputError for ``unlit`` without a texture to show."""
    if unlit and sequence.texture is None:
        raise InputError(f"unlit shows only a texture, and {sequence.name!r} has none; switch it off.")


def warn_of_points(sequence: MeshSequence, stacklevel: int) -> None:
    """Warn of frames with vertices but no faces, which a GLB shows as empty."""
    lost = [t + 1 for t, faces in enumerate(sequence.faces) if not len(faces) and len(sequence.vertices[t])]
    if lost:
        warnings.warn(
            f"A GLB holds no vertices without faces: those of frame {lost[0]} ({len(lost)} such frames) are left out.",
            stacklevel=stacklevel,
        )
