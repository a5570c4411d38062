"""Layers shared by the denoiser and its adapter: attention, modulated norm, feed-forward, time embedding.

Legend: F flat frames, L tokens, H heads, D channels per head, W = H*D width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ..errors import InputError
from . import cancelling

ATTENTION_IMPLEMENTATIONS = ("sdpa", "explicit")
PRODUCTS_AT_ONCE = 1 << 31  # in attention on a CPU that somebody may want to stop: less than half a second of a core
_implementation: ContextVar[str] = ContextVar("attention_implementation", default="sdpa")


@contextmanager
def attention_implementation(name: str) -> Iterator[None]:
    """Use ``sdpa`` (torch's fused kernel, the default) or ``explicit`` (two products) inside a with block.

    Raises :class:`InputError` for any other name.
    """
    if name not in ATTENTION_IMPLEMENTATIONS:
        raise InputError(f"attention implementation is {name!r}; use 'sdpa' or 'explicit'.")
    token = _implementation.set(name)
    try:
        yield
    finally:
        _implementation.reset(token)


_rows_at_once: ContextVar[int | None] = ContextVar("rows_at_once", default=None)


@contextmanager
def rows_at_once(limit: int | None) -> Iterator[None]:
    """Inside a with block, run :func:`by_rows` on at most ``limit`` rows at once; None means all."""
    token = _rows_at_once.set(limit)
    try:
        yield
    finally:
        _rows_at_once.reset(token)


def by_rows(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """``function`` of tensors [F, L, ...] that treats every row alike, a few rows at once where memory is short.

    Within :func:`rows_at_once` the result [F, L, W] is put together from calls with at most so many of the F*L rows;
    it agrees with one call up to rounding.
    """
    limit, (frames, length) = _rows_at_once.get(), tensors[0].shape[:2]
    if limit is None or frames * length <= limit:
        return function(*tensors)
    flat = [tensor.flatten(0, 1) for tensor in tensors]
    result = None
    for start in range(0, frames * length, limit):
        part = function(*(tensor[start : start + limit] for tensor in flat))
        if result is None:
            result = part.new_empty(frames * length, *part.shape[1:])
        result[start : start + limit] = part
    return result.unflatten(0, (frames, length))


def attention(q: Tensor, k: Tensor, v: Tensor, key_bias: Tensor | None = None) -> Tensor:
    """Softmax attention with scale 1/sqrt(D) over q [..., H, Q, D], k and v [..., H, K, D] -> [..., H, Q, D].

    ``key_bias`` [K] is added to the logits of each key (log M makes one key count as M equal ones).
    The implementation is chosen with :func:`attention_implementation`. Time of explicit / sdpa on one
    CPU core in float32, forward plus backward: 1.0 at q [48, 4, 105, 32], 2.1 at [8, 4, 840, 32]. On a CPU very many
    queries go in groups inside :func:`.cancelling.cancellable`, with the same result up to rounding.
    """
    if cancelling.watched() and q.device.type == "cpu":
        at_once = max(1, PRODUCTS_AT_ONCE * q.shape[-2] // max(1, q.numel() * k.shape[-2]))
        if at_once < q.shape[-2]:
            return _in_groups(q, k, v, key_bias, at_once)
    return _attention(q, k, v, key_bias)


def _in_groups(q: Tensor, k: Tensor, v: Tensor, key_bias: Tensor | None, at_once: int) -> Tensor:
    result = v.new_empty(*q.shape[:-1], v.shape[-1])
    for start in range(0, q.shape[-2], at_once):
        rows = slice(start, start + at_once)
        result[..., rows, :] = _attention(q[..., rows, :], k, v, key_bias)
        cancelling.look(q)
    return result


def _attention(q: Tensor, k: Tensor, v: Tensor, key_bias: Tensor | None) -> Tensor:
    if not torch.compiler.is_compiling() and _implementation.get() == "explicit":
        logits = (q * (1.0 / math.sqrt(q.shape[-1]))) @ k.transpose(-2, -1)
        if key_bias is not None:
            logits = logits + key_bias.to(logits.dtype)
        return torch.softmax(logits, dim=-1).to(v.dtype) @ v
    mask = None
    if key_bias is not None:
        mask = key_bias.to(q.dtype).expand(*(1,) * (q.dim() - 1), -1)  # one row for all queries: kernels keep it so
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def token_attention(q: Tensor, k: Tensor, v: Tensor, key_bias: Tensor | None = None) -> Tensor:
    """:func:`attention` in token-major layout: q [F, Q, H, D], k and v [F, K, H, D] -> [F, Q, H*D]."""
    mixed = attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), key_bias)
    return mixed.transpose(1, 2).flatten(2)


def clamp_half(x: Tensor) -> Tensor:
    """Keep float16 values inside the finite range; other types pass through (spec 1.6 g)."""
    return x.clamp(-65504.0, 65504.0) if x.dtype == torch.float16 else x


def gated(residual: Tensor, gate: Tensor, update: Tensor) -> Tensor:
    """residual + gate * update in one pass; residual and update [F, L, W], gate [F, 1, W]."""
    return torch.addcmul(residual, gate, update)


class ModulatedNorm(nn.Module):
    """LayerNorm without parameters whose shift and scale come from the time vector (spec 1.5).

    ``chunks`` vectors of size ``width`` are read from the time vector by one Linear.
    """

    def __init__(self, width: int, chunks: int, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.chunks = chunks
        self.linear = ops.Linear(width, chunks * width, **factory)
        self.norm = ops.LayerNorm(width, eps=1e-6, elementwise_affine=False)

    def vectors(self, condition: Tensor) -> tuple[Tensor, ...]:
        """SiLU'd time vector [F, W] -> ``chunks`` vectors [F, 1, W] in the published order."""
        return self.linear(condition).unsqueeze(1).chunk(self.chunks, dim=-1)

    def forward(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """Normalised x [F, L, W] times (1 + scale) plus shift, both [F, 1, W]."""
        return torch.addcmul(shift, self.norm(x), 1.0 + scale)


class GeluProjection(nn.Module):
    """Linear followed by the tanh approximation of GELU (first half of a feed-forward)."""

    def __init__(self, width: int, hidden: int, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.proj = ops.Linear(width, hidden, **factory)

    def forward(self, x: Tensor) -> Tensor:
        """[..., W] -> [..., hidden]."""
        return functional.gelu(self.proj(x), approximate="tanh")


class FeedForward(nn.Module):
    """Linear, tanh GELU, Linear (keys ``net.0.proj`` and ``net.2``)."""

    def __init__(self, width: int, mlp_ratio: int, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        hidden = mlp_ratio * width
        last = ops.Linear(hidden, width, **factory)
        self.net = nn.ModuleList([GeluProjection(width, hidden, ops, **factory), nn.Identity(), last])

    def forward(self, x: Tensor) -> Tensor:
        """[F, L, W] -> [F, L, W]."""
        return by_rows(lambda rows: self.net[2](self.net[0](rows)), x)


def sinusoid(timestep: Tensor, width: int) -> Tensor:
    """Time features [F] -> [F, width] float32: sines, then cosines, of t * 10000^(-2k / width) (spec 1.4)."""
    half = width // 2
    exponent = torch.arange(half, dtype=torch.float32, device=timestep.device) / half
    phase = timestep.float()[:, None] * torch.exp(-math.log(10000.0) * exponent)
    return torch.cat([phase.sin(), phase.cos()], dim=-1)


class TimeEmbedding(nn.Module):
    """Sinusoid of the timestep through Linear, exact GELU, Linear (spec 1.4)."""

    def __init__(self, width: int, ops: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.width = width
        self.linear_1 = ops.Linear(width, 4 * width, **factory)
        self.linear_2 = ops.Linear(4 * width, width, **factory)

    def forward(self, timestep: Tensor, dtype: torch.dtype) -> Tensor:
        """timestep [F] = 1000 * sigma -> [F, W] in ``dtype``."""
        return self.linear_2(functional.gelu(self.linear_1(sinusoid(timestep, self.width).to(dtype))))
