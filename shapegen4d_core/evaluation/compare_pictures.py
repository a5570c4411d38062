"""Folders of rendered videos against folders of true ones, by name: the paper's Table 2 (section 5.2).

Every frame is resized to a square of ``pixels`` and put over white. PSNR, SSIM and, where both sides have alpha, the
overlap of silhouettes are always there; the measures of :mod:`.learned` when their weights are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InputError
from ..progress import Check, Progress, tick
from ..video.reader import open_source
from .folder_names import by_name
from .learned import LEAST_FRAMES, frechet_distance, unavailable
from .pictures import over_white, picture_measures
from .score_file import Row, ScoreFile, files_digest

_VIDEOS = (".mp4", ".webm", ".mov", ".mkv", ".avi", ".gif", ".webp", ".png", ".apng")


@dataclass(frozen=True)
class PictureJudge:
    """Compares clips at ``pixels`` x ``pixels``; ``learned`` measures by name, from :func:`.learned.load_available`.

    Clips of fewer than ``least_frames`` go without that measure.
    """

    pixels: int = 512
    learned: Mapping[str, Callable] = field(default_factory=dict)
    least_frames: Mapping[str, int] = field(default_factory=lambda: LEAST_FRAMES)

    def __call__(self, pair: tuple[str, Path | None, Path]) -> list[Row]:
        """Row of one asset (name, prediction or None, truth). Raises InputError when the truth cannot be read."""
        name, prediction_path, truth_path = pair
        made_of = files_digest(prediction_path, truth_path)
        truth, true_alpha = read_frames(truth_path, self.pixels)
        try:
            if prediction_path is None:
                raise InputError("there is no prediction of this name")
            prediction, alpha = read_frames(prediction_path, self.pixels)
            if len(prediction) != len(truth):
                raise InputError(f"{prediction_path} has {len(prediction)} frames, the truth has {len(truth)}")
        except InputError as error:
            return [Row(name, "all", "prediction", None, failure=str(error), made_of=made_of)]
        values = picture_measures(prediction, truth)
        if not (alpha and true_alpha):
            del values["silhouette_iou"]
        colours = over_white(prediction), over_white(truth)
        for key, measure in self.learned.items():
            if len(truth) < self.least_frames.get(key, 1):
                continue
            if key == "fvd_pair":
                gap = measure(colours[0]) - measure(colours[1])
                values[key] = float(gap @ gap)
            else:
                values[key] = measure(*colours)
        return [Row(name, "all", "prediction", None, values, made_of=made_of)]

    def about(self) -> dict[str, Any]:
        """Everything that decides the figures."""
        return {
            "protocol": "pictures",
            "pictures": f"{self.pixels} x {self.pixels} pixels over white",
            "failures": "a missing or unreadable prediction counts as the worst value of every measure",
            "intervals": "95 % percentile bootstrap over assets",
        }


def read_frames(path: Path, pixels: int) -> tuple[np.ndarray, bool]:
    """Frames uint8 [T,pixels,pixels,4] of a video, animated picture or folder, and whether they had alpha."""
    source = open_source(path)
    frames, alpha = [], False
    for _, picture in source.pictures(range(len(source.times))):
        values = picture if picture.dtype == np.uint8 else np.round(picture * 255).astype(np.uint8)
        alpha |= values.shape[2] == 4
        image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values).convert("RGBA")
        frames.append(np.asarray(image.resize((pixels, pixels), Image.BICUBIC)))
    return np.stack(frames), alpha


def find_clips(folder: str | Path) -> dict[str, Path]:
    """Videos, animated pictures and folders of pictures directly in ``folder``, by name without suffix.

    Raises InputError when there are none, or two of one name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give a folder with one video or folder of pictures per asset.")
    paths = [path for path in sorted(folder.iterdir()) if path.is_dir() or path.suffix.lower() in _VIDEOS]
    found = by_name(path for path in paths if not path.name.startswith("."))
    if not found:
        raise InputError(f"{folder} holds no clips; accepted are folders of pictures and {', '.join(_VIDEOS)}.")
    return found


def run_pictures(
    judge: PictureJudge,
    pairs: Sequence[tuple[str, Path | None, Path]],
    scores: ScoreFile | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> list[Row]:
    """Rows of all pairs; assets that ``scores`` has of the same files are not done again."""
    rows = scores.fitting({name: files_digest(*files) for name, *files in pairs}) if scores and scores.rows else []
    done = {row.asset for row in rows}
    for number, pair in enumerate(pairs, start=1):
        if pair[0] not in done:
            fresh = judge(pair)
            rows += fresh
            if scores:
                scores.add(fresh)
        tick(progress, check, number, len(pairs))
    return rows


def set_fvd(judge: PictureJudge, pairs: Sequence[tuple[str, Path | None, Path]], rows: Sequence[Row]) -> str:
    """The Frechet distance over all clips as one set, in words that say how many there were.

    Clips that failed by their ``rows`` and those that are too short are counted and left out.
    """
    reasons = unavailable(Path("models"))
    logits = judge.learned.get("fvd_pair")
    if logits is None:
        return f"FVD over the set: {reasons.get('fvd_pair', 'not asked for')}"
    failed = {row.asset for row in rows if row.failure is not None}
    short = {row.asset for row in rows if row.failure is None and "fvd_pair" not in row.values}
    there = [pair for pair in pairs if pair[0] not in failed | short]
    without = f", without {len(failed)} that failed" if failed else ""
    if short:
        least = judge.least_frames["fvd_pair"]
        without += f", without {len(short)} too short, as pairs too (FVD needs at least {least} frames)"
    if len(there) < 2:
        return f"FVD over the set: needs at least 2 clips{without}"
    features = [np.stack([logits(over_white(read_frames(pair[side], judge.pixels)[0])) for pair in there])
                for side in (1, 2)]
    return (
        f"FVD over the set of {len(there)} clips{without} (400-d I3D logits, so rank-deficient and biased below 400 "
        f"clips): {frechet_distance(*features):.1f}"
    )
