"""Optimiser, learning-rate schedule and weight averaging shared by all stages."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..errors import InputError
from .workers import like

EMBEDDING_NAMES = (
    "embeddings",
    "slot_embed",
    "proj_in",
    "input_proj",
    "query_proj",
    "proj_out",
    "output_proj",
    "pre_kl",
    "post_kl",
    "patch",
)


def split_parameters(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Trainable hidden matrices (for Muon) and everything else (for AdamW)."""
    hidden, rest = [], []
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        inner = parameter.ndim == 2 and not any(part in name for part in EMBEDDING_NAMES)
        (hidden if inner else rest).append(parameter)
    return hidden, rest


ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz iteration that takes singular values to about 1 (Jordan et al. 2024)."""


@torch.no_grad()
def orthogonalised(matrices: Tensor) -> Tensor:
    """Nearly orthogonal factors of a batch of matrices [K,R,C], by Newton-Schulz in the dtype of the input.

    ``torch.optim.Muon`` runs this in bfloat16, which a CPU without such units does forty times slower.
    """
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = a * x + torch.baddbmm(b * gram, gram, gram, alpha=c) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, for hidden matrices; matrices of one shape go together.

    The update is scaled to the root mean square of an AdamW update (0.2 times the root of the longer side), so that
    both optimisers share one learning rate. Source: Jordan et al. 2024; scaling of Liu et al. 2025.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, members in shapes.items():
                self._step_shape(group, shape, members)

    def _step_shape(self, group: dict, shape: torch.Size, members: list[nn.Parameter]) -> None:
        gradients = torch.stack([parameter.grad for parameter in members])
        for parameter in members:
            if "momentum" not in self.state[parameter]:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        momenta = [self.state[parameter]["momentum"] for parameter in members]
        buffers = torch.stack(momenta)
        buffers.lerp_(gradients, 1.0 - group["momentum"])
        update = orthogonalised(gradients.lerp(buffers, group["momentum"]))
        rate = group["lr"] * 0.2 * max(shape) ** 0.5
        torch._foreach_copy_(momenta, list(buffers.unbind()))
        torch._foreach_mul_(members, 1.0 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(members, list(update.unbind()), alpha=-rate)


class Optimizer:
    """AdamW, or Muon on hidden matrices and AdamW on the rest, with one learning rate and gradient clipping."""

    def __init__(
        self, module: nn.Module, rate: float, clip: float = 1.0, weight_decay: float = 0.01, kind: str = "muon"
    ):
        hidden, rest = split_parameters(module)
        self.parameters = hidden + rest
        self.rate, self.clip = rate, clip
        self.parts: list[torch.optim.Optimizer] = []
        adam = {"betas": (0.9, 0.99), "eps": 1e-8}
        if hidden and kind == "muon":
            self.parts.append(Muon(hidden, lr=rate, weight_decay=weight_decay))
        elif hidden:
            self.parts.append(torch.optim.AdamW(hidden, lr=rate, weight_decay=weight_decay, **adam))
        if rest:
            self.parts.append(torch.optim.AdamW(rest, lr=rate, weight_decay=0.0, **adam))

    def step(self, factor: float) -> Tensor:
        """Apply the gradients at ``factor`` times the base rate, clear them and return their norm before clipping."""
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = self.rate * factor
            part.step()
            part.zero_grad(set_to_none=True)
        return norm

    def state(self, named: dict[str, nn.Parameter]) -> dict[str, Tensor]:
        """Every state tensor as ``parameter name/state name``."""
        found = {}
        for name, parameter in named.items():
            for part in self.parts:
                for key, value in part.state.get(parameter, {}).items():
                    found[f"{name}/{key}"] = value
        return found

    def restore(self, named: dict[str, nn.Parameter], stored: dict[str, Tensor]) -> None:
        """Take back what :meth:`state` gave."""
        owners = {id(p): part for part in self.parts for group in part.param_groups for p in group["params"]}
        muon = any(isinstance(part, Muon) for part in self.parts)
        if stored and muon != any(key.endswith("/momentum") for key in stored):
            raise InputError("This run was begun with another optimizer; give the same --optimizer or a new --folder.")
        for key, value in stored.items():
            name, kind = key.rsplit("/", 1)
            parameter = named[name]
            fits = value.shape == parameter.shape and kind != "step"
            owners[id(parameter)].state[parameter][kind] = like(value, parameter) if fits else value


def schedule(progress: float, warm_up: float = 0.03, floor: float = 0.02, hold: float = 0.4) -> float:
    """Learning-rate factor at ``progress`` in 0..1: linear warm-up, a plateau until ``hold``, linear decay."""
    if progress < warm_up:
        return max(progress / warm_up, 0.02)
    if progress < hold:
        return 1.0
    return floor + (1.0 - floor) * max(0.0, 1.0 - (progress - hold) / (1.0 - hold))
