"""Mesh sequence to an animated GLB in the output folder, and on as FILE_3D_GLB for the core's 3D nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from comfy_api.latest import Types, io

from . import host
from .types import CATEGORY, MeshSequence

INTERPOLATIONS = ("STEP", "LINEAR")


class SaveMeshSequence(io.ComfyNode):
    """Output node: writes one file per run and passes it on."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_SaveMeshSequence",
            display_name="Save Mesh Sequence",
            category=CATEGORY,
            description="Writes the sequence as one animated GLB into the output folder. Connect the "
            "output to Preview 3D & Animation to play it here.",
            search_aliases=["save glb", "export animation"],
            is_output_node=True,
            inputs=[
                MeshSequence.Input("meshes", tooltip="The meshes to save, one per frame."),
                io.String.Input(
                    "filename_prefix",
                    default="3d/ShapeGen4D",
                    tooltip="Folder and beginning of the file name below ComfyUI's output folder; a number "
                    "is added. %year%, %month%, %day% and the like are filled in.",
                ),
                io.Combo.Input(
                    "interpolation",
                    options=list(INTERPOLATIONS),
                    default="STEP",
                    advanced=True,
                    tooltip="STEP holds every frame until the next. LINEAR moves vertices smoothly between "
                    "frames and needs a sequence whose frames share their triangles.",
                ),
                io.Boolean.Input(
                    "unlit",
                    default=False,
                    advanced=True,
                    tooltip="Shows the texture as it is, without the viewer's light. Right for a texture painted "
                    "from the video, which has the video's light in it; switch it off to relight the object. "
                    "Needs a texture.",
                ),
                io.Boolean.Input(
                    "save_sequence",
                    default=False,
                    advanced=True,
                    tooltip="Also write the meshes as one safetensors file beside the GLB, for further "
                    "work with the shapegen4d library.",
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            outputs=[
                io.File3DGLB.Output("model_3d", tooltip="The animated GLB, for Preview 3D & Animation."),
            ],
        )

    @classmethod
    def execute(
        cls, meshes: Any, filename_prefix: str, interpolation: str, unlit: bool, save_sequence: bool
    ) -> io.NodeOutput:
        """Write the file; the workflow goes into it unless the host was started without metadata."""
        import folder_paths

        from ..shapegen4d_core.export import write_glb

        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory()
        )
        path = Path(folder) / f"{name}_{counter:05}_.glb"
        write_glb(
            meshes,
            path,
            interpolation=interpolation,
            unlit=unlit,
            extras=_workflow(cls.hidden),
            progress=host.progress_bar(),
            check=host.check_stopped,
        )
        if save_sequence:
            meshes.save(path.with_suffix(".safetensors"))
        saved = {"filename": path.name, "subfolder": subfolder, "type": "output"}
        return io.NodeOutput(Types.File3D(str(path), "glb"), ui={"3d": [saved]})


def _workflow(hidden: Any) -> dict[str, str]:
    """What lets ComfyUI open the workflow from the file: JSON strings under asset.extras."""
    from comfy.cli_args import args

    if args.disable_metadata:
        return {}
    entries = dict(hidden.extra_pnginfo or {})
    if hidden.prompt is not None:
        entries["prompt"] = hidden.prompt
    return {key: json.dumps(value) for key, value in entries.items()}
