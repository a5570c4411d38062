"""Sequences of one kind, one after another."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .types import CATEGORY, frames_of_any_kind

PREFIX, MOST = "sequence", 50
KEEP_FIRST = "keep first"


class JoinSequences(io.ComfyNode):
    """A socket appears for each sequence that is connected."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        kind = frames_of_any_kind("sequence")
        one = io.MatchType.Input(
            PREFIX,
            template=kind,
            tooltip="A clip, image tokens, latents or a mesh sequence, of the kind of the others.",
        )
        return io.Schema(
            node_id="ShapeGen4D_JoinSequences",
            display_name="Join Sequences",
            category=CATEGORY,
            description="Puts two or more clips, image tokens, latents or mesh sequences one after another. Meshes of "
            "one topology stay so; sequences with different textures cannot be joined.",
            search_aliases=["concatenate", "append", "merge sequences", "combine", "concat"],
            inputs=[
                io.Autogrow.Input(
                    "sequences",
                    template=io.Autogrow.TemplatePrefix(one, prefix=PREFIX, min=2, max=MOST),
                    tooltip="The sequences in their order, from top to bottom; all are of one kind.",
                ),
                io.Combo.Input(
                    "different_fps",
                    options=["error", KEEP_FIRST],
                    default="error",
                    tooltip="When frame rates differ: stop with an error, or keep first, which plays all frames at the "
                    "rate of the first sequence, so that the others change their speed.",
                ),
            ],
            outputs=[
                io.MatchType.Output(kind, id="sequence", tooltip="All frames, of the kind that came in."),
                io.Float.Output("fps", tooltip="Their frames per second."),
                io.Int.Output("frames", tooltip="Number of frames."),
            ],
        )

    @classmethod
    def execute(cls, sequences: dict[str, Any], different_fps: str) -> io.NodeOutput:
        """Join in the order of the sockets."""
        from ..shapegen4d_core.editing import frame_count, join

        order = sorted(sequences, key=lambda name: int(name.removeprefix(PREFIX)))
        joined = join([sequences[name] for name in order], different_fps)
        return io.NodeOutput(joined, float(joined.fps), frame_count(joined))
