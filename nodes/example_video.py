"""A bundled video, so that a workflow can be tried before a video of one's own is at hand."""

from __future__ import annotations

from comfy_api.latest import InputImpl, io

from .types import CATEGORY


class ExampleVideo(io.ComfyNode):
    """Gives a clip that comes with the pack; nothing is copied to the input folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        from ..shapegen4d_core.example_clips import example_names

        names = example_names()
        return io.Schema(
            node_id="ShapeGen4D_ExampleVideo",
            display_name="Example Video",
            category=CATEGORY,
            description="A short video of one moving object that comes with the pack, to try a workflow with. Put Load "
            "Video in its place for a video of your own.",
            search_aliases=["sample video", "demo video", "test clip", "quick start"],
            inputs=[
                io.Combo.Input(
                    "clip",
                    options=names,
                    default=next(iter(names), None),  # without files the other nodes still load
                    tooltip="Which bundled clip to give. The background of each is transparent, so no mask is needed.",
                ),
            ],
            outputs=[io.Video.Output("video", tooltip="The clip as a video with alpha, for Load Video Frames.")],
        )

    @classmethod
    def execute(cls, clip: str) -> io.NodeOutput:
        """Point to the file; it is decoded where it is used."""
        from ..shapegen4d_core.example_clips import example_path

        return io.NodeOutput(InputImpl.VideoFromFile(str(example_path(clip))))
