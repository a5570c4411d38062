"""Independent meshes of every frame to one topology."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import host
from .types import CATEGORY, MeshSequence


class TrackTopology(io.ComfyNode):
    """Carries one frame's mesh through the whole sequence, so that textures and morph targets become possible."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_TrackTopology",
            display_name="Track Topology",
            category=CATEGORY,
            description="Carries the mesh of one frame through all others, so that every frame has the same "
            "triangles: smaller files, no flicker, and a texture that stays where it is.",
            search_aliases=["mesh registration", "non-rigid", "consistent topology", "remesh sequence"],
            inputs=[
                MeshSequence.Input("meshes", tooltip="One mesh per frame, each with triangles of its own."),
                io.Int.Input(
                    "faces",
                    default=10_000,
                    min=100,
                    max=200_000,
                    step=100,
                    tooltip="Most triangles of the mesh that is carried along, 100 to 200000. Time grows with it: "
                    "about 10 seconds per frame at 10000.",
                ),
                io.Combo.Input(
                    "anchor",
                    options=["first", "best"],
                    default="first",
                    tooltip="Frame whose mesh is carried. best takes the frame most like all others whose limbs touch "
                    "least; it costs a second and helps when the first frame is unusual.",
                ),
                io.Combo.Input(
                    "on_change",
                    options=["split", "force", "error"],
                    default="split",
                    tooltip="What to do where parts merge or separate. split begins a new mesh there, force stretches "
                    "the one mesh over it, error stops with the frame's number.",
                ),
                io.Int.Input(
                    "random_seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    advanced=True,
                    tooltip="Start of the random surface samples. Changes nothing that matters and costs nothing.",
                ),
                io.Int.Input(
                    "iterations",
                    default=40,
                    min=1,
                    max=1000,
                    advanced=True,
                    tooltip="Rounds of matching and solving per frame. More follow fast motion better; time grows "
                    "in proportion.",
                ),
                io.Int.Input(
                    "coarse_iterations",
                    default=20,
                    min=0,
                    max=1000,
                    advanced=True,
                    tooltip="Rounds on a coarse skeleton of the mesh before the full one. They cost little; 0 leaves "
                    "them out.",
                ),
                io.Float.Input(
                    "last_stiffness",
                    default=0.001,
                    min=0.00001,
                    max=1.0,
                    step=0.0001,
                    round=0.00001,
                    advanced=True,
                    tooltip="Rigidity at the end of each fit. Lower follows the surface closer, higher keeps "
                    "triangles in better shape. Costs nothing.",
                ),
                io.Boolean.Input(
                    "bidirectional",
                    default=False,
                    advanced=True,
                    tooltip="Run back from the ends as well and keep the better fit of each frame; twice the time.",
                ),
            ],
            outputs=[
                MeshSequence.Output("meshes", tooltip="The same frames, one topology per segment."),
                io.String.Output("report", tooltip="Figures of every frame as text, with hints when some are bad."),
            ],
        )

    @classmethod
    def execute(
        cls,
        meshes: Any,
        faces: int,
        anchor: str,
        on_change: str,
        random_seed: int,
        iterations: int,
        coarse_iterations: int,
        last_stiffness: float,
        bidirectional: bool,
    ) -> io.NodeOutput:
        """Track on the CPU."""
        from ..shapegen4d_core.registration.tracking import TrackSettings, track_topology

        first = TrackSettings().stiffness[0]
        settings = TrackSettings(
            faces=faces,
            anchor=anchor,
            on_change=on_change,
            seed=random_seed,
            iterations=iterations,
            coarse_iterations=coarse_iterations,
            stiffness=(max(first, last_stiffness), last_stiffness),
            bidirectional=bidirectional,
        )
        result = track_topology(meshes, settings, progress=host.progress_bar(), check=host.check_stopped)
        return io.NodeOutput(result.meshes, "\n".join(result.report.table() + result.report.hints()))
