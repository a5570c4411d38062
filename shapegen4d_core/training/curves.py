"""The loss curves of a finished run, copied and drawn beside the model they made."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..optional_packages import needed
from ..storage import atomic_path
from .records import LOG, read_log

STAGES = {
    "vae": ("autoencoder", ("error", "val_iou")),
    "base": ("base denoiser", ("high", "val_v1.0", "val_v0.6")),
    "adapter": ("adapter", ("loss", "val_v1.0", "val_v0.6")),
}
_COLOURS = ("#8a8f98", "#1d4e89", "#c4682e")


def keep_curves(run: Path, folder: Path) -> list[Path]:
    """Copy the table of every stage of ``run`` to ``folder/<stage>.csv`` and draw ``folder/curves.png``.

    Raises InputError, with the command that installs it, when matplotlib is missing.
    """
    found = [stage for stage in STAGES if (run / stage / LOG).exists()]
    if not found:
        raise InputError(f"{run} has no {LOG} of any stage; train first.")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for stage in found:
        paths.append(folder / f"{stage}.csv")
        with atomic_path(paths[-1]) as temporary:
            shutil.copyfile(run / stage / LOG, temporary)
    paths.append(folder / "curves.png")
    figure = _drawn({stage: read_log(run / stage) for stage in found})
    with atomic_path(paths[-1]) as temporary:
        figure.savefig(temporary, format="png", dpi=100, facecolor="white")
    return paths


def _drawn(logs: dict[str, list[dict[str, float]]]) -> Any:
    """One panel per stage over the samples seen; held-out figures as dots."""
    with needed("Curves need", "matplotlib"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(4.2 * len(logs), 3.2), layout="constrained")
    for panel, (stage, rows) in zip(figure.subplots(1, len(logs), squeeze=False)[0], logs.items()):
        title, names = STAGES[stage]
        for name, colour in zip(names, _COLOURS):
            points = [(row["samples"] / 1000, row[name]) for row in rows if name in row and "samples" in row]
            if points:
                style = {"marker": "o", "markersize": 3} if name.startswith("val_") else {}
                panel.plot(*zip(*points), color=colour, label=name, **style)
        panel.set_title(title)
        panel.set_xlabel("thousand samples")
        panel.grid(alpha=0.25)
        panel.legend(frameon=False)
    return figure
