"""Configurations of the denoiser and of its spatiotemporal adapter: frozen, JSON-able, checked when made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import InputError

ADAPTER_ATTENTION = ("joint", "shape", "temporal")
_LOADER_FIELDS = ("weights", "_class_name", "_diffusers_version", "_name_or_path")


def _require_at_least(name: str, value: int, lowest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise InputError(f"{name} is {value!r}; it must be a whole number of at least {lowest}.")


def _require_heads(width: int, num_heads: int) -> None:
    if width % num_heads:
        raise InputError(f"width {width} cannot be split into num_heads {num_heads} equal heads; change num_heads.")


def _select_fields(cls: type, values: dict[str, Any], ignored: tuple[str, ...]) -> dict[str, Any]:
    names = {field.name for field in fields(cls)}
    unknown = sorted(set(values) - names - set(ignored))
    if unknown:
        raise InputError(f"{cls.__name__} has no field named {', '.join(unknown)}; remove it from the config file.")
    return {name: value for name, value in values.items() if name in names}


@dataclass(frozen=True)
class DenoiserConfig:
    """Sizes of the denoising transformer; names and defaults are those of the published base config.json.

    Two fields are ours: ``slot_count`` (learned embeddings added to the latents, 0 = none, as published) and
    ``mlp_ratio``. ``identity_init`` only concerns training from scratch: with it every block starts as the
    identity and the output as zero. Raises :class:`InputError` for a size that cannot be built.
    Source: spec section 1.
    """

    input_channels: int = 64
    width: int = 1280
    layers: int = 12
    num_single_layers: int = 24
    num_heads: int = 20
    condition_dim: int = 1024
    multi_condition_type: str = "in_context"
    use_visual_condition: bool = True
    visual_condition_dim: int = 1024
    n_views: int = 1
    use_caption_condition: bool = False
    caption_condition_dim: int = 1024
    use_label_condition: bool = False
    label_condition_dim: int = 1024
    identity_init: bool = False
    slot_count: int = 0
    mlp_ratio: int = 4

    def __post_init__(self) -> None:
        for name in (
            "input_channels",
            "width",
            "num_heads",
            "condition_dim",
            "visual_condition_dim",
            "mlp_ratio",
        ):
            _require_at_least(name, getattr(self, name), 1)
        for name in ("layers", "num_single_layers", "slot_count"):
            _require_at_least(name, getattr(self, name), 0)
        _require_heads(self.width, self.num_heads)
        if self.width % 2:
            raise InputError(f"width is {self.width}; the time features need an even width.")
        if self.multi_condition_type != "in_context":
            raise InputError(f"multi_condition_type is {self.multi_condition_type!r}; only 'in_context' exists.")
        if not self.use_visual_condition:
            raise InputError("use_visual_condition is false; this denoiser always reads image tokens, set it to true.")
        if self.use_caption_condition:
            raise InputError("use_caption_condition is true; captions are not supported, set it to false.")

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.width // self.num_heads

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DenoiserConfig:
        """Build from a config.json dictionary, without the loader's fields; raises :class:`InputError`."""
        return cls(**_select_fields(cls, values, _LOADER_FIELDS))

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class AdapterConfig:
    """Sizes of the spatiotemporal layers between the ``layers`` dual and ``num_single_layers`` single blocks.

    ``every``: one layer follows every ``every``-th block of each stage (paper: 1). ``attention``: ``joint``
    over image and shape tokens of all frames (paper), ``shape`` without the image tokens, ``temporal`` each
    token over its own index through time. ``rope_theta`` is the base of the rotation frequencies on frame
    time; ``frames`` is the clip length of training. Raises :class:`InputError` for a size that cannot be
    built.
    Source: paper section 3.2 and table 3; extension notes section 1.
    """

    width: int = 1280
    num_heads: int = 20
    layers: int = 12
    num_single_layers: int = 24
    every: int = 1
    attention: str = "joint"
    rope_theta: float = 10000.0
    mlp_ratio: int = 4
    frames: int = 16

    def __post_init__(self) -> None:
        for name in ("width", "num_heads", "every", "mlp_ratio", "frames"):
            _require_at_least(name, getattr(self, name), 1)
        for name in ("layers", "num_single_layers"):
            _require_at_least(name, getattr(self, name), 0)
        _require_heads(self.width, self.num_heads)
        if self.attention not in ADAPTER_ATTENTION:
            raise InputError(f"attention is {self.attention!r}; it must be one of {', '.join(ADAPTER_ATTENTION)}.")
        if not self.rope_theta > 1.0:
            raise InputError(f"rope_theta is {self.rope_theta!r}; it must be larger than 1.")

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.width // self.num_heads

    def check_fits(self, denoiser: DenoiserConfig) -> None:
        """Raise :class:`InputError` unless these layers fit between the blocks of ``denoiser``."""
        for name in ("width", "layers", "num_single_layers"):
            ours, theirs = getattr(self, name), getattr(denoiser, name)
            if ours != theirs:
                raise InputError(f"The adapter was made for a base with {name} {ours}; this one has {theirs}.")

    @classmethod
    def for_denoiser(cls, config: DenoiserConfig, **changes: Any) -> AdapterConfig:
        """The adapter of the same sizes as ``config``; ``changes`` override single fields."""
        sizes = {
            name: getattr(config, name) for name in ("width", "num_heads", "layers", "num_single_layers", "mlp_ratio")
        }
        return cls(**{**sizes, **changes})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AdapterConfig:
        """Build from a JSON dictionary; raises :class:`InputError` on unknown fields."""
        return cls(**_select_fields(cls, values, ()))

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON-able values."""
        return asdict(self)
