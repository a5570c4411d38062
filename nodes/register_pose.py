"""Meshes back onto the video: the camera that filmed it, seen from the meshes made of it."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import host, weight_files
from .camera_form import load_3d_camera
from .types import CATEGORY, Camera, Clip, MeshSequence, Model

VGGT_PARAMETERS = 942_000_000  # of trunk and point head
VGGT_WORKING_BYTES = 1.5e9  # eight pictures of 518 pixels, estimated from the shapes
PRESETS = ("default", "faithful")
PLACEMENTS = ("meshes", "camera")


class RegisterPose(io.ComfyNode):
    """One pose for the whole clip, from outlines and shading; networks join in when their weights are there."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_RegisterPose",
            display_name="Register Pose",
            category=CATEGORY,
            description="Finds where the camera stood that filmed the clip, so that the meshes cover the object in "
            "the video. One pose holds for all frames. Needs no weights and no GPU; look at the overlay to judge it.",
            search_aliases=["align to video", "camera pose", "match move", "reproject"],
            inputs=[
                MeshSequence.Input("meshes", tooltip="The meshes made from the clip, one per frame."),
                Clip.Input("clip", tooltip="The clip they were made from, with the object's outline in its alpha."),
                io.Float.Input(
                    "fov",
                    default=40.0,
                    min=5.0,
                    max=120.0,
                    step=0.5,
                    tooltip="Vertical field of view of the whole video in degrees. Phones filming upright have about "
                    "65, a photo lens 25 to 40. A wrong value moves the camera nearer or farther.",
                ),
                io.Boolean.Input(
                    "search_fov",
                    default=False,
                    tooltip="Also look for the field of view, 20 to 60 degrees; takes two to three times as long.",
                ),
                io.Boolean.Input(
                    "roll",
                    default=False,
                    tooltip="Also look for cameras turned about their view axis. Only for tilted or turned videos: the "
                    "search takes several times as long.",
                ),
                io.Combo.Input(
                    "placement",
                    options=list(PLACEMENTS),
                    default="meshes",
                    tooltip="meshes: the meshes are turned in front of a camera on the +z axis. camera: they stay "
                    "upright where they are and the camera moves.",
                ),
                io.Int.Input(
                    "random_seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    advanced=True,
                    tooltip="Start of the random numbers of the swarm; the same number gives the same pose.",
                ),
                io.Combo.Input(
                    "preset",
                    options=list(PRESETS),
                    default="default",
                    advanced=True,
                    tooltip="faithful runs the published counts (2000 random cameras, 200 x 25 swarm, 300 gradient "
                    "steps on frame 1): minutes instead of seconds, and less exact. For comparisons only.",
                ),
                io.Int.Input(
                    "frames",
                    default=0,
                    min=0,
                    max=10_000,
                    advanced=True,
                    tooltip="How many frames, spread over the clip, share in the last fit; 0 takes all. More make it "
                    "more exact where meshes differ from the video; time grows with them.",
                ),
                io.Int.Input(
                    "views",
                    default=256,
                    min=16,
                    max=4096,
                    advanced=True,
                    tooltip="Directions tried first, evenly around the object, 16 to 4096. Raise it for intricate "
                    "shapes; the first search takes time in proportion.",
                ),
                io.Int.Input(
                    "rivals",
                    default=6,
                    min=1,
                    max=64,
                    advanced=True,
                    tooltip="Clearly different poses followed to the end, 1 to 64, such as front and back of the same "
                    "outline. Time grows with them.",
                ),
                _weights("dreamsim", "DreamSim, which compares pictures as people do, joins the ranking"),
                _weights("vggt", "VGGT, which gives pixels places in space, proposes a pose of its own"),
                Model.Input(
                    "model",
                    optional=True,
                    tooltip="Let the image encoder of this model compare renders with the video as well. Without it "
                    "outlines, shading and edges decide, which suits plain renders of shapes.",
                ),
            ],
            outputs=[
                MeshSequence.Output("posed", display_name="meshes", tooltip="The meshes at their place."),
                Camera.Output("camera", tooltip="The camera of the whole video picture, for Render Mesh Sequence."),
                io.Load3DCamera.Output("camera_3d", tooltip="The same camera for ComfyUI's own 3D nodes; set the "
                "field of view of a Preview 3D by hand."),
                io.Image.Output("overlay", tooltip="The meshes over the clip, with their outline, to judge the pose."),
                io.String.Output("report", tooltip="Overlap per frame, every stage, flicker, drift, hints."),
            ],
        )

    @classmethod
    def execute(
        cls,
        meshes: Any,
        clip: Any,
        fov: float,
        search_fov: bool,
        roll: bool,
        placement: str,
        random_seed: int,
        preset: str,
        frames: int,
        views: int,
        rivals: int,
        dreamsim: str,
        vggt: str,
        model: host.HostModel | None = None,
    ) -> io.NodeOutput:
        """Search on the CPU, or on the GPU where the rasteriser can; networks where the host puts them."""
        from ..shapegen4d_core import rendering
        from ..shapegen4d_core.registration.pose import PoseSettings, register_pose, summary
        from ..shapegen4d_core.registration.quality import read_quality

        settings = PoseSettings(
            preset=preset,
            fov_degrees=fov,
            search_fov=search_fov,
            frames=frames or "all",
            placement=placement,
            roll=roll,
            views=views,
            rivals=rivals,
            seed=random_seed,
        )
        with host.advice_when_full("Set dreamsim and vggt to none, or leave model unconnected."):
            found = register_pose(
                meshes,
                clip,
                settings,
                _similarity(dreamsim, model),
                _point_maps(vggt),
                progress=host.progress_bar(),
                check=host.check_stopped,
            )
        pictures = rendering.render_sequence(found.meshes, found.camera, check=host.check_stopped, clip=clip)
        overlay = rendering.overlay(pictures, clip.frames, check=host.check_stopped)
        quality = read_quality(found.meshes, clip, found.camera, check=host.check_stopped)
        lines = "\n".join(summary(found, quality))
        return io.NodeOutput(found.meshes, found.camera, load_3d_camera(found.camera), overlay, lines)


