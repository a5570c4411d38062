"""Data sets larger than the memory: batches from files, latents made shard by shard."""

import json
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from small import CLIPS, FRAMES, SIZE, SLOTS

from shapegen4d_core.data import shards
from shapegen4d_core.data.shard_file import FORMAT
from shapegen4d_core.data.slots import fit_anchors
from shapegen4d_core.data.stored import StoredRows, create_arrays, stored_array
from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.models.shape_vae import ShapeVAE
from shapegen4d_core.training import bank, latents, networks, stages
from shapegen4d_core.training.adapter import adapter_batches
from shapegen4d_core.training.base import base_batches

POINTS, VIEWS = 48, (0.0, 90.0)


def write(folder, split, name, seed, frame="canonical"):
    """A shard of two views with random clouds and pictures."""
    rng = np.random.default_rng(seed)
    cloud, field = (rng.uniform(-0.9, 0.9, (FRAMES, POINTS, width)).astype(np.float16) for width in (6, 4))
    arrays = {
        **dict.fromkeys(("surface", "sharp"), cloud),
        **dict.fromkeys(("aligned", "aligned_sharp"), cloud[:, : 2 * SLOTS]),
        **dict.fromkeys(("near", "uniform"), field),
        "rgba": rng.integers(0, 255, (len(VIEWS), FRAMES, SIZE, SIZE, 4), dtype=np.uint8),
        "azimuth": np.array(VIEWS, np.float32),
        "elevation": np.zeros(len(VIEWS), np.float32),
        "root_motion": np.zeros((FRAMES, 3), np.float32),
    }
    shards.write_shard(shards.shard_path(folder, split, name), arrays, {"name": name, "frame": frame})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("stored")
    for seed, (split, name) in enumerate((("train", "a"), ("train", "b"), ("test", "c"))):
        write(root, split, name, seed)
    return root


@pytest.fixture
def full(monkeypatch):
    """A computer without free memory: everything stays in its files."""
    monkeypatch.setattr(bank, "free_memory", lambda: 0)


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(value, right[key]) for key, value in left.items())


def stored_latents(path, values):
    create_arrays(path, {"train": (values.shape, np.float16)}, {})["train"].write(0, values)
    return StoredRows([stored_array(path, "train")])


@pytest.mark.parametrize("frame", ["view", "canonical"])
def test_batches_from_files_are_those_from_memory(folder, tmp_path, config, data, full, frame):
    read, values = shards.read_shards(folder, keys=("rgba",), frame=frame)["rgba"], data[1]
    rows = shards.stored_pictures(folder, "train", frame), stored_latents(tmp_path / "latents.safetensors", values)
    inside = bank.FrameBank(read, values, config.image_encoder)
    outside = bank.FrameBank(*rows, config.image_encoder)
    assert isinstance(outside.rgba, StoredRows) and isinstance(outside.latents, StoredRows) and inside.mirrored
    for make, count in ((base_batches, 24), (adapter_batches, 6)):
        for step in range(3):
            pair = [make(one, 4.0, 0.1)(step, slice(1, count), count) for one in (inside, outside)]
            assert same(*pair), make.__name__
    assert torch.equal(inside.rgba[CLIPS - 1].cpu(), outside.rgba[CLIPS - 1].cpu())


