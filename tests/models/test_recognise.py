"""What a single file is: the published ones by their tensors, ours by their header, everything else by a sentence."""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from shapegen4d_core import published
from shapegen4d_core.errors import InputError
from shapegen4d_core.models import PRESETS, recognise
from shapegen4d_core.models.parts import PARTS
from shapegen4d_core.models.weights import WithoutInit, matched_names, open_weights
from tests.models.sparse import write_sparse

REFERENCE = Path(__file__).resolve().parent.parent / "reference"
MANIFESTS = [
    ("transformer", "step1x-3d", "denoiser"), ("transformer_label", "step1x-3d-label", "denoiser"),
    ("visual_encoder", "step1x-3d", "image_encoder"), ("visual_encoder_label", "step1x-3d-label", "image_encoder"),
    ("vae", "step1x-3d", "vae"),
    ("label_encoder", "step1x-3d-label", "label_encoder"),
]  # fmt: skip
FILES = {
    "denoiser": "transformer/diffusion_pytorch_model.safetensors", "vae": "vae/diffusion_pytorch_model.safetensors",
    "image_encoder": "visual_encoder/diffusion_pytorch_model.safetensors", "adapter": "spatiotemporal.safetensors",
}  # fmt: skip


def manifest(name):
    return json.loads((REFERENCE / f"{name}.manifest.json").read_text(encoding="utf-8"))


def recognised(key, path):
    return recognise.recognised_config(key, open_weights(path))


@pytest.mark.parametrize("name, preset, key", MANIFESTS)
def test_published_files_are_recognised_and_fit(tmp_path, name, preset, key):
    path = write_sparse(tmp_path / "any name.safetensors", manifest(name)["tensors"])
    sizes = [file.size for file in published.FILES if file.part == key]
    assert path.stat().st_size in sizes  # the header as published
    start = time.perf_counter()
    config = recognised(key, path)
    assert time.perf_counter() - start < 2  # gigabytes that are not read
    assert config == getattr(PRESETS[preset], key)
    part = PARTS[key]
    with WithoutInit():
        network = part.network(config, dtype=torch.float32, device="meta")
    assert matched_names(network, open_weights(path), part.what, part.rename, part.unused)


def test_encoder_as_its_makers_publish_it(tmp_path):
    tensors = manifest("visual_encoder")["tensors"]
    plain = {name.removeprefix("dino_model."): shape for name, shape in tensors.items()}
    path = write_sparse(tmp_path / "model.safetensors", plain)
    assert recognised("image_encoder", path) == PRESETS["step1x-3d"].image_encoder


def test_table_of_published_files_is_that_of_the_manifests():
    listed = {}
    for path in REFERENCE.glob("*.manifest.json"):
        for file in json.loads(path.read_text(encoding="utf-8"))["published_files"]:
            assert (file["repository"], file["revision"]) == (published.REPOSITORY, published.REVISION)
            listed[file["path"]] = (file["bytes"], file["sha256"])
    assert {file.path: (file.size, file.sha256) for file in published.FILES} == listed
    assert {key: PARTS[key].folder for key in published.FOLDERS} == published.FOLDERS
    names = {file.name for file in published.FILES}
    assert len(names) == len(published.FILES) and all(name.endswith(".safetensors") for name in names)
    assert published.by_hash(published.FILES[3].sha256) is published.FILES[3] and published.by_hash("0") is None


def test_our_files_carry_their_configuration_even_beside_one_of_others(folder, small):
    for path in folder.rglob("*.json"):
        path.write_text('{"_class_name": "AutoencoderKL", "act_fn": "silu"}')
    for key, place in FILES.items():
        assert recognised(key, folder / place) == getattr(small, key), key


def test_configuration_beside_counts_only_for_the_published_name(folder, small):
    path = folder / FILES["vae"]
    save_file(load_file(path), path)  # without our header
    assert recognised("vae", path) == small.vae
    renamed = path.rename(path.with_name("mine.safetensors"))
    with pytest.raises(InputError, match=r"mine.safetensors cannot be used.*16 wide.*config.json"):
        recognised("vae", renamed)


@pytest.mark.parametrize("key", FILES)
def test_parts_in_each_others_place(folder, key):
    for other, place in FILES.items():
        if other != key:
            expected = f"is the {PARTS[other].what} of a model, not the {PARTS[key].what}; "
            with pytest.raises(InputError, match=expected) as caught:
                recognised(key, folder / place)
            assert "\n" not in str(caught.value)


