"""The bundled workflow: the file for the page and its copy for the API say the same, and it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.nodes.host_run import run_workflow

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "workflows" / "video_to_4d.json"
API = ROOT / "tests" / "data" / "video_to_4d_api.json"
CORE_NODES = {"LoadVideo", "PreviewImage", "Preview3D", "MarkdownNote"}
CORE_WIDGETS = {"LoadVideo": ["file"], "PreviewImage": [], "Preview3D": []}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def widget_values(entry, nodes):
    """Values by widget name; pages store them by position, with one more entry after a seed."""
    if entry["type"] in CORE_WIDGETS:
        return dict(zip(CORE_WIDGETS[entry["type"]], entry.get("widgets_values", ())))
    names = []
    for given in nodes[entry["type"]].define_schema().inputs:
        if given.get_io_type() in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"):
            names += [given.id] + ["after generate"] * bool(given.control_after_generate)
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


def test_page_and_api_copy_agree(nodes):
    api = {name: {"class_type": e["class_type"], "inputs": e["inputs"]} for name, e in read(API).items()}
    assert to_api(read(PAGE), nodes) == api


def test_page_uses_core_nodes_and_ours_only(nodes):
    page = read(PAGE)
    assert page["version"] == 0.4
    types = {entry["type"] for entry in page["nodes"]}
    assert types - CORE_NODES == set(nodes)


def test_links_join_sockets_of_one_type():
    page = read(PAGE)
    entries = {entry["id"]: entry for entry in page["nodes"]}
    for number, source, out, target, slot, kind in page["links"]:
        socket, given = entries[source]["outputs"][out], entries[target]["inputs"][slot]
        assert number in socket["links"] and given["link"] == number
        assert socket["type"] == kind and kind in given["type"].split(",")


def test_workflow_folder_holds_pages_only():
    """The host lists every .json directly in it as a template."""
    assert all("nodes" in read(path) for path in PAGE.parent.glob("*.json"))


def test_workflow_runs(nodes, frames, tmp_path):
    from comfy_api.latest import InputImpl

    images, mask = frames
    rgba = (torch.cat([images, mask[..., None]], dim=-1) * 255).to(torch.uint8).numpy()
    path = tmp_path / "disc.webp"
    first, *others = (Image.fromarray(frame, "RGBA") for frame in rgba)
    first.save(path, save_all=True, append_images=others, duration=100, lossless=True)
    workflow = read(API)
    workflow["1"]["inputs"]["model"] = "zoo/random"
    workflow["7"]["inputs"]["resolution"] = 16
    shown = {}
    core_nodes = {
        "LoadVideo": lambda file: (InputImpl.VideoFromFile(str(path)),),
        "PreviewImage": lambda images: shown.update(images=images) or (),
        "Preview3D": lambda model_file: shown.update(file=model_file) or (),
    }
    run_workflow(workflow, nodes, core_nodes)
    assert shown["images"].shape == (4, 28, 28, 3)
    assert shown["file"].format == "glb" and Path(shown["file"].get_source()).stat().st_size > 1000


@pytest.mark.parametrize("node", ["page", "api"])
def test_values_are_the_defaults_of_the_schema(nodes, node):
    """A workflow that repeats an old default would hide a better one."""
    entries = read(API).values() if node == "api" else to_api(read(PAGE), nodes).values()
    for entry in entries:
        if entry["class_type"] in nodes:
            for given in nodes[entry["class_type"]].define_schema().inputs:
                if given.default is not None:
                    assert entry["inputs"][given.id] == given.default, (entry["class_type"], given.id)
