"""A mesh sequence as the core's 3D file, to look at it without saving it."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import export_options, host, temporary_glb
from .types import CATEGORY, Camera, MeshSequence


class MeshSequenceToFile3D(io.ComfyNode):
    """The GLB of Save Mesh Sequence, in the temporary folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_MeshSequenceToFile3D",
            display_name="Mesh Sequence to 3D File",
            category=CATEGORY,
            description="Makes an animated GLB of the meshes for Preview 3D & Animation and other nodes that take a 3D "
            "file. It lies in ComfyUI's temporary folder; Save Mesh Sequence keeps one.",
            search_aliases=["preview mesh sequence", "preview animation", "convert to glb", "to file 3d", "play"],
            inputs=[
                MeshSequence.Input("meshes", tooltip="The meshes to show, one per frame."),
                *export_options.playing(),
                Camera.Input(
                    "camera",
                    optional=True,
                    tooltip="A camera to write into the file, such as that of Register Pose. The viewers of ComfyUI "
                    "want camera_3d of that node instead.",
                ),
            ],
            outputs=[io.File3DGLB.Output("model_3d", tooltip="An animated GLB for Preview 3D & Animation.")],
        )

    @classmethod
    def execute(cls, meshes: Any, interpolation: str, loop: str, unlit: bool, camera: Any = None) -> io.NodeOutput:
        """Write the file, whole or not at all."""
        from ..shapegen4d_core.export.requests import check_drawable

        check_drawable(meshes, unlit=False)  # before a folder is made; without a texture unlit changes nothing
        options = {"interpolation": interpolation, "loop": loop, "unlit": unlit}
        options |= {} if camera is None else {"camera": camera}
        hooks = {"progress": host.progress_bar(), "check": host.check_stopped}
        return io.NodeOutput(temporary_glb.write(meshes, "ShapeGen4D", **options, **hooks))
