"""Pictures of a sequence while it is being sampled: the current estimate, decoded coarsely and drawn small.

Looking is never to slow the work down: frames are decoded one at a time, spread over the clip, and only while all
looking together stays below a share of the time that has passed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .decoding import DecodeSettings, FrameDecoder
from .errors import InputError
from .geometry.mesh import vertex_normals
from .progress import Check, look
from .rendering import composite, opencv_camera
from .rendering.shade import Surface, render_surface
from .sequence import Camera

RESOLUTION, SIDE = 32, 128  # cells of the grid per axis; pixels of one frame's picture
SHARE = 0.05  # of the time, at most
_VIEW = Camera(20, 15, 4.6, (0, 0, 0), 33, SIDE, SIDE)
_BACKGROUND = (0.13, 0.13, 0.13)
_MOST_COLUMNS = 8


class SequencePreview:
    """Called with the latents of every step; returns the sheet of all frames whenever a frame of it is new.

    ``vae`` decodes, on ``device``; at most ``share`` of the time since it was made is spent. ``check`` may raise
    between two frames, to cancel. Raises InputError for a share out of range.
    """

    def __init__(
        self,
        vae: Any,
        frame_count: int,
        share: float = SHARE,
        device: torch.device | str | None = None,
        clock: Callable[[], float] = time.perf_counter,
        check: Check | None = None,
    ) -> None:
        if not 0 < share <= 1:
            raise InputError(f"share is {share:g}; accepted is above 0 and at most 1, of the time.")
        self._vae, self._share, self._device, self._clock, self._check = vae, share, device, clock, check
        self._decoder: FrameDecoder | None = None
        self._columns = min(math.ceil(math.sqrt(2 * frame_count)), frame_count, _MOST_COLUMNS)  # a sheet twice as wide
        rows = -(-frame_count // self._columns)
        ground = np.array(_BACKGROUND) * 255
        self._sheet = np.tile(ground.astype(np.uint8), (rows * SIDE, self._columns * SIDE, 1))
        self._order = spread(frame_count)
        self._began, self._spent, self._shown = clock(), 0.0, 0

    def __call__(self, latents: Tensor, step: int, total: int) -> np.ndarray | None:
        """The sheet [H,W,3] uint8 after looking at the next frames of ``latents`` [T,N,C]; None when nothing is new.

        However little time there is, one frame is looked at in the second half of the steps.
        """
        new = False
        for _ in self._order:
            if not (self._affordable() or (self._shown == 0 and 2 * step >= total)):
                break
            frame, started = self._order[self._shown % len(self._order)], self._clock()
            self._put(frame, self._picture(latents[frame]))
            self._spent += self._clock() - started
            self._shown, new = self._shown + 1, True
            look(self._check)
        return self._sheet.copy() if new else None

    def _affordable(self) -> bool:
        """Whether one more picture, at the mean cost so far, keeps within the share of the time that has passed."""
        cost = self._spent / self._shown if self._shown else 0.0
        return self._shown > 0 and self._spent + cost <= self._share * (self._clock() - self._began)

    def _put(self, frame: int, picture: np.ndarray) -> None:
        row, column = divmod(frame, self._columns)
        self._sheet[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] = picture

    def _picture(self, latent: Tensor) -> np.ndarray:
        """A frame [SIDE,SIDE,3] uint8; the background alone while the estimate has no surface yet."""
        if self._decoder is None:
            self._decoder = FrameDecoder(self._vae, DecodeSettings(resolution=RESOLUTION), len(latent), self._device)
        mesh = self._decoder(latent)
        normals = vertex_normals(mesh.vertices, mesh.faces)
        surface = Surface(*(torch.from_numpy(array) for array in (mesh.vertices, mesh.faces, normals)))
        drawn = render_surface(surface, *opencv_camera(_VIEW), (SIDE, SIDE), backend="torch")  # others start slowly
        return (composite(drawn[None], _BACKGROUND)[0] * 255).round().byte().numpy()


def spread(count: int) -> list[int]:
    """0..count-1, each number as far from those before it as can be: the first, the last, the middle, the quarters."""
    order = [0, count - 1][:count]
    while len(order) < count:
        taken = sorted(order)
        start, end = max(zip(taken, taken[1:]), key=lambda gap: (gap[1] - gap[0], -gap[0]))
        order.append((start + end) // 2)
    return order
