"""How a sequence is written as a GLB: every choice checked, on its own and against the sequence."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError
from ..sequence import MeshSequence
from ..setting_checks import check_choice
from .gltf_picture import check_picture
from .key_times import LOOPS
from .requests import check_drawable

ENCODINGS = ("auto", "morph", "flipbook")
INTERPOLATIONS = ("auto", "STEP", "LINEAR")
TEXTURE_FORMATS = ("png", "webp")
ROOT_MOTIONS = ("none", "translation", "rigid")


@dataclass(frozen=True)
class GlbOptions:
    """The choices of :func:`.glb.write_glb`, which says what each means. Raises InputError."""

    encoding: str = "auto"
    interpolation: str = "STEP"
    loop: str = "hold"
    unlit: bool = False
    texture_format: str = "png"
    quantize: bool = False
    normals: bool = True
    root_motion: str = "none"

    def __post_init__(self) -> None:
        check_choice("encoding", self.encoding, ENCODINGS)
        check_choice("interpolation", self.interpolation, INTERPOLATIONS)
        check_choice("loop", self.loop, LOOPS)
        check_choice("texture_format", self.texture_format, TEXTURE_FORMATS)
        check_choice("root_motion", self.root_motion, ROOT_MOTIONS)

    def check_sequence(self, sequence: MeshSequence) -> None:
        """Raise InputError, naming the option to change, when the sequence cannot be written this way."""
        check_drawable(sequence, self.unlit)
        check_picture(sequence.texture, self.texture_format)
        blendable, lasting = uses_morph_targets(sequence), sequence.frame_count > 1
        reason = "one frame" if sequence.fixed_topology else "a topology that changes"
        if self.encoding == "morph" and not blendable:
            raise InputError(f"Morph targets cannot hold a sequence with {reason}; set encoding to auto.")
        if self.interpolation == "LINEAR" and lasting and self.encoding == "flipbook":
            raise InputError("LINEAR cannot blend the frames of a flip book; set interpolation to STEP.")
        if self.interpolation == "LINEAR" and lasting and not blendable:
            raise InputError(f"LINEAR cannot blend a sequence with {reason}; set interpolation to STEP.")
        if self.root_motion == "rigid" and not sequence.fixed_topology:
            raise InputError(
                "root_motion rigid needs the same vertices in all frames, but the topology changes; set it to "
                "translation."
            )

    def morphs(self, sequence: MeshSequence) -> bool:
        """Whether the sequence becomes morph targets, not a flip book."""
        return self.encoding != "flipbook" and uses_morph_targets(sequence)

    def mode(self, sequence: MeshSequence) -> str:
        """The interpolation of the keys, STEP or LINEAR; "auto" is LINEAR where frames can be blended."""
        if not self.morphs(sequence) or self.interpolation == "STEP":
            return "STEP"
        return "LINEAR"


def uses_morph_targets(sequence: MeshSequence) -> bool:
    """Whether :func:`.glb.write_glb` by default writes morph targets (fixed topology, 2 frames or more)."""
    return sequence.fixed_topology and sequence.frame_count >= 2
