"""Noise levels of the sampler: sigma from 1 (pure noise) to 0 (data); the network is given 1000 * sigma."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError

TRAIN_STEPS = 1000
SMALLEST_SIGMA = 1.0 / TRAIN_STEPS


def shift_sigmas(levels: Tensor, shift: float) -> Tensor:
    """Move noise levels [n] in 0..1 towards noise: s * sigma / (1 + (s - 1) * sigma); 1 changes nothing.

    A published ``mu`` is the shift exp(mu). Raises :class:`InputError` for a shift that is not positive.
    Source: paper section 3.2 (denoising time shift); spec 4.1.
    """
    if not 0.0 < shift < float("inf"):
        raise InputError(f"time_shift is {shift!r}; it must be a positive number, 1 for no shift.")
    return shift * levels / (1.0 + (shift - 1.0) * levels)


def sigmas(
    steps: int,
    shift: float = 1.0,
    parity_double_shift: bool = False,
    final_sigma: float | None = SMALLEST_SIGMA,
) -> Tensor:
    """Descending noise levels, float32 [steps + 1]: even from 1 to ``final_sigma``, shifted once, then 0.

    The published list ends at ``final_sigma`` 0.001, which leaves next to nothing for its last step; None
    ends it at 1/steps, so that all steps are equally long before the shift. ``parity_double_shift``
    reproduces the published scheduler, which shifts the end of the range before it shifts the list. Raises
    :class:`InputError` for a value that makes no list.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError(f"steps is {steps!r}; it must be a whole number of at least 1.")
    final = 1.0 / steps if final_sigma is None else final_sigma
    if not 0.0 < final <= 1.0:
        raise InputError(f"final_sigma is {final!r}; it must lie above 0 and not above 1.")
    if parity_double_shift:
        final = shift_sigmas(torch.tensor(final, dtype=torch.float64), shift).item()
    levels = shift_sigmas(torch.linspace(1.0, final, steps, dtype=torch.float64), shift)
    return torch.cat([levels, levels.new_zeros(1)]).float()


def timesteps(levels: Tensor) -> Tensor:
    """What the network is given at each step: 1000 * sigma for all levels [n + 1] but the last -> [n]."""
    return TRAIN_STEPS * levels[:-1]


def checked_sigmas(levels: Tensor) -> Tensor:
    """A caller's noise levels as float32 [n + 1] on the CPU.

    Raises :class:`InputError` unless there are at least two, inside 0..1 and descending.
    """
    levels = torch.as_tensor(levels, dtype=torch.float32).detach().cpu()
    if levels.dim() != 1 or levels.numel() < 2:
        raise InputError(f"sigmas has shape {tuple(levels.shape)}; give a list of at least two noise levels.")
    inside = bool((levels >= 0).all()) and bool((levels <= 1 + 1e-6).all())
    if not inside or not bool((levels[1:] < levels[:-1]).all()):
        raise InputError(
            "sigmas must descend from at most 1 to at least 0 without repeats; check the list given."
        )
    return levels
