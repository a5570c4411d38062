"""``curate``: animated assets to shards of training clips."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ..data.jobs import FAILED, MADE, Outcome
from ..data.shard_file import SPLITS
from ..errors import InputError
from ..optional_packages import needed


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("curate", help="make shards to train on, of procedural shapes or of animated glTF files")
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder of the shards")
    verb.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    made = verb.add_argument_group("procedural shapes")
    made.add_argument("--clips", dest="train", type=int, default=2400, help="training clips (default: 2400)")
    made.add_argument("--test", type=int, default=80, help="clips of new seeds (default: 80)")
    made.add_argument("--unseen", type=int, default=40, help="clips of the held-out family (default: 40)")
    made.add_argument("--motion", type=int, default=0, help="clips of the held-out motions (default: 0)")
    files = verb.add_argument_group("animated files")
    files.add_argument("--input", type=Path, help="folder of .glb and .gltf files, or one file")
    files.add_argument("--licence", help="licence of the assets, recorded in every shard")
    files.add_argument("--attribution", default="", help="whom to credit, recorded in every shard")
    files.add_argument("--licences", type=Path, help="JSON of licence and attribution by relative path")
    files.add_argument("--split", choices=SPLITS, default="train")
    files.add_argument("--preset", choices=("tiny", "full"), default="tiny", help="sizes (default: tiny)")
    files.add_argument("--frames", type=int, help="frames per clip")
    files.add_argument("--fps", type=float, help="rate of the frames (default: spread over the whole animation)")
    files.add_argument("--resolution", type=int, help="cells per axis of the grid for closing surfaces")
    files.add_argument("--frame", choices=("view", "canonical"), help="turn each shard to its view, or keep the axes")
    files.add_argument("--views", type=int, help="cameras per asset")
    files.add_argument("--image-size", type=int, help="pixels")
    files.add_argument("--root-motion", choices=("remove", "keep"), help="the body's travel (default: remove)")
    files.add_argument("--seed", type=int, help="of views and samples (default: 0)")
    files.add_argument("--backend", choices=("processes", "ray"), default="processes")
    files.add_argument("--retry-rejected", action="store_true", help="look at refused assets again")
    verb.set_defaults(run=_curate)


def _curate(chosen: argparse.Namespace) -> None:
    failed = _files(chosen) if chosen.input else _procedural(chosen)
    if failed:
        raise InputError(f"{failed} shards could not be made, see above; run the same command again to retry them.")


def _procedural(chosen: argparse.Namespace) -> int:
    from ..data.shards import generate

    failed = 0
    for split, clips in {split: getattr(chosen, split) for split in SPLITS}.items():
        failed += _say(generate(chosen.output, clips, split, chosen.workers))
    return failed


def _files(chosen: argparse.Namespace) -> int:
    with needed("Curation needs", "numba"):
        from ..data.curation import run, settings
    wanted = settings.preset(chosen.preset, **vars(chosen))
    rights = run.read_rights(chosen.licences, chosen.licence, chosen.attribution)
    outcomes: list[Outcome] = []

    def noted(made: Iterable[Outcome]) -> Iterable[Outcome]:
        for outcome in made:
            outcomes.append(outcome)
            yield outcome

    how = dict(workers=chosen.workers, backend=chosen.backend, retry=chosen.retry_rejected)
    failed = _say(noted(run.curate(chosen.input, chosen.output, wanted, rights, chosen.split, **how)))
    report = run.summary(outcomes, wanted)
    print("\n".join(run.table(report)))
    if report["seconds_per_shard"]:
        per_frame = report["seconds_per_shard"] / wanted.frames
        print(f"{report['seconds_per_shard']:.1f} s per shard, {per_frame:.2f} s per frame and process")
    return failed


def _say(outcomes: Iterable[Outcome]) -> int:
    """Print each outcome as it comes; returns how many assets failed."""
    counts: Counter = Counter()
    for outcome in outcomes:
        counts[outcome.state] += 1
        if outcome.state == MADE:
            print(f"{outcome.path} ({outcome.seconds:.1f} s)", flush=True)
        elif outcome.reason:
            print(f"{outcome.name} {outcome.state}: {outcome.reason}, {outcome.detail}", flush=True)
    return counts[FAILED]
