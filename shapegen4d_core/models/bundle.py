"""All networks of one model in one value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .adapter import SpatioTemporalAdapter
from .denoiser import Denoiser
from .image_encoder import ImageEncoder
from .label_encoder import LabelEncoder
from .parts import PARTS
from .presets import PRESETS, ModelConfig
from .shape_vae import ShapeVAE
from .weights import WithoutInit


@dataclass
class ModelBundle:
    """The networks of a model, None where not loaded or not there, and its configuration."""

    config: ModelConfig
    image_encoder: ImageEncoder | None = None
    vae: ShapeVAE | None = None
    denoiser: Denoiser | None = None
    adapter: SpatioTemporalAdapter | None = None
    label_encoder: LabelEncoder | None = None

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.config.name

    def networks(self) -> Iterator[tuple[str, nn.Module]]:
        """The parts that are present, by name."""
        for key in PARTS:
            network = getattr(self, key)
            if network is not None:
                yield key, network

    def to(self, device: Any = None, dtype: torch.dtype | None = None) -> ModelBundle:
        """Move every network, in place; returns the bundle."""
        for _, network in self.networks():
            network.to(device=device, dtype=dtype)
        return self


def build(
    config: ModelConfig | str,
    dtype: torch.dtype | None = None,
    device: Any = "cpu",
    ops: Any = nn,
    parts: Iterable[str] | None = None,
) -> ModelBundle:
    """Networks of a configuration or preset name with fresh weights (from torch's global generator).

    Raises InputError for an unknown preset or part.
    """
    if isinstance(config, str):
        if config not in PRESETS:
            raise InputError(f"There is no preset {config!r}; presets are {', '.join(PRESETS)}.")
        config = PRESETS[config]
    bundle = ModelBundle(config)
    with WithoutInit() if torch.device(device).type == "meta" else nullcontext():
        for key in checked_parts(parts):
            part_config = getattr(config, key)
            if part_config is not None:
                setattr(bundle, key, PARTS[key].network(part_config, ops=ops, dtype=dtype, device=device))
    return bundle


def check_fit(config: ModelConfig, present: Iterable[str]) -> None:
    """Raise InputError, naming all misfits, unless the present networks work together."""
    encoder, vae, denoiser, adapter = config.image_encoder, config.vae, config.denoiser, config.adapter
    pairs = [
        ("vae", "embed_dim", vae.embed_dim, "denoiser", "input_channels", denoiser.input_channels),
        ("image_encoder", "hidden_size", encoder.hidden_size, "denoiser", "visual_condition_dim",
         denoiser.visual_condition_dim),
    ]  # fmt: skip
    if adapter is not None:
        names = ("width", "layers", "num_single_layers")
        pairs += [("adapter", n, getattr(adapter, n), "denoiser", n, getattr(denoiser, n)) for n in names]
    if config.label_encoder is not None:
        width = config.label_encoder.hidden_size
        pairs.append(
            (
                "label_encoder",
                "hidden_size",
                width,
                "denoiser",
                "label_condition_dim",
                denoiser.label_condition_dim,
            )
        )
    present = set(present)
    misfits = [
        f"{a}.{x} is {i} but {b}.{y} is {j}" for a, x, i, b, y, j in pairs if {a, b} <= present and i != j
    ]
    if misfits:
        raise InputError(f"The parts of this model do not belong together: {'; '.join(misfits)}.")


def checked_parts(parts: Iterable[str] | None) -> list[str]:
    """Part names in their order; None means all. Raises InputError for unknown names."""
    if parts is None:
        return list(PARTS)
    wanted = [parts] if isinstance(parts, str) else list(parts)
    unknown = sorted(set(wanted) - set(PARTS))
    if unknown:
        raise InputError(f"There are no model parts {', '.join(unknown)}; parts are {', '.join(PARTS)}.")
    return [key for key in PARTS if key in wanted]
