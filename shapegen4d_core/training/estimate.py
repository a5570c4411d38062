"""What a training step of any size would cost, found by tracing it on shapes alone: no weights, no data, no memory.

The real loss runs forward and backward on torch's ``meta`` device; a counter adds up matrix products and attention, and
a hook adds up the activations that autograd keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from ..errors import InputError
from ..models import PRESETS, AdapterConfig, ModelConfig, build
from .adapter import AdapterLoss
from .base import BaseLoss
from .settings import TrainSettings
from .vae import VAELoss
from .workers import trainable

VAE_POINTS = {"surface": 640, "samples": 576}
GIB = 2.0**30


@dataclass(frozen=True)
class Cost:
    """Arithmetic in floating point operations and memory in bytes of one micro-batch on one process."""

    trained: int
    frozen: int
    forward: float
    step: float
    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int

    @property
    def memory(self) -> int:
        """Bytes of everything that is held at the end of the forward pass."""
        return self.weights + self.gradients + self.optimizer + self.average + self.activations


class _Attention(torch.autograd.Function):
    """Shapes and kept tensors of fused attention: inputs and output, never the matrix of weights."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, count: _FusedAttention) -> Tensor:
        out = q.new_empty(*q.shape[:-1], v.shape[-1])
        ctx.save_for_backward(q, k, v, out)
        ctx.count = count
        count.flops += _products(q, k, 2)
        return out

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple:
        q, k, v, _ = ctx.saved_tensors
        ctx.count.flops += _products(q, k, 5)
        return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v), None


def _products(q: Tensor, k: Tensor, count: int) -> float:
    return 2.0 * count * q.shape[:-1].numel() * k.shape[-2] * q.shape[-1]


class _FusedAttention(TorchFunctionMode):
    """Counts attention as a fused kernel does it: 2 products forward, 5 backward (the weights are made again)."""

    flops = 0.0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is functional.scaled_dot_product_attention:
            return _Attention.apply(*args[:3], self)
        return func(*args, **(kwargs or {}))


