"""Plots of a report: intervals per method, and means per group of assets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..optional_packages import needed
from ..storage import atomic_path
from .measures import MEASURES

MOST_GROUPS = 16
_SHOWN = ("iou", "chamfer", "f_0.05", "jitter", "cd_3d", "cd_4d", "cd_m", "silhouette_iou", "psnr", "ssim", "lpips")
_INK, _MUTED, _PALE = "#1d4e89", "#8a8f98", "#e6e8eb"


def write_plots(folder: Path, report: Mapping[str, Any]) -> list[Path]:
    """Write ``intervals.png`` and, with several groups, ``groups.png``; returns their paths.

    Raises InputError, with the command that installs it, when matplotlib is missing.
    """
    with needed("Plots need", "matplotlib"):
        from matplotlib.figure import Figure
    figures = {"intervals.png": _intervals(Figure, report)}
    if any(1 < len(groups) <= MOST_GROUPS for groups in report["groups"].values()):
        figures["groups.png"] = _groups(Figure, report)
    for name, figure in figures.items():
        with atomic_path(folder / name) as temporary:
            figure.savefig(temporary, format="png", dpi=110, facecolor="white")
    return [folder / name for name in figures]


def _measures(report: Mapping[str, Any], limit: int) -> list[str]:
    methods = report["methods"].values()
    found = [name for name in _SHOWN if any(name in method["measures"] for method in methods)]
    return found[:limit]


def _intervals(Figure: type, report: Mapping[str, Any]) -> Any:
    """Mean and interval of every method, one panel per measure, the median as a tick."""
    methods, measures = list(report["methods"].values()), _measures(report, 4)
    figure = Figure(figsize=(3.1 * len(measures) + 2.2, 0.42 * len(methods) + 1.3), layout="constrained")
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for panel, name in zip(panels, measures):
        for row, method in enumerate(methods):
            value = method["measures"].get(name)
            if not value or not value["count"]:
                continue
            panel.plot([value["low"], value["high"]], [row, row], color=_INK, linewidth=2, solid_capstyle="butt")
            panel.plot(value["mean"], row, "o", color=_INK, markersize=5)
            panel.plot(value["median"], row, "|", color=_MUTED, markersize=11, markeredgewidth=1.5)
        better = {True: " (higher is better)", False: " (lower is better)", None: ""}[MEASURES[name].higher]
        panel.set_title(MEASURES[name].title + better, fontsize=9)
        _plain(panel, "x")
    panels[0].set_yticks(range(len(methods)), [method["title"] for method in methods], fontsize=9)
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    figure.supxlabel("dot: mean, bar: its 95 % bootstrap interval, tick: median", fontsize=8, color=_MUTED)
    return figure


def _groups(Figure: type, report: Mapping[str, Any]) -> Any:
    """The first measure by group of assets, one line of dots per method."""
    name = _measures(report, 1)[0]
    groups = sorted({group for values in report["groups"].values() for group in values})
    figure = Figure(figsize=(1.0 * len(groups) + 3.4, 3.4), layout="constrained")
    panel = figure.subplots()
    marks = "osD^vP*Xh<>"
    for number, (method, values) in enumerate(report["groups"].items()):
        points = [(at, values[group][name]) for at, group in enumerate(groups) if name in values.get(group, {})]
        label = report["methods"][method]["title"]
        panel.plot(*zip(*points), marks[number % len(marks)], markersize=6, alpha=0.85, label=label)
    panel.set_xticks(range(len(groups)), groups, fontsize=8, rotation=25, ha="right")
    panel.set_title(f"{MEASURES[name].title}, mean by group", fontsize=9)
    panel.legend(fontsize=7, frameon=False, bbox_to_anchor=(1.0, 1.0), loc="upper left")
    _plain(panel, "y")
    return figure


def _plain(panel: Any, axis: str) -> None:
    panel.grid(axis=axis, color=_PALE, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=8, length=0)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
