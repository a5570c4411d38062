"""The bundled workflows: the file for the page and its copy for the API say the same, and they run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.nodes.host_run import DYNAMIC, WIDGETS, children, run_workflow

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted((ROOT / "workflows").glob("*.json"))
API = ROOT / "tests" / "data"
CORE_NODES = {"LoadVideo", "PreviewImage", "PreviewAny", "Preview3D", "MarkdownNote"}
CORE_WIDGETS = {"LoadVideo": ["file"], "PreviewImage": [], "PreviewAny": [], "Preview3D": []}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def widget_values(entry, nodes):
    """Values by widget name; pages store them by position, with one more entry after a seed."""
    if entry["type"] in CORE_WIDGETS:
        return dict(zip(CORE_WIDGETS[entry["type"]], entry.get("widgets_values", ())))
    names: list[str] = []
    for given in nodes[entry["type"]].define_schema().inputs:
        if given.get_io_type() in WIDGETS:
            chosen = entry["widgets_values"][len(names)]
            names += [given.id] + ["after generate"] * bool(given.control_after_generate)
            if given.get_io_type() == DYNAMIC:
                names += [f"{given.id}.{child.id}" for child in children(given, chosen)]
    assert len(names) == len(entry["widgets_values"]), entry["type"]
    return dict(zip(names, entry["widgets_values"]))


def to_api(page, nodes):
    """The API form of a page's workflow."""
    links = {link[0]: [str(link[1]), link[2]] for link in page["links"]}
    result = {}
    for entry in page["nodes"]:
        if entry["type"] == "MarkdownNote":
            continue
        inputs = widget_values(entry, nodes)
        inputs.pop("after generate", None)
        linked = {slot["name"]: links[slot["link"]] for slot in entry["inputs"] if slot["link"] is not None}
        result[str(entry["id"])] = {"class_type": entry["type"], "inputs": {**inputs, **linked}}
    return result


def api_copy(page):
    return read(API / f"{page.stem}_api.json")


@pytest.fixture(params=PAGES, ids=lambda path: path.stem)
def page(request):
    return request.param


def test_page_and_api_copy_agree(nodes, page):
    api = {name: {"class_type": e["class_type"], "inputs": e["inputs"]} for name, e in api_copy(page).items()}
    assert to_api(read(page), nodes) == api


def test_page_uses_core_nodes_and_ours_only(nodes, page):
    shown = read(page)
    assert shown["version"] == 0.4
    assert {entry["type"] for entry in shown["nodes"]} - CORE_NODES <= set(nodes)
    assert page.with_suffix(".jpg").stat().st_size > 10_000  # the thumbnail of the template


# Their workflow is still to come; a name leaves this list with it.
WAITING = {
    "LoadModelFiles",
    "ExampleVideo",
    "LoadImageSequence",
    "SaveLatents",
    "LoadLatents",
    "PickFrames",
    "JoinSequences",
    "MeshSequenceToFile3D",
    "MeshSequenceToMesh",
    "MeshToMeshSequence",
}


def test_every_node_is_used_by_a_workflow(nodes):
    used = {entry["type"] for path in PAGES for entry in read(path)["nodes"]}
    assert set(nodes) - used == {f"ShapeGen4D_{name}" for name in WAITING}


def test_links_join_sockets_of_one_type(page):
    page = read(page)
    entries = {entry["id"]: entry for entry in page["nodes"]}
    for number, source, out, target, slot, kind in page["links"]:
        socket, given = entries[source]["outputs"][out], entries[target]["inputs"][slot]
        assert number in socket["links"] and given["link"] == number
        assert socket["type"] == kind and (given["type"] == "*" or kind in given["type"].split(","))


def test_workflow_folder_holds_pages_only():
    """The host lists every .json directly in it as a template."""
    assert PAGES and all("nodes" in read(path) for path in PAGES)


SMALLER = {
    "ShapeGen4D_LoadShapeGen4DModel": {"model": "zoo/random"},
    "ShapeGen4D_DecodeSDFSequence": {"resolution": 16},
    "ShapeGen4D_LoadVideoFrames": {"size": 64},
    "ShapeGen4D_RegisterPose": {"views": 32, "rivals": 1},
    "ShapeGen4D_TrackTopology": {"faces": 200, "iterations": 2, "coarse_iterations": 2},
    "ShapeGen4D_PropagateTexture": {"texture_size": 256},
    "ShapeGen4D_LoadMeshSequence": {"file": "3d/walk.glb"},
    "ShapeGen4D_RenderMeshSequence": {"width": 64, "height": 64, "count": 3},
}


@pytest.fixture
def walking(core, base):
    """An animated file where the host keeps those of users."""
    corners = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = np.int32([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    frames = tuple(corners + np.float32([0.1 * frame, 0, 0]) for frame in range(3))
    folder = base / "input" / "3d"
    folder.mkdir(parents=True, exist_ok=True)
    core("export").write_sequence(core("sequence").MeshSequence(frames, (faces,) * 3, 8.0), folder / "walk.glb")


def test_workflow_runs(nodes, frames, page, tmp_path, walking):
    from comfy_api.latest import InputImpl

    images, mask = frames
    rgba = (torch.cat([images, mask[..., None]], dim=-1) * 255).to(torch.uint8).numpy()
    path = tmp_path / "disc.webp"
    first, *others = (Image.fromarray(frame, "RGBA") for frame in rgba)
    first.save(path, save_all=True, append_images=others, duration=100, lossless=True)
    workflow = api_copy(page)
    for entry in workflow.values():
        entry["inputs"].update(SMALLER.get(entry["class_type"], {}))
    shown = {}
    core_nodes = {
        "LoadVideo": lambda file: (InputImpl.VideoFromFile(str(path)),),
        "PreviewImage": lambda images: shown.update(images=images) or (),
        "PreviewAny": lambda source: shown.update(text=source) or (),
        "Preview3D": lambda model_file, camera_info=None: shown.update(file=model_file) or (),
    }
    run_workflow(workflow, nodes, core_nodes)
    assert shown["images"].shape[0] > 2 and shown["images"].shape[3] == 3
    assert shown["file"].format == "glb" and Path(shown["file"].get_source()).stat().st_size > 1000


CHOSEN = {  # where a workflow is to differ
    "video_to_textured_4d": {"size", "on_change", "format.unlit", "style", "turntable", "count"},
    "mesh_sequence_to_any_format": {"format", "turntable", "count", "fps"},
}


@pytest.mark.parametrize("form", ["page", "api"])
def test_values_are_the_defaults_of_the_schema(nodes, page, form):
    """A workflow that repeats an old default would hide a better one."""
    entries = api_copy(page).values() if form == "api" else to_api(read(page), nodes).values()
    for entry in entries:
        if entry["class_type"] in nodes:
            for name, given in shown_inputs(nodes[entry["class_type"]], entry["inputs"]):
                if given.default is not None and name not in CHOSEN.get(page.stem, ()):
                    assert entry["inputs"][name] == given.default, (entry["class_type"], name)


def shown_inputs(node, values):
    for given in node.define_schema().inputs:
        yield given.id, given
        if given.get_io_type() == DYNAMIC:
            yield from ((f"{given.id}.{child.id}", child) for child in children(given, values[given.id]))
