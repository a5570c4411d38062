"""``curate``: animated assets to shards of training clips."""

from __future__ import annotations

import argparse
from pathlib import Path

from .extras import learning

SPLITS = {"train": 0, "test": 80, "unseen": 40}


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("curate", help="make shards of procedural animated shapes")
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder of the shards")
    verb.add_argument("--clips", type=int, default=2400, help="training clips (default: 2400)")
    verb.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    verb.set_defaults(run=_curate)


def _curate(chosen: argparse.Namespace) -> None:
    learning()
    from ..data.shards import generate

    for split, clips in {**SPLITS, "train": chosen.clips}.items():
        for path in generate(chosen.output, clips, split, chosen.workers):
            print(path, flush=True)
