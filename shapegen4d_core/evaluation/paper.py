"""The paper's geometry protocol (section 5.2): one alignment, then Chamfer, F-scores and IoU, averaged over frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np

from ..geometry.distances import FAILED_CHAMFER, cloud_distances
from ..geometry.motion import edge_strain, point_jitter
from ..geometry.similarity import Similarity
from ..geometry.surface_points import UnitBox, unit_box
from .alignment import AlignmentSettings, SequenceAlignment, align_sequence
from .measures import MEASURES
from .mesh_files import Shapes
from .occupancy import VOXELS, occupancy_iou, solid_bend, solid_drift, voxelise
from .pictures import picture_measures
from .sheet import fitted_camera, render_frames

THRESHOLDS = (0.01, 0.02, 0.05)
SURFACE_QUERIES = 10_000
Mesh = tuple[np.ndarray, np.ndarray]
_OTHER_SAMPLE = 500_000  # added to the seed for the noise floor's second sample


@dataclass(frozen=True)
class PaperSettings:
    """``points`` of each cloud, ``voxels`` per axis of [-1,1]^3, ``views`` around the shape of ``pixels`` (0: none).

    The truth is scaled to [-1,1]^3 by one box over all frames; the prediction only by the alignment, which is left
    out when ``align`` is false (both then share the truth's box).
    """

    points: int = 100_000
    voxels: int = VOXELS
    seed: int = 0
    align: bool = True
    views: int = 4
    pixels: int = 256
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)


def score_paper(prediction: Shapes, truth: Shapes, settings: PaperSettings) -> tuple[dict[str, float], int]:
    """Measures of a prediction, and how many of its frames are empty (each scored as the worst).

    IoU, volume drift, jitter of the blurred voxels over the truth's, point to surface (with numba) and pictures need
    meshes on both sides; strain needs one topology. All are of the aligned prediction.
    """
    wanted = truth.clouds(settings.points, settings.seed)
    box = unit_box(wanted)
    wanted = [box(cloud) for cloud in wanted]
    clouds = [box(cloud) for cloud in prediction.clouds(settings.points, settings.seed + 1)]
    alignment = _alignment(clouds, wanted, settings)
    placed = [alignment.of_frame(t)(cloud) for t, cloud in enumerate(clouds)]
    pairs = [cloud_distances(a, b) for a, b in zip(placed, wanted)]
    values = {"chamfer": float(np.mean([pair.chamfer() for pair in pairs]))}
    values |= {f"f_{at}": float(np.mean([pair.f_score(at) for pair in pairs])) for at in THRESHOLDS}
    if prediction.meshes is not None and truth.meshes is not None:
        meshes, exact = _placed(prediction, box, alignment), _placed(truth, box, None)
        values |= _solid_measures(meshes, exact, settings)
        if find_spec("numba") is not None:
            values["surface_distance"] = surface_distance(meshes, exact, placed, wanted)
        if settings.views:
            values |= _view_measures(meshes, exact, settings)
    return values | _track_measures(prediction), sum(len(cloud) == 0 for cloud in clouds)


def score_floor(truth: Shapes, settings: PaperSettings) -> dict[str, float]:
    """What a perfect prediction would get: the truth sampled twice (tracked points: their two halves)."""
    if truth.points is not None:
        halves = truth.clouds(truth.points.shape[1], settings.seed)
        first, second = ([cloud[start::2] for cloud in halves] for start in (0, 1))
    else:
        first, second = (truth.clouds(settings.points, settings.seed + more) for more in (0, _OTHER_SAMPLE))
    box = unit_box(first)
    pairs = [cloud_distances(box(a), box(b)) for a, b in zip(first, second)]
    values = {"chamfer": float(np.mean([pair.chamfer() for pair in pairs]))}
    return values | {f"f_{at}": float(np.mean([pair.f_score(at) for pair in pairs])) for at in THRESHOLDS}


def surface_distance(
    meshes: Sequence[Mesh], exact: Sequence[Mesh], points: Sequence[np.ndarray], exact_points: Sequence[np.ndarray]
) -> float:
    """Mean distance of each side's points [P,3] to the other side's surface, both directions added, mean over frames.

    Unlike Chamfer distances it has no floor: a perfect prediction scores 0 at any count. Needs numba.
    """
    from ..geometry.closest_point import MeshTree

    total = []
    for mesh, true_mesh, cloud, true_cloud in zip(meshes, exact, points, exact_points):
        if len(cloud) == 0 or len(true_cloud) == 0:
            total.append(FAILED_CHAMFER)
            continue
        there = MeshTree(*true_mesh).closest(cloud[:SURFACE_QUERIES]).distance.mean()
        total.append(there + MeshTree(*mesh).closest(true_cloud[:SURFACE_QUERIES]).distance.mean())
    return float(np.mean(total))


def _alignment(clouds: list[np.ndarray], wanted: list[np.ndarray], settings: PaperSettings) -> SequenceAlignment:
    if settings.align:
        return align_sequence(clouds, wanted, settings.alignment)
    return SequenceAlignment(Similarity(), np.zeros((len(clouds), 3)))


def _placed(shapes: Shapes, box: UnitBox, alignment: SequenceAlignment | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Meshes in the truth's unit box, after the alignment."""
    frames = zip(shapes.meshes.vertices, shapes.meshes.faces)
    return [
        (box(vertices) if alignment is None else alignment.of_frame(t)(box(vertices)), faces)
        for t, (vertices, faces) in enumerate(frames)
    ]


def _solid_measures(meshes: list, exact: list, settings: PaperSettings) -> dict[str, float]:
    ious, volumes, bends, window = [], [], [], []
    for mesh, true_mesh in zip(meshes, exact):
        solids = [voxelise(*given, settings.voxels) for given in (mesh, true_mesh)]
        ious.append(occupancy_iou(*solids))
        volumes.append([np.count_nonzero(solid) for solid in solids])
        window = [*window[-2:], solids]  # three frames at a time: a clip's grids would fill the memory
        if len(window) == 3:
            bends.append([solid_bend(grids) for grids in zip(*window)])
    defined = [value for value in ious if not np.isnan(value)]
    predicted, true = np.array(volumes).T
    vanished = bool(((predicted == 0) & (true > 0)).any())  # a shape that vanishes does not flicker
    return {
        "iou": float(np.mean(defined)) if defined else float("nan"),
        "volume_drift": solid_drift(predicted, true),
        "jitter": MEASURES["jitter"].worst if vanished else _over_true(np.array(bends)),
    }


def _over_true(bends: np.ndarray) -> float:
    """Mean of the prediction's bends over that of the truth's, [T-2,2]; NaN where the truth has none."""
    if len(bends) == 0 or bends[:, 1].sum() == 0:
        return float("nan")
    return float(bends[:, 0].sum() / bends[:, 1].sum())


def _view_measures(meshes: list, exact: list, settings: PaperSettings) -> dict[str, float]:
    """Pictures of both shapes, shaded alike, from directions around the truth: a measure of outline and relief."""
    points = np.concatenate([vertices for vertices, _ in exact])
    found = []
    for view in range(settings.views):
        camera = fitted_camera(points, 10.0, 360 * view / settings.views, settings.pixels)
        found.append(picture_measures(render_frames(meshes, camera), render_frames(exact, camera)))
    return {key: float(np.mean([values[key] for values in found])) for key in found[0]}


def _track_measures(prediction: Shapes) -> dict[str, float]:
    if prediction.points is not None:
        return {"point_jitter": point_jitter(prediction.points)}
    if not prediction.tracked:
        return {}
    if len(prediction.meshes.vertices[0]) == 0:
        return {key: MEASURES[key].worst for key in ("point_jitter", "strain", "abnormal_edges")}
    vertices = np.stack(prediction.meshes.vertices).astype(np.float64)
    strain = edge_strain(vertices, prediction.meshes.faces[0])
    return {"point_jitter": point_jitter(vertices), "strain": strain.mean, "abnormal_edges": strain.abnormal}
