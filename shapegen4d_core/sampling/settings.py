"""Settings of one sampling run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import InputError
from ..setting_checks import check_whole
from .guidance import GUIDANCE_MODES
from .noise import check_noise
from .schedule import SMALLEST_SIGMA
from .schedule import sigmas as make_sigmas


@dataclass(frozen=True)
class SamplerSettings:
    """How a clip is denoised; defaults are the published ones, with the shared noise and shift of the paper.

    ``time_shift`` > 1 spends more steps at high noise (paper section 3.2; its value is not published).
    ``noise`` shared | independent | correlated with ``correlation`` 0..1, drawn from ``seed``.
    ``zero_init``: steps 0..``zero_steps`` leave the noise as it is and cost nothing (spec 4.4).
    ``guidance_mode`` collapsed | together | in_turn give equal results at different cost.
    ``final_sigma``: see :func:`~.schedule.sigmas`; ``double_shift`` is its published parity mode.
    ``ensemble_size``: so many sequences, each from noise of its own, are averaged, for models whose latents have places
    of their own (slots); takes so many times as long.
    ``latent_count``: latents per frame, needed when neither noise nor the model's slots say it.
    ``frames_per_call``: at most so many frames per network call (an adapter always sees whole clips).
    ``rows_per_call``: at most so many tokens at once in the layers that treat each token alike. Both None choose by the
    free memory; results agree up to rounding.
    Raises :class:`InputError` naming the setting that cannot be used.
    """

    steps: int = 50
    guidance: float = 7.5
    time_shift: float = 3.0
    noise: str = "shared"
    correlation: float = 1.0
    seed: int = 0
    zero_init: bool = True
    zero_steps: int = 0
    guidance_mode: str = "collapsed"
    final_sigma: float | None = SMALLEST_SIGMA
    double_shift: bool = False
    ensemble_size: int = 1
    latent_count: int | None = None
    frames_per_call: int | None = None
    rows_per_call: int | None = None

    def __post_init__(self) -> None:
        make_sigmas(self.steps, self.time_shift, self.double_shift, self.final_sigma)
        check_noise(self.noise, self.correlation, self.seed)
        if not (math.isfinite(self.guidance) and self.guidance >= 0.0):
            raise InputError(
                f"guidance is {self.guidance!r}; it must be a number of at least 0 (1 = no guidance)."
            )
        if self.guidance_mode not in GUIDANCE_MODES:
            raise InputError(
                f"guidance_mode is {self.guidance_mode!r}; it must be one of {', '.join(GUIDANCE_MODES)}."
            )
        if self.zero_steps < 0:
            raise InputError(f"zero_steps is {self.zero_steps!r}; it must be at least 0.")
        check_whole("ensemble_size", self.ensemble_size, 1)
        for name in ("latent_count", "frames_per_call", "rows_per_call"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} is {value!r}; it must be a whole number of at least 1, or None.")

    def to_dict(self) -> dict[str, Any]:
        """All settings as JSON-able values."""
        return asdict(self)
