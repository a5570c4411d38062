"""A folder of pictures as a batch of images, in the order of their numbers and with their alpha."""

from __future__ import annotations

from comfy_api.latest import io

from . import host, picture_folders
from .types import CATEGORY


class LoadImageSequence(io.ComfyNode):
    """Folders below the input and output folders; only the pictures asked for are decoded."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_LoadImageSequence",
            display_name="Load Image Sequence",
            category=CATEGORY,
            description="Reads the pictures of a folder as one batch, in the order of the numbers in their names, with "
            "their transparency. ComfyUI's own Load Image (from Folder) keeps neither.",
            search_aliases=["load images from folder", "image batch", "png sequence", "frames folder"],
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=picture_folders.choices(),
                    default=picture_folders.NONE,
                    tooltip="A folder of PNG, JPEG, WebP, BMP or TIFF files below input or output of ComfyUI; press R "
                    "on the page to see new ones. All pictures must have one size.",
                ),
                io.Int.Input("start", default=0, min=0, max=1_000_000, tooltip="First picture, counted from 0."),
                io.Int.Input(
                    "stop",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="Picture after the last one, counted from 0; 0 goes to the end.",
                ),
                io.Int.Input(
                    "stride",
                    default=1,
                    min=1,
                    max=1000,
                    tooltip="Take every this many pictures. 1 takes all; more saves memory, which is 8 MB for each "
                    "picture of 1000 x 500 pixels with alpha.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "image",
                    tooltip="The pictures, with 4 channels where one of them has alpha. Connect them to Load Video "
                    "Frames, which has the frames per second.",
                ),
                io.Int.Output("frames", tooltip="Number of pictures."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str, start: int, stop: int, stride: int) -> str:
        """Changes when a file of the folder changes, so that it is read again."""
        return picture_folders.fingerprint(folder)

    @classmethod
    def validate_inputs(cls, folder: str) -> bool | str:
        """Any name may be given by a workflow from elsewhere; it is looked for when the node runs."""
        return True

    @classmethod
    def execute(cls, folder: str, start: int, stop: int, stride: int) -> io.NodeOutput:
        """Read the pictures one by one into the batch."""
        from ..shapegen4d_core.video import read_pictures

        hooks = {"progress": host.progress_bar(), "check": host.check_stopped}
        path = picture_folders.resolve(folder)
        images = read_pictures(path, start=start, stop=stop or None, stride=stride, **hooks)
        return io.NodeOutput(images, len(images))
