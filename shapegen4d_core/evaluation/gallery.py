"""The contact sheet of held-out procedural clips: input, truth, autoencoder and generated shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.shards import clip_names
from ..progress import Check, Progress, tick
from .decoded import decode_fields
from .judge import Judge
from .methods import METHODS
from .sheet import clip_sheet, fitted_camera, render_frames, spread_frames

SHOWN = ("autoencoder", "base-shared", "adapter-shared")


def procedural_sheet(
    judge: Judge,
    clips: int = 6,
    split: str = "test",
    methods: Sequence[str] = SHOWN,
    seed: int = 0,
    progress: Progress | None = None,
    check: Check | None = None,
) -> np.ndarray:
    """One picture [H,W,3] uint8: four frames of each of ``clips`` clips, rows input, truth and ``methods``."""
    shown = []
    for family, number in clip_names(0, clips, split):
        truth = judge.truth(family, number)
        frames = spread_frames(len(truth.rgba))
        exact = decode_fields(truth.fields[frames], judge.grid, 1).meshes
        camera = fitted_camera(np.concatenate(truth.points), truth.elevation)
        rows = {"input": truth.rgba[frames], "truth": render_frames(exact, camera)}
        for method in methods:
            result = judge.result(method, seed if METHODS[method].seeded else None, truth)
            rows[METHODS[method].title] = render_frames([result.meshes[k] for k in frames], camera)
        shown.append(rows)
        tick(progress, check, len(shown), clips)
    return clip_sheet(shown)
