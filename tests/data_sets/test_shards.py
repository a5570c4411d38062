import json

import numpy as np
import pytest
from safetensors import safe_open

from shapegen4d_core.data import shards
from shapegen4d_core.data.procedural import ProceduralSettings
from shapegen4d_core.data.slots import assign_slots, fit_anchors, mirror_slots
from shapegen4d_core.errors import InputError

SMALL = ProceduralSettings(
    frames=2, image_size=14, surface_points=32, near_points=16, uniform_points=16, aligned_points=16
)


def test_generation_resumes_and_reads_back(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_CLIPS", 2)
    made = list(shards.generate(tmp_path, 4, "train", workers=1, settings=SMALL))
    assert len(made) == 2 and not list(tmp_path.glob(".*"))
    stamp = (tmp_path / "train-00000.safetensors").stat().st_mtime_ns
    (tmp_path / "train-00001.safetensors").unlink()
    assert len(list(shards.generate(tmp_path, 4, "train", workers=1, settings=SMALL))) == 1
    assert (tmp_path / "train-00000.safetensors").stat().st_mtime_ns == stamp
    read = shards.read_shards(tmp_path)
    assert read["rgba"].shape == (4, 2, 14, 14, 4) and read["surface"].dtype == np.float16
    with safe_open(made[0], "np") as file:
        header = file.metadata()
    assert json.loads(header["clips"])[0] == ["quadruped", 0] and header["licence"] == "Apache-2.0"


def test_a_failed_shard_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(shards, "save_file", fail)
    with pytest.raises(OSError, match="no space"):
        list(shards.generate(tmp_path, 1, "train", workers=1, settings=SMALL))
    assert not list(tmp_path.iterdir())


def test_splits_share_no_clip_and_unknown_ones_are_refused(tmp_path):
    train, test, unseen = (set(shards.clip_names(0, 50, split)) for split in ("train", "test", "unseen"))
    assert not (train & test or train & unseen or test & unseen)
    assert {family for family, _ in unseen} == {"bird"}
    with pytest.raises(InputError, match="'valid'"):
        shards.clip_names(0, 1, "valid")
    with pytest.raises(InputError, match="no train shards"):
        shards.read_shards(tmp_path)


def test_anchors_are_mirror_symmetric_and_slots_balanced():
    rng = np.random.default_rng(0)
    aligned = rng.uniform(-1, 1, (6, 3, 32, 6))
    anchors = fit_anchors(aligned, 8)
    assert np.allclose(anchors[:4] * [-1, 1, 1], anchors[4:])
    slots = assign_slots(aligned[0], anchors)
    assert slots.shape == (8, 4) and sorted(slots.ravel()) == list(range(32))
    cost = ((aligned[0, ..., :3].mean(0)[slots] - anchors[:, None]) ** 2).sum(-1).sum()
    shuffled = rng.permutation(slots.ravel()).reshape(8, 4)
    assert cost < ((aligned[0, ..., :3].mean(0)[shuffled] - anchors[:, None]) ** 2).sum(-1).sum()


def test_mirrored_slots_are_the_slots_of_the_mirrored_clip():
    rng = np.random.default_rng(1)
    aligned = rng.uniform(-1, 1, (4, 2, 16, 6))
    anchors = fit_anchors(aligned, 4)
    flipped = aligned[0] * np.array([-1, 1, 1, -1, 1, 1])
    mine, theirs = mirror_slots(assign_slots(aligned[0], anchors)), assign_slots(flipped, anchors)
    assert [set(row) for row in mine] == [set(row) for row in theirs]
