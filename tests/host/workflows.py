"""The bundled workflows in their API form, with the files they want."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from shapegen4d_core import models
from shapegen4d_core.example_clips import example_path
from shapegen4d_core.pipeline import encode_clip, sample_latents, sampler_settings
from shapegen4d_core.video import load_clip, read_pictures
from tests.host.client import Client
from tests.nodes.host_run import DYNAMIC, children
from tests.nodes.pages import API, NOT_RUN, api_copy, read

ANIMATIONS = API / "animated"
ANIMATION = {"retexture_existing_sequence": "panda_walk.glb"}  # of the user; it has a texture; others get ripple.glb
OURS = "ShapeGen4D_"
SMALLER = {  # the same work on less: quick enough for a test, and every path still taken
    "Sample4DLatents": {"ensemble_size": 2},
    "DecodeSDFSequence": {"resolution": 32},
    "RegisterPose": {"views": 32, "rivals": 1},
    "TrackTopology": {"faces": 400, "iterations": 4, "coarse_iterations": 4},
    "PropagateTexture": {"texture_size": 256},
    "RenderMeshSequence": {"width": 128, "height": 128, "count": 8},
    "LoadMeshSequence": {"fps": 4.0},
}


def downloads(page: Path) -> list[str]:
    """Weights that a workflow wants on the disk: files its nodes offer for download, or that core nodes name."""
    shown = read(page)
    nodes = shown["nodes"] + [node for part in _subgraphs(shown) for node in part["nodes"]]
    nodes = [node for node in nodes if node["mode"] not in NOT_RUN]
    wanted = [model["name"] for node in nodes for model in node.get("properties", {}).get("models", ())]
    for entry in api_copy(page.stem).values():
        if not entry["class_type"].startswith(OURS):
            wanted += [value for value in entry["inputs"].values() if str(value).endswith(".safetensors")]
    return sorted(set(wanted))


def _subgraphs(shown: dict[str, Any]) -> list[dict[str, Any]]:
    return shown.get("definitions", {}).get("subgraphs", [])


def ready(name: str, client: Client, folder: Path) -> dict[str, Any]:
    """A workflow whose files, which the user chooses, lie in the host's input folder; ``folder`` is for scratch."""
    workflow = api_copy(name)
    for entry in workflow.values():
        kind, inputs = entry["class_type"].removeprefix(OURS), entry["inputs"]
        if kind == "LoadVideo":
            inputs["file"] = client.upload(example_path("creature"))
        if kind == "LoadImageSequence":
            inputs["folder"] = _pictures(client, folder)
        if kind == "LoadLatents":
            inputs["file"] = f"latents/{client.upload(_latents(folder), 'latents')}"
        if kind == "LoadMeshSequence" and "model_3d" not in inputs:
            inputs["file"] = f"3d/{client.upload(ANIMATIONS / ANIMATION.get(name, 'ripple.glb'), '3d')}"
    return workflow


def _pictures(client: Client, folder: Path) -> str:
    """The frames of the bundled clip as pictures in a folder of the host."""
    for number, frame in enumerate(read_pictures(example_path("creature"))):
        path = folder / f"frame{number}.png"
        Image.fromarray(frame.mul(255).round().byte().numpy().astype(np.uint8), "RGBA").save(path)
        client.upload(path, "pictures")
    return "pictures"


def _latents(folder: Path) -> Path:
    """Latents of four frames of the bundled clip, sampled in two steps."""
    model = models.load("tiny")
    look = {"size": model.config.image_encoder.image_size, "foreground_ratio": model.config.foreground_ratio}
    with torch.inference_mode():
        tokens = encode_clip(model, load_clip(example_path("creature"), count=4, **look))
        latents = sample_latents(model, tokens, sampler_settings(model, steps=2, ensemble_size=1))
    path = folder / "latents.safetensors"
    latents.save(path)
    return path


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


def example_meshes(nodes: dict[str, Any], clip: dict, steps: int, resolution: int, **sampling: Any) -> dict[str, Any]:
    """From the bundled clip to meshes: nodes model, video, clip, tokens, latents and meshes; no ensemble."""
    model = ["model", 0]
    more = {"steps": steps, "ensemble_size": 1, **sampling}
    return {
        "model": ours(nodes, "LoadShapeGen4DModel"),
        "video": ours(nodes, "ExampleVideo"),
        "clip": ours(nodes, "LoadVideoFrames", model=model, video=["video", 0], **clip),
        "tokens": ours(nodes, "EncodeDINO", model=model, clip=["clip", 0]),
        "latents": ours(nodes, "Sample4DLatents", model=model, tokens=["tokens", 0], **more),
        "meshes": ours(nodes, "DecodeSDFSequence", model=model, latents=["latents", 0], resolution=resolution),
    }


def shown(source: list[Any]) -> dict[str, Any]:
    """The core's node that shows anything as text, and so makes a workflow run that saves nothing."""
    return {"class_type": "PreviewAny", "inputs": {"source": source}}
