"""All networks of one model in one value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
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
    """The networks of a model, None where not loaded or not there, its configuration and where its weights come from.

    ``weights`` has the SHA-256 of each weight file that was read, by ``folder/file``; empty for fresh networks.
    """

    config: ModelConfig
    image_encoder: ImageEncoder | None = None
    vae: ShapeVAE | None = None
    denoiser: Denoiser | None = None
    adapter: SpatioTemporalAdapter | None = None
    label_encoder: LabelEncoder | None = None
    weights: dict[str, str] = field(default_factory=dict)

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

    def to(self, device: Any) -> ModelBundle:
        """Move every network, in place; returns the bundle. The dtype is chosen when loading."""
        for _, network in self.networks():
            network.to(device=device)
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


# A part's field, and the field of the denoiser it must equal.
_JOINTS = {
    "image_encoder": ("hidden_size", "visual_condition_dim"),
    "vae": ("embed_dim", "input_channels"),
    "label_encoder": ("hidden_size", "label_condition_dim"),
}


def check_fit(config: ModelConfig, present: Iterable[str]) -> None:
    """Raise InputError, naming all misfits, unless the ``present`` networks fit the denoiser, if that is one."""
    present = set(present)
    if "denoiser" not in present:
        return
    misfits = []
    for part, (own, wanted) in _JOINTS.items():
        if part in present and getattr(getattr(config, part), own) != getattr(config.denoiser, wanted):
            sizes = getattr(getattr(config, part), own), getattr(config.denoiser, wanted)
            misfits.append(f"{part}.{own} is {sizes[0]} but denoiser.{wanted} is {sizes[1]}")
    if misfits:
        raise InputError(f"The parts of this model do not belong together: {'; '.join(misfits)}.")
    if "adapter" in present:
        config.adapter.check_fits(config.denoiser)


def checked_parts(parts: Iterable[str] | None) -> list[str]:
    """Part names in their order; None means all. Raises InputError for unknown names."""
    if parts is None:
        return list(PARTS)
    wanted = [parts] if isinstance(parts, str) else list(parts)
    unknown = sorted(set(wanted) - set(PARTS))
    if unknown:
        raise InputError(f"There are no model parts {', '.join(unknown)}; parts are {', '.join(PARTS)}.")
    return [key for key in PARTS if key in wanted]
