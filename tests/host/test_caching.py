"""What runs again when something changes: what it concerns and what follows, and nothing else."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
from PIL import Image

from tests.host.long_runs import PANDA, film
from tests.host.workflows import ours, shown

pytestmark = pytest.mark.host
MODEL = ["model", 0]


@pytest.fixture
def workflow(client, nodes, tmp_path):
    """A short clip to meshes, and beside it meshes and pictures of the user."""
    clip = client.upload(film(tmp_path / "cached.mp4", 6))
    client.upload(PANDA, "3d", "cached.glb")
    for number in range(2):
        picture = np.full((8, 8, 3), 90 * number, np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
        client.upload(tmp_path / f"{number}.png", "cached")
    return {
        "model": ours(nodes, "LoadShapeGen4DModel"),
        "film": {"class_type": "LoadVideo", "inputs": {"file": clip}},
        "clip": ours(nodes, "LoadVideoFrames", model=MODEL, video=["film", 0], count=3),
        "tokens": ours(nodes, "EncodeDINO", model=MODEL, clip=["clip", 0]),
        "latents": ours(nodes, "Sample4DLatents", model=MODEL, tokens=["tokens", 0], steps=2, ensemble_size=1),
        "meshes": ours(nodes, "DecodeSDFSequence", model=MODEL, latents=["latents", 0], resolution=24),
        "saved": ours(nodes, "SaveMeshSequence", meshes=["meshes", 0], filename_prefix="3d/cached"),
        "panda": ours(nodes, "LoadMeshSequence", file="3d/cached.glb"),
        "picked": ours(nodes, "PickFrames", sequence=["panda", 0], stop=2),
        "shown": shown(["picked", 0]),
        "pictures": ours(nodes, "LoadImageSequence", folder="cached"),
        "counted": shown(["pictures", 1]),
    }


def changed(workflow, node, **values):
    entry = workflow[node]
    return {**workflow, node: {**entry, "inputs": {**entry["inputs"], **values}}}


def test_nothing_runs_twice_without_need(client, workflow):
    first = client.run(workflow)
    assert first.status == "execution_success", first.error
    again = client.run(workflow)
    assert again.ran == [] and set(again.told("execution_cached")[0].data["nodes"]) == set(workflow)


@pytest.mark.parametrize(
    ("node", "values", "expected"),
    [
        ("latents", {"seed": 5}, ["latents", "meshes", "saved"]),
        ("meshes", {"resolution": 32}, ["meshes", "saved"]),
        ("clip", {"tolerance": 0.1}, ["clip", "tokens", "latents", "meshes", "saved"]),
        ("saved", {"filename_prefix": "3d/other"}, ["saved"]),
    ],
)
def test_a_changed_value_concerns_what_follows(client, workflow, node, values, expected):
    client.run(workflow)
    run = client.run(changed(workflow, node, **values))
    assert run.status == "execution_success" and sorted(run.ran) == sorted(expected)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("cached.mp4", ["film", "clip", "tokens", "latents", "meshes", "saved"]),
        ("3d/cached.glb", ["panda", "picked", "shown"]),
        ("cached/1.png", ["pictures", "counted"]),
    ],
)
def test_a_touched_file_concerns_its_loader_and_what_follows(client, own_server, workflow, file, expected):
    client.run(workflow)
    now = time.time() + 100
    os.utime(own_server.base / "input" / file, (now, now))
    run = client.run(workflow)
    assert run.status == "execution_success" and sorted(run.ran) == sorted(expected)
