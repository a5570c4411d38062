"""What is compared: the model in its variants, and the baselines that say what its figures mean."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import InputError
from ..models import ModelBundle
from ..pipeline import encode_clip
from ..sampling import SamplerSettings, sample
from ..sequence import Clip

SEED_STEP = 1_000_003  # between the seeds of one clip, so that clips do not share their noise


@dataclass(frozen=True)
class Method:
    """``title`` for people; ``seeded``: drawn anew for every seed; ``default``: part of a plain evaluation."""

    title: str
    seeded: bool = False
    default: bool = True


METHODS = {
    "floor": Method("truth sampled twice (noise floor)"),
    "autoencoder": Method("autoencoder alone"),
    "mean": Method("mean shape of the training clips"),
    "nearest-picture": Method("nearest training frame by picture"),
    "nearest-silhouette": Method("nearest training frame by silhouette"),
    "base-independent": Method("base, independent noise", seeded=True),
    "base-shared": Method("base, shared noise", seeded=True),
    "adapter-independent": Method("adapter, independent noise", seeded=True, default=False),
    "adapter-shared": Method("adapter, shared noise", seeded=True),
}
NEED_DATA = ("nearest-picture", "nearest-silhouette")

PAIRS = (
    ("adapter-shared", "base-shared"),
    ("base-shared", "base-independent"),
    ("adapter-shared", "nearest-picture"),
    ("adapter-shared", "nearest-silhouette"),
    ("adapter-shared", "mean"),
    ("base-shared", "nearest-picture"),
    ("base-shared", "nearest-silhouette"),
    ("base-shared", "mean"),
)


def chosen_methods(names: str | None, model: ModelBundle, with_data: bool) -> list[str]:
    """Method names from a list with commas, in the order of METHODS; None means the defaults that can run here.

    Raises InputError for unknown ones and for those that need an adapter or training data that is not there.
    """
    possible = [
        name
        for name in METHODS
        if (with_data or name not in NEED_DATA) and (model.adapter is not None or not name.startswith("adapter"))
    ]
    if names is None:
        return [name for name in possible if METHODS[name].default]
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = sorted(set(wanted) - set(METHODS))
    if unknown or not wanted:
        raise InputError(f"--methods is {names!r}; accepted are {', '.join(METHODS)}, separated by commas.")
    missing = [name for name in wanted if name not in possible]
    if missing:
        needs = "--data" if missing[0] in NEED_DATA else "a model with an adapter"
        raise InputError(f"The method {missing[0]} needs {needs}; choose among {', '.join(possible)}.")
    return [name for name in METHODS if name in wanted]


def generate_latents(
    model: ModelBundle, method: str, rgba: np.ndarray, settings: SamplerSettings, seed: int
) -> torch.Tensor:
    """Latents [T,N,C] of a generating method for pictures [T,S,S,4] uint8."""
    network, noise = method.split("-")
    clip = Clip(torch.from_numpy(rgba.astype(np.float32) / 255.0), 8.0)
    chosen = replace(settings, noise=noise, seed=seed)
    with torch.inference_mode():
        tokens = encode_clip(model, clip).tokens
        adapter = model.adapter if network == "adapter" else None
        return sample(model.denoiser, tokens, chosen, adapter=adapter).float().cpu()


def generates(method: str) -> bool:
    """Whether a method runs the denoiser."""
    return method.startswith(("base-", "adapter-"))
