"""A run that begins with the weights of a finished model."""

import json

import pytest
import torch
from safetensors.torch import load_file

from shapegen4d_core import models
from shapegen4d_core.cli import main
from shapegen4d_core.errors import InputError
from shapegen4d_core.models import PRESETS
from shapegen4d_core.training import starting
from shapegen4d_core.training.networks import finished_model, run_vae_network
from shapegen4d_core.training.starting import run_start
from tests.training.small import small_config


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun") / "run"
    assert main(["train", "start", "--model", "tiny", "--folder", str(folder)]) == 0
    return folder


def test_the_networks_are_those_of_the_model(begun):
    from safetensors.torch import save_file

    tiny = models.load("tiny")
    save_file({"scale": torch.tensor([tiny.config.vae.z_scale_factor])}, begun / "latents.safetensors")
    made = dict(finished_model(begun).networks())
    for name, network in tiny.networks():
        theirs = made[name].state_dict()
        assert all(torch.equal(value, theirs[key]) for key, value in network.state_dict().items()), name
    assert run_vae_network(begun)[1] == PRESETS["tiny"]


def test_a_stage_begins_with_these_weights_and_a_whole_budget(begun, tmp_path):
    from shapegen4d_core.data.shards import generate

    for split, clips in (("train", 2), ("test", 1)):
        list(generate(tmp_path / "data", clips, split, workers=1))
    where = ("--data", str(tmp_path / "data"), "--folder", str(begun), "--quiet", "--device", "cpu")
    (begun / "latents.safetensors").unlink(missing_ok=True)
    assert main(["train", "latents", *where]) == 0
    before = load_file(begun / "base" / "average.safetensors")
    assert main(["train", "base", *where, "--steps", "1", "--batch", "2", "--rate", "1e-6"]) == 0
    after = load_file(begun / "base" / "average.safetensors")
    assert all(torch.allclose(before[name], value, atol=1e-4) for name, value in after.items())
    assert any(not torch.equal(before[name], value) for name, value in after.items())
    assert json.loads((begun / "base" / "settings.json").read_text())["steps"] == 1


@pytest.mark.parametrize("folder", ["used", "other"])
def test_a_used_folder_and_another_model_are_refused(begun, tmp_path, folder):
    if folder == "used":
        with pytest.raises(InputError, match="holds vae, base, adapter already"):
            run_start(begun, "tiny")
        return
    models.save(models.build(small_config()), tmp_path / "small")
    with pytest.raises(InputError, match="not of the tiny preset's sizes"):
        run_start(tmp_path / "run", tmp_path / "small")
    assert not (tmp_path / "run").exists()


def test_start_without_a_model_is_one_sentence(tmp_path, capsys):
    assert main(["train", "start", "--folder", str(tmp_path / "run")]) == 2
    assert "start needs --model" in capsys.readouterr().err


def test_a_start_that_fails_can_be_made_again(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(starting, "save_arrays", full)
        with pytest.raises(InputError, match="No space"):
            run_start(tmp_path / "run", "tiny")
    assert run_start(tmp_path / "run", "tiny") == ["vae", "base", "adapter"]
