"""A batch of the core's meshes as the frames of a mesh sequence."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import core_mesh
from .types import CATEGORY, MeshSequence


class MeshToMeshSequence(io.ComfyNode):
    """One frame per mesh of the batch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_MeshToMeshSequence",
            display_name="Mesh to Mesh Sequence",
            category=CATEGORY,
            description="Makes the meshes of a batch the frames of a sequence, to track, texture, render or save them "
            "as an animation. A single mesh becomes one frame.",
            search_aliases=["mesh batch to animation", "from mesh", "meshes to frames", "import mesh"],
            inputs=[
                io.Mesh.Input("mesh", tooltip="A batch of meshes in the order of their frames, of any node."),
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=0.1,
                    max=1000.0,
                    step=0.5,
                    tooltip="Frames per second of the sequence; connect the fps of Mesh Sequence to Mesh when the "
                    "meshes come from there.",
                ),
            ],
            outputs=[
                MeshSequence.Output("meshes", tooltip="The meshes, one per frame."),
                io.Int.Output("frames", tooltip="Number of frames."),
                io.String.Output("report", tooltip="What was taken over and what a sequence cannot hold, as text."),
            ],
        )

    @classmethod
    def execute(cls, mesh: Any, fps: float) -> io.NodeOutput:
        """Take the meshes over without what fills up the batch."""
        from ..shapegen4d_core.mesh_batch import MeshItem, from_items

        items = [MeshItem(**core_mesh.arrays(mesh, index)) for index in range(core_mesh.count(mesh))]
        meshes, lost = from_items(items, fps)
        report = "\n".join([_told(meshes), *lost, *core_mesh.left_out(mesh)])
        return io.NodeOutput(meshes, meshes.frame_count, report)


def _told(meshes: Any) -> str:
    topology = "one topology" if meshes.fixed_topology else "a topology of its own per frame"
    parts = [name for name in ("normals", "uv", "texture") if getattr(meshes, name) is not None]
    return f"{meshes.frame_count} frames at {meshes.fps:g} per second, {', '.join([topology, *parts])}."
