"""A mesh sequence as the core's own mesh batch, for all nodes that work on meshes."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import Types, io

from .types import CATEGORY, MeshSequence

_LATER = ("normals", "unlit")  # no arguments of MESH in the oldest ComfyUI that is supported, attributes in newer ones


class MeshSequenceToMesh(io.ComfyNode):
    """One mesh of the batch per frame."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_MeshSequenceToMesh",
            display_name="Mesh Sequence to Mesh",
            category=CATEGORY,
            description="Turns the frames into a batch of ComfyUI's own meshes, to decimate, remesh, bake or save them "
            "with its nodes. Mesh to Mesh Sequence is the way back.",
            search_aliases=["convert to mesh", "mesh batch", "to mesh", "frames to meshes"],
            inputs=[
                MeshSequence.Input("meshes", tooltip="The meshes, one per frame."),
                io.Boolean.Input(
                    "unlit",
                    default=False,
                    advanced=True,
                    tooltip="Asks the nodes that save or show the meshes to show the texture as it is, without their "
                    "light. Right for a texture painted from the video.",
                ),
            ],
            outputs=[
                io.Mesh.Output(
                    "mesh",
                    tooltip="A batch with one mesh per frame, with uv, texture (without alpha) and normals where there "
                    "are some. Frames of different size are filled up, as ComfyUI does it.",
                ),
                io.Float.Output("fps", tooltip="Frames per second, which a mesh batch has no place for."),
                io.Int.Output("frames", tooltip="Number of frames, and of meshes in the batch."),
            ],
        )

    @classmethod
    def execute(cls, meshes: Any, unlit: bool) -> io.NodeOutput:
        """Copy the meshes; faces, uv and texture that all frames share stay one piece of memory."""
        from ..shapegen4d_core.mesh_batch import to_batch

        fields = {**vars(to_batch(meshes)), "unlit": unlit}
        later = {name: fields.pop(name) for name in _LATER}
        mesh = Types.MESH(**fields)
        vars(mesh).update(later)
        return io.NodeOutput(mesh, float(meshes.fps), meshes.frame_count)
