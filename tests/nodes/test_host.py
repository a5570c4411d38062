"""Against a running ComfyUI that has this pack: what the stub claims, and the bundled workflow end to end."""

from __future__ import annotations

import json
import os
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import pytest

from shapegen4d_core.example_clips import example_path
from shapegen4d_core.export import write_glb
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import waving

ROOT = Path(__file__).resolve().parent.parent.parent
URL = os.environ.get("COMFYUI_URL", "").rstrip("/")
pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not URL, reason="COMFYUI_URL does not name a running ComfyUI with this pack"),
]
PATIENCE_SECONDS = 600


def ask(path, data=None, kind="application/json"):
    request = urllib.request.Request(f"{URL}{path}", data=data, headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_host_sees_what_the_stub_sees(nodes):
    known = ask("/object_info")
    for name, node in nodes.items():
        schema, seen = node.define_schema(), known[name]
        assert seen["display_name"] == schema.display_name and seen["category"] == schema.category
        assert seen["output_node"] == schema.is_output_node
        assert seen["output"] == [entry.io_type for entry in schema.outputs]
        for entry in schema.inputs:
            kind, options = seen["input"]["optional" if entry.optional else "required"][entry.id]
            assert kind == entry.get_io_type() and options["tooltip"] == entry.tooltip
            for key in ("default", "min", "max", "step", "advanced"):
                assert options.get(key) == entry.options.get(key), (name, entry.id, key)


def upload(path, subfolder=""):
    """Put a file into the host's input folder; its name there."""
    mark, name = uuid.uuid4().hex, path.name
    parts = {'name="image"; filename="' + name + '"': path.read_bytes(), 'name="subfolder"': subfolder.encode()}
    body = b""
    for head, content in parts.items():
        body += f"--{mark}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
    return ask("/upload/image", body + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}")["name"]


def download(name, folder):
    """A copy of a file below the host's output folder."""
    subfolder, _, file = name.rpartition("/")
    place = urllib.parse.urlencode({"filename": file, "subfolder": subfolder, "type": "output"})
    with urllib.request.urlopen(f"{URL}/view?{place}", timeout=60) as answer:
        (folder / file).write_bytes(answer.read())
    return folder / file


def finished(workflow):
    """Outputs of a workflow by node, once the host is done with it."""
    job = ask("/prompt", json.dumps({"prompt": workflow}).encode())["prompt_id"]
    end = time.monotonic() + PATIENCE_SECONDS
    while job not in (history := ask(f"/history/{job}")):
        assert time.monotonic() < end, "the workflow did not finish"
        time.sleep(0.3)
    assert history[job]["status"]["status_str"] == "success", history[job]["status"]
    return history[job]["outputs"]


def test_bundled_workflow_runs():
    workflow = json.loads((ROOT / "tests" / "data" / "video_to_4d_api.json").read_text(encoding="utf-8"))
    workflow["2"]["inputs"]["file"] = upload(example_path("creature"))
    workflow["6"]["inputs"]["seed"] = uuid.uuid4().int % 2**32  # not cached
    workflow["7"]["inputs"]["resolution"] = 32
    done = finished(workflow)
    (saved,) = done["8"]["3d"]
    assert saved["filename"].endswith(".glb") and saved["subfolder"] == "3d"
    assert done["9"]["result"][0].endswith(".glb")


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
def test_every_format_is_saved_and_loaded_again(format, tmp_path):
    """A file goes in, its frames come out in another format, and that file goes in once more."""
    source = write_glb(waving(4, 8.0), tmp_path / f"{uuid.uuid4().hex}.glb")
    upload(source, "3d")
    chosen = {f"format.{name}": value for name, value in FORMATS[format].items()}
    load = {"class_type": "ShapeGen4D_LoadMeshSequence", "inputs": {"file": f"3d/{source.name}", "fps": 0.0}}
    save = {"class_type": "ShapeGen4D_SaveMeshSequence", "inputs": {
        "meshes": ["1", 0], "filename_prefix": f"3d/{source.stem}", "format": format, **chosen}}  # fmt: skip
    tell = {"class_type": "PreviewAny", "inputs": {"source": ["2", 2]}}
    done = finished({"1": load, "2": save, "3": tell})
    report = done["3"]["text"][0]
    assert "4 frames at 8 per second" in report
    name = report.split(":")[0] + ("/sequence.json" if format == "file per frame" else "")
    node = ask(f"/object_info/{load['class_type']}")[load["class_type"]]
    assert f"{name} [output]" in node["input"]["required"]["file"][1]["options"]
    again = {**load, "inputs": {"file": f"{name} [output]", "fps": 0.0}}
    frames = {"class_type": "PreviewAny", "inputs": {"source": ["1", 2]}}
    assert finished({"1": again, "2": frames})["2"]["text"] == ["4"]


def defaults(name, nodes, **given):
    """A node of ours for a workflow, with the schema's defaults for what is not given."""
    inputs = {entry.id: entry.default for entry in nodes[f"ShapeGen4D_{name}"].define_schema().inputs}
    known = {key: value for key, value in inputs.items() if value is not None}
    return {"class_type": f"ShapeGen4D_{name}", "inputs": {**known, **given}}


def options(name, entry):
    """What a list of one of our nodes offers now."""
    return ask(f"/object_info/ShapeGen4D_{name}")[f"ShapeGen4D_{name}"]["input"]["required"][entry][1]["options"]


def test_example_clip_is_sampled_and_its_latents_are_decoded_later(nodes):
    prefix = f"latents/{uuid.uuid4().hex}"
    done = finished({
        "model": defaults("LoadShapeGen4DModel", nodes),
        "video": defaults("ExampleVideo", nodes),
        "clip": defaults("LoadVideoFrames", nodes, model=["model", 0], video=["video", 0], count=3),
        "tokens": defaults("EncodeDINO", nodes, model=["model", 0], clip=["clip", 0]),
        "latents": defaults("Sample4DLatents", nodes, model=["model", 0], tokens=["tokens", 0], steps=2),
        "save": defaults("SaveLatents", nodes, latents=["latents", 0], filename_prefix=prefix),
        "shown": {"class_type": "PreviewAny", "inputs": {"source": ["save", 1]}},
    })  # fmt: skip
    assert done["shown"]["text"] == [f"{prefix}_00001_.safetensors"] == done["save"]["text"]
    file = f"{prefix}_00001_.safetensors [output]"
    assert file in options("LoadLatents", "file")
    done = finished({
        "model": defaults("LoadShapeGen4DModel", nodes),
        "latents": defaults("LoadLatents", nodes, file=file),
        "meshes": defaults("DecodeSDFSequence", nodes, model=["model", 0], latents=["latents", 0], resolution=24),
        "save": defaults("SaveMeshSequence", nodes, meshes=["meshes", 0], format="safetensors"),
        "frames": {"class_type": "PreviewAny", "inputs": {"source": ["latents", 1]}},
        "name": {"class_type": "PreviewAny", "inputs": {"source": ["latents", 2]}},
        "report": {"class_type": "PreviewAny", "inputs": {"source": ["save", 2]}},
    })  # fmt: skip
    assert (done["frames"]["text"], done["name"]["text"]) == (["3"], ["tiny"])
    assert "3 frames at 3" in done["report"]["text"][0]


def refused(workflow):
    """The sentence with which a workflow fails on the host."""
    job = ask("/prompt", json.dumps({"prompt": workflow}).encode())["prompt_id"]
    end = time.monotonic() + PATIENCE_SECONDS
    while job not in (history := ask(f"/history/{job}")):
        assert time.monotonic() < end, "the workflow did not finish"
        time.sleep(0.3)
    messages = [content for kind, content in history[job]["status"]["messages"] if kind == "execution_error"]
    assert len(messages) == 1, history[job]["status"]
    return messages[0]["exception_message"].strip()


def test_random_bytes_are_no_latents(nodes, tmp_path):
    path = tmp_path / f"{uuid.uuid4().hex}.safetensors"
    path.write_bytes(os.urandom(4 * 2**20))
    upload(path, "latents")
    load = defaults("LoadLatents", nodes, file=f"latents/{path.name}")
    told = refused({"load": load, "shown": {"class_type": "PreviewAny", "inputs": {"source": ["load", 1]}}})
    assert told.endswith("is damaged or not a safetensors file; save the LatentSequence again.")


def test_there_and_back_again(nodes, tmp_path):
    """Sockets that take several kinds, and a node whose sockets grow, as the page names them."""
    source = write_glb(waving(4, 8.0), tmp_path / f"{uuid.uuid4().hex}.glb")
    upload(source, "3d")
    workflow = {
        "load": defaults("LoadMeshSequence", nodes, file=f"3d/{source.name}"),
        "back": defaults("PickFrames", nodes, sequence=["load", 0], start=1, stop=-1, reverse=True),
        "join": {"class_type": "ShapeGen4D_JoinSequences", "inputs": {
            "sequences.sequence0": ["load", 0], "sequences.sequence1": ["back", 0], "different_fps": "error"}},
        "save": defaults("SaveMeshSequence", nodes, meshes=["join", 0], format="safetensors"),
        "report": {"class_type": "PreviewAny", "inputs": {"source": ["save", 2]}},
    }  # fmt: skip
    report = finished(workflow)["report"]["text"][0]
    assert "6 frames at 8 per second" in report
    frames = MeshSequence.load(download(report.split(":")[0], tmp_path)).vertices
    assert all((frames[index] == frames[6 - index]).all() for index in (4, 5))
    workflow["half"] = defaults("PickFrames", nodes, sequence=["load", 0], stride=2)
    workflow["join"]["inputs"]["sequences.sequence1"] = ["half", 0]
    assert "Sequence 2 has 4 frames per second and the first 8" in refused(workflow)