class _Trace:
    """One forward and backward pass: arithmetic and kept activations, in all and inside of blocks."""

    def __init__(self, loss: nn.Module, frozen: list[nn.Module], blocks: tuple[type, ...]) -> None:
        self.counter, self.fused = FlopCounterMode(display=False), _FusedAttention()
        self.outside: dict[int, int] = {}
        self.inside: list[dict[int, int]] = []
        self.inputs: dict[int, int] = {}
        self.again = 0.0  # arithmetic that checkpointing repeats
        self.held: list[Tensor] = []  # keeps storages alive, so that their addresses stay distinct
        self.current: dict[int, int] | None = None
        for network in [loss, *frozen]:
            for module in network.modules():
                if isinstance(module, blocks):
                    module.register_forward_pre_hook(self._enter)
                    module.register_forward_hook(self._leave)

    @property
    def flops(self) -> float:
        """Arithmetic so far."""
        return self.counter.get_total_flops() + self.fused.flops

    def run(self, loss: nn.Module, batch: dict[str, Tensor]) -> None:
        """Trace ``loss(**batch)`` and its backward pass."""
        with self.counter, self.fused:
            with torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor):
                value, _ = loss(**batch)
            self.forward = self.flops
            torch.autograd.backward(value)

    def _enter(self, module: nn.Module, inputs: tuple) -> None:
        self.began, self.current = self.flops, {}
        for tensor in inputs:
            if isinstance(tensor, Tensor) and torch.is_grad_enabled():
                _note(self.inputs, tensor)

    def _leave(self, module: nn.Module, inputs: tuple, result: object) -> None:
        if self.current:
            self.again += self.flops - self.began
            self.inside.append(self.current)
        self.current = None

    def _keep(self, tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            _note(self.outside if self.current is None else self.current, tensor)
        self.held.append(tensor)
        return tensor

    def activations(self, checkpointing: bool) -> int:
        """Bytes kept for the backward pass; with checkpointing block inputs, and the inside of one block."""
        if checkpointing:
            inside = max((sum(block.values()) for block in self.inside), default=0)
            return sum({**self.outside, **self.inputs}.values()) + inside
        every = dict(self.outside)
        for block in self.inside:
            every |= block
        return sum(every.values())


def _note(table: dict[int, int], tensor: Tensor) -> None:
    storage = tensor.untyped_storage()
    table[storage._cdata] = storage.nbytes()


def estimate(stage: str, config: ModelConfig, settings: TrainSettings, blocks: tuple[type, ...]) -> Cost:
    """Trace one micro-batch of ``stage`` ("vae", "base" or "adapter") of a model of this configuration."""
    kind = torch.bfloat16 if settings.precision == "bf16" else torch.float32
    loss, batch, frozen = _traced(stage, config, settings.batch, kind)
    trace = _Trace(loss, frozen, blocks)
    trace.run(loss, batch)
    trained = sum(p.numel() for p in trainable(loss).values())
    rest = sum(p.numel() for network in frozen for p in network.parameters())
    moments = 2 if settings.optimizer == "adamw" else 1
    return Cost(
        trained=trained,
        frozen=rest,
        forward=trace.forward,
        step=trace.flops + (trace.again if settings.checkpointing else 0.0),
        weights=4 * trained + (2 if kind == torch.bfloat16 else 4) * rest,
        gradients=4 * trained,
        optimizer=4 * moments * trained,
        average=4 * trained,
        activations=trace.activations(settings.checkpointing),
    )


def _traced(
    stage: str, config: ModelConfig, count: int, kind: torch.dtype
) -> tuple[nn.Module, dict[str, Tensor], list[nn.Module]]:
    """The loss of a stage, a batch of ``count`` samples for it and its frozen networks, all on the meta device."""

    def empty(*shape: int) -> Tensor:
        return torch.empty(*shape, device="meta", dtype=kind)

    frames, tokens, channels = config.frames, config.vae.num_latents, config.denoiser.input_channels
    size, colours = config.image_encoder.image_size, config.image_encoder.in_channels
    if stage == "vae":
        if config.vae.with_sharp_data:
            raise InputError("The vae stage trains the tiny model; give --model for latents and adapter only.")
        vae = build(config, dtype=kind, device="meta", parts=("vae",)).vae
        shapes = {"surface": (VAE_POINTS["surface"], 6), "query": (tokens, 6), "samples": (VAE_POINTS["samples"], 4)}
        batch = {key: empty(count, *shape) for key, shape in shapes.items()}
        return VAELoss(vae), {**batch, "noise": empty(count, tokens, config.vae.embed_dim)}, []
    adapter = config.adapter or AdapterConfig.for_denoiser(config.denoiser)
    model = build(replace(config, adapter=adapter), dtype=kind, device="meta", parts=_PARTS[stage])
    clip = (count,) if stage == "base" else (count, frames)
    batch = {
        "pixels": empty(*clip, colours, size, size),
        "latents": empty(*clip, tokens, channels),
        "noise": empty(*clip, tokens, channels),
        "sigma": empty(*clip),
        "keep": empty(count),
    }
    if stage == "base":
        return BaseLoss(model.image_encoder, model.denoiser), batch, []
    loss = AdapterLoss(model.adapter, model.image_encoder, model.denoiser)
    return loss, batch, list(loss.frozen)


_PARTS = {"base": ("image_encoder", "denoiser"), "adapter": ("image_encoder", "denoiser", "adapter")}


def report(stage: str, model: str | None, settings: TrainSettings, latents: int | None = None) -> list[str]:
    """The estimate as lines of text. Raises InputError for a model that is no preset or a stage without a cost."""
    from .stages import BLOCKS

    name = model or "tiny"
    if name not in PRESETS:
        raise InputError(f"A dry run takes the name of a preset as --model, not {name!r}: {', '.join(PRESETS)}.")
    if stage not in ("vae", "base", "adapter"):
        raise InputError(f"A dry run of the stage {stage} is not there; use vae, base or adapter.")
    config = PRESETS[name]
    config = replace(config, vae=replace(config.vae, num_latents=latents or config.vae.num_latents))
    cost = estimate(stage, config, settings, BLOCKS)
    unit = "clips" if stage == "adapter" else "frames"
    tera = cost.step / 1e12
    return [
        f"{name}, stage {stage}: micro-batch of {settings.batch} {unit}, {settings.accumulate} per step, "
        f"{settings.precision}, checkpointing {'on' if settings.checkpointing else 'off'}",
        f"parameters: {cost.trained / 1e6:.1f} M trained, {cost.frozen / 1e6:.1f} M frozen",
        f"arithmetic per micro-batch: {cost.forward / 1e12:.3f} TFLOP forward, {tera:.3f} TFLOP with backward",
        "memory per process in GiB: "
        + ", ".join(
            f"{key} {getattr(cost, key) / GIB:.2f}"
            for key in ("weights", "gradients", "optimizer", "average", "activations")
        )
        + f"; in all {cost.memory / GIB:.2f}",
        f"time per step at 100 TFLOP/s sustained: {tera * settings.accumulate / 100:.2g} s",
    ]
