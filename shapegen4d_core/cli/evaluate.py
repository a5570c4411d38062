"""``evaluate``: figures of a model, or of mesh files, against ground truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from .bars import bar
from .extras import learning


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("evaluate", help="figures on held-out procedural clips")
    verb.add_argument("--model", default="tiny", help="model folder, or tiny for the bundled one")
    verb.add_argument("--clips", type=int, default=48)
    verb.add_argument("--resolution", type=int, default=64)
    verb.add_argument("--split", choices=("test", "unseen"), default="test", help="new seeds, or the unseen family")
    verb.add_argument("--data", type=Path, help="shards the model was trained on, for the retrieval baselines")
    verb.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    verb.add_argument("--steps", type=int)
    verb.add_argument("--guidance", type=float)
    verb.add_argument("--time-shift", type=float)
    verb.add_argument("--quiet", action="store_true")
    verb.set_defaults(run=_evaluate)


def _evaluate(chosen: argparse.Namespace) -> None:
    stages = learning()
    from .. import models
    from ..data.shards import read_shards
    from ..evaluation.neighbours import NearestFrames
    from ..evaluation.procedural import Judge, evaluate, table
    from ..pipeline import sampler_settings
    from ..training.latents import encode_clips

    model = models.load(chosen.model)
    anchors = stages.read_anchors(models.checkpoint.model_folder(chosen.model))
    neighbours = {}
    if chosen.data:
        clips = read_shards(chosen.data, "train", ("surface", "aligned", "rgba"))
        latents = encode_clips(model.vae, clips, stages.slots_of(clips, anchors), mirror=False)
        neighbours["nearest training frame (picture)"] = NearestFrames(clips["rgba"], latents)
        neighbours["nearest training frame (silhouette)"] = NearestFrames(clips["rgba"], latents, silhouette=True)
    settings = sampler_settings(model, steps=chosen.steps, guidance=chosen.guidance, time_shift=chosen.time_shift)
    judge = Judge(model, anchors, settings, chosen.resolution, neighbours)
    with bar("clips", chosen.quiet) as progress:
        scores = evaluate(judge, chosen.clips, chosen.split, chosen.workers, progress)
    print("\n".join(table(scores)))
