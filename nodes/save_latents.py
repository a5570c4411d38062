"""Latents to a file in the output folder, so that decoding can be repeated without sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comfy_api.latest import io

from . import latent_files, output_files
from .types import CATEGORY, Latents


class SaveLatents(io.ComfyNode):
    """Output node: one file per run, written whole or not at all."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_SaveLatents",
            display_name="Save 4D Latents",
            category=CATEGORY,
            description="Writes what was sampled to a small file below ComfyUI's output folder, with its frame rate, "
            "model and settings. Load 4D Latents reads it, to decode it again with another resolution or after a "
            "restart.",
            search_aliases=["save latents", "export latents", "store latents", "keep latents"],
            is_output_node=True,
            inputs=[
                Latents.Input("latents", tooltip="The latents to save, those of all frames."),
                io.String.Input(
                    "filename_prefix",
                    default=f"{latent_files.FOLDER}/ShapeGen4D",
                    tooltip="Folder and beginning of the file name below ComfyUI's output folder; a number is added. "
                    "Load 4D Latents lists what lies below output/latents.",
                ),
            ],
            outputs=[
                Latents.Output("latents", tooltip="The same latents."),
                io.String.Output("path", tooltip="What was written, below ComfyUI's output folder."),
            ],
        )

    @classmethod
    def execute(cls, latents: Any, filename_prefix: str) -> io.NodeOutput:
        """Write the file and pass the latents on."""
        path, subfolder = output_files.place(filename_prefix, latent_files.SUFFIX)
        latents.save(path)
        relative = (Path(subfolder) / path.name).as_posix()
        return io.NodeOutput(latents, relative, ui={"text": (relative,)})
