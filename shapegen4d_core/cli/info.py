"""``info``: what a model folder holds, from file headers only."""

from __future__ import annotations

import argparse


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verb of this file."""
    verb = verbs.add_parser("info", help="say what a model folder holds, without loading it")
    verb.add_argument("model", help="model folder, or tiny for the bundled one")
    verb.set_defaults(run=_info)


def _info(chosen: argparse.Namespace) -> None:
    from .. import models

    found = models.info(chosen.model)
    print(found["folder"])
    for key, part in found["parts"].items():
        types = ", ".join(f"{count} {name}" for name, count in part["dtypes"].items())
        print(f"  {key}: {part['parameters']:,} parameters, {part['bytes'] / 2**20:.1f} MiB, tensors: {types}")
    for key, value in found["settings"].items():
        print(f"  {key}: {value}")
