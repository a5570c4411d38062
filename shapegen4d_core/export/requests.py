"""What every writer asks of a sequence and of the host's extras before it writes."""

from __future__ import annotations

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
