"""``curate``, ``train`` and ``evaluate``: from procedural shapes to a model folder and its figures."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

from ..errors import InputError
from .bars import bar

STAGES = ("vae", "latents", "base", "adapter", "export")
SPLITS = {"train": 0, "test": 80, "unseen": 40}


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("curate", help="make shards of procedural animated shapes")
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder of the shards")
    verb.add_argument("--clips", type=int, default=2400, help="training clips (default: 2400)")
    verb.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    verb.set_defaults(run=_curate)

    verb = verbs.add_parser("train", help="train one stage of the tiny model; torchrun starts several processes")
    verb.add_argument("stage", choices=STAGES)
    verb.add_argument("--data", type=Path, help="folder of the shards (every stage but export)")
    verb.add_argument("--folder", type=Path, required=True, help="folder of the run")
    verb.add_argument("--output", type=Path, help="export: the model folder to write")
    verb.add_argument("--minutes", type=float, default=30.0, help="budget of the stage (default: 30)")
    verb.add_argument("--rate", type=float, default=2e-3, help="learning rate (default: 0.002)")
    verb.add_argument("--batch", type=int, help="frames (vae, base) or clips (adapter) per process and step")
    verb.add_argument("--seed", type=int, default=0)
    verb.set_defaults(run=_train)

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


def _learning() -> ModuleType:
    """The module of training stages; the procedural data needs numba, an optional extra."""
    try:
        from ..training import stages
    except ImportError as error:
        if error.name != "numba":
            raise
        raise InputError("Procedural shapes need numba; install it with: pip install 'shapegen4d[train]'.") from error
    return stages


def _curate(chosen: argparse.Namespace) -> None:
    _learning()
    from ..data.shards import generate

    for split, clips in {**SPLITS, "train": chosen.clips}.items():
        for path in generate(chosen.output, clips, split, chosen.workers):
            print(path, flush=True)


def _train(chosen: argparse.Namespace) -> None:
    stages = _learning()
    if chosen.stage == "export":
        if chosen.output is None:
            raise InputError("export needs --output, the model folder to write.")
        print(stages.run_export(chosen.folder, chosen.output).settings())
        return
    if chosen.data is None:
        raise InputError(f"Stage {chosen.stage} needs --data, the folder of the shards.")
    if chosen.stage == "latents":
        stages.run_latents(chosen.data, chosen.folder)
        return
    from ..training.loop import TrainSettings, process_group

    budget = TrainSettings(seconds=60.0 * chosen.minutes, rate=chosen.rate, seed=chosen.seed, evaluate_every=200)
    stage = {"vae": stages.run_vae, "base": stages.run_base, "adapter": stages.run_adapter}[chosen.stage]
    batch = chosen.batch or {"vae": 16, "base": 32, "adapter": 4}[chosen.stage]
    with process_group() as (rank, count):
        stage(chosen.data, chosen.folder, budget, batch, rank, count)


def _evaluate(chosen: argparse.Namespace) -> None:
    stages = _learning()
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
