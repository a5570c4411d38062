"""RegisterPose: where the camera that filmed the clip stood, seen from the meshes made of it (paper, A.1).

Candidates, an optional point map network, a particle swarm and a fit by least squares, as published; with framed
candidates, one pose for all frames and an acceptance test instead of the published choices. No weights are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...errors import InputError
from ...progress import Check, Progress
from ...sequence import Clip, MeshSequence
from .field_of_view import FOV_STEPS, search_fov
from .finish import FINISH_STEPS, finished
from .judge import Judge
from .poses import as_numpy, rigid
from .published import PUBLISHED_LENGTHS, published_search
from .result import PoseResult, outline_overlap, place
from .scene import Scene, build_scene
from .search import JUDGE_SIDE, SETTLE_STEPS, candidate_steps, candidates, free_numbers, ranked, settled
from .settings import PoseSettings
from .similarity import PictureSimilarity
from .stages import POINT_MAP_STEPS, Stages
from .swarm import swarm

if TYPE_CHECKING:
    from ..point_maps import PointMaps

_SWARM_FRAMES = 2
_LEAST_OVERLAP = 0.05  # mean IoU below which nothing was found


@torch.no_grad()
def register_pose(
    meshes: MeshSequence,
    clip: Clip,
    settings: PoseSettings | None = None,
    similarity: PictureSimilarity | None = None,
    point_maps: PointMaps | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
    device: torch.device | str = "cpu",
) -> PoseResult:
    """One pose for the whole clip, such that the meshes, seen through its camera, cover the object in the clip.

    ``similarity``: a network that compares pictures; ``point_maps``: one that gives pixels places in space; both are
    optional. ``check`` is called several times a second. The same seed gives the same pose. Raises InputError when
    frame counts differ, when meshes or outlines are missing, and when no pose covers the object.
    """
    settings = settings or PoseSettings()
    scene = build_scene(meshes, clip, settings.fov_degrees, settings.max_faces, device, check)
    stages = Stages(_lengths(settings, point_maps is not None), progress, check)
    judge = Judge(scene, settings.appearance, similarity)
    if settings.preset == "faithful":
        pose = published_search(scene, judge, point_maps, settings, stages)
    else:
        scene, pose = _search(scene, judge, point_maps, settings, stages)
    stages.begin("result")
    placed, camera = place(meshes, scene, pose, settings.placement)
    overlap = outline_overlap(placed, camera, clip, check)
    mean = float(overlap[list(scene.paired)].mean())
    if mean < _LEAST_OVERLAP:
        raise InputError(
            f"The best pose found covers {mean:.0%} of the object in {clip.name!r}, which "
            "is none; check that meshes and clip belong together, and that the mask shows the object."
        )
    stages.finish()
    turn, shift = (as_numpy(value[0]) for value in rigid(pose[None].double(), scene.pivot))
    return PoseResult(placed, camera, overlap, turn, shift, _report(settings, stages, scene, overlap))


def _search(
    scene: Scene, judge: Judge, point_maps: PointMaps | None, settings: PoseSettings, stages: Stages
) -> tuple[Scene, Tensor]:
    stages.begin("candidates")
    pool = candidates(scene, settings, stages)
    poses = pool
    if settings.settle:
        stages.begin("settle")
        poses = settled(scene, pool, settings, stages)
    if settings.search_fov:
        stages.begin("field of view")
        scene, poses = search_fov(scene, poses, settings, settings.appearance, stages)
        judge = Judge(scene, settings.appearance, judge.similarity)
    if point_maps is not None:
        from .from_point_maps import with_point_maps

        stages.begin("point maps")
        seeded = with_point_maps(scene, torch.cat([poses, pool]), point_maps, judge, settings, stages)
        poses = torch.cat([seeded[: len(seeded) - len(poses) - len(pool)], poses])
    stages.begin("rank")
    poses = ranked(scene, judge, poses, stages)
    if settings.moves:
        stages.begin("swarm")
        poses = torch.cat([_swarmed(scene, judge, poses, settings, stages)[None], poses])
    if settings.refine:
        stages.begin("refine")
        return scene, finished(scene, poses, judge, settings, stages)
    return scene, poses[0]


def _swarmed(scene: Scene, judge: Judge, poses: Tensor, settings: PoseSettings, stages: Stages) -> Tensor:
    frames = scene.spread(_SWARM_FRAMES)
    generator = torch.Generator().manual_seed(settings.seed % 2**63)
    found = swarm(
        poses,
        lambda place: judge(place, frames, JUDGE_SIDE).total.double(),
        free_numbers(settings),
        settings.particles,
        settings.moves,
        generator,
        stages.step,
    )
    stages.note(before=round(found.before, 5), after=round(found.cost, 5))
    return found.pose


def _lengths(settings: PoseSettings, with_maps: bool) -> dict[str, int]:
    """Steps of each stage, for the bar."""
    if settings.preset == "faithful":
        return PUBLISHED_LENGTHS | {"point maps": POINT_MAP_STEPS * with_maps, "result": 1}
    return {
        "candidates": candidate_steps(settings),
        "settle": SETTLE_STEPS * settings.settle,
        "field of view": FOV_STEPS * settings.search_fov,
        "point maps": POINT_MAP_STEPS * with_maps,
        "rank": 1,
        "swarm": settings.moves + 1 if settings.moves else 0,
        "refine": FINISH_STEPS * settings.refine,
        "result": 1,
    }


def _report(settings: PoseSettings, stages: Stages, scene: Scene, overlap: Any) -> dict[str, Any]:
    return {
        "settings": settings.to_dict(),
        "fov_degrees": scene.fov_degrees,
        "frames_used": [frame + 1 for frame in scene.used],
        "frames_paired": [frame + 1 for frame in scene.paired],
        "iou_mean": round(float(overlap[list(scene.paired)].mean()), 5),
        "stages": stages.notes,
    }
