"""What latents and adapters were made from, written beside them, so that only what belongs together is combined."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors import safe_open

from ..data.shards import describe_shards
from ..errors import InputError
from .state import AVERAGE

DIGITS = 16


def weights_origin(stage: Path) -> str | None:
    """A digest of a stage's averaged weights; None where it has none."""
    path = stage / AVERAGE
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS] if path.exists() else None


def shards_origin(data: Path) -> str:
    """A digest of the names and descriptions of the train and test shards; raises InputError when there are none."""
    described = {split: describe_shards(data, split) for split in ("train", "test")}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:DIGITS]


def latents_origin(data: Path, run: Path, model: str | None) -> dict[str, str]:
    """The header of a file of latents: of which shards, and by which autoencoder of the run (a published one: none)."""
    made = weights_origin(run / "vae") if model is None else None
    return {"shards": shards_origin(data), **({"vae": made} if made else {})}


def check_latents(latents: Path, run: Path, data: Path | None = None) -> None:
    """Raises InputError when a file of latents is not of these shards, or not by the run's autoencoder of today.

    What a file does not say is not compared.
    """
    with safe_open(str(latents), "np") as file:
        said = file.metadata() or {}
    if "vae" in said and said["vae"] != weights_origin(run / "vae"):
        raise InputError(
            f"{latents} was made by another autoencoder than {run / 'vae'} holds now; "
            "run the latents stage again, then base and adapter in empty folders."
        )
    if data is not None and "shards" in said and said["shards"] != shards_origin(data):
        raise InputError(f"{latents} was made from other shards than {data} holds now; run the latents stage again.")


def check_stage(stage: Path, said: dict, before: Path) -> None:
    """Raises InputError when the settings ``said`` of a stage name other weights of the stage ``before`` than today's.

    They name them by the name of its folder; what they do not say is not compared.
    """
    if said.get(before.name) is not None and said[before.name] != weights_origin(before):
        raise InputError(
            f"{stage} was trained on another {before.name} than {before} holds now; train it again, in an empty folder."
        )
