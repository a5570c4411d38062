"""A registration in a few lines of text, with a hint where a value is bad."""

from __future__ import annotations

import numpy as np

from ..quality import Quality
from .result import PoseResult
from .scene import listed

GOOD_IOU = 0.8
_LOST = 0.1  # overlap below the mean at which a frame is named


def summary(result: PoseResult, quality: Quality | None = None) -> list[str]:
    """Lines for people: camera, overlap per frame, what each stage did, the ``quality`` if it was read, and hints."""
    camera, report = result.camera, result.report
    lines = [
        f"Camera: yaw {camera.yaw_degrees:.1f}, pitch {camera.pitch_degrees:.1f}, distance {camera.radius:.2f} half "
        f"boxes, field of view {camera.fov_degrees:.1f} degrees.",
        f"Outline overlap (IoU): mean {report['iou_mean']:.3f}; per frame "
        + " ".join(f"{value:.2f}" for value in result.iou),
    ]
    lines += [f"{name}: {_stage(values)}" for name, values in report["stages"].items() if name != "result"]
    if quality is None:
        return lines + hints(result)
    return lines + quality.figures() + hints(result) + quality.shape_hints()


def hints(result: PoseResult) -> list[str]:
    """One sentence per value that is bad: what it means and what to try; empty when all is well."""
    paired = [frame - 1 for frame in result.report["frames_paired"]]
    mean, found = result.report["iou_mean"], []
    if mean < GOOD_IOU:
        found.append(
            f"The outlines overlap by {mean:.2f} only: look at the overlay; if the object faces another way, raise "
            "views and rivals; if it leans, switch on roll; if only its size is off, switch on search_fov."
        )
    poor = [frame + 1 for frame in paired if result.iou[frame] < mean - _LOST]
    if poor:
        fits = "Frame {} fits" if len(poor) == 1 else "Frames {} fit"
        found.append(f"{fits.format(listed(poor))} clearly worse than the others: shape or mask differs from the clip.")
    if len(paired) < len(result.iou):
        found.append(f"Only frames {listed([frame + 1 for frame in paired])} have both a mesh and an outline.")
    last = result.report["stages"].get("refine", {})
    if last.get("kept") == "start":
        found.append("The last fit was not kept, because it would have made the agreement worse.")
    return found


def _stage(values: dict) -> str:
    parts = []
    for name, value in values.items():
        if isinstance(value, dict) and "total" in value:
            parts.append(f"{name} cost {value['total']:.4f} (IoU {value['iou']:.3f})")
        elif name == "seconds" or isinstance(value, (str, bool, int, float, np.floating)):
            parts.append(f"{name.replace('_', ' ')} {value:.4g}" if isinstance(value, float) else f"{name} {value}")
    return ", ".join(parts)
