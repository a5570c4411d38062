"""Model folders that cannot be used: everything wrong with a file in one message, and what is never read."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from shapegen4d_core import models
from shapegen4d_core.errors import InputError

VAE_FILE = "vae/diffusion_pytorch_model.safetensors"
DENOISER_FILE = "transformer/diffusion_pytorch_model.safetensors"


def rewrite(path, change):
    tensors = load_file(path)
    save_file(change(tensors) or tensors, path)


def test_every_mismatch_of_a_file_is_in_one_message(folder):
    def damage(tensors):
        tensors["encoder.extra.weight"] = torch.zeros(3)
        del tensors["pre_kl.bias"], tensors["decoder.output_proj.weight"]
        tensors["post_kl.weight"] = torch.zeros(5, 7)
        tensors["post_kl.bias"] = torch.zeros(16, dtype=torch.int32)

    rewrite(folder / VAE_FILE, damage)
    with pytest.raises(InputError) as caught:
        models.load(folder)
    message = str(caught.value)
    for expected in (
        VAE_FILE.split("/")[1],
        "missing: pre_kl.bias [8]",
        "missing: decoder.output_proj.weight [1, 16]",
        "not part of the network: encoder.extra.weight [3]",
        "post_kl.weight is [5, 7], the configuration needs [16, 4]",
        "post_kl.bias is I32",
    ):
        assert expected in message
    assert message.count("; ") == 5 and "\n" not in message


def test_a_tensor_stored_under_two_names_is_reported(folder):
    rewrite(folder / VAE_FILE, lambda t: {**t, "shape_model.pre_kl.bias": t["pre_kl.bias"].clone()})
    with pytest.raises(InputError, match="stored twice: pre_kl.bias"):
        models.load(folder)


@pytest.mark.parametrize("suffix", ["bin", "ckpt", "pt", "pth", "pkl"])
def test_pickled_weights_are_refused_unopened(folder, tmp_path, suffix):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (folder / VAE_FILE).unlink()
    path = folder / "vae" / f"diffusion_pytorch_model.{suffix}"
    path.write_bytes(pickle.dumps(Trap()))
    for attempt in (lambda: models.load(folder), lambda: models.load_vae(path), lambda: models.info(folder)):
        with pytest.raises(InputError, match=rf"{suffix} file.*convert it to .safetensors"):
            attempt()
    assert not (tmp_path / "sprung").exists()


def test_pickled_weights_under_another_name_are_refused(folder, tmp_path):
    (folder / VAE_FILE).write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match="not a readable safetensors file") as caught:
        models.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, bytes(range(256)) * 40, b"\x10" + b"\x00" * 7 + b"{" * 16])
def test_damaged_files_give_one_sentence(folder, content):
    (folder / DENOISER_FILE).write_bytes(content)
    with pytest.raises(InputError, match="not a readable safetensors file") as caught:
        models.load(folder)
    assert "\n" not in str(caught.value)


def test_half_a_file_gives_one_sentence(folder):
    path = folder / DENOISER_FILE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a readable safetensors file"):
        models.load(folder)


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"width": 16, "depth_of_water": 3}', '{"qk_norm": true}'])
def test_damaged_and_unknown_configurations(folder, text):
    (folder / "vae" / "config.json").write_text(text)
    with pytest.raises(InputError, match="JSON|depth_of_water|qk_norm"):
        models.load(folder)


def test_missing_things_are_named(folder, tmp_path):
    with pytest.raises(InputError, match="nowhere.*tiny"):
        models.load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="give the model folder"):
        models.load(folder / VAE_FILE)
    with pytest.raises(InputError, match=r"transformer/.*models in small"):
        models.load(tmp_path)
    (folder / VAE_FILE).unlink()
    with pytest.raises(InputError, match="holds no .safetensors file"):
        models.load(folder)
    (folder / "vae" / "config.json").unlink()
    (folder / "vae").rmdir()
    with pytest.raises(InputError, match=r"lacks vae \(vae\)"):
        models.load(folder)


def test_missing_shard_and_shard_outside_the_folder(bundle, tmp_path):
    models.save(bundle, tmp_path, torch.float32, max_shard_bytes=4096)
    shards = sorted((tmp_path / "vae").glob("*-of-*.safetensors"))
    shards[1].unlink()
    with pytest.raises(InputError, match=f"lacks the shards {shards[1].name}"):
        models.load(tmp_path)
    index = next((tmp_path / "vae").glob("*.index.json"))
    index.write_text(json.dumps({"weight_map": {"pre_kl.bias": "../transformer/x.safetensors"}}))
    with pytest.raises(InputError, match="beside the index"):
        models.load(tmp_path)


def test_several_weight_files_of_unusual_names(folder):
    path = folder / VAE_FILE
    path.rename(path.with_name("one.safetensors"))
    assert models.load(folder).vae is not None
    save_file({"a": torch.zeros(1)}, path.with_name("two.safetensors"))
    with pytest.raises(InputError, match="one.safetensors, two.safetensors"):
        models.load(folder)


def test_parts_that_do_not_belong_together(bundle, folder, small):
    other = models.build(replace(small, vae=replace(small.vae, embed_dim=8)), parts=["vae"])
    models.save(other, folder, torch.float32)
    with pytest.raises(InputError, match="vae.embed_dim is 8 but denoiser.input_channels is 4"):
        models.load(folder)


def test_values_that_overflow_are_not_saved(bundle, tmp_path, small):
    broken = models.build(small, parts=["vae"])
    with torch.no_grad():
        broken.vae.pre_kl.bias[0] = 1e6
    with pytest.raises(InputError, match="pre_kl.bias"):
        models.save(broken, tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_configuration_that_shapes_do_not_show_must_be_given(bundle, small):
    with pytest.raises(InputError, match="16 wide.*give its configuration"):
        models.load_vae(bundle.vae.state_dict())
    with pytest.raises(InputError, match="spatiotemporal.json"):
        models.load_adapter(bundle.adapter.state_dict())
    with pytest.raises(InputError, match="not the weights of the denoiser"):
        models.load_denoiser(bundle.vae.state_dict())
    assert models.load_denoiser(bundle.denoiser.state_dict()).config == small.denoiser


def test_settings_with_unknown_fields_are_refused(folder):
    (folder / "shapegen4d.json").write_text(json.dumps({"frame": "view", "colour": "blue"}))
    with pytest.raises(InputError, match="colour"):
        models.load(folder)


@pytest.mark.parametrize("labels", [False, True])
def test_incomplete_published_folder_names_file_size_and_place(folder, labels):
    """A download that was interrupted: the index is there, and some of the files it names."""
    label_encoder = ["m", "LabelEncoder"] if labels else [None, None]
    index = {"_class_name": "Step1X3DGeometryPipeline", "label_encoder": label_encoder}
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / VAE_FILE).unlink()
    model = "Step1X-3D-Geometry-Label-1300m" if labels else "Step1X-3D-Geometry-1300m"
    lacking = r"lacks vae/diffusion_pytorch_model.safetensors \(766.4 MB\)"
    lacking += r", label_encoder/diffusion_pytorch_model.safetensors \(33 kB\)" if labels else ""
    ending = f"{lacking}; download what is missing from the folder {model} of https://huggingface.co/stepfun-ai/Step1X-3D"
    for attempt in (models.load, models.info):
        with pytest.raises(InputError, match=ending) as caught:
            attempt(folder)
        assert "\n" not in str(caught.value)
    assert models.load(folder, parts=["denoiser"]).denoiser is not None
    for part in ("transformer", "vae", "visual_encoder"):
        shutil.rmtree(folder / part)
    with pytest.raises(InputError, match=r"transformer/diffusion_pytorch_model.safetensors \(5\.[13] GB\)"):
        models.load(folder)


def test_published_folder_is_known_by_its_name_too(folder):
    (folder / "model_index.json").unlink()
    shutil.rmtree(folder / "visual_encoder")
    renamed = folder.rename(folder.with_name("Step1X-3D-Geometry-1300m"))
    with pytest.raises(InputError, match=r"lacks visual_encoder/diffusion_pytorch_model.safetensors \(1.2 GB\)"):
        models.load(renamed)
