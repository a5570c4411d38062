"""The few reshapes between clips and flat frames, named by their result.

Legend: B clips, T frames, F = B*T flat frames in batch-major order (b*T + t), L tokens, H heads, D head size.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, autocast

from ..errors import InputError


def clip_count(flat_frames: int, frames: int) -> int:
    """Clips B in ``flat_frames`` frames, ``frames`` per clip; raises :class:`InputError` if uneven."""
    if frames < 1 or flat_frames % frames:
        raise InputError(
            f"frames is {frames}, which does not divide the {flat_frames} frames given; change it."
        )
    return flat_frames // frames


def merge_batch_time(x: Tensor) -> Tensor:
    """[B, T, ...] -> [B*T, ...], a view where memory allows."""
    return x.flatten(0, 1)


def split_batch_time(x: Tensor, frames: int) -> Tensor:
    """[B*T, ...] -> [B, T, ...], a view; raises :class:`InputError` if uneven."""
    return x.unflatten(0, (clip_count(x.shape[0], frames), frames))


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[F, L, H*D] -> [F, L, H, D], a view."""
    return x.unflatten(-1, (heads, -1))


def merge_heads(x: Tensor) -> Tensor:
    """[F, L, H, D] -> [F, L, H*D]."""
    return x.flatten(-2)


def merge_time_tokens(x: Tensor, frames: int) -> Tensor:
    """[B*T, L, H, D] -> [B, T*L, H, D]: the joint sequence of a clip, frame after frame, a view."""
    return split_batch_time(x, frames).flatten(1, 2)


def split_time_tokens(x: Tensor, frames: int) -> Tensor:
    """[B, T*L, C] -> [B*T, L, C]: the inverse of the joint sequence, a view."""
    return x.unflatten(1, (frames, -1)).flatten(0, 1)


def merge_batch_token(x: Tensor, frames: int) -> Tensor:
    """[B*T, L, H, D] -> [B*L, T, H, D]: one sequence through time for every token index (copies)."""
    return split_batch_time(x, frames).transpose(1, 2).flatten(0, 1)


def split_batch_token(x: Tensor, clips: int) -> Tensor:
    """[B*L, T, C] -> [B*T, L, C]: the inverse of :func:`merge_batch_token` with heads merged (copies)."""
    return x.unflatten(0, (clips, -1)).transpose(1, 2).flatten(0, 1)


def plain_arithmetic(device: torch.device) -> AbstractContextManager:
    """Switch autocast off where it is on; a device that knows no autocast is left alone."""
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return autocast(device.type, enabled=False)
