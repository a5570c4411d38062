"""Networks that may join: picture similarities and point maps, with stand-ins and with tiny real ones."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from shapegen4d_core import models
from shapegen4d_core.models.dreamsim import DreamSim
from shapegen4d_core.registration.point_maps import rendered_points
from shapegen4d_core.registration.pose import DreamSimSimilarity, EncoderSimilarity, PoseSettings, register_pose
from shapegen4d_core.registration.pose.from_point_maps import VIEWS, with_point_maps
from shapegen4d_core.registration.pose.judge import SIMILARITY_WEIGHT, Judge
from shapegen4d_core.registration.pose.poses import (
    angle_between,
    distinct,
    pose_of,
    rigid,
    rotations,
    sphere_directions,
)
from shapegen4d_core.registration.pose.scene import build_scene
from shapegen4d_core.registration.pose.similarity import cosine_distance
from shapegen4d_core.registration.pose.stages import Stages


class Thumbnails:
    """A picture similarity: 8 x 8 pixels and their alpha."""

    calls = 0

    def embed(self, pictures):
        self.calls += 1
        small = torch.nn.functional.adaptive_avg_pool2d(pictures.permute(0, 3, 1, 2), 8)
        return small.flatten(1)

    def distance(self, first, second):
        return cosine_distance(first, second)


class Map:
    """Point maps as a perfect network would give them, at another scale and with a little noise."""

    def __init__(self, scene, truth, views, broken=False):
        self.scene, self.truth, self.views, self.broken = scene, truth, views, broken

    def __call__(self, pictures, progress=None, check=None):
        level = self.scene.level(pictures.shape[1])
        shape = self.scene.shape(0, level)
        raster = self.scene.raster(torch.cat([self.truth, self.views]), 0, level)
        points, masks = rendered_points(shape.vertices, shape.faces, raster)
        turn, shift = (value[0].float() for value in rigid(self.truth, self.scene.pivot))
        inside = 0.37 * (points @ turn.T + shift)
        inside = inside + 2e-3 * torch.randn(inside.shape, generator=torch.Generator().manual_seed(0))
        if self.broken:
            inside = torch.randn(inside.shape, generator=torch.Generator().manual_seed(1))
        return inside * masks[..., None], masks.float() + 1


@pytest.fixture(scope="module")
def scene(known):
    return build_scene(known.meshes, known.clip, 40.0, 4000)


@pytest.fixture(scope="module")
def truth(known, scene):
    return pose_of(known.rotation, known.translation, scene.pivot)[None]


@pytest.fixture(scope="module")
def pool(truth):
    """Poses all around, none nearer to the truth than 25 degrees."""
    yaw, pitch = sphere_directions(40)
    poses = truth.repeat(40, 1)
    poses[:, 0], poses[:, 1], poses[:, 2] = yaw, pitch, 0
    return poses[angle_between(rotations(poses), rotations(truth)) > 25]


def stages():
    started = Stages({"point maps": 2}, None, None)
    started.begin("point maps")
    return started


def test_point_maps_put_the_true_pose_in_front_of_the_pool(scene, truth, pool):
    views = pool[distinct(pool, 15.0, VIEWS)]
    run = stages()
    judge = Judge(scene, appearance=False)
    found = with_point_maps(scene, pool, Map(scene, truth, views), judge, PoseSettings(), run)
    assert len(found) == len(pool) + 1 and run.notes["point maps"]["used"]
    assert float(angle_between(rotations(found[:1]), rotations(truth))) < 2
    torch.testing.assert_close(found[0, 3:], truth[0, 3:], atol=0.03, rtol=0)
    torch.testing.assert_close(found[1:], pool)


def test_useless_point_maps_do_no_harm(brief):
    """The search goes on from its own candidates when the network's pose is worse."""

    class Noise:
        def __call__(self, pictures, progress=None, check=None):
            generator = torch.Generator().manual_seed(2)
            return torch.randn(*pictures.shape[:3], 3, generator=generator), torch.ones(pictures.shape[:3])

    settings = PoseSettings(views=64, rivals=2, moves=0)
    result = register_pose(brief.meshes, brief.clip, settings, point_maps=Noise())
    assert "point maps" in result.report["stages"]
    assert float(angle_between(torch.from_numpy(result.rotation), brief.rotation)) < 1


def test_a_similarity_is_asked_and_weighed(known, scene, truth, pool):
    poses = torch.cat([pool[:3], truth])
    alone = Judge(scene, appearance=False)(poses, [0], 96)
    thumbnails = Thumbnails()
    verdict = Judge(scene, appearance=False, similarity=thumbnails)(poses, [0], 96)
    torch.testing.assert_close(verdict.total, alone.total + SIMILARITY_WEIGHT * verdict.similarity)
    assert int(verdict.similarity.argmin()) == 3 and float(verdict.similarity[3]) < 0.05
    assert thumbnails.calls == 2  # the film once, the renders once


def test_the_whole_search_with_a_similarity(brief):
    settings = PoseSettings(views=64, rivals=2, particles=3, moves=1)
    result = register_pose(brief.meshes, brief.clip, settings, similarity=Thumbnails())
    assert result.report["stages"]["rank"]["first"]["similarity"] > 0
    assert float(angle_between(torch.from_numpy(result.rotation), brief.rotation)) < 1


def test_dreamsim_is_fed_square_pictures_on_black(golden, tmp_path):
    tensors = {key: torch.from_numpy(value).float() for key, value in golden("dreamsim_tiny").items()}
    save_file({key[2:]: value for key, value in tensors.items() if key.startswith("w.")}, tmp_path / "w.safetensors",
              {"lora_alpha": "2", "num_heads": "4"})  # fmt: skip
    network = DreamSim.load(tmp_path / "w.safetensors")
    similarity = DreamSimSimilarity(network)
    pictures = torch.rand(3, 50, 50, 4)
    plain = (pictures[..., :3] * pictures[..., 3:]).permute(0, 3, 1, 2)
    side = network.side
    resized = torch.nn.functional.interpolate(plain, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
    torch.testing.assert_close(similarity.embed(pictures), network.embed(resized))
    distances = similarity.distance(similarity.embed(pictures), similarity.embed(pictures[:1]))
    assert float(distances[0].abs()) < 1e-6 and float(distances[1:].min()) > 1e-6


def test_the_packs_own_encoder_tells_views_apart(scene, truth, pool):
    similarity = EncoderSimilarity(models.load("tiny").image_encoder)
    judge = Judge(scene, appearance=False, similarity=similarity)
    alike = judge(torch.cat([truth, pool[:4]]), [0], 96).similarity
    assert float(alike[0]) >= 0 and float(alike[0]) < float(alike[1:].median())
