"""Every format goes out of the host and comes in again."""

from __future__ import annotations

import uuid

import pytest

from shapegen4d_core.export import write_glb
from tests.export.shapes import waving
from tests.host.client import Refused
from tests.host.workflows import ours, shown

pytestmark = pytest.mark.host
LOOK = {"unlit": False, "texture_format": "png"}
FORMATS = {
    "glb": {"loop": "cycle", "interpolation": "auto", "root_motion": "none", **LOOK, "quantize": False},
    "glb with bones": {"joints": 4, "largest_error": 0.0, "interpolation": "auto", **LOOK},
    "usd": {"file_type": "usdc", "up_axis": "Y", "unlit": False},
    "file per frame": {"files": "ply"},
    "point cache": {"cache": "mdd"},
    "safetensors": {},
}


@pytest.mark.parametrize("format", FORMATS)
def test_meshes_are_saved_and_loaded_again(client, nodes, format, tmp_path):
    """A file goes in, its frames come out in another format, and that file goes in once more."""
    source = write_glb(waving(4, 8.0), tmp_path / f"{uuid.uuid4().hex}.glb")
    client.upload(source, "3d")
    chosen = {f"format.{name}": value for name, value in FORMATS[format].items()}
    load = ours(nodes, "LoadMeshSequence", file=f"3d/{source.name}")
    save = ours(nodes, "SaveMeshSequence", meshes=["1", 0], filename_prefix=f"3d/{source.stem}", format=format)
    save["inputs"].update(chosen)
    try:
        done = client.run({"1": load, "2": save, "3": shown(["2", 2])})
    except Refused as refused:
        assert format == "usd" and "pip install usd-core" in str(refused)
        pytest.skip("The host's Python has no usd-core")
    report = done.outputs["3"]["text"][0]
    assert "4 frames at 8 per second" in report
    name = report.split(":")[0] + ("/sequence.json" if format == "file per frame" else "")
    assert f"{name} [output]" in offered(client, "LoadMeshSequence")
    load = ours(nodes, "LoadMeshSequence", file=f"{name} [output]")
    again = client.run({"1": load, "2": shown(["1", 2])})
    assert again.outputs["2"]["text"] == ["4"]


def offered(client, name):
    """What the list of files of a node offers now."""
    known = client.ask(f"/object_info/ShapeGen4D_{name}")[f"ShapeGen4D_{name}"]
    return known["input"]["required"]["file"][1]["options"]


def test_latents_are_saved_and_decoded_later(client, nodes):
    prefix = f"latents/{uuid.uuid4().hex}"
    run = client.run({
        "model": ours(nodes, "LoadShapeGen4DModel"),
        "video": ours(nodes, "ExampleVideo"),
        "clip": ours(nodes, "LoadVideoFrames", model=["model", 0], video=["video", 0], count=3),
        "tokens": ours(nodes, "EncodeDINO", model=["model", 0], clip=["clip", 0]),
        "latents": ours(nodes, "Sample4DLatents", model=["model", 0], tokens=["tokens", 0], steps=2, ensemble_size=1),
        "save": ours(nodes, "SaveLatents", latents=["latents", 0], filename_prefix=prefix),
        "shown": shown(["save", 1]),
    })  # fmt: skip
    name = f"{prefix}_00001_.safetensors"
    assert run.outputs["shown"]["text"] == [name] == run.outputs["save"]["text"]
    assert f"{name} [output]" in offered(client, "LoadLatents")
    run = client.run({
        "model": ours(nodes, "LoadShapeGen4DModel"),
        "latents": ours(nodes, "LoadLatents", file=f"{name} [output]"),
        "meshes": ours(nodes, "DecodeSDFSequence", model=["model", 0], latents=["latents", 0], resolution=24),
        "save": ours(nodes, "SaveMeshSequence", meshes=["meshes", 0], format="safetensors"),
        "frames": shown(["latents", 1]),
        "name": shown(["latents", 2]),
        "report": shown(["save", 2]),
    })  # fmt: skip
    assert (run.outputs["frames"]["text"], run.outputs["name"]["text"]) == (["3"], ["tiny"])
    assert "3 frames at 3" in run.outputs["report"]["text"][0]
