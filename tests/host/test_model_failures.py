"""Models that are damaged, of another kind or not whole: one sentence that names the file or the part."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.host.client import Refused
from tests.host.server import ROOT
from tests.host.workflows import ours, shown

pytestmark = pytest.mark.host
TINY = ROOT / "shapegen4d_core" / "assets" / "tiny"
WEIGHTS = sorted(path.relative_to(TINY).as_posix() for path in TINY.rglob("*.safetensors") if path.stem != "anchors")


@pytest.fixture
def model_folder(own_server):
    """A copy of the tiny model among the host's models, to be spoiled."""
    folder = own_server.base / "models" / "shapegen4d" / "spoiled"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(TINY, folder)
    yield folder
    shutil.rmtree(folder)


def load_model(nodes):
    return {"model": ours(nodes, "LoadShapeGen4DModel", model="spoiled"), "shown": shown(["model", 0])}


def test_a_copy_of_the_model_loads(client, nodes, model_folder):
    assert client.run(load_model(nodes)).status == "execution_success"


@pytest.mark.parametrize("weights", WEIGHTS)
def test_four_megabytes_of_random_bytes_for_weights(nodes, fails, model_folder, weights):
    (model_folder / weights).write_bytes(np.random.default_rng(0).bytes(4 << 20))
    assert weights.rpartition("/")[2] in fails(load_model(nodes))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_weights_of_another_network(nodes, fails, model_folder, weights):
    save_file({"unet.conv_in.weight": torch.zeros(4, 4)}, model_folder / weights)
    told = fails(load_model(nodes))
    assert "spoiled" in told or weights.partition("/")[0] in told


def test_weights_of_another_size(nodes, fails, model_folder):
    config = model_folder / "transformer" / "config.json"
    values = json.loads(config.read_text(encoding="utf-8"))
    wider = {key: 2 * value for key, value in values.items() if key in ("width", "condition_dim", "num_heads")}
    assert wider
    config.write_text(json.dumps({**values, **wider}), encoding="utf-8")
    assert fails(load_model(nodes))


@pytest.mark.parametrize("pipeline", ["StableDiffusionPipeline", "HunyuanDiTPipeline"])
def test_a_model_of_another_architecture(nodes, fails, model_folder, pipeline):
    """The published folder of something else: its parts have other names and classes."""
    shutil.rmtree(model_folder)
    (model_folder / "unet").mkdir(parents=True)
    index = {"_class_name": pipeline, "unet": ["diffusers", "UNet2DConditionModel"]}
    (model_folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    (model_folder / "unet" / "config.json").write_text('{"_class_name": "UNet2DConditionModel"}', encoding="utf-8")
    save_file({"conv_in.weight": torch.zeros(4, 4)}, model_folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert "spoiled" in fails(load_model(nodes))


@pytest.mark.parametrize("missing", ["transformer", "vae", "visual_encoder"])
def test_a_model_with_a_part_missing(nodes, fails, model_folder, missing):
    shutil.rmtree(model_folder / missing)
    assert missing in fails(load_model(nodes))


def test_a_folder_without_a_sign_of_a_model_is_not_offered(nodes, client, model_folder):
    shutil.rmtree(model_folder / "transformer")
    (model_folder / "model_index.json").unlink()
    with pytest.raises(Refused, match="spoiled"):
        client.run(load_model(nodes))
