"""Label tokens against golden/label_encoder: exact."""

from __future__ import annotations

import torch

from shapegen4d_core.models import load_label_encoder


def test_label_tokens(golden):
    data = golden("label_encoder")
    sizes = {name: value for name, value in data.config.items() if name != "cases"}
    encoder = load_label_encoder(data.folder / "weights.safetensors", sizes)
    assert data.config["cases"]
    for number, labels in enumerate(data.config["cases"]):
        assert torch.equal(encoder(labels), data.io[f"embeds_{number}"]), labels
    assert torch.equal(encoder(None), data.io["empty_label_embeds"])