def test_small_sets_are_read_whole_and_shares_are_counted_per_process(folder, config, data, monkeypatch):
    rows = shards.stored_pictures(folder)
    monkeypatch.setattr(bank, "free_memory", lambda: 8 * rows.nbytes)
    for processes, kind in (("1", torch.Tensor), ("2", torch.Tensor), ("3", StoredRows)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
        assert isinstance(bank.resident(rows, "cpu"), kind)
    whole = torch.from_numpy(shards.read_shards(folder, keys=("rgba",))["rgba"])
    assert torch.equal(rows.whole(), whole) and rows.whole().dtype == torch.uint8


def test_rows_past_the_end_and_shortened_files_are_named(folder, tmp_path):
    rows = shards.stored_pictures(folder)
    for clip, frame in ((CLIPS, 0), (0, FRAMES), (-1, 0)):
        with pytest.raises(IndexError, match="of"):
            rows[np.array([clip]), np.array([frame])]
    write(tmp_path, "train", "a", 0)
    path = shards.shard_path(tmp_path, "train", "a")
    rows = shards.stored_pictures(tmp_path)
    path.write_bytes(path.read_bytes()[: rows._parts[0].offset + 100])
    with pytest.raises(InputError, match=r"a\.safetensors has become shorter"):
        rows[1]
    for key in ("rgba", "colour"):
        with pytest.raises(InputError, match=f"damaged or lacks {key}"):
            stored_array(path, key)


def sparse_shard(folder, split, name, points, size):
    """A shard of zeros that takes no room on most disks: points per cloud, pixels of a picture."""
    cloud, one = ((2, points, 6), np.float16), ((1,), np.float32)
    shapes = {**dict.fromkeys(("surface", "aligned"), cloud), "azimuth": one, "rgba": ((1, 2, size, size, 4), np.uint8)}
    path = shards.shard_path(folder, split, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    create_arrays(path, shapes, {"format": FORMAT, "asset": json.dumps({"name": name, "frame": "view"})})


def peak(work):
    """The most bytes that numpy and Python held at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_pictures_of_a_large_set_are_never_all_in_memory(tmp_path, config, full):
    for number in range(24):
        sparse_shard(tmp_path, "train", f"s{number:02d}", 1, 512)
    assert shards.stored_pictures(tmp_path).nbytes == 48 << 20

    def work():
        held, index = bank.resident(shards.stored_pictures(tmp_path), "cpu"), np.array([23, 0])
        assert isinstance(held, StoredRows) and held[index, np.array([1, 0])].shape == (2, 512, 512, 4)

    assert peak(work) < 4 << 20


def test_clouds_of_a_large_set_are_never_all_in_memory(tmp_path, monkeypatch):
    for number in range(24):
        sparse_shard(tmp_path, "train", f"s{number:02d}", 1 << 16, 1)
    opened = shards.open_shards(tmp_path, "train", ("surface", "aligned"))
    monkeypatch.setattr(latents, "encode_clip", lambda *_, **__: np.zeros((2, SLOTS, 8), np.float16))
    vae = SimpleNamespace(config=SimpleNamespace(with_sharp_data=False))
    into = create_arrays(tmp_path / "out", {"train": ((48, 2, SLOTS, 8), np.float16)}, {})["train"]
    slots = np.zeros((1, SLOTS, 1), np.int64)
    one = 2 * 2 * (1 << 16) * 6 * 2  # two clouds of two frames
    assert peak(lambda: latents.encode_shards(vae, opened, lambda clips, *_: (clips, slots), into)) < 3 * one


@pytest.fixture
def network(config, monkeypatch):
    """The small autoencoder in place of the trained one, in either frame and with sharp edges or without."""

    def chosen(frame, sharp=False):
        torch.manual_seed(0)
        vae = ShapeVAE(replace(config.vae, n_samples=POINTS, with_sharp_data=sharp)).eval()
        monkeypatch.setattr(stages, "run_vae_network", lambda *_: (vae, replace(config, vae=vae.config, frame=frame)))
        return vae

    return chosen


def whole_latents(folder, vae, frame, anchors, split, independent=False):
    """Latents as they were made with the whole split in memory."""
    keys = ("surface", "aligned") + (("sharp", "aligned_sharp") if vae.config.with_sharp_data else ())
    clips = shards.read_shards(folder, split, keys, frame)
    if independent:
        every = enumerate(clips["surface"])
        clips["aligned"] = np.stack([np.stack(list(latents.independent_points(rows, anchors, i))) for i, rows in every])
        slots = np.tile(np.arange(len(anchors))[:, None], (len(clips["surface"]), 1, 2))
    elif anchors is not None:
        slots = stages.slots_of(clips, anchors)
    else:
        slots = stages.prefix_slots(clips, vae.config, vae.config.num_latents)
    return latents.encode_clips(vae, clips, slots, mirror=split == "train")


@pytest.mark.parametrize(
    "queries, frame, sharp",
    [(queries, frame, False) for queries in ("aligned", "independent") for frame in ("view", "canonical")]
    + [("aligned", "canonical", True)],
)
def test_latents_are_those_of_the_whole_set_in_memory(folder, tmp_path, network, queries, frame, sharp):
    vae, anchors = network(frame, sharp), None
    if not sharp:
        anchors = fit_anchors(shards.read_shards(folder, keys=("aligned",))["aligned"], SLOTS)
        networks.save_file({"anchors": anchors}, tmp_path / "anchors.safetensors")
    stages.run_latents(folder, tmp_path, queries=queries)
    made = load_file(tmp_path / ("latents.safetensors" if queries == "aligned" else "independent_latents.safetensors"))
    arrays = {
        split: whole_latents(folder, vae, frame, anchors, split, queries != "aligned") for split in ("train", "test")
    }
    scale = 1.0 / float(arrays["train"].astype(np.float32).std())
    assert made.keys() == {"train", "test", "scale"} and made["scale"][0] == np.float32(scale)
    for split, value in arrays.items():
        assert np.array_equal(made[split], (value.astype(np.float32) * scale).astype(np.float16)), split


@pytest.mark.parametrize("frame, encoded", [("view", 4 * 2 + 2), ("canonical", 2 * 2 + 1)])
def test_views_that_share_their_shape_are_encoded_once(folder, tmp_path, network, monkeypatch, frame, encoded):
    network(frame)
    real, calls, seen = latents.encode_clip, [], []
    monkeypatch.setattr(latents, "encode_clip", lambda *a, **k: calls.append(1) or real(*a, **k))
    stages.run_latents(folder, tmp_path, progress=lambda step, total, preview=None: seen.append((step, total)))
    assert len(calls) == len(seen) == encoded
    assert (8, 8) in seen and seen[-1] == (2, 2) and [step for step, total in seen if total == 8][-1] == 8


def test_a_cancelled_encoding_leaves_nothing(folder, tmp_path, network):
    network("view")

    def check():
        raise Cancelled

    with pytest.raises(Cancelled):
        stages.run_latents(folder, tmp_path / "run", check=check)
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize("shape", [(1, 1, 3, 1), (5, 3, 77, 9), (64, 8, 64, 8)])
def test_the_deviation_is_that_of_numpy_to_the_last_bit(tmp_path, monkeypatch, shape):
    values = (np.random.default_rng(0).standard_normal(shape) * 3 + 0.3).astype(np.float16)
    stored_latents(tmp_path / "a", values)
    monkeypatch.setattr(latents, "CHUNK", 1000)
    assert latents.deviation(stored_array(tmp_path / "a", "train")) == float(values.astype(np.float32).std())
    latents.scale_values(stored_array(tmp_path / "a", "train"), 0.3)
    assert np.array_equal(load_file(tmp_path / "a")["train"], (values.astype(np.float32) * 0.3).astype(np.float16))
