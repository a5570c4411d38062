"""``train``: one stage of a model, on one process or many."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

from ..errors import InputError
from .bars import bar
from .extras import learning

STAGES = ("start", "vae", "latents", "base", "adapter", "export")
BATCH = {"vae": 16, "base": 48, "adapter": 4}
RATES = {"vae": 1.5e-3, "base": 2e-3, "adapter": 2e-3}
PAPER_LATENTS = 1024
OF_STAGES = {
    **dict.fromkeys(("clean", "correlation"), ("adapter",)),
    **dict.fromkeys(("shift", "unordered"), ("base",)),
    "queries": ("latents",),
    "latents": ("latents", "adapter"),
    **dict.fromkeys(("output", "curves"), ("export",)),
}  # options that only some stages take
PUBLISHED_RATE = 5e-5  # of the paper's adapter training with AdamW


def add_verbs(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs of this file."""
    verb = verbs.add_parser("train", help="train one stage; torchrun or accelerate launch start several processes")
    verb.add_argument("stage", choices=STAGES)
    verb.add_argument("--data", type=Path, help="folder of the shards (every stage but start and export)")
    verb.add_argument("--folder", type=Path, required=True, help="folder of the run; an unfinished stage there goes on")
    verb.add_argument("--model", help="a published model, whose adapter is trained; start: the model to begin with")
    verb.add_argument("--output", type=Path, help="export: the model folder to write")
    verb.add_argument("--curves", type=Path, help="export: folder for the loss tables and their picture")
    verb.add_argument("--queries", choices=("aligned", "independent"), help="latents: query points (default: aligned)")
    verb.add_argument("--latents", type=int, help="per frame, with --model (default: 1024, as in the paper)")
    verb.add_argument("--dry-run", action="store_true", help="print sizes, memory and arithmetic; train nothing")
    verb.add_argument("--quiet", action="store_true")
    _budget(verb.add_argument_group("budget and optimisation"))
    _arithmetic(verb.add_argument_group("arithmetic and devices"))
    verb.set_defaults(run=_train)


