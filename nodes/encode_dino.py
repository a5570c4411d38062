"""Frames to image tokens, with the image encoder the model was trained with."""

from __future__ import annotations

from comfy_api.latest import io

from . import host
from .types import CATEGORY, Clip, ImageTokens, Model


class EncodeDINO(io.ComfyNode):
    """Own DINOv2 encoder: the core's CLIP_VISION drops the register tokens this one needs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_EncodeDINO",
            display_name="Encode Frames (DINO)",
            category=CATEGORY,
            description="Turns each frame into image tokens with the model's own DINOv2 encoder (with "
            "registers). A CLIP Vision model of ComfyUI cannot take its place.",
            search_aliases=["dinov2", "image tokens"],
            inputs=[
                Model.Input("model", tooltip="The model whose image encoder reads the frames."),
                Clip.Input("clip", tooltip="Frames of one object, cropped around it, from Load Video Frames."),
                io.Int.Input(
                    "frames_at_once",
                    default=4,
                    min=1,
                    max=256,
                    advanced=True,
                    tooltip="Frames encoded in one go, 1 to 256. More is faster on a GPU and takes more "
                    "memory; the result is the same.",
                ),
            ],
            outputs=[ImageTokens.Output("tokens", tooltip="Image tokens of every frame.")],
        )

    @classmethod
    def execute(cls, model: host.HostModel, clip, frames_at_once: int) -> io.NodeOutput:
        """Encode the clip, a few frames at a time."""
        from ..shapegen4d_core.models.encoding import encode_clip, encoding_bytes

        part = model.part("image_encoder")
        at_once = min(frames_at_once, len(clip.frames))
        host.bring(part, working_bytes=encoding_bytes(part.network.config, at_once, host.itemsize(part)))
        tokens = encode_clip(
            part.network,
            clip,
            model.name,
            device=part.device,
            frames_at_once=frames_at_once,
            progress=host.progress_bar(),
            check=host.check_stopped,
        )
        return io.NodeOutput(tokens)
