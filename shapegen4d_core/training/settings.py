"""What one training stage may spend and how it optimises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from ..errors import InputError

OPTIMIZERS = ("muon", "adamw")
PRECISIONS = ("float32", "bf16")
PARALLEL = ("ddp", "fsdp")
SPLIT = ("batch", "accumulate", "processes")  # how a step is shared out; its samples are their product
FREE = (  # may change from one sitting of a run to the next
    *("seconds", "steps", "report_every", "evaluate_every", "save_seconds", "picture_seconds"),
    *("checkpointing", "compile", "parallel", *SPLIT),
)


@dataclass(frozen=True)
class TrainSettings:
    """Budget, optimisation, arithmetic and bookkeeping of one stage.

    seconds, steps: budget; whichever is given and ends first ends the run and sets the pace of the learning rate
    (with ``steps`` alone a run is reproducible bit for bit). batch: samples per process and micro-batch;
    accumulate: micro-batches per step. decay: of the averaged weights. checkpointing: recompute activations in the
    backward pass. parallel: what several processes share, gradients (``ddp``) or also weights (``fsdp``).
    evaluate_every, report_every: steps; save_seconds, picture_seconds: wall time between checkpoints and between
    contact sheets (0: none). Raises InputError for values out of range.
    """

    seconds: float | None = 1800.0
    steps: int | None = None
    batch: int = 16
    accumulate: int = 1
    rate: float = 1.5e-3
    optimizer: str = "muon"
    weight_decay: float = 0.01
    clip: float = 1.0
    decay: float = 0.998
    precision: str = "float32"
    checkpointing: bool = False
    compile: bool = False
    parallel: str = "ddp"
    report_every: int = 50
    evaluate_every: int = 200
    save_seconds: float = 120.0
    picture_seconds: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seconds is None and self.steps is None:
            raise InputError("The run has no end; set minutes (--minutes) or steps (--steps).")
        for name, known in (("optimizer", OPTIMIZERS), ("precision", PRECISIONS), ("parallel", PARALLEL)):
            if getattr(self, name) not in known:
                raise InputError(f"{name} is {getattr(self, name)!r}; use one of {', '.join(known)}.")
        for name in ("batch", "accumulate", "report_every", "evaluate_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.parallel == "fsdp" and self.compile:
            raise InputError("--compile goes with --parallel ddp only; leave one of the two out.")
        if self.parallel == "fsdp" and self.optimizer == "muon":
            raise InputError("Muon needs whole matrices, which fsdp splits; set --optimizer adamw or --parallel ddp.")

    def share(self, step: int, elapsed: float) -> float:
        """Part of the budget spent, 0..1 and beyond, after ``step`` steps and ``elapsed`` seconds."""
        parts = []
        if self.steps is not None:
            parts.append(step / max(1, self.steps))
        if self.seconds is not None:
            parts.append(elapsed / max(1e-9, self.seconds))
        return max(parts)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON-able values."""
        return asdict(self)


def check_same(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raises InputError when a run in ``folder`` began with settings ``old`` and would go on with other ``new`` ones.

    Budget, bookkeeping and the way the samples of a step are shared out may change, their number may not. Settings
    that ``old`` does not name are not compared.
    """
    names = [name for name in sorted(old.keys() & new.keys()) if name not in FREE]
    changed = [f"{name} {old[name]} (now {new[name]})" for name in names if old[name] != new[name]]
    samples = [prod(values[name] for name in SPLIT) for values in (old, new) if all(name in values for name in SPLIT)]
    if len({*samples}) > 1:
        changed.append("{} samples in a step (now {})".format(*samples))
    if changed:
        raise InputError(
            f"{folder} was begun with {', '.join(changed)}; give the same again, or an empty --folder to start anew."
        )
