"""Latents from a file that Save 4D Latents, the command line or the library wrote."""

from __future__ import annotations

from comfy_api.latest import io

from . import latent_files
from .types import CATEGORY, Latents


class LoadLatents(io.ComfyNode):
    """Files below the latents folders of input and output."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_LoadLatents",
            display_name="Load 4D Latents",
            category=CATEGORY,
            description="Reads the latents of a sequence from a file, to decode them without sampling again. Connect "
            "the model they were made with to Decode Mesh Sequence.",
            search_aliases=["load latents", "open latents", "import latents"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=latent_files.choices(),
                    default=latent_files.NONE,
                    tooltip="A file below input/latents or output/latents of ComfyUI; press R on the page to see new "
                    "ones. The latents of ComfyUI's own nodes are something else and are refused.",
                ),
            ],
            outputs=[
                Latents.Output("latents", tooltip="The latents of all frames."),
                io.Int.Output("frames", tooltip="Number of frames."),
                io.String.Output("model", tooltip="Name of the model they were made with, which must decode them."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        """Changes when the chosen file changes, so that it is read again."""
        return latent_files.fingerprint(file)

    @classmethod
    def validate_inputs(cls, file: str) -> bool | str:
        """Any name may be given by a workflow from elsewhere; it is looked for when the node runs."""
        return True

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        """Read the file, which must hold latents of this pack."""
        from ..shapegen4d_core.sequence import LatentSequence

        latents = LatentSequence.load(latent_files.resolve(file))
        return io.NodeOutput(latents, len(latents.latents), latents.model)
