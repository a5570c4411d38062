"""What each choice is worth, at the scale of the tiny model: every variant trained alike and judged on the same clips.

    torchrun --nproc-per-node 2 benchmarks/ablations.py --data data --folder run --steps 1000     # the paper's Table 3
    torchrun --nproc-per-node 2 benchmarks/ablations.py --data data --folder run --what base --steps 1050 --batch 48

``table3`` trains adapters on the run's base: full, unaligned latents, independent noise, attention through time only,
without image tokens; and samples without time shift, and the base with independent and shared noise. ``base`` trains
whole base models: with slots and noise-heavy levels, unordered tokens, plain levels. All are judged by one draw of 12
steps, the full model and bases with slots by the mean of 16 as well. Variants that are there already are not trained
again; it runs on one process or by ``accelerate launch`` as well. Writes report.md and report.json.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from shapegen4d_core.cli.bars import bar
from shapegen4d_core.errors import InputError
from shapegen4d_core.evaluation.judge import Judge
from shapegen4d_core.evaluation.procedural import Plan, about, run_plan
from shapegen4d_core.evaluation.report import build_report, markdown, write_report
from shapegen4d_core.evaluation.score_file import Row, ScoreFile
from shapegen4d_core.pipeline import sampler_settings
from shapegen4d_core.training import stages
from shapegen4d_core.training.loop import read_settings
from shapegen4d_core.training.networks import LATENTS, finished_model, read_anchors
from shapegen4d_core.training.settings import TrainSettings
from shapegen4d_core.training.workers import Workers, join

INDEPENDENT = f"independent_{LATENTS}"


@dataclass(frozen=True)
class Variant:
    """One row of the table: how it is trained (None: nothing of its own) and sampled."""

    title: str
    method: str = "adapter-shared"
    adapter: stages.AdapterOptions | None = None
    base: stages.BaseOptions | None = None
    sampling: dict = field(default_factory=dict)


def _adapter(name: str, **changes) -> stages.AdapterOptions:
    return stages.AdapterOptions(folder=f"ablations/{name}", **changes)


def _base(name: str, **changes) -> stages.BaseOptions:
    return stages.BaseOptions(folder=f"ablations/{name}", **changes)


ONE_DRAW = {"ensemble_size": 1, "steps": 12, "guidance": 2.5}  # the paper's; unordered latents have no mean of draws


def _table3(title: str, method: str = "adapter-shared", **changes) -> Variant:
    return Variant(title, method, **{"sampling": ONE_DRAW, **changes})


TABLE3 = {
    "full": _table3("full model", adapter=_adapter("full")),
    "unaligned": _table3("without aligned latents", adapter=_adapter("unaligned", latents=INDEPENDENT)),
    "independent": _table3(
        "without shared noise", "adapter-independent", adapter=_adapter("independent", correlation=0.0)
    ),
    "temporal": _table3("1D temporal attention", adapter=_adapter("temporal", changes={"attention": "temporal"})),
    "shape": _table3("without image tokens", adapter=_adapter("shape", changes={"attention": "shape"})),
    "unshifted": _table3(
        "without time shift", adapter=_adapter("full"), sampling={**ONE_DRAW, "time_shift": 1.0}
    ),
    "base-independent": _table3("base per frame", "base-independent"),
    "base-shared": _table3("base with shared noise", "base-shared"),
    "full-mean": Variant("full model, mean of 16 draws", adapter=_adapter("full")),
}
PLAIN = _base("plain", shift=1.0)
BASE = {
    "slots": Variant("slots, noise-heavy levels", "base-shared", base=_base("slots"), sampling=ONE_DRAW),
    "unordered": Variant("unordered tokens", "base-shared", base=_base("unordered", slots=False), sampling=ONE_DRAW),
    "plain": Variant("slots, plain levels", "base-shared", base=PLAIN, sampling=ONE_DRAW),
    "plain-even": Variant(
        "slots, plain levels, sampled without shift",
        "base-shared",
        base=PLAIN,
        sampling={**ONE_DRAW, "time_shift": 1.0},
    ),
    "slots-mean": Variant("slots, mean of 16 draws", "base-shared", base=_base("slots")),
    "plain-mean": Variant("slots, plain levels, mean of 16 draws", "base-shared", base=PLAIN),
}


def train_variant(variant: Variant, chosen: argparse.Namespace, settings: TrainSettings, workers: Workers) -> None:
    """Train what a variant needs beyond the run; a finished stage returns at once, one of other steps is refused."""
    for options in filter(None, (variant.base, variant.adapter)):
        steps = read_settings(chosen.folder / options.folder).get("steps", chosen.steps)
        if steps != chosen.steps:  # going on would give it a second cycle of the learning rate
            raise InputError(f"{options.folder} is of {steps} steps: give --steps {steps}, or remove it.")
    if variant.base is not None:
        stages.run_base(chosen.data, chosen.folder, settings, workers, variant.base)
    if variant.adapter is not None:
        stages.run_adapter(chosen.data, chosen.folder, settings, workers, options=variant.adapter)


def judge_variant(
    name: str, variant: Variant, chosen: argparse.Namespace, output: Path, progress: Callable
) -> tuple[list[Row], dict]:
    """Rows of a variant on the held-out clips, and what was done."""
    adapter = variant.adapter.folder if variant.adapter else None
    model = finished_model(chosen.folder, adapter, variant.base.folder if variant.base else "base")
    settings = sampler_settings(model, **variant.sampling)
    judge = Judge(model, read_anchors(chosen.folder), settings, chosen.resolution)
    plan = Plan((variant.method,), chosen.clips, tuple(range(chosen.seeds)))
    said = about(plan, judge, name)
    rows = run_plan(plan, judge, ScoreFile(output / name, said), chosen.workers, progress)
    return [replace(row, method=name) for row in rows], said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="a finished run: autoencoder, latents, base")
    parser.add_argument("--what", choices=("table3", "base"), default="table3")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=4, help="clips (table3) or frames (base) per process and step")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2, help="processes of the evaluation")
    parser.add_argument("--only", help="names of variants, separated by commas")
    parser.add_argument("--output", type=Path, help="folder of the report (default: FOLDER/ablations/WHAT)")
    chosen = parser.parse_args()
    variants = TABLE3 if chosen.what == "table3" else BASE
    if chosen.only:
        variants = {name: variants[name] for name in chosen.only.split(",")}
    settings = TrainSettings(
        seconds=None, steps=chosen.steps, batch=chosen.batch, rate=2e-3, precision=chosen.precision
    )
    unaligned = any(variant.adapter and variant.adapter.latents == INDEPENDENT for variant in variants.values())
    if unaligned and not (chosen.folder / INDEPENDENT).exists() and int(os.environ.get("RANK", "0")) == 0:
        where = "cuda" if torch.cuda.is_available() else "cpu"  # before the group, whose barriers have a time limit
        stages.run_latents(chosen.data, chosen.folder, queries="independent", device=where)
    warnings.filterwarnings("ignore", "Mismatch dtype between input and weight")  # bf16 norms with float32 weights
    with join() as workers:
        workers.wait()
        for variant in variants.values():
            train_variant(variant, chosen, settings, workers)
        main_process = workers.main
    if not main_process:
        return
    output, rows, said = chosen.output or chosen.folder / "ablations" / chosen.what, [], {}
    for name, variant in variants.items():
        with bar(name) as progress:
            fresh, said = judge_variant(name, variant, chosen, output, progress)
        rows += fresh
    first = next(iter(variants))
    said = {**said, "model": f"{chosen.folder.name}, {chosen.steps} steps of {chosen.batch} per process and variant"}
    said["sampling"] = {name: variant.sampling or "the model's own" for name, variant in variants.items()}
    titles = {name: variant.title for name, variant in variants.items()}
    report = build_report(rows, said, titles, [(first, name) for name in list(variants)[1:]])
    write_report(output, report)
    print(markdown(report))


if __name__ == "__main__":
    main()
