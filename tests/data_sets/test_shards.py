import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from shapegen4d_core.data import procedural_shards, shard_file, shards
from shapegen4d_core.data.families import HELD_OUT_MOTIONS
from shapegen4d_core.data.parts import rotation
from shapegen4d_core.data.procedural import ProceduralSettings, build_clip
from shapegen4d_core.data.slots import assign_slots, fit_anchors, mirror_slots
from shapegen4d_core.errors import InputError

SMALL = ProceduralSettings(
    frames=2, image_size=14, surface_points=32, near_points=16, uniform_points=16, aligned_points=16
)
ASSET = {"name": "a", "frame": "canonical", "settings": {"margin": 0.9}}


def make(folder, clips=3, split="train", settings=SMALL, workers=1):
    return list(shards.generate(folder, clips, split, workers, settings))


def canonical(views=(0.0, 90.0), frames=2):
    """Arrays of a canonical shard: a slab of 2 x 1 x 1 half boxes in which everything has a known place."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (frames, 40, 3)) * [0.9, 0.45, 0.45]
    points[0, :2] = [[-0.9, -0.45, -0.45], [0.9, 0.45, 0.45]]
    cloud = np.concatenate([points, np.broadcast_to([1.0, 0, 0], points.shape)], -1).astype(np.float16)
    field = np.concatenate([points, rng.uniform(-1, 1, (frames, 40, 1))], -1).astype(np.float16)
    field[:, 0, 3] = 1
    count = len(views)
    return {
        **dict.fromkeys(("surface", "sharp", "aligned", "aligned_sharp"), cloud),
        **dict.fromkeys(("near", "uniform"), field),
        "rgba": rng.integers(0, 255, (count, frames, 8, 8, 4), dtype=np.uint8),
        "azimuth": np.array(views, np.float32),
        "elevation": np.full(count, 10, np.float32),
        "root_motion": np.array([[0, 0, 0], [0.2, 0.1, 0]], np.float32)[:frames],
    }


def test_one_file_per_clip_resumes_and_reads_back(tmp_path):
    made = make(tmp_path)
    assert [outcome.state for outcome in made] == ["made"] * 3
    first, second, third = sorted((tmp_path / "train").iterdir())
    assert first.name == "000000-quadruped.safetensors"
    stamps = first.stat().st_mtime_ns, third.stat().st_mtime_ns
    second.unlink()
    again = make(tmp_path)
    assert [outcome.path for outcome in again] == [str(second)]
    assert (first.stat().st_mtime_ns, third.stat().st_mtime_ns) == stamps
    read = shards.read_shards(tmp_path)
    assert read["rgba"].shape == (3, 2, 14, 14, 4) and read["surface"].dtype == np.float16
    assert read["sharp"].shape == (3, 2, 0, 6) and read["azimuth"].tolist() == [0.0] * 3
    asset = shards.read_asset(first)
    assert asset["licence"] == "Apache-2.0" and asset["seed"] == 0 and asset["frame"] == "view"
    assert asset["settings"] == json.loads(json.dumps(asdict(SMALL)))


def test_a_shard_holds_exactly_the_clip(tmp_path):
    make(tmp_path, 1)
    clip, read = build_clip("quadruped", 0, SMALL), shards.read_shards(tmp_path)
    for key, value in clip.items():
        assert np.array_equal(read[key][0], value), key


def test_two_workers_write_the_same_bytes_as_one(tmp_path):
    make(tmp_path / "one", 2)
    make(tmp_path / "two", 2, workers=2)
    for path in sorted((tmp_path / "one" / "train").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / "train" / path.name).read_bytes()


def test_only_the_wanted_keys_are_read(tmp_path, monkeypatch):
    make(tmp_path, 2)
    read, loaded = shards.safe_open, []

    class Spy:
        def __init__(self, *arguments):
            self.file = read(*arguments)

        def __enter__(self):
            self.inner = self.file.__enter__()
            return self

        def __exit__(self, *error):
            return self.file.__exit__(*error)

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def get_tensor(self, key):
            loaded.append(key)
            return self.inner.get_tensor(key)

    monkeypatch.setattr(shards, "safe_open", Spy)
    assert set(shards.read_shards(tmp_path, "train", ("aligned",))) == {"aligned"}
    assert loaded == ["aligned", "aligned"]


def test_a_failed_write_leaves_nothing_and_loses_nothing_else(tmp_path, monkeypatch):
    real = procedural_shards.write_shard

    def fail(path, *rest):
        if "biped" in str(path):
            raise OSError("no space left")
        real(path, *rest)

    monkeypatch.setattr(procedural_shards, "write_shard", fail)
    outcomes = {outcome.name: outcome for outcome in make(tmp_path)}
    assert outcomes["000001-biped"].state == "failed" and "no space left" in outcomes["000001-biped"].detail
    assert len(list((tmp_path / "train").iterdir())) == 2

    def broken(*_, **__):
        raise OSError("disk error")

    monkeypatch.setattr(shard_file, "save_file", broken)
    with pytest.raises(OSError, match="disk error"):
        shards.write_shard(tmp_path / "train" / "x.safetensors", canonical(), ASSET)
    assert len(list((tmp_path / "train").iterdir())) == 2


def test_other_settings_do_not_mix_into_a_folder(tmp_path):
    make(tmp_path, 1)
    with pytest.raises(InputError, match="another frames"):
        make(tmp_path, 2, settings=replace(SMALL, frames=3))


def test_splits_share_no_clip_and_unknown_ones_are_refused(tmp_path):
    train, test, unseen = (set(shards.clip_names(0, 50, split)) for split in ("train", "test", "unseen"))
    assert not (train & test or train & unseen or test & unseen)
    assert {family for family, _ in unseen} == {"bird"}
    assert {family for family, _ in shards.clip_names(0, 12, "motion")} == set(HELD_OUT_MOTIONS)
    with pytest.raises(InputError, match="'valid'"):
        shards.clip_names(0, 1, "valid")
    with pytest.raises(InputError, match="no train shards"):
        shards.read_shards(tmp_path)


@pytest.mark.parametrize("name", ["Panda", "a/b", "", "..", ".hidden", "a b"])
def test_names_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(InputError, match="asset name"):
        shards.shard_path(tmp_path, "train", name)


def test_canonical_shards_are_turned_to_each_view_and_fitted(tmp_path):
    arrays = canonical()
    shards.write_shard(shards.shard_path(tmp_path, "train", "a"), arrays, ASSET)
    plain, turned = shards.read_shards(tmp_path, frame="canonical"), shards.read_shards(tmp_path)
    assert np.array_equal(plain["surface"][0], arrays["surface"])
    assert np.array_equal(plain["surface"][1], arrays["surface"])
    assert plain["azimuth"].tolist() == [0, 90] and turned["azimuth"].tolist() == [0, 0]
    assert np.array_equal(turned["rgba"], arrays["rgba"])
    assert np.allclose(turned["surface"][0], arrays["surface"], atol=1e-3)  # azimuth 0: nothing to do
    # A camera at azimuth 90 stands on +x: what it sees in front (+x) must come to +z.
    assert np.allclose(turned["surface"][1][..., 3:], [0, 0, 1], atol=1e-3)
    assert np.allclose(turned["aligned"][1][..., 2], arrays["aligned"][..., 0], atol=2e-3)
    assert np.allclose(turned["root_motion"][1][1], [0, 0.1, 0.2], atol=1e-3)


def test_fitting_scales_the_field_with_the_lengths(tmp_path):
    arrays = canonical(views=(45.0,))
    shards.write_shard(shards.shard_path(tmp_path, "train", "a"), arrays, ASSET)
    turned = shards.read_shards(tmp_path)
    points = turned["surface"][0][..., :3].astype(float)
    assert np.abs(points).max() == pytest.approx(0.9, abs=2e-3)
    raw = arrays["surface"][..., :3].astype(float) @ rotation("y", -45.0).T
    scale = np.linalg.norm(points[0, 0] - points[0, 1]) / np.linalg.norm(raw[0, 0] - raw[0, 1])
    near, was = turned["near"][0][..., 3].astype(float), arrays["near"][..., 3].astype(float)
    assert scale < 0.97 and np.allclose(near[:, 1:], was[:, 1:] * scale, atol=2e-3) and (near[:, 0] == 1).all()


def test_shards_that_do_not_fit_are_named(tmp_path):
    write = shards.write_shard
    write(shards.shard_path(tmp_path, "train", "a"), canonical(), ASSET)
    write(shards.shard_path(tmp_path, "train", "b"), canonical(frames=1), ASSET)
    with pytest.raises(InputError, match=r"b\.safetensors has surface \[1, 40, 6\]"):
        shards.read_shards(tmp_path, keys=("surface",))
    make(tmp_path / "view", 1)
    with pytest.raises(InputError, match="already turned"):
        shards.read_shards(tmp_path / "view", frame="canonical")
    for bad in (dict(keys=("colour",)), dict(frame="world")):
        with pytest.raises(InputError, match="colour|world"):
            shards.read_shards(tmp_path, **bad)
    with pytest.raises(InputError, match="uniform.*missing"):
        write(tmp_path / "c.safetensors", {k: v for k, v in canonical().items() if k != "uniform"}, ASSET)


@pytest.mark.parametrize("damage", ["truncated", "foreign", "header", "pickled"])
def test_damaged_files_are_refused(tmp_path, damage):
    path = shards.shard_path(tmp_path, "train", "a")
    shards.write_shard(path, canonical(), ASSET)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "foreign":
        save_file(load_file(path), path)
    elif damage == "header":
        save_file(load_file(path), path, metadata={"format": shard_file.FORMAT, "asset": "[1, 2"})
    else:
        path.write_bytes(b"\x80\x04\x95")
    with pytest.raises(InputError, match=r"a\.safetensors"):
        shards.read_shards(tmp_path)


def test_headers_name_the_format(tmp_path):
    path = shards.shard_path(tmp_path, "test", "a")
    shards.write_shard(path, canonical(), ASSET)
    with safe_open(path, "np") as file:
        assert file.metadata()["format"] == "shapegen4d-shard-1"


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
