"""A tour of what goes wrong: each ends in one sentence, the host stays up, and nothing half-written is left."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from shapegen4d_core.sequence import LatentSequence
from tests.host.long_runs import PANDA, film
from tests.host.workflows import ours, shown

pytestmark = pytest.mark.host
MODEL = ["model", 0]


def frames(nodes, source, **given):
    """A video or a batch of images through Load Video Frames."""
    return {
        "model": ours(nodes, "LoadShapeGen4DModel"),
        "clip": ours(nodes, "LoadVideoFrames", model=MODEL, video=source, **given),
        "shown": shown(["clip", 0]),
    }


def of_file(client, nodes, path, **given):
    video = {"class_type": "LoadVideo", "inputs": {"file": client.upload(path)}}
    return {"video": video, **frames(nodes, ["video", 0], **given)}


def write(path, content):
    path.write_bytes(content)
    return path


def random_bytes(count):
    return np.random.default_rng(0).bytes(count)


def picture(path, size=(8, 8)):
    Image.new("RGB", size, "red").save(path)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["text", "random", "cut off", "meshes"])
def test_files_that_are_no_video(client, nodes, fails, tmp_path, kind):
    content = {
        "text": b"This is no video.",
        "random": random_bytes(100_000),
        "cut off": film(tmp_path / "whole.mp4", 20).read_bytes()[:700],
        "meshes": PANDA.read_bytes(),
    }[kind]
    told = fails(of_file(client, nodes, write(tmp_path / f"{kind.replace(' ', '_')}.mp4", content)))
    assert kind.replace(" ", "_") in told and "choose another" in told


@pytest.mark.parametrize("suffix", ["glb", "gltf", "obj", "ply", "stl", "usdz", "usdc", "mdd", "pc2", "safetensors"])
@pytest.mark.parametrize("kind", ["random", "empty", "picture"])
def test_files_that_are_no_meshes(client, nodes, fails, tmp_path, kind, suffix):
    content = {"random": random_bytes(5000), "empty": b"", "picture": picture(tmp_path / "red.png")}[kind]
    path = write(tmp_path / f"{kind}.{suffix}", content)
    client.upload(path, "3d")
    load = ours(nodes, "LoadMeshSequence", file=f"3d/{path.name}")
    told = fails({"load": load, "shown": shown(["load", 2])})
    assert path.name in told or (suffix.startswith("usd") and "pip install usd-core" in told)  # a host may lack it


def test_files_that_are_not_there(nodes, fails):
    for file in ("3d/nothing.glb", "../../etc/passwd", "/etc/passwd", "none"):
        load = ours(nodes, "LoadMeshSequence", file=file)
        assert "choose" in fails({"load": load, "shown": shown(["load", 2])})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"start": 50}, "start"),
        ({"start": 5, "stop": 3}, "stop"),
        ({"count": 500}, "count"),
        ({"stride": 900, "count": 5}, "count"),
        ({"matte": "alpha"}, "matte"),
        ({"matte": "mask"}, "mask"),
    ],
)
def test_ranges_and_mattes_without_frames(client, nodes, fails, tmp_path, given, words):
    assert words in fails(of_file(client, nodes, film(tmp_path / "short.mp4", 20), **given))


SPOILED = ["pictures", 0]


def disc(nodes, text, **given):
    made = {"class_type": "SpoiledImages", "inputs": {"text": text}}
    return {"pictures": made, **frames(nodes, SPOILED, **{"count": 4, **given})}


def test_an_inverted_mask(nodes, fails, client):
    told = fails(disc(nodes, "1", mask=["pictures", 1], mask_meaning="object is black"))
    assert "looks inverted" in told and "mask" in told
    assert client.run(disc(nodes, "1", mask=["pictures", 1])).status == "execution_success"


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "7"])
def test_pictures_with_values_that_are_none(nodes, fails, text):
    assert "accepted is 0..1" in fails(disc(nodes, text))
    save = ours(nodes, "SaveAnimation", images=SPOILED, filename_prefix="3d/spoiled")
    if text != "7":
        assert "not finite" in fails({"pictures": disc(nodes, text)["pictures"], "save": save})


def blank(side, count):
    return {"class_type": "EmptyImage", "inputs": {"width": side, "height": side, "batch_size": count, "color": 0}}


def test_pictures_of_one_pixel(client, nodes, fails):
    assert "no object" in fails({"blank": blank(1, 8), **frames(nodes, ["blank", 0])})
    for format in ("mp4", "webp", "gif", "contact sheet", "png files"):
        save = ours(nodes, "SaveAnimation", images=["blank", 0], filename_prefix="3d/pixel", format=format)
        workflow = {"blank": blank(1, 3), "save": save}
        if format == "mp4":
            assert "MP4 needs even sides" in fails(workflow)
        else:
            assert client.run(workflow).status == "execution_success", format


def test_one_frame_makes_one_mesh(client, nodes, fails):
    made = {"class_type": "SpoiledImages", "inputs": {"text": "1"}}
    one = {"class_type": "ImageFromBatch", "inputs": {"image": ["pictures", 0], "batch_index": 0, "length": 1}}
    workflow = {
        "pictures": made,
        "one": one,
        **frames(nodes, ["one", 0], count=1),
        "tokens": ours(nodes, "EncodeDINO", model=MODEL, clip=["clip", 0]),
        "latents": ours(nodes, "Sample4DLatents", model=MODEL, tokens=["tokens", 0], steps=4, ensemble_size=1),
        "meshes": ours(nodes, "DecodeSDFSequence", model=MODEL, latents=["latents", 0], resolution=32),
        "posed": ours(nodes, "RegisterPose", meshes=["meshes", 0], clip=["clip", 0], views=16, rivals=1),
        "textured": ours(nodes, "PropagateTexture", meshes=["posed", 0], clip=["clip", 0], camera=["posed", 1],
                         texture_size=256),
        "saved": ours(nodes, "SaveMeshSequence", meshes=["textured", 0], filename_prefix="3d/one"),
        "report": shown(["saved", 2]),
    }  # fmt: skip
    run = client.run(workflow)
    assert run.status == "execution_success", run.error
    assert "1 frames at" in run.outputs["report"]["text"][0]
    tracked = ours(nodes, "TrackTopology", meshes=["posed", 0])
    told = fails({**workflow, "tracked": tracked, "told": shown(["tracked", 1])})
    assert "one topology already" in told


def test_three_hundred_frames(client, nodes, tmp_path, figures):
    """The model's own number is taken of them, evenly; all of them are taken when that is asked for."""
    path = film(tmp_path / "many.mp4", 300)
    run = client.run({**of_file(client, nodes, path), "image": shown(["clip", 1])})
    assert run.status == "execution_success" and run.outputs["image"]["text"][0].startswith("tensor")
    run = client.run({
        **of_file(client, nodes, path, count=300),
        "tokens": ours(nodes, "EncodeDINO", model=MODEL, clip=["clip", 0]),
        "latents": ours(nodes, "Sample4DLatents", model=MODEL, tokens=["tokens", 0], steps=2, guidance=1.0,
                        ensemble_size=1, adapter_strength=0.0, preview=False),
        "meshes": ours(nodes, "DecodeSDFSequence", model=MODEL, latents=["latents", 0], resolution=16),
        "saved": ours(nodes, "SaveMeshSequence", meshes=["meshes", 0], filename_prefix="3d/many"),
        "report": shown(["saved", 2]),
    })  # fmt: skip
    assert run.status == "execution_success", run.error
    assert "300 frames at" in run.outputs["report"]["text"][0]


