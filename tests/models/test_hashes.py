"""Results say which weights made them: SHA-256 of the files, as published."""

from __future__ import annotations

import hashlib
import os

import torch

from shapegen4d_core import models
from shapegen4d_core.models import hashes
from shapegen4d_core.pipeline import sample_latents, sampler_settings
from shapegen4d_core.sequence import ImageTokens


def test_sums_are_those_of_the_whole_files(tmp_path):
    folder = tmp_path / "vae"
    folder.mkdir()
    contents = {"a.safetensors": b"", "b.safetensors": os.urandom(hashes._BLOCK + 17)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    expected = {f"vae/{name}": hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    assert hashes.file_hashes(sorted(folder.iterdir())) == expected


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path, monkeypatch):
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"one")
    before = hashes.file_hashes([file])
    with monkeypatch.context() as patch:
        patch.setattr(hashes.hashlib, "sha256", None)  # would raise when called
        assert hashes.file_hashes([file]) == before
    file.write_bytes(b"other")
    assert hashes.file_hashes([file]) != before


def test_latents_carry_model_weights_and_settings():
    model = models.load("tiny")
    folders = {name.partition("/")[0] for name in model.weights}
    assert {"transformer", "vae", "visual_encoder"} <= folders
    encoder = model.config.image_encoder
    tokens = ImageTokens(torch.zeros(2, 5, encoder.hidden_size), 8.0, "clip", model.name)
    latents = sample_latents(model, tokens, sampler_settings(model, seed=7, steps=1), adapter_strength=0.5)
    assert latents.settings["weights"] == model.weights and latents.settings["model"] == "tiny"
    assert latents.settings["seed"] == 7 and latents.settings["adapter_strength"] == 0.5


def test_networks_with_fresh_weights_claim_no_file():
    assert models.build("tiny", device="meta").weights == {}
