"""The training loop of all stages: any loss module, any batches, on one process or many, resumable to the bit."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import InputError
from ..progress import Check, Progress, tick
from ..storage import atomic_path
from .average import Average
from .optim import Optimizer, schedule
from .records import Records
from .settings import TrainSettings, check_same
from .state import AVERAGE, STATE, load_state, save_average, save_state
from .workers import Workers, whole

Batch = dict[str, Tensor]
Batches = Callable[[int, slice, int], Batch]
"""(step, rows, total): the ``rows`` of the batch of ``total`` samples that belongs to a step, whoever asks."""

SETTINGS = "settings.json"
WARM_STEPS = 50


@dataclass
class Stage:
    """What is trained: a module ``loss(**batch) -> (scalar, metrics)``, its batches, and how it is judged.

    evaluate: figures of the module with averaged weights; picture: writes a contact sheet of it to a path; blocks:
    module types that sharding gathers, and checkpointing recomputes, one at a time; frozen: networks the loss
    calls without training them; context: entered around every call (the choice of an attention implementation).
    """

    loss: nn.Module
    batches: Batches
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None
    picture: Callable[[nn.Module, Path], None] | None = None
    blocks: tuple[type, ...] = ()
    context: Callable[[], AbstractContextManager] | None = None
    metadata: dict = field(default_factory=dict)


def train(
    stage: Stage,
    folder: Path,
    settings: TrainSettings,
    workers: Workers | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> nn.Module:
    """Minimise the stage's loss and return its module with averaged weights.

    ``folder`` receives ``log.csv``, ``state.safetensors``, ``average.safetensors``, ``settings.json`` and ``sheets/``;
    a state found there is continued: same batches, same optimiser state, the recorded share of the budget spent.
    Averaged weights without a state are where the stage begins.
    Raises InputError when the loss stops being finite, naming the step, and when what is there was trained otherwise.
    """
    run = _Run(stage, folder, settings, workers or Workers())
    while not run.finished():
        run.advance()
        tick(progress, check, int(1000 * min(run.share, 1.0)), 1000)
    run.finish()
    return stage.loss


class _Run:
    def __init__(self, stage: Stage, folder: Path, settings: TrainSettings, workers: Workers) -> None:
        self.stage, self.folder, self.settings, self.workers = stage, folder, settings, workers
        folder.mkdir(parents=True, exist_ok=True)
        said = {**settings.to_dict(), "processes": workers.count, **stage.metadata}
        begun = (folder / STATE).exists()
        if begun:
            check_same(folder, read_settings(folder), json.loads(json.dumps(said)))
        elif (folder / AVERAGE).exists():
            load_average(folder, stage.loss).train()
        workers.wait()  # nobody writes what others still compare
        self.wrapped = workers.wrap(stage.loss, settings, stage.blocks)
        self.optimizer = Optimizer(
            stage.loss, settings.rate, settings.clip, settings.weight_decay, settings.optimizer
        )
        self.average = Average(stage.loss, settings.decay)
        found = load_state(folder, stage.loss, self.average, self.optimizer)
        self.step = self.started = found.get("step", 0)
        self.samples = found.get("samples", 0)
        spent = found.get("seconds", 0.0)
        now = time.monotonic()
        self.began, self.saved, self.pictured = now - spent, now, now
        self.spent, self.share = spent, settings.share(self.step, spent)
        self.records = Records(folder, self.step) if workers.main else None
        self.sums = {key: torch.tensor(value, dtype=torch.float64) for key, value in found.get("sums", {}).items()}
        self.counted = found.get("counted", 0)
        if workers.main and not self.finished():
            _write_json(folder / SETTINGS, said)

    def finished(self) -> bool:
        return self.share >= 1.0

    def advance(self) -> None:
        metrics = self._gradients()
        warm = min(1.0, (self.step + 1) / WARM_STEPS)
        metrics["norm"] = whole(self.optimizer.step(warm * schedule(min(self.share, 1.0))))
        self.average.update(self.stage.loss)
        self.step += 1
        self.samples += self.settings.batch * self.settings.accumulate * self.workers.count
        for key, value in metrics.items():
            self.sums[key] = self.sums.get(key, 0.0) + value.double()
        self.counted += 1
        if self.settings.seconds is not None and self.step % 5 == 0:
            self.spent = self.workers.agree(time.monotonic() - self.began)
        self.share = self.settings.share(self.step, self.spent)
        if self.step % self.settings.report_every == 0 or self.step % self.settings.evaluate_every == 0:
            self._report()
        self._keep()

    def _gradients(self) -> dict[str, Tensor]:
        """Gradients of the whole batch of this step, in micro-batches; averaged metrics of this process."""
        settings, workers = self.settings, self.workers
        total, sums = settings.batch * settings.accumulate * workers.count, {}
        for part in range(settings.accumulate):
            first = (part * workers.count + workers.rank) * settings.batch
            batch = self.stage.batches(self.step, slice(first, first + settings.batch), total)
            with workers.accumulating(self.wrapped, part == settings.accumulate - 1), self._context():
                with workers.arithmetic(settings.precision):
                    value, metrics = self.wrapped(**batch)
                (value / settings.accumulate).backward()
            for key, number in {"loss": value, **metrics}.items():
                sums[key] = sums.get(key, 0.0) + number.detach() / settings.accumulate
        return sums

    def _context(self) -> AbstractContextManager:
        return self.stage.context() if self.stage.context else nullcontext()

    def _report(self) -> None:
        row = {key: float(value) / self.counted for key, value in self.sums.items()}
        self.sums, self.counted = {}, 0
        if not all(map(math.isfinite, row.values())):
            raise InputError(f"The loss is no longer finite at step {self.step}; lower --rate and start again.")
        if self.step % self.settings.evaluate_every == 0:
            row |= self._evaluated()
        if self.records:
            self.records.add(self.step, {**self._spent(), **row})

    def _spent(self) -> dict[str, float]:
        return {"seconds": time.monotonic() - self.began, "samples": self.samples}

    def _evaluated(self) -> dict[str, float]:
        if self.stage.evaluate is None or self._left_to_main():
            return {}
        with self._judged() as module, self.workers.arithmetic(self.settings.precision):
            return {f"val_{key}": value for key, value in self.stage.evaluate(module).items()}

    def _keep(self) -> None:
        """Checkpoint and contact sheet, each when its time has come on the main process's clock."""
        now = time.monotonic()
        if self.step % 5 == 0 and self.workers.agree(now - self.saved) > self.settings.save_seconds:
            self._save()
            self.saved = now
        every = self.settings.picture_seconds
        if every and self.step % 5 == 0 and self.workers.agree(now - self.pictured) > every:
            self._picture()
            self.pictured = time.monotonic()

    def _picture(self) -> None:
        if self.stage.picture is None or self._left_to_main():
            return
        path = self.folder / "sheets" / f"step-{self.step:06d}.png"
        with self._judged() as module:
            self.stage.picture(module, path if self.workers.main else None)

    def _left_to_main(self) -> bool:
        """Whether judging is the main process's alone; with split weights all have to take part."""
        return self.settings.parallel == "ddp" and not self.workers.main

    @contextmanager
    def _judged(self) -> Iterator[nn.Module]:
        """The module with averaged weights, whole on this process."""
        with self.average.applied(self.stage.loss) as module, self.workers.gathered(module), self._context():
            yield module

    def _save(self) -> None:
        sums = {key: float(value) for key, value in self.sums.items()}
        if not self.workers.agree(float(all(map(math.isfinite, sums.values())))):
            return  # the last good checkpoint stays
        spent = {"step": self.step, **self._spent(), "sums": sums, "counted": self.counted}
        save_state(self.folder, self.stage.loss, self.average, self.optimizer, spent, self.workers)

    def finish(self) -> None:
        """Write the last checkpoint and figures, unless the budget was spent before, and put the average in place."""
        if self.step == self.started:  # the run that spent the budget may have been stopped between its two files
            save_average(self.folder, self.stage.loss, self.average, self.workers)
        else:
            self._save()
            judged = self.step % self.settings.evaluate_every == 0
            if self.counted:
                self._report()
            row = {} if judged else self._evaluated()
            if self.records and row:
                self.records.add(self.step, {**self._spent(), **row})
            if self.settings.picture_seconds:
                self._picture()
        if self.records:
            self.records.close()
        self.average.write(self.stage.loss)
        self.workers.wait()


def _write_json(path: Path, values: dict) -> None:
    with atomic_path(path) as temporary:
        Path(temporary).write_text(json.dumps(values, indent=1, sort_keys=True), encoding="utf-8")


def read_settings(folder: Path) -> dict:
    """What a stage was trained with; {} for a folder that does not say. Raises InputError for a damaged file."""
    path = folder / SETTINGS
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged; give an empty --folder to start anew.") from error


def load_average(path: Path, module: nn.Module) -> nn.Module:
    """``module`` with the averaged weights of a stage's folder, ready for inference.

    Raises InputError when the stage has not been trained.
    """
    if not (path / AVERAGE).exists():
        raise InputError(f"{path / AVERAGE} is missing; train that stage first.")
    module.load_state_dict(load_file(path / AVERAGE))
    return module.eval()
