"""Run by torchrun on two processes: gradients and one trained step, shared as DDP and as FSDP, written by rank 0."""

import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from shapegen4d_core.errors import Cancelled
from shapegen4d_core.models import build
from shapegen4d_core.models.denoiser_blocks import DualBlock, SingleBlock
from shapegen4d_core.training.bank import FrameBank
from shapegen4d_core.training.base import BaseLoss, base_batches, base_validation
from shapegen4d_core.training.loop import Stage, train
from shapegen4d_core.training.settings import TrainSettings
from shapegen4d_core.training.workers import join, whole

SETTINGS = TrainSettings(
    save_seconds=0.0,
    picture_seconds=1e9,
    seconds=None,
    steps=7,
    batch=2,
    rate=0.01,
    optimizer="adamw",
    report_every=1,
    evaluate_every=7,
)


def picture(bank: FrameBank, module: torch.nn.Module, path: Path | None) -> None:
    """Every process computes, the main one writes."""
    index = np.zeros(1, dtype=np.int64)
    with torch.no_grad():
        total = float(module.encoder.tokens(bank.take(index, index, index, None)[0]).sum())
    if path is not None:
        path.parent.mkdir(parents=True)
        path.write_text(str(total))


def stage_of(config, data) -> Stage:
    torch.manual_seed(0)
    model = build(config, parts=("image_encoder", "denoiser"))
    bank = FrameBank(*data, config.image_encoder)
    return Stage(
        BaseLoss(model.image_encoder, model.denoiser),
        base_batches(bank, 4.0, 0.1),
        base_validation(bank, 2),
        partial(picture, bank),
        blocks=(DualBlock, SingleBlock),
    )


def gradients(stage: Stage, settings: TrainSettings, workers) -> dict[str, torch.Tensor]:
    """Gradients of the batch of step 0, whole, by parameter name."""
    wrapped = workers.wrap(stage.loss, settings, stage.blocks)
    first = workers.rank * settings.batch
    batch = stage.batches(0, slice(first, first + settings.batch), settings.batch * workers.count)
    wrapped(**batch)[0].backward()
    return {name: whole(p.grad).clone() for name, p in stage.loss.named_parameters() if p.grad is not None}


class Stop:
    """A check that cancels after so many steps (checkpoints are written every five)."""

    def __init__(self, steps: int):
        self.left = steps

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Cancelled


def begin_with(average: Path, folder: Path, workers) -> None:
    """Lay averaged weights where a stage begins with them."""
    if workers.main:
        folder.mkdir()
        shutil.copy(average, folder)
    workers.wait()


def main(folder: Path, config, data) -> None:
    with join("cpu" if torch.cuda.is_available() else None) as workers:
        assert workers.count == 2 and workers.device.type == "cpu"
        for parallel in ("ddp", "fsdp"):
            settings = replace(SETTINGS, parallel=parallel)
            found = gradients(stage_of(config, data), settings, workers)
            if workers.main:
                save_file(found, folder / f"{parallel}.safetensors")
            train(stage_of(config, data), folder / parallel, settings, workers)
            with suppress(Cancelled):
                train(stage_of(config, data), folder / f"{parallel}-resumed", settings, workers, check=Stop(6))
            train(stage_of(config, data), folder / f"{parallel}-resumed", settings, workers)
            begin_with(folder / parallel / "average.safetensors", folder / f"{parallel}-started", workers)
            few = replace(settings, steps=1, rate=1e-9)
            train(stage_of(config, data), folder / f"{parallel}-started", few, workers)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from small import random_data, small_config

    main(Path(sys.argv[1]), small_config(), random_data())
