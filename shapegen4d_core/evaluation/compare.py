"""Folders of predicted sequences against folders of true ones, by name, under one of the published protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..geometry.surface_points import unit_box
from ..progress import Check, Progress
from .actionbench import ActionBenchSettings, action_bench
from .mesh_files import Shapes, find_assets, read_shapes
from .paper import PaperSettings, score_floor, score_paper
from .score_file import Row, ScoreFile, files_digest
from .workers import run_scored

_TRUTHS_SAMPLE = 500_000  # added to the seed for points of the truth
PROTOCOLS = ("paper", "actionbench", "none")
TITLES = {"prediction": "prediction", "floor": "truth sampled twice (noise floor)"}


@dataclass(frozen=True)
class Comparison:
    """A protocol with its settings: ``paper`` aligns as the paper does, ``none`` takes positions as they are."""

    protocol: str = "paper"
    paper: PaperSettings = field(default_factory=PaperSettings)
    bench: ActionBenchSettings = field(default_factory=ActionBenchSettings)

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise InputError(f"--protocol is {self.protocol!r}; accepted are {', '.join(PROTOCOLS)}, pictures.")

    def about(self) -> dict[str, Any]:
        """Everything that decides the figures."""
        settings = self.bench if self.protocol == "actionbench" else self._paper()
        return {
            "protocol": self.protocol,
            "settings": asdict(settings),
            "unit": "half boxes: the truth's box over all frames is [-1,1]^3",
            "failures": "a missing or unreadable prediction counts as the worst value of every measure",
            "intervals": "95 % percentile bootstrap over assets",
        }

    def __call__(self, pair: tuple[str, Path | None, Path]) -> list[Row]:
        """Rows of one asset: (name, prediction or None, truth). Raises InputError when the truth cannot be read."""
        name, prediction_path, truth_path = pair
        made_of = files_digest(prediction_path, truth_path)
        truth = read_shapes(truth_path)
        rows = []
        try:
            if prediction_path is None:
                raise InputError("there is no prediction of this name")
            values, empty = self._score(_fitting(prediction_path, truth), truth)
            rows.append(Row(name, "all", "prediction", None, values, failed_frames=empty, made_of=made_of))
        except InputError as error:
            rows.append(Row(name, "all", "prediction", None, failure=str(error), made_of=made_of))
        rows.append(Row(name, "all", "floor", None, self._floor(truth), made_of=made_of))
        return rows

    def _paper(self) -> PaperSettings:
        return replace(self.paper, align=self.protocol == "paper")

    def _score(self, prediction: Shapes, truth: Shapes) -> tuple[dict[str, float], int]:
        if self.protocol != "actionbench":
            return score_paper(prediction, truth, self._paper())
        tracked = prediction.tracked and truth.tracked
        wanted = _boxed(_bench_clouds(truth, self.bench, tracked, _TRUTHS_SAMPLE))
        clouds = _boxed(_bench_clouds(prediction, self.bench, tracked))
        values: dict[str, float] = {}
        for isotropic in (False, True):
            gradient = replace(self.bench.gradient, isotropic=isotropic)
            found = action_bench(clouds, wanted, tracked, replace(self.bench, gradient=gradient))
            values |= {key + ("_isotropic" if isotropic else ""): value for key, value in found.items()}
        return values, sum(len(cloud) == 0 for cloud in clouds)

    def _floor(self, truth: Shapes) -> dict[str, float]:
        """What a perfect prediction would get; ActionBench's needs no alignment, so one and three scales are alike."""
        if self.protocol != "actionbench":
            return score_floor(truth, self._paper())
        found = action_bench(*_two_samples(truth, self.bench), truth.tracked, replace(self.bench, align=False))
        return found | {f"{key}_isotropic": value for key, value in found.items()}


def _fitting(path: Path, truth: Shapes) -> Shapes:
    prediction = read_shapes(path)
    if prediction.frame_count != truth.frame_count:
        raise InputError(f"{path} has {prediction.frame_count} frames, the truth has {truth.frame_count}")
    return prediction


def _bench_clouds(shapes: Shapes, settings: ActionBenchSettings, tracked: bool, more: int = 0) -> list[np.ndarray]:
    """Points of every frame, drawn with the seed plus ``more``; on frame 1 and carried when both sides are ``tracked``.

    As published the prediction's points are drawn with the seed, and the truth's are a draw of their own, else a
    prediction with the truth's faces would get the truth's very points and score below the noise floor. CD-M finds its
    pairs among the points of frame 1, so the rows of both sides need not agree.
    """
    if tracked:
        return list(shapes.tracks(settings.points, settings.seed + more))
    return shapes.clouds(settings.points, settings.seed + more)


def _boxed(clouds: list[np.ndarray]) -> list[np.ndarray]:
    """Clouds in the box of their own sequence, where the optimisation starts."""
    if not any(len(cloud) for cloud in clouds):
        return clouds
    box = unit_box(clouds)
    return [box(cloud) if len(cloud) else cloud for cloud in clouds]


def _two_samples(truth: Shapes, settings: ActionBenchSettings) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The truth in its box sampled as a prediction and as a truth (tracked points: their two halves)."""
    if truth.points is not None:
        carried = truth.tracks(truth.points.shape[1], settings.seed)
        first, second = carried[:, 0::2], carried[:, 1::2]
    else:
        first, second = (_bench_clouds(truth, settings, truth.tracked, more) for more in (0, _TRUTHS_SAMPLE))
    if not any(len(cloud) for cloud in second):
        return first, second
    box = unit_box(second)
    return tuple([box(cloud) if len(cloud) else cloud for cloud in clouds] for clouds in (first, second))


def pairs_of(predictions: str | Path, truth: str | Path) -> list[tuple[str, Path | None, Path]]:
    """(name, prediction or None, truth) of every true asset.

    Raises InputError when a folder is empty or no name is in both.
    """
    found, wanted = find_assets(predictions), find_assets(truth)
    if not set(found) & set(wanted):
        raise InputError(f"No name in {predictions} is one of those in {truth} ({', '.join(list(wanted)[:3])} ...).")
    return [(name, found.get(name), path) for name, path in wanted.items()]


def run_comparison(
    comparison: Comparison,
    pairs: Sequence[tuple[str, Path | None, Path]],
    scores: ScoreFile | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    check: Check | None = None,
) -> list[Row]:
    """Rows of all pairs; assets that ``scores`` has of the same files are not done again, new rows go there."""
    rows = scores.fitting({name: files_digest(*files) for name, *files in pairs}) if scores and scores.rows else []
    done = {row.asset for row in rows}
    left = [pair for pair in pairs if pair[0] not in done]
    rows += run_scored(comparison, left, scores, workers, progress, check)
    return sorted(rows, key=lambda row: (row.asset, row.method))