@pytest.mark.parametrize("prefix", ["../../elsewhere/walk", "/tmp/elsewhere", "3d/.."])
def test_names_that_lead_elsewhere(own_server, nodes, fails, prefix):
    made = {"class_type": "SpoiledImages", "inputs": {"text": "1"}}
    save = ours(nodes, "SaveAnimation", images=SPOILED, filename_prefix=prefix)
    assert "filename_prefix" in fails({"pictures": made, "save": save})
    assert not list(own_server.base.parent.rglob("elsewhere*"))


def test_latents_of_another_model(client, nodes, fails, tmp_path):
    latents = LatentSequence(torch.zeros(2, 8, 4), 8.0, "walk", "another")
    latents.save(tmp_path / "another.safetensors")
    client.upload(tmp_path / "another.safetensors", "latents")
    told = fails({
        "model": ours(nodes, "LoadShapeGen4DModel"),
        "latents": ours(nodes, "LoadLatents", file="latents/another.safetensors"),
        "meshes": ours(nodes, "DecodeSDFSequence", model=MODEL, latents=["latents", 0]),
        "shown": shown(["meshes", 0]),
    })  # fmt: skip
    assert "'another'" in told and "'tiny'" in told


def test_random_bytes_are_no_latents(client, nodes, fails, tmp_path):
    client.upload(write(tmp_path / "noise.safetensors", random_bytes(4 << 20)), "latents")
    load = ours(nodes, "LoadLatents", file="latents/noise.safetensors")
    told = fails({"load": load, "shown": shown(["load", 1])})
    assert told.endswith("is damaged or not a safetensors file; save the LatentSequence again.")
