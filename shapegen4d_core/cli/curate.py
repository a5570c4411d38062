"""``curate``: animated assets to shards of training clips."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ..data.jobs import FAILED, MADE, Outcome
from ..errors import InputError


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("curate", help="make shards of animated shapes to train on")
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder of the shards")
    verb.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    verb.add_argument("--clips", type=int, default=2400, help="procedural training clips (default: 2400)")
    verb.add_argument("--test", type=int, default=80, help="procedural clips of new seeds (default: 80)")
    verb.add_argument("--unseen", type=int, default=40, help="procedural clips of the held-out family (default: 40)")
    verb.set_defaults(run=_curate)


def _curate(chosen: argparse.Namespace) -> None:
    from ..data.shards import generate

    failed = 0
    for split, clips in {"train": chosen.clips, "test": chosen.test, "unseen": chosen.unseen}.items():
        failed += report(generate(chosen.output, clips, split, chosen.workers))
    if failed:
        raise InputError(f"{failed} clips could not be made, see above; run the same command again to retry them.")


def report(outcomes: Iterable[Outcome]) -> int:
    """Print each outcome as it comes and the counts at the end; returns how many assets failed."""
    counts: Counter = Counter()
    for outcome in outcomes:
        counts[outcome.state] += 1
        if outcome.state == MADE:
            print(f"{outcome.path} ({outcome.seconds:.1f} s)", flush=True)
        else:
            print(f"{outcome.name} {outcome.state}: {outcome.reason}, {outcome.detail}", flush=True)
    return counts[FAILED]
