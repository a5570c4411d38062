"""The bundled workflows in their API form, with the files they want."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shapegen4d_core.example_clips import example_path
from tests.host.client import Client
from tests.nodes.host_run import DYNAMIC, children

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "workflows", example_path("creature").parent]  # where the files that workflows name are bundled
PAGES = sorted((ROOT / "workflows").glob("*.json"))
ANIMATION = ROOT / "tests" / "data" / "animated" / "ripple.glb"  # for a workflow that opens a file of the user
OURS = "ShapeGen4D_"
SMALLER = {  # the same work on less: quick enough for a test, and every path still taken
    "Sample4DLatents": {"steps": 6},
    "DecodeSDFSequence": {"resolution": 32},
    "RegisterPose": {"views": 32, "rivals": 1},
    "TrackTopology": {"faces": 400, "iterations": 4, "coarse_iterations": 4},
    "PropagateTexture": {"texture_size": 256},
    "RenderMeshSequence": {"width": 128, "height": 128, "count": 8},
}


def read(path: Path) -> dict[str, Any]:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def api_copy(name: str) -> dict[str, Any]:
    """The API form of a bundled workflow by its name, without titles."""
    return read(ROOT / "tests" / "data" / f"{name}_api.json")


def downloads(page: Path) -> list[str]:
    """Weights that a workflow wants on the disk: files its nodes offer for download, or that core nodes name."""
    shown = read(page)
    nodes = shown["nodes"] + [node for part in _subgraphs(shown) for node in part["nodes"]]
    wanted = [model["name"] for node in nodes for model in node.get("properties", {}).get("models", ())]
    for entry in api_copy(page.stem).values():
        if not entry["class_type"].startswith(OURS):
            wanted += [value for value in entry["inputs"].values() if str(value).endswith(".safetensors")]
    return sorted(set(wanted))


def _subgraphs(shown: dict[str, Any]) -> list[dict[str, Any]]:
    return shown.get("definitions", {}).get("subgraphs", [])


def ready(name: str, client: Client) -> dict[str, Any]:
    """A workflow whose files lie in the host's input folder."""
    workflow = api_copy(name)
    for entry in workflow.values():
        for key, value in entry["inputs"].items():
            found = [folder / value for folder in FILES if isinstance(value, str) and (folder / value).is_file()]
            if found:
                entry["inputs"][key] = client.upload(found[0])
        if entry["class_type"] == f"{OURS}LoadMeshSequence" and entry["inputs"]["file"] == "none":
            if "model_3d" not in entry["inputs"]:
                entry["inputs"]["file"] = f"3d/{client.upload(ANIMATION, '3d')}"
    return workflow


def smaller(workflow: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    """A copy with the settings of SMALLER, and of ``more`` by kind, where a node is of that kind and reads them."""
    given = {kind: {**SMALLER.get(kind, {}), **more.get(kind, {})} for kind in (*SMALLER, *more)}
    changed = {}
    for key, entry in workflow.items():
        values = given.get(entry["class_type"].removeprefix(OURS), {})
        inputs = {**entry["inputs"], **{name: value for name, value in values.items() if name in entry["inputs"]}}
        changed[key] = {**entry, "inputs": inputs}
    return changed


def of_kind(workflow: dict[str, Any], name: str) -> list[str]:
    """Ids of the nodes of one of our kinds, such as SaveMeshSequence."""
    return [key for key, entry in workflow.items() if entry["class_type"] == OURS + name]


def ours(nodes: dict[str, Any], name: str, **given: Any) -> dict[str, Any]:
    """A node of ours for a workflow, with the schema's defaults for what is not given."""
    inputs = {}
    for entry in nodes[OURS + name].define_schema().inputs:
        if entry.default is not None:
            inputs[entry.id] = entry.default
        if entry.get_io_type() == DYNAMIC:
            chosen = given.get(entry.id, entry.default)
            inputs.update({f"{entry.id}.{child.id}": child.default for child in children(entry, chosen)})
    return {"class_type": OURS + name, "inputs": {**inputs, **given}}


def shown(source: list[Any]) -> dict[str, Any]:
    """The core's node that shows anything as text, and so makes a workflow run that saves nothing."""
    return {"class_type": "PreviewAny", "inputs": {"source": source}}