def _weights(kind: str, what: str) -> io.Combo.Input:
    return io.Combo.Input(
        kind,
        options=weight_files.choices(kind),
        default=weight_files.NONE,
        advanced=True,
        tooltip=f"{what}, when its .safetensors file lies in a folder named {kind} under models/shapegen4d. Slower; "
        "nothing is downloaded.",
    )


def _similarity(dreamsim: str, model: host.HostModel | None) -> Any:
    """The network that compares pictures: DreamSim before the model's image encoder, None for neither."""
    from ..shapegen4d_core.registration.pose import DreamSimSimilarity, EncoderSimilarity

    file = weight_files.chosen("dreamsim", dreamsim)
    if file is not None:
        from ..shapegen4d_core.models.dreamsim import DreamSim

        part = host.wrap(DreamSim.load(file, ops=host.cast_ops(), check=host.check_stopped))
        host.bring(part)
        return DreamSimSimilarity(part.network, part.device)
    if model is None:
        return None
    part = model.part("image_encoder")
    host.bring(part)
    return EncoderSimilarity(part.network, part.device)


def _point_maps(vggt: str) -> Any:
    file = weight_files.chosen("vggt", vggt)
    if file is None:
        return None
    from ..shapegen4d_core.models.vggt import VGGT
    from ..shapegen4d_core.registration.point_maps import VGGTPointMaps

    dtype = host.choose_dtype("auto", VGGT_PARAMETERS)
    network = VGGT.load(file, ops=host.cast_ops(), dtype=dtype, cameras=False, check=host.check_stopped)
    part = host.wrap(network)
    host.bring(part, working_bytes=VGGT_WORKING_BYTES)
    return VGGTPointMaps(part.network, part.device)