def _budget(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--minutes", type=float, help="budget in minutes (default: 30 unless --steps is given)")
    group.add_argument("--steps", type=int, help="budget in steps; such runs can be repeated bit for bit")
    group.add_argument("--batch", type=int, help="frames (vae, base) or clips (adapter) per process and micro-batch")
    group.add_argument("--accumulate", type=int, default=1, help="micro-batches per step (default: 1)")
    group.add_argument("--rate", type=float, help="learning rate (default: 0.002; 5e-5 with --model)")
    group.add_argument("--optimizer", choices=("muon", "adamw"), help="default: muon; adamw with --model")
    group.add_argument("--clean", type=float, help="adapter: share of clips with some frames held clean (default: 0)")
    text = "adapter: of the noise between frames; 1 (default) is one noise for all, 0 one for each"
    group.add_argument("--correlation", type=float, help=text)
    group.add_argument("--shift", type=float, help="base: shift of noise levels in training (default: 4; 1 is none)")
    text = "base: no slot embedding, as the published model"
    group.add_argument("--unordered", action="store_true", default=None, help=text)
    group.add_argument("--seed", type=int, default=0)


def _arithmetic(group: argparse._ArgumentGroup) -> None:
    autocast = "bf16: autocast, on GPUs and on CPUs with bfloat16 units"
    group.add_argument("--precision", choices=("float32", "bf16"), default="float32", help=autocast)
    group.add_argument("--checkpointing", action="store_true", help="recompute activations: less memory, 1/3 more time")
    group.add_argument("--compile", action="store_true", help="torch.compile the loss; pays off in long runs on a GPU")
    group.add_argument("--parallel", choices=("ddp", "fsdp"), default="ddp", help="fsdp splits weights over processes")
    group.add_argument("--device", help="cpu keeps to the CPU; default: what there is")
    group.add_argument("--evaluate-every", type=int, default=200, help="steps between held-out figures (default: 200)")
    group.add_argument("--save-minutes", type=float, default=2.0, help="between checkpoints (default: 2)")
    text = "between contact sheets, not with --model (default: 0, none)"
    group.add_argument("--sheet-minutes", type=float, default=0.0, help=text)


def _refuse_what_does_nothing(chosen: argparse.Namespace) -> None:
    """Options of other stages would be taken for granted and do nothing."""
    for name, stages in OF_STAGES.items():
        if getattr(chosen, name) is not None and chosen.stage not in stages:
            raise InputError(f"--{name} belongs to the stage {' and '.join(stages)}; leave it out of {chosen.stage}.")
    if chosen.model is not None and chosen.sheet_minutes:
        raise InputError("Contact sheets while training are of runs without --model; leave --sheet-minutes out.")


def _latents(chosen: argparse.Namespace) -> int | None:
    return chosen.latents or (PAPER_LATENTS if chosen.model is not None else None)


def _settings(chosen: argparse.Namespace):
    from ..training.settings import TrainSettings

    published = chosen.model is not None
    minutes = 30.0 if chosen.minutes is None and chosen.steps is None else chosen.minutes
    return TrainSettings(
        seconds=None if minutes is None else 60.0 * minutes,
        steps=chosen.steps,
        batch=chosen.batch or (1 if published else BATCH[chosen.stage]),
        accumulate=chosen.accumulate,
        rate=chosen.rate or (PUBLISHED_RATE if published else RATES[chosen.stage]),
        optimizer=chosen.optimizer or ("adamw" if published or chosen.parallel == "fsdp" else "muon"),
        precision=chosen.precision,
        checkpointing=chosen.checkpointing,
        compile=chosen.compile,
        parallel=chosen.parallel,
        report_every=min(50, chosen.evaluate_every, chosen.steps or 50),
        evaluate_every=chosen.evaluate_every,
        save_seconds=60.0 * chosen.save_minutes,
        picture_seconds=60.0 * chosen.sheet_minutes,
        seed=chosen.seed,
    )


def _train(chosen: argparse.Namespace) -> None:
    _refuse_what_does_nothing(chosen)
    if chosen.dry_run:
        from ..models import PRESETS
        from ..training.estimate import report

        ordered = chosen.model in PRESETS and PRESETS[chosen.model].denoiser.slot_count > 0
        latents = chosen.latents if ordered else _latents(chosen)
        print("\n".join(report(chosen.stage, chosen.model, _settings(chosen), latents)))
        return
    import torch

    stages = learning()
    if chosen.stage == "export":
        if chosen.output is None:
            raise InputError("export needs --output, the model folder to write.")
        stages.run_export(chosen.folder, chosen.output, chosen.model)
        print(chosen.output)
        if chosen.curves:
            from ..training.curves import keep_curves

            print("\n".join(str(path) for path in keep_curves(chosen.folder, chosen.curves)))
        return
    if chosen.stage == "start":
        if chosen.model is None:
            raise InputError("start needs --model, the model whose weights the run begins with, such as tiny.")
        from ..training.starting import run_start

        print(" ".join(run_start(chosen.folder, chosen.model)))
        return
    if chosen.data is None:
        raise InputError(f"Stage {chosen.stage} needs --data, the folder of the shards.")
    if chosen.model is not None and chosen.stage in ("vae", "base"):
        raise InputError(f"With --model the stage {chosen.stage} is the published one; train latents and adapter only.")
    if chosen.stage == "latents":
        with bar("clips", chosen.quiet) as progress:
            where = chosen.device or ("cuda" if torch.cuda.is_available() else "cpu")
            given = chosen.data, chosen.folder, chosen.model, chosen.queries or "aligned", where, _latents(chosen)
            stages.run_latents(*given, progress=progress)
        return
    _train_stage(stages, chosen)


def _train_stage(stages, chosen: argparse.Namespace) -> None:
    warnings.filterwarnings("ignore", "Mismatch dtype between input and weight")  # bf16 norms with float32 weights
    from ..training.workers import join

    settings = _settings(chosen)
    with join(chosen.device) as workers, bar(chosen.stage, chosen.quiet or not workers.main) as progress:
        if chosen.stage == "adapter":
            options = stages.AdapterOptions(
                correlation=1.0 if chosen.correlation is None else chosen.correlation, clean=chosen.clean or 0.0
            )
            stages.run_adapter(
                chosen.data, chosen.folder, settings, workers, chosen.model, options, progress=progress
            )
        elif chosen.stage == "base":
            options = stages.BaseOptions(slots=not chosen.unordered, shift=chosen.shift)
            stages.run_base(chosen.data, chosen.folder, settings, workers, options, progress=progress)
        else:
            stages.run_vae(chosen.data, chosen.folder, settings, workers, progress=progress)
