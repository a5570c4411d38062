"""The command line: ``shapegen4d VERB ...``, one file per group of verbs."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from .. import __version__
from ..errors import Cancelled, InputError
from . import convert, curate, evaluate, generate, info, register, render, texture, track, train
from .files import check_device

CANCELLED, REFUSED = 130, 2


def parser() -> argparse.ArgumentParser:
    """The argument parser with all verbs."""
    root = argparse.ArgumentParser(prog="shapegen4d", description="A video of one object to an animated mesh file.")
    root.add_argument("--version", action="version", version=__version__)
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    for module in (generate, register, track, texture, render, convert, info, curate, train, evaluate):
        module.add_verbs(verbs)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns 0, 2 for input that cannot be used, 130 when cancelled with Ctrl-C."""
    chosen = parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _tell
            check_device(getattr(chosen, "device", None))
            chosen.run(chosen)
    except InputError as error:
        print(f"shapegen4d: {error}", file=sys.stderr)
        return REFUSED
    except (KeyboardInterrupt, Cancelled):
        print("shapegen4d: cancelled; unfinished files were removed.", file=sys.stderr)
        return CANCELLED
    return 0


def _tell(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line, without the place in the source that raised it."""
    print(f"shapegen4d: {message}", file=sys.stderr)
