"""Pictures to a film, an animated image or a contact sheet in the output folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comfy_api.latest import io

from . import host, output_files
from .types import CATEGORY

SUFFIXES = {"mp4": ".mp4", "webp": ".webp", "gif": ".gif", "contact sheet": ".png", "png files": ""}


class SaveAnimation(io.ComfyNode):
    """Output node for what Render Mesh Sequence draws, or for any batch of images."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_SaveAnimation",
            display_name="Save Animation",
            category=CATEGORY,
            description="Writes a batch of images as an MP4, an animated WebP or GIF, one contact sheet, or a folder "
            "of PNG files below ComfyUI's output folder, and shows it here.",
            search_aliases=["save gif", "save webp", "save mp4", "contact sheet", "turntable"],
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The pictures in their order."),
                io.String.Input(
                    "filename_prefix",
                    default="3d/ShapeGen4D_animation",
                    tooltip="Folder and beginning of the file name below ComfyUI's output folder; a number is added.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(SUFFIXES),
                    default="mp4",
                    tooltip="mp4 is smallest and opaque; webp keeps transparency and plays in browsers; gif has 256 "
                    "colours and plays everywhere; contact sheet is one picture of all; png files are without loss.",
                ),
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=0.1,
                    max=240.0,
                    step=0.5,
                    tooltip="Pictures per second; connect the fps of Render Mesh Sequence. GIF rounds to 1/100 s.",
                ),
                io.Int.Input(
                    "columns",
                    default=8,
                    min=1,
                    max=100,
                    advanced=True,
                    tooltip="Pictures per row of a contact sheet.",
                ),
                io.Mask.Input(
                    "masks",
                    optional=True,
                    tooltip="What stays visible, 1 = object, one mask per picture: the rest becomes transparent in "
                    "webp, gif and png files. MP4 cannot be transparent.",
                ),
            ],
            outputs=[io.String.Output("path", tooltip="What was written, below ComfyUI's output folder.")],
        )

    @classmethod
    def execute(
        cls, images: Any, filename_prefix: str, format: str, fps: float, columns: int, masks: Any = None
    ) -> io.NodeOutput:
        """Write one file, whole or not at all."""
        from ..shapegen4d_core.rendering import save_pictures

        path, subfolder = output_files.place(filename_prefix, SUFFIXES[format])
        pictures = images.cpu().float() if masks is None else _masked(images, masks)
        save_pictures(pictures, path, fps, columns, host.progress_bar(), host.check_stopped)
        relative = (Path(subfolder) / path.name).as_posix()
        if path.is_dir():
            return io.NodeOutput(relative, ui={"text": (relative,)})
        shown = {"filename": path.name, "subfolder": subfolder, "type": "output"}
        return io.NodeOutput(relative, ui={"images": [shown], "animated": (path.suffix != ".png",)})


def _masked(images: Any, masks: Any) -> Any:
    """Pictures [T,H,W,4] whose alpha is the mask."""
    import torch

    masks = masks.cpu().float()
    if masks.shape != images.shape[:3]:
        raise ValueError(
            f"masks are {list(masks.shape)} and images {list(images.shape[:3])}; connect one mask of the same size per "
            "picture, such as those of Render Mesh Sequence."
        )
    return torch.cat([images[..., :3].cpu().float(), masks[..., None]], dim=3)
