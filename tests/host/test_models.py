"""Models in folders that extra_model_paths.yaml names: listed, loaded, missed by name, and stopped while they load."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest
import torch

from shapegen4d_core import models
from shapegen4d_core.models.layout import TINY_FOLDER
from tests.host.client import Client, Refused
from tests.host.server import start
from tests.host.workflows import shown

pytestmark = pytest.mark.host
FILES = "ShapeGen4D_LoadModelFiles"
FOLDER = "ShapeGen4D_LoadShapeGen4DModel"
CHOSEN = {
    "denoiser": os.path.join("mine", "transformer", "diffusion_pytorch_model.safetensors"), "vae": "shapes.safetensors",
    "image_encoder": "pictures.safetensors", "adapter": "copy/spatiotemporal.safetensors", "label_encoder": "none",
    "precision": "auto",
}  # fmt: skip


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Folders outside the host's own, with the tiny model as a folder and as files, and a model that takes a while."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(TINY_FOLDER, folder / "sets" / "copy")
    shutil.copytree(TINY_FOLDER / "transformer", folder / "denoisers" / "mine" / "transformer")
    shutil.copy(TINY_FOLDER / "shapegen4d.json", folder / "denoisers" / "mine")
    for part, name in (("vae", "shapes"), ("visual_encoder", "pictures")):
        (folder / part).mkdir()
        shutil.copy(TINY_FOLDER / part / "diffusion_pytorch_model.safetensors", folder / part / f"{name}.safetensors")
    (folder / "denoisers" / "noise.safetensors").write_bytes(os.urandom(4 << 20))
    tiny = models.PRESETS["tiny"]
    wide = replace(tiny.denoiser, width=1280, num_heads=20, layers=1, num_single_layers=5, mlp_ratio=4)
    large = models.build(replace(tiny, name="large", denoiser=wide, adapter=None))  # 700 MB
    models.save(large, folder / "sets" / "large", torch.float32)
    return folder


@pytest.fixture(scope="module")
def page(comfyui, elsewhere, tmp_path_factory):
    """A page on a host that was told of these folders."""
    yaml = elsewhere / "extra.yaml"
    kinds = {"shapegen4d": "sets", "diffusion_models": "denoisers", "vae": "vae", "clip_vision": "visual_encoder"}
    lines = [f"    {kind}: {name}" for kind, name in kinds.items()]
    yaml.write_text("\n".join(["elsewhere:", f"    base_path: {elsewhere}", *lines]), encoding="utf-8")
    server = start(comfyui, tmp_path_factory.mktemp("host"), "--extra-model-paths-config", str(yaml))
    found = Client(server.url)
    yield found
    found.close()
    server.stop()


def offered(page, node, widget):
    return page.ask(f"/object_info/{node}")[node]["input"]["required"][widget][1]["options"]


def loader(node, **inputs):
    return {"1": {"class_type": node, "inputs": inputs}, "2": shown(["1", 0])}


def failure(page, node, **inputs):
    return page.run(loader(node, **inputs)).error["exception_message"]


def test_lists_follow_the_folders(page, elsewhere):
    assert offered(page, FOLDER, "model") == ["tiny (bundled)", "copy", "large"]
    assert offered(page, FILES, "denoiser") == [CHOSEN["denoiser"], "noise.safetensors"]
    added = elsewhere / "vae" / "sub" / "new.safetensors"
    added.parent.mkdir()
    added.touch()
    assert offered(page, FILES, "vae") == ["shapes.safetensors", os.path.join("sub", "new.safetensors")]
    shutil.rmtree(added.parent)
    assert offered(page, FILES, "vae") == ["shapes.safetensors"]


def test_files_and_folders_load_with_progress(page):
    for node, inputs in ((FILES, CHOSEN), (FOLDER, {"model": "copy", "precision": "auto"})):
        run = page.run(loader(node, **inputs))
        assert run.status == "execution_success", run.error
        value, largest = run.progress("1")[-1]
        assert value == largest > 10_000_000


def test_messages_name_file_folder_and_source(page):
    said = failure(page, FILES, **CHOSEN | {"denoiser": "noise.safetensors"})
    assert said.strip().endswith("noise.safetensors is not a readable safetensors file; download or save it again.")
    said = failure(page, FILES, **CHOSEN | {"image_encoder": "Step1X-3D-Geometry-1300m-visual_encoder.safetensors"})
    assert "published as Step1X-3D-Geometry-1300m/visual_encoder/" in said and "put it into models/clip_vision" in said
    run = loader(FOLDER, model="Step1X-3D-Geometry-1300m", precision="auto")
    with pytest.raises(Refused) as refused:
        page.queue(run)
    assert "download the folder Step1X-3D-Geometry-1300m of https://huggingface.co/" in json.dumps(refused.value.args)


@pytest.mark.parametrize("share", [0.02, 0.4, 0.8])  # while reading, while reading, while summing
def test_loading_stops_within_a_second(page, elsewhere, share):
    os.utime(elsewhere / "sets" / "large" / "transformer" / "diffusion_pytorch_model.safetensors")  # sums it anew

    def far_enough(event):
        state = event.data["nodes"].get("1") if event.kind == "progress_state" else None
        return bool(state) and state["max"] > 1 and state["value"] >= share * state["max"]

    listener = Client(page.url)
    queued = listener.queue(loader(FOLDER, model="large", precision="float32"))
    listener.wait_for(far_enough, 60)
    pressed = listener.interrupt()
    run = listener.finish(queued)
    listener.close()
    assert run.status == "execution_interrupted"
    assert run.told("execution_interrupted")[0].seconds - pressed < 1
