"""Random draws of training: a function of (seed, step) alone, so that a resumed run sees what it would have seen.

Every process draws for the whole batch of a step and keeps its own rows: the samples of a step do not depend on how
many processes share it.
"""

from __future__ import annotations

import numpy as np


def generator(seed: int, stage: int, step: int) -> np.random.Generator:
    """The generator that all draws of one step of one stage come from."""
    return np.random.default_rng([seed, stage, step])


def noise_levels(count: int, shift: float, rng: np.random.Generator) -> np.ndarray:
    """Logit-normal sigmas [count] in 0..1 moved towards noise by ``shift``: s*sigma / (1 + (s-1)*sigma)."""
    sigma = 1.0 / (1.0 + np.exp(-rng.standard_normal(count)))
    return (shift * sigma / (1.0 + (shift - 1.0) * sigma)).astype(np.float32)


def colour_changes(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Orders [count,3] of the colour channels and gains [count,3] in 0.7..1.25."""
    order = np.argsort(rng.random((count, 3)), axis=1)
    return order, rng.uniform(0.7, 1.25, (count, 3)).astype(np.float32)


def clean_frames(clips: int, frames: int, chance: float, rng: np.random.Generator) -> np.ndarray:
    """Mask [clips,T] of frames held clean: with ``chance`` a clip has 1 to T/2 of them, always fewer than T."""
    chosen = rng.random(clips) < chance
    counts = rng.integers(1, max(1, frames // 2) + 1, clips)
    ranks = np.argsort(np.argsort(rng.random((clips, frames)), axis=1), axis=1)
    mask = (ranks < counts[:, None]) & chosen[:, None]
    return mask if frames > 1 else np.zeros_like(mask)
