"""Pictures of a mesh sequence: shaded, normals, silhouettes, textured, around the object, or over what was filmed."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import host
from .types import CATEGORY, Camera, Clip, MeshSequence

STYLES = ("auto", "shaded", "normal", "silhouette", "textured", "lit")


class RenderMeshSequence(io.ComfyNode):
    """A batch of images with their masks, for previews, for judging a pose and for further image nodes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_RenderMeshSequence",
            display_name="Render Mesh Sequence",
            category=CATEGORY,
            description="Draws every frame of the meshes as an image with its mask. Without a camera it looks at "
            "the whole sequence from the front; a turntable goes around it. Connect a clip or the video's frames "
            "to over, with the camera of Register Pose, to see how well the meshes lie on what was filmed.",
            search_aliases=["preview meshes", "turntable", "overlay", "normal map", "silhouette"],
            inputs=[
                MeshSequence.Input("meshes", tooltip="The meshes to draw, one per frame."),
                io.Combo.Input(
                    "style",
                    options=list(STYLES),
                    default="auto",
                    tooltip="shaded is grey clay, normal colours by direction, silhouette is white, textured shows "
                    "the texture without light and lit with it. auto is lit where there is a texture, else shaded.",
                ),
                _pixels("width"),
                _pixels("height"),
                io.Float.Input(
                    "turntable",
                    default=0.0,
                    min=-20.0,
                    max=20.0,
                    step=0.25,
                    tooltip="How often the camera goes around the object while the pictures play; negative turns the "
                    "other way, 0 stands still.",
                ),
                io.Int.Input(
                    "count",
                    default=0,
                    min=0,
                    max=10_000,
                    tooltip="Number of pictures; the meshes start again when they end. 0 draws every frame once. Time "
                    "and memory grow with it.",
                ),
                io.Float.Input(
                    "yaw",
                    default=0.0,
                    min=-360.0,
                    max=360.0,
                    step=1.0,
                    tooltip="Without a camera: degrees around the object, 0 from the front, 90 from +x.",
                ),
                io.Float.Input(
                    "pitch",
                    default=10.0,
                    min=-90.0,
                    max=90.0,
                    step=1.0,
                    tooltip="Without a camera: degrees from above, negative from below.",
                ),
                io.String.Input(
                    "background",
                    default="white",
                    tooltip="Colour behind the object: a name such as white, or #rrggbb. The mask has the outline.",
                ),
                io.Float.Input(
                    "opacity",
                    default=0.6,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of what was filmed the meshes hide, with over connected; 0 leaves the outline.",
                ),
                io.Int.Input(
                    "supersampling",
                    default=2,
                    min=1,
                    max=8,
                    advanced=True,
                    tooltip="Samples per pixel along each side: smoother edges and finer textures; time and memory "
                    "grow with its square.",
                ),
                Camera.Input(
                    "camera",
                    optional=True,
                    tooltip="The camera to look through, such as that of Register Pose. Its field of view is kept; "
                    "width and height are those above, or those of what over shows.",
                ),
                io.MultiType.Input(
                    "over",
                    types=[Clip, io.Image],
                    optional=True,
                    tooltip="Lay the pictures over this: the clip (cropped frames), or whole frames of the video, one "
                    "per mesh or a single one. Needs the camera that filmed them.",
                ),
            ],
            outputs=[
                io.Image.Output("images", tooltip="One image per picture, on the background or over the frames."),
                io.Mask.Output("masks", tooltip="The drawn object in every picture, 1 = object, soft at the edges."),
                io.Float.Output("fps", tooltip="Pictures per second, for Save Animation or Create Video."),
            ],
        )

    @classmethod
    def execute(
        cls,
        meshes: Any,
        style: str,
        width: int,
        height: int,
        turntable: float,
        count: int,
        yaw: float,
        pitch: float,
        background: str,
        opacity: float,
        supersampling: int,
        camera: Any = None,
        over: Any = None,
    ) -> io.NodeOutput:
        """Draw on the host's GPU if it is CUDA, else on the CPU."""
        from ..shapegen4d_core import rendering

        colour = rendering.parse_colour(background)
        clip = None if over is None else _clip(over, meshes.frame_count)
        if clip is not None and (camera is None or turntable or count):
            raise ValueError("Pictures over frames need a camera, and turntable and count left at 0.")
        if camera is None:
            camera = rendering.framing_camera(meshes, (height, width), yaw, pitch, all_around=turntable != 0)
        pictures = rendering.render_sequence(
            meshes,
            rendering.turntable(camera, count or meshes.frame_count, turntable),
            None if clip else (height, width),
            rendering.natural_style(meshes) if style == "auto" else style,
            _device(),
            host.progress_bar(),
            host.check_stopped,
            clip,
            supersampling,
        )
        masks = pictures[..., 3].clone()
        if clip is not None:
            laid = rendering.overlay(pictures, clip.frames, opacity, background=colour, check=host.check_stopped)
            return io.NodeOutput(laid, masks, float(meshes.fps))
        images = rendering.composite(pictures, colour, host.check_stopped)
        return io.NodeOutput(images, masks, float(meshes.fps))


def _pixels(name: str) -> Any:
    return io.Int.Input(
        name,
        default=512,
        min=16,
        max=8192,
        step=2,
        tooltip=f"The {name} of the pictures in pixels, unless over is connected. Time and memory grow with it.",
    )


def _clip(over: Any, count: int) -> Any:
    """The clip itself, or images [T,H,W,3|4] as an uncropped one with ``count`` frames."""
    import torch

    from ..shapegen4d_core.sequence import Clip

    if isinstance(over, torch.Tensor):
        frames = over.expand(count, -1, -1, -1) if len(over) == 1 else over
        opaque = torch.ones_like(frames[..., :1])
        frames = torch.cat([frames[..., :3], frames[..., 3:] if frames.shape[3] == 4 else opaque], dim=3)
        over = Clip(frames.float().cpu().clamp(0, 1), 1.0)
    if len(over.frames) != count:
        raise ValueError(
            f"over has {len(over.frames)} frames and the meshes {count}; connect the clip the meshes came from, or as "
            "many frames of the video."
        )
    return over


def _device() -> Any:
    """The host's device where it is CUDA, else the CPU: other devices lack an operation of the rasteriser."""
    import comfy.model_management as manager
    import torch

    device = torch.device(manager.get_torch_device())
    return device if device.type == "cuda" else torch.device("cpu")
