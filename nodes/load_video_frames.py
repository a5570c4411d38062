"""Frames of one object from a VIDEO or a batch of images: chosen, cut out and cropped once for all frames."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import InputImpl, io

from . import host
from .types import CATEGORY, Clip, Model

MATTES = ("auto", "alpha", "mask", "key")
OBJECT_IS_WHITE, OBJECT_IS_BLACK = "object is white", "object is black"


class LoadVideoFrames(io.ComfyNode):
    """Decodes only the frames asked for when the video lies in a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_LoadVideoFrames",
            display_name="Load Video Frames",
            category=CATEGORY,
            description="Chooses frames, separates the object from its background and crops all frames to "
            "one square around the whole motion. The object comes from the frames' own alpha, from a mask, "
            "or from a plain background; for any other background put Remove Background before it.",
            search_aliases=["video to frames", "crop object"],
            inputs=[
                Model.Input(
                    "model",
                    tooltip="Gives the values of count, foreground_ratio and size that are left at 0.",
                ),
                io.MultiType.Input(
                    "video",
                    types=[io.Video, io.Image],
                    tooltip="A video, or a batch of images with 3 channels or 4 (alpha). Of a video file "
                    "only the frames asked for are decoded.",
                ),
                io.Int.Input(
                    "start",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="First frame, counted from 0.",
                ),
                io.Int.Input(
                    "stop",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="Frame after the last one, counted from 0; 0 goes to the end.",
                ),
                io.Int.Input(
                    "stride",
                    default=1,
                    min=1,
                    max=1000,
                    tooltip="Take every this many frames between start and stop. 1 takes all.",
                ),
                io.Int.Input(
                    "count",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Number of frames to keep, spread evenly over the time from start to stop; 0 "
                    "takes the number the model was trained with. Fewer frames than that are an error.",
                ),
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=0.1,
                    max=1000.0,
                    step=0.1,
                    tooltip="Frames per second of a batch of images. A video brings its own rate.",
                ),
                io.Combo.Input(
                    "matte",
                    options=list(MATTES),
                    default="auto",
                    advanced=True,
                    tooltip="Where the outline of the object comes from: alpha of the frames, the mask, or "
                    "key (the colour of a plain background). auto takes the first of these that is there.",
                ),
                io.Combo.Input(
                    "mask_meaning",
                    options=[OBJECT_IS_WHITE, OBJECT_IS_BLACK],
                    default=OBJECT_IS_WHITE,
                    tooltip="What a mask of 1 (white) stands for. Remove Background gives the object in "
                    "white; the mask of Load Image has it in black.",
                ),
                io.Float.Input(
                    "tolerance",
                    default=0.08,
                    min=0.001,
                    max=0.999,
                    step=0.01,
                    round=0.001,
                    advanced=True,
                    tooltip="For the key: largest difference from the background's colour, per channel 0 "
                    "to 1, that still counts as background.",
                ),
                io.Float.Input(
                    "foreground_ratio",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip="Part of the square's side that the object's motion fills, 0 to 1; 0 takes "
                    "what the model was trained with.",
                ),
                io.Int.Input(
                    "size",
                    default=0,
                    min=0,
                    max=4096,
                    step=2,
                    advanced=True,
                    tooltip="Pixels along each side of the cropped frames; 0 takes what the model's encoder "
                    "reads. Give 512 or more when a texture is made from the frames: the shapes stay the "
                    "same, the texture gets sharper, memory grows with its square.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Optional mask of the object, one per frame of the source or one for all.",
                ),
            ],
            outputs=[
                Clip.Output("clip", tooltip="Cropped frames with alpha and their rate."),
                io.Image.Output("image", tooltip="The cropped frames on white, to look at."),
                io.Mask.Output("object_mask", tooltip="The object in the cropped frames, 1 = object."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: host.HostModel,
        video: Any,
        start: int,
        stop: int,
        stride: int,
        count: int,
        fps: float,
        matte: str,
        mask_meaning: str,
        tolerance: float,
        foreground_ratio: float,
        size: int,
        mask: Any = None,
    ) -> io.NodeOutput:
        """Read the clip and show it on white."""
        from ..shapegen4d_core.rendering import composite
        from ..shapegen4d_core.video import clip_from_frames, load_clip

        settings = {
            "size": size or model.config.image_encoder.image_size,
            "start": start,
            "stop": stop or None,
            "stride": stride,
            "count": count or model.config.frames,
            "mask": _object_mask(mask, mask_meaning),
            "matte": matte,
            "tolerance": tolerance,
            "foreground_ratio": foreground_ratio or model.config.foreground_ratio,
            "progress": host.progress_bar(),
            "check": host.check_stopped,
        }
        path = _file_of(video)
        if path is not None:
            clip = load_clip(path, **settings)
        else:
            images, rate = _images_of(video, fps)
            clip = clip_from_frames(images, rate, **settings)
        shown = composite(clip.frames, (1.0, 1.0, 1.0), host.check_stopped)
        return io.NodeOutput(clip, shown, clip.frames[..., 3].clone())


def _object_mask(mask: Any, meaning: str) -> Any:
    """The mask with 1 = object; the one given is left as it is."""
    if mask is None or meaning == OBJECT_IS_WHITE:
        return mask
    return 1.0 - mask


def _file_of(video: Any) -> str | None:
    """Path of a video that is a whole file; None for images, frames in memory and trimmed videos."""
    if not isinstance(video, InputImpl.VideoFromFile):
        return None
    window = getattr(video, "get_active_trim_window", lambda: None)()
    source = video.get_stream_source()
    return source if window == (0.0, 0.0) and isinstance(source, str) else None


def _images_of(video: Any, fps: float) -> tuple[Any, float]:
    """Frames [T,H,W,3|4] float32 and their rate, of a batch of images or of a video in memory."""
    import torch

    if isinstance(video, torch.Tensor):
        return video.float(), fps
    parts = video.get_components()
    alpha = getattr(parts, "alpha", None)
    images = parts.images.float()
    if alpha is not None:
        images = torch.cat([images[..., :3], alpha.float().reshape(*images.shape[:3], 1)], dim=-1)
    return images, float(parts.frame_rate)
