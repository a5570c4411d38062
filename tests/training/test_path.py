"""The whole path by the command line, as small as it goes: clips, every stage, a model folder that generates."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from shapegen4d_core import models
from shapegen4d_core.cli import main
from shapegen4d_core.data.shards import generate
from shapegen4d_core.sampling import SamplerSettings, sample
from shapegen4d_core.training import stages


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("path")
    for split, clips in (("train", 4), ("test", 2)):
        assert len(list(generate(root / "data", clips, split, workers=1))) == clips
    return root / "data", root / "run"


def run(stage, folders, *more):
    data, folder = folders
    return main(["train", stage, "--data", str(data), "--folder", str(folder), "--quiet", "--device", "cpu", *more])


@pytest.fixture(scope="module")
def trained(folders):
    few = ("--steps", "2", "--batch", "2")
    assert run("vae", folders, *few) == 0
    assert run("latents", folders) == 0 and run("latents", folders, "--queries", "independent") == 0
    assert run("base", folders, *few) == 0
    assert run("adapter", folders, *few, "--clean", "0.5", "--sheet-minutes", "60") == 0
    return folders[1]


def test_every_stage_leaves_its_files(trained):
    for stage in ("vae", "base", "adapter"):
        names = {path.name for path in (trained / stage).iterdir()}
        assert {"log.csv", "average.safetensors", "state.safetensors", "settings.json"} <= names
    kept = json.loads((trained / "adapter" / "settings.json").read_text())
    assert kept["options"]["clean"] == 0.5 and kept["steps"] == 2 and kept["processes"] == 1


def test_a_contact_sheet_shows_input_truth_and_result(trained):
    from PIL import Image

    sheet = Image.open(trained / "adapter" / "sheets" / "step-000002.png")
    assert sheet.size[0] > 8 * 128 and sheet.size[1] > 6 * 128


def test_independent_queries_give_other_latents_of_the_same_scale(trained):
    aligned, independent = (load_file(trained / f"{name}latents.safetensors") for name in ("", "independent_"))
    assert aligned["train"].shape == independent["train"].shape == (8, 8, 64, 8)
    assert torch.equal(aligned["scale"], independent["scale"])
    assert not torch.equal(aligned["train"], independent["train"])


def test_independent_queries_of_mirrored_clips_keep_their_slots():
    from shapegen4d_core.data.slots import mirror_slots
    from shapegen4d_core.training.latents import independent_points

    rng = np.random.default_rng(0)
    half = rng.normal(size=(4, 3))
    anchors = np.concatenate([half, half * [-1, 1, 1]])
    cloud = np.concatenate([rng.normal(size=(2, 400, 3)), np.ones((2, 400, 3))], axis=-1)
    points = np.stack(list(independent_points(cloud, anchors)))[0, :, :3]
    slots = np.tile(np.arange(8)[:, None], (1, 2))
    plain = np.linalg.norm(points - anchors, axis=1).mean()
    swapped = (points * [-1, 1, 1])[mirror_slots(slots)[:, 0]]
    assert np.linalg.norm(swapped - anchors, axis=1).mean() == pytest.approx(plain)


def test_the_exported_folder_generates(trained, tmp_path):
    folders = ("--output", str(tmp_path / "model"), "--curves", str(tmp_path / "curves"))
    assert main(["train", "export", "--folder", str(trained), *folders]) == 0
    kept = {path.name for path in (tmp_path / "curves").iterdir()}
    assert kept == {"vae.csv", "base.csv", "adapter.csv", "curves.png"}
    model = models.load(tmp_path / "model")
    assert model.adapter is not None and model.config.vae.z_scale_factor != 1.0
    tokens = torch.randn(8, 37, model.config.image_encoder.hidden_size)
    settings = SamplerSettings(steps=2, guidance=1.0, latent_count=64)
    made = sample(model.denoiser, tokens, settings, adapter=model.adapter)
    assert made.shape == (8, 64, 8) and made.isfinite().all()
    assert (tmp_path / "model" / "anchors.safetensors").exists()


def test_an_unordered_base_is_rebuilt_as_it_was_trained(folders, trained):
    few = {"seconds": None, "steps": 1, "batch": 2}
    from shapegen4d_core.training.networks import run_base_networks
    from shapegen4d_core.training.settings import TrainSettings
    from shapegen4d_core.training.workers import Workers

    options = stages.BaseOptions(slots=False, shift=1.0, folder="unordered")
    stages.run_base(*folders, TrainSettings(**few), Workers(), options)
    loss, config = run_base_networks(folders[1], folder="unordered")
    assert config.denoiser.slot_count == 0 and loss.denoiser.dit_model.slot_embed is None


def test_a_published_model_trains_its_adapter_alone(folders, trained, tmp_path):
    """The route of Step1X-3D, with the exported model in its place: latents by its autoencoder, then the adapter."""
    main(["train", "export", "--folder", str(trained), "--output", str(tmp_path / "model")])
    for name in ("spatiotemporal.safetensors", "anchors.safetensors"):
        (tmp_path / "model" / name).unlink()
    mine, model = (folders[0], tmp_path / "run"), ("--model", str(tmp_path / "model"))
    assert run("latents", mine, *model, "--latents", "64") == 0
    assert run("adapter", mine, *model, "--steps", "2", "--batch", "1", "--rate", "0.01", "--checkpointing") == 0
    assert json.loads((tmp_path / "run" / "adapter" / "settings.json").read_text())["optimizer"] == "adamw"
    base_before = load_file(tmp_path / "model" / "transformer" / "diffusion_pytorch_model.safetensors")
    assert main(["train", "export", "--folder", str(mine[1]), "--output", str(tmp_path / "model"), *model]) == 0
    base_after = load_file(tmp_path / "model" / "transformer" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(value, base_after[name]) for name, value in base_before.items())
    assert models.load(tmp_path / "model").adapter is not None


def test_the_bundled_model_takes_a_new_adapter_on_its_own_slots(folders, tmp_path):
    mine = (folders[0], tmp_path / "run")
    assert run("latents", mine, "--model", "tiny") == 0
    made = load_file(tmp_path / "run" / "latents.safetensors")
    assert made["scale"].item() == 1.0 and 0.8 < float(made["train"].float().std()) < 1.2
    means = [made["train"][:4].float().mean(dim=(0, 1)), made["test"].float().mean(dim=(0, 1))]
    unordered = made["test"].float()[:, :, torch.randperm(64)].mean(dim=(0, 1))
    assert (means[0] - means[1]).norm() < 0.8 * (means[0] - unordered).norm(), "slots mean the same in other clips"
    assert run("adapter", mine, "--model", "tiny", "--steps", "1", "--batch", "1") == 0


def test_what_is_missing_is_named(folders, tmp_path, capsys):
    empty = (folders[0], tmp_path)
    assert run("base", empty, "--steps", "1") == 2 and "run the latents stage first" in capsys.readouterr().err
    assert run("latents", empty) == 2 and "train that stage first" in capsys.readouterr().err
    assert run("vae", folders, "--model", "tiny") == 2 and "train latents and adapter only" in capsys.readouterr().err
    assert main(["train", "base", "--folder", str(tmp_path)]) == 2 and "--data" in capsys.readouterr().err


def copied(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def other_weights(stage):
    values = load_file(stage / "average.safetensors")
    save_file({name: value * 1.5 for name, value in values.items()}, stage / "average.safetensors")


def test_latents_of_other_shards_are_refused(folders, trained, tmp_path, capsys):
    shutil.copytree(folders[0], tmp_path / "data")
    shards = sorted((tmp_path / "data" / "train").glob("*.safetensors"))
    shards[0].rename(shards[-1].with_name("zz.safetensors"))  # as many clips, in another order
    assert run("base", (tmp_path / "data", copied(trained, tmp_path)), "--steps", "3", "--batch", "2") == 2
    assert "made from other shards" in capsys.readouterr().err


@pytest.mark.parametrize("stage, message", [("vae", "another autoencoder"), ("base", "another base")])
def test_stages_that_do_not_belong_together_are_not_exported(trained, tmp_path, capsys, stage, message):
    mine = copied(trained, tmp_path)
    other_weights(mine / stage)
    assert main(["train", "export", "--folder", str(mine), "--output", str(tmp_path / "model")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "model").exists()


def test_an_adapter_does_not_go_on_upon_another_base(folders, trained, tmp_path, capsys):
    mine = copied(trained, tmp_path)
    other_weights(mine / "base")
    assert run("adapter", (folders[0], mine), "--steps", "3", "--batch", "2", "--clean", "0.5") == 2
    assert "begun with base" in capsys.readouterr().err


def test_an_export_without_adapter_does_not_keep_an_older_one(trained, tmp_path, capsys):
    mine, output = copied(trained, tmp_path), ["--output", str(tmp_path / "model")]
    assert main(["train", "export", "--folder", str(mine), *output]) == 0
    shutil.rmtree(mine / "adapter")
    assert main(["train", "export", "--folder", str(mine), *output]) == 2
    assert "this run has no adapter" in capsys.readouterr().err
    assert main(["train", "export", "--folder", str(mine), "--output", str(tmp_path / "other")]) == 0


@pytest.mark.parametrize(
    "stage, options, message",
    [
        ("adapter", ["--shift", "9"], "--shift belongs to the stage base"),
        ("adapter", ["--unordered"], "--unordered belongs to the stage base"),
        ("base", ["--clean", "0.5"], "--clean belongs to the stage adapter"),
        ("vae", ["--queries", "independent"], "--queries belongs to the stage latents"),
        ("adapter", ["--model", "tiny", "--sheet-minutes", "5"], "leave --sheet-minutes out"),
    ],
)
def test_options_that_would_do_nothing_are_refused(folders, capsys, stage, options, message):
    assert run(stage, folders, *options) == 2
    assert message in capsys.readouterr().err


def test_the_bundled_model_has_a_dry_run(tmp_path, capsys):
    assert main(["train", "adapter", "--model", "tiny", "--folder", str(tmp_path), "--dry-run"]) == 0
    assert "0.9 M trained, 3.2 M frozen" in capsys.readouterr().out


def test_sharp_clouds_need_enough_query_points():
    config = models.PRESETS["step1x-3d"].vae
    clips = {"aligned": torch.zeros(1, 2, 600, 6).numpy(), "aligned_sharp": torch.zeros(1, 2, 100, 6).numpy()}
    with pytest.raises(stages.InputError, match="100 aligned_sharp points and the model wants 512"):
        stages.prefix_slots(clips, config, 1024)
    rows = stages.prefix_slots({key: value[:, :, :64] for key, value in clips.items()}, config, 100)
    assert rows.shape == (1, 50, 1)
