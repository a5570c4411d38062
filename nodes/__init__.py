"""ComfyUI nodes: schema and glue around shapegen4d_core, one file per node."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import folders
from .decode_sdf_sequence import DecodeSDFSequence
from .encode_dino import EncodeDINO
from .example_video import ExampleVideo
from .join_sequences import JoinSequences
from .load_image_sequence import LoadImageSequence
from .load_latents import LoadLatents
from .load_mesh_sequence import LoadMeshSequence
from .load_model import LoadShapeGen4DModel
from .load_model_files import LoadModelFiles
from .load_video_frames import LoadVideoFrames
from .mesh_sequence_to_file_3d import MeshSequenceToFile3D
from .mesh_sequence_to_mesh import MeshSequenceToMesh
from .mesh_to_mesh_sequence import MeshToMeshSequence
from .pick_frames import PickFrames
from .propagate_texture import PropagateTexture
from .register_pose import RegisterPose
from .render_mesh_sequence import RenderMeshSequence
from .sample_4d_latents import Sample4DLatents
from .save_animation import SaveAnimation
from .save_latents import SaveLatents
from .save_mesh_sequence import SaveMeshSequence
from .track_topology import TrackTopology

NODES: list[type[io.ComfyNode]] = [
    LoadShapeGen4DModel,
    LoadModelFiles,
    ExampleVideo,
    LoadImageSequence,
    LoadVideoFrames,
    EncodeDINO,
    Sample4DLatents,
    SaveLatents,
    LoadLatents,
    DecodeSDFSequence,
    RegisterPose,
    TrackTopology,
    PropagateTexture,
    LoadMeshSequence,
    MeshSequenceToFile3D,
    MeshSequenceToMesh,
    MeshToMeshSequence,
    PickFrames,
    JoinSequences,
    RenderMeshSequence,
    SaveMeshSequence,
    SaveAnimation,
]


class ShapeGen4DExtension(ComfyExtension):
    """What ComfyUI asks for the nodes of this pack."""

    async def on_load(self) -> None:
        """Make ``models/shapegen4d`` known before the first list of models is drawn."""
        folders.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All nodes, in the order of the data's way through them."""
        return list(NODES)


async def comfy_entrypoint() -> ShapeGen4DExtension:
    """The entry point ComfyUI looks for."""
    return ShapeGen4DExtension()
