"""Fewer frames of a sequence, at any station of the way from a video to a file."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .types import CATEGORY, frames_of_any_kind

MOST = 1_000_000


class PickFrames(io.ComfyNode):
    """The choices of Load Video Frames, for what comes after it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        kind = frames_of_any_kind("sequence")
        return io.Schema(
            node_id="ShapeGen4D_PickFrames",
            display_name="Pick Frames",
            category=CATEGORY,
            description="Keeps some frames of a clip, of image tokens, latents or meshes: a part, every second, a few "
            "at equal times, or backwards. The frame rate changes so that the motion keeps its speed.",
            search_aliases=["trim", "subsample", "frame range", "reverse", "split sequence", "first frame", "slice"],
            inputs=[
                io.MatchType.Input(
                    "sequence",
                    template=kind,
                    tooltip="A clip, image tokens, latents or a mesh sequence; what comes out is of the same kind.",
                ),
                io.Int.Input(
                    "start",
                    default=0,
                    min=-MOST,
                    max=MOST,
                    tooltip="First frame, counted from 0; a negative number counts from the end, -1 is the last frame.",
                ),
                io.Int.Input(
                    "stop",
                    default=0,
                    min=-MOST,
                    max=MOST,
                    tooltip="Frame after the last one, counted from 0; 0 goes to the end, a negative number counts "
                    "from there, so that -1 leaves out the last frame.",
                ),
                io.Int.Input(
                    "stride",
                    default=1,
                    min=1,
                    max=1000,
                    tooltip="Take every this many frames between start and stop: 1 takes all, 2 halves the frame rate.",
                ),
                io.Int.Input(
                    "count",
                    default=0,
                    min=0,
                    max=MOST,
                    tooltip="Number of frames to keep, spread evenly from start to stop; 0 keeps all that stride "
                    "leaves.",
                ),
                io.Boolean.Input(
                    "reverse",
                    default=False,
                    tooltip="Put the chosen frames in the opposite order, so that the motion runs backwards.",
                ),
            ],
            outputs=[
                io.MatchType.Output(kind, id="sequence", tooltip="The chosen frames, of the kind that came in."),
                io.Float.Output("fps", tooltip="Their frames per second."),
                io.Int.Output("frames", tooltip="Number of frames."),
            ],
        )

    @classmethod
    def execute(cls, sequence: Any, start: int, stop: int, stride: int, count: int, reverse: bool) -> io.NodeOutput:
        """Choose the frames; what came in stays as it is."""
        from ..shapegen4d_core.editing import frame_count, pick_frames

        picked = pick_frames(sequence, start, stop or None, stride, count or None, reverse)
        return io.NodeOutput(picked, float(picked.fps), frame_count(picked))