STRANGERS = {
    "a Stable Diffusion checkpoint": ["model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.x"],
    "a checkpoint of an image or video model": ["model.diffusion_model.double_blocks.0.img_attn.qkv.weight"],
    "a Flux model": ["double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight"],
    "a LoRA": ["lora_unet_down_blocks_0.lora_up.weight", "lora_unet_down_blocks_0.lora_down.weight"],
    "a language model": ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight"],
    "a T5 text encoder": ["shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"],
    "a transformer for other pictures, videos or text": ["blocks.0.self_attn.q.weight", "head.head.weight"],
    "an autoencoder of pictures or videos": ["encoder.conv_in.weight", "decoder.conv_in.weight"],
    "a CLIP vision model": ["vision_model.embeddings.class_embedding", "visual_projection.weight"],
    "a CLIP text encoder": ["text_model.encoder.layers.0.mlp.fc1.weight"],
    "an image model other than DINOv2 with registers": ["embeddings.cls_token", "layernorm.weight"],
    r"a file of other tensors \(such as a.weight\)": ["b.weight", "a.weight"],
    "a file without tensors": [],
}  # fmt: skip


@pytest.mark.parametrize("what", STRANGERS)
def test_strangers_are_named_and_the_right_file_too(tmp_path, what):
    path = write_sparse(tmp_path / "x.safetensors", dict.fromkeys(STRANGERS[what], (4, 4)))
    for key, part in PARTS.items():
        with pytest.raises(InputError, match=f"x.safetensors is {what}, not the {part.what}; .*\\.$") as caught:
            recognised(key, path)
        assert "\n" not in str(caught.value)
        assert FILES.get(key, "label_encoder/diffusion_pytorch_model.safetensors") in str(caught.value)


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("sprung",))


DAMAGED = {
    "": [b"", os.urandom(4 << 20), b"\xff" * 8 + b"{}", (99 << 20).to_bytes(8, "little") + b"{" * 999],
    " but seems to be a pickled file under another name": [pickle.dumps(Trap()), b"PK\x03\x04" + bytes(99)],
    " but seems to be a web page that was saved in its place": [b"<!DOCTYPE html><html></html>"],
    " but seems to be the pointer that git leaves when large files are not fetched": [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    ],
}


@pytest.mark.parametrize("guess", DAMAGED)
def test_damaged_files_give_one_sentence_at_once(tmp_path, monkeypatch, guess):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.safetensors"
    for content in DAMAGED[guess]:
        path.write_bytes(content)
        start = time.perf_counter()
        with pytest.raises(InputError) as caught:
            recognised("denoiser", path)
        assert str(caught.value) == f"{path} is not a readable safetensors file{guess}; download or save it again."
        assert time.perf_counter() - start < 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


def test_truncated_published_file(tmp_path):
    path = write_sparse(tmp_path / "x.safetensors", manifest("transformer")["tensors"])
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(InputError, match="not a readable safetensors file; download"):
        recognised("denoiser", path)


@pytest.mark.parametrize("config", ["{", "[1]", '{"width": 16, "colour": 3}', '{"width": "two"}', '{"heads": 0}'])
@pytest.mark.parametrize("key, name", [("denoiser", "transformer"), ("vae", "vae")])
def test_damaged_configuration_in_a_header(tmp_path, config, key, name):
    metadata = {"format": "pt", "config": config}
    path = write_sparse(tmp_path / "x.safetensors", manifest(name)["tensors"], metadata)
    with pytest.raises(InputError, match="x.safetensors.*(damaged|colour|two|heads)") as caught:
        recognised(key, path)
    assert str(caught.value).count("x.safetensors") == 1


def test_split_configuration_without_a_half(tmp_path):
    shapes = manifest("visual_encoder")["tensors"]
    path = write_sparse(tmp_path / "x.safetensors", shapes, {"format": "pt", "config": '{"encoder": {}}'})
    with pytest.raises(InputError, match="x.safetensors cannot be used: its configuration is damaged"):
        recognised("image_encoder", path)


@pytest.mark.parametrize("key, name, tensor", [
    ("denoiser", "transformer", "dit_model.proj_cross_attention.weight"), ("vae", "vae", "encoder.input_proj.weight"),
    ("image_encoder", "visual_encoder", "dino_model.embeddings.register_tokens"),
])  # fmt: skip
def test_shapes_that_no_network_has_are_one_sentence(tmp_path, key, name, tensor):
    shapes = {**manifest(name)["tensors"], tensor: (4,)}
    with pytest.raises(InputError, match="x.safetensors has tensors of shapes that no .* has"):
        recognised(key, write_sparse(tmp_path / "x.safetensors", shapes))


def test_a_shard_stands_for_all_of_them(tmp_path):
    first = tmp_path / "d-00001-of-00002.safetensors"
    assert recognise.whole(first) == first
    index = tmp_path / "d.safetensors.index.json"
    index.write_text("{}")
    assert recognise.whole(first) == index and recognise.whole(tmp_path / "e.safetensors").name == "e.safetensors"
