"""``track``: independent meshes of every frame to one topology."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..storage import atomic_path
from .bars import bar
from .files import READ, SEQUENCES, WRITTEN, check_outputs, read_sequence, write_sequence

ON_CHANGE = ("split", "force", "error")  # as in the settings, which import too much for --help
SOLVERS = ("gauss-newton", "large-steps")


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("track", help="bring a sequence of independent meshes to one topology")
    add = verb.add_argument
    add("input", type=Path, help=READ)
    add("-o", "--output", type=Path, required=True, help=WRITTEN)
    add("--faces", type=int, default=10_000, help="most faces of the mesh that is carried along (default: 10000)")
    add("--anchor", default="first", help="frame whose mesh is carried: first (default), best or a number from 0")
    add("--on-change", choices=ON_CHANGE, default="split", help="where the topology really changes (default: split)")
    add("--iterations", type=int, default=40, help="rounds per frame on the full mesh (default: 40)")
    add("--bidirectional", action="store_true", help="run back from the ends too and keep the better fits")
    add("--solver", choices=SOLVERS, default="gauss-newton", help="how frames are fitted (default: gauss-newton)")
    add("--seed", type=int, default=0, help="start of the random numbers (default: 0)")
    add("--report", type=Path, help="also write the figures of every frame to this .json file")
    add("--quiet", action="store_true", help="no progress bar and no table")
    verb.set_defaults(run=_track)


def _track(chosen: argparse.Namespace) -> None:
    from ..registration.tracking import TrackSettings, track_topology

    check_outputs(chosen, {"output": SEQUENCES, "report": (".json",)})
    settings = TrackSettings(
        faces=chosen.faces,
        anchor=int(chosen.anchor) if chosen.anchor.isdecimal() else chosen.anchor,
        on_change=chosen.on_change,
        iterations=chosen.iterations,
        bidirectional=chosen.bidirectional,
        solver=chosen.solver,
        seed=chosen.seed,
    )
    meshes = read_sequence(chosen.input)
    with bar("tracking", chosen.quiet) as progress:
        result = track_topology(meshes, settings, progress)
    write_sequence(result.meshes, chosen.output)
    if chosen.report:
        with atomic_path(chosen.report) as temporary:
            temporary.write_text(json.dumps(result.report.to_dict(), indent=1), encoding="ascii")
    if not chosen.quiet:
        print("\n".join(result.report.table() + result.report.hints()))
    parts = ", ".join(f"{first + 1}-{stop}" for first, stop in result.segments)
    print(f"{chosen.output}: {len(result.segments)} topologies (frames {parts}), {result.report.seconds:.1f} s")
