"""``train``: one stage of a model, on one process or many."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError
from .extras import learning

STAGES = ("vae", "latents", "base", "adapter", "export")


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
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


def _train(chosen: argparse.Namespace) -> None:
    stages = learning()
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
