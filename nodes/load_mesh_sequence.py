"""A mesh sequence from a file: what Save Mesh Sequence wrote, or an animation of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comfy_api.latest import io

from . import host, sequence_files
from .types import CATEGORY, MeshSequence


class LoadMeshSequence(io.ComfyNode):
    """Files below the input and output folders, or the 3D file of another node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_LoadMeshSequence",
            display_name="Load Mesh Sequence",
            category=CATEGORY,
            description="Reads an animation as one mesh per frame: GLB or glTF (bones, morph targets and moving parts "
            "are worked out), USD, a point cache, a folder of OBJ, PLY or GLB files, or a saved sequence.",
            search_aliases=["load animation", "import glb", "import usd", "load obj sequence", "mesh cache"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=sequence_files.choices(),
                    default=sequence_files.NONE,
                    tooltip="A file or folder of meshes below input/3d or output/3d of ComfyUI; press R on the page "
                    "to see new ones. Not needed when model_3d is connected.",
                ),
                io.Float.Input(
                    "fps",
                    default=0.0,
                    min=0.0,
                    max=1000.0,
                    step=0.5,
                    tooltip="Frames per second: 0 takes what the file says. An animated GLB is looked at that often, "
                    "any other sequence keeps its frames and plays at this rate; a folder that says none has 24.",
                ),
                io.MultiType.Input(
                    "model_3d",
                    types=[io.File3DGLB, io.File3DGLTF, io.File3DUSDZ, io.File3DAny],
                    optional=True,
                    tooltip="The 3D file of another node, such as Load 3D; it goes before file.",
                ),
            ],
            outputs=[
                MeshSequence.Output("meshes", tooltip="The meshes, one per frame."),
                io.Float.Output("fps", tooltip="Their frames per second."),
                io.Int.Output("frames", tooltip="Number of frames."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str, fps: float, model_3d: Any = None) -> str:
        """Changes when the chosen file changes, so that it is read again."""
        return sequence_files.fingerprint(file)

    @classmethod
    def validate_inputs(cls, file: str) -> bool | str:
        """Any name may be given by a workflow from elsewhere; it is looked for when the node runs."""
        return True

    @classmethod
    def execute(cls, file: str, fps: float, model_3d: Any = None) -> io.NodeOutput:
        """Read the file; a file of another node is looked at where it lies, or copied to the temporary folder."""
        from ..shapegen4d_core.importing import read_sequence

        hooks = {"progress": host.progress_bar(), "check": host.check_stopped}
        with sequence_files.located(file, model_3d) as path:
            meshes = read_sequence(Path(path), fps=fps or None, **hooks)
        return io.NodeOutput(meshes, float(meshes.fps), meshes.frame_count)
