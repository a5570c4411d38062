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

_CLIPS = {"train": 2400, "test": 80, "unseen": 40, "motion": 0}
_FOR_FILES = (
    *("licence", "attribution", "licences", "split", "held_out", "preset", "frames", "fps", "resolution", "frame"),
    *("views", "image_size", "root_motion", "seed", "backend", "retry_rejected"),
)
_HELD_OUT = (
    "share of the assets that goes to split test, chosen by name; at least one if two or more can be used, and one "
    "is left to train on (default: 0)"
)


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("curate", help="make shards to train on, of procedural shapes or of animated glTF files")
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder of the shards")
    verb.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    made = verb.add_argument_group("procedural shapes", "made without --input, at the size of the tiny model")
    made.add_argument("--clips", dest="train", type=int, help="training clips (default: 2400)")
    made.add_argument("--test", type=int, help="clips of new seeds (default: 80)")
    made.add_argument("--unseen", type=int, help="clips of the held-out family (default: 40)")
    made.add_argument("--motion", type=int, help="clips of the held-out motions (default: 0)")
    files = verb.add_argument_group("animated files")
    files.add_argument("--input", type=Path, help="folder of .glb and .gltf files, or one file")
    files.add_argument("--licence", help="licence of the assets, recorded in every shard")
    files.add_argument("--attribution", help="whom to credit, recorded in every shard")
    files.add_argument("--licences", type=Path, help="JSON of licence and attribution by relative path")
    files.add_argument("--split", choices=SPLITS, help="of all assets (default: train)")
    files.add_argument("--held-out", type=float, help=_HELD_OUT)
    files.add_argument("--preset", choices=("tiny", "full"), help="sizes (default: tiny)")
    files.add_argument("--frames", type=int, help="frames per clip")
    files.add_argument("--fps", type=float, help="rate of the frames (default: spread over the whole animation)")
    files.add_argument("--resolution", type=int, help="cells per axis of the grid for closing surfaces")
    files.add_argument("--frame", choices=("view", "canonical"), help="turn each shard to its view, or keep the axes")
    files.add_argument("--views", type=int, help="cameras per asset")
    files.add_argument("--image-size", type=int, help="pixels")
    files.add_argument("--root-motion", choices=("remove", "keep"), help="the body's travel (default: remove)")
    files.add_argument("--seed", type=int, help="of views and samples (default: 0)")
    files.add_argument("--backend", choices=("processes", "ray"), help="what spreads the work (default: processes)")
    files.add_argument("--retry-rejected", action="store_true", default=None, help="look at refused assets again")
    verb.set_defaults(run=_curate)


def _curate(chosen: argparse.Namespace) -> None:
    failed = _files(chosen) if chosen.input else _procedural(chosen)
    if failed:
        raise InputError(f"{failed} shards could not be made, see above; run the same command again to retry them.")


def _given(chosen: argparse.Namespace, names: Iterable[str]) -> str:
    """The options among ``names`` that the command line holds."""
    given = ["clips" if name == "train" else name for name in names if getattr(chosen, name) is not None]
    return ", ".join("--" + name.replace("_", "-") for name in given)


def _procedural(chosen: argparse.Namespace) -> int:
    from ..data.shards import generate

    if given := _given(chosen, _FOR_FILES):
        raise InputError(f"Procedural shapes take no {given}; leave that out or give animated files with --input.")
    failed = 0
    for split, default in _CLIPS.items():
        clips = getattr(chosen, split)
        failed += _say(generate(chosen.output, default if clips is None else clips, split, chosen.workers))
    return failed


def _files(chosen: argparse.Namespace) -> int:
    if given := _given(chosen, _CLIPS):
        raise InputError(f"Animated files take no {given}, which count procedural shapes; leave that or --input out.")
    with needed("Curation needs", "numba"):
        from ..data.curation import run, settings
    wanted = settings.preset(chosen.preset or "tiny", **vars(chosen))
    rights = run.read_rights(chosen.licences, chosen.licence, chosen.attribution or "")
    outcomes: list[Outcome] = []

    def noted(made: Iterable[Outcome]) -> Iterable[Outcome]:
        for outcome in made:
            outcomes.append(outcome)
            yield outcome

    how = dict(workers=chosen.workers, backend=chosen.backend or "processes", retry=bool(chosen.retry_rejected))
    how |= dict(split=chosen.split or "train", held_out=chosen.held_out or 0.0)
    failed = _say(noted(run.curate(chosen.input, chosen.output, wanted, rights, **how)))
    report = run.summary(outcomes, wanted)
    print("\n".join(run.table(report)))
    if chosen.held_out:
        print(_by_split(outcomes))
    if report["seconds_per_shard"]:
        per_frame = report["seconds_per_shard"] / wanted.frames
        print(f"{report['seconds_per_shard']:.1f} s per shard, {per_frame:.2f} s per frame and process")
    return failed


def _by_split(outcomes: Iterable[Outcome]) -> str:
    counts = Counter(Path(outcome.path).parent.name for outcome in outcomes if outcome.path)
    train = counts["train"]
    return f"{train} shard{'s' if train != 1 else ''} in split train, {counts['test']} in split test"


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
