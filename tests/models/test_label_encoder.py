"""Label tokens beyond the golden data."""

from __future__ import annotations

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.models import LabelEncoder, LabelEncoderConfig


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return LabelEncoder(LabelEncoderConfig(8)).requires_grad_(False)


def test_each_label_selects_its_row(encoder):
    tokens = encoder({"symmetry": "x", "geometry_type": "smooth"})
    assert tokens.shape == (1, 3, 8)
    assert torch.equal(tokens[0, 0], encoder.embedding_table_tpose.weight[0])
    assert torch.equal(tokens[0, 1], encoder.embedding_table_symmetry_type.weight[1])
    assert torch.equal(tokens[0, 2], encoder.embedding_table_geometry_quality.weight[1])
    assert torch.equal(tokens, encoder({"symmetry": "x", "geometry_type": ["smooth"]}))


def test_empty_labels_are_zero_tokens(encoder):
    tokens = encoder({"pose": "", "symmetry": None, "geometry_type": []})
    assert not tokens.any() and not encoder(None).any()


def test_a_pose_reads_the_symmetry_table_as_released(encoder):
    assert torch.equal(encoder({"pose": "t-pose"})[0, 0], encoder.embedding_table_symmetry_type.weight[1])
    with pytest.raises(InputError, match="a-pose.*unknown, t-pose"):
        encoder({"pose": "a-pose"})


@pytest.mark.parametrize("labels, words", [
    ({"symmetry": "round"}, "symmetry is 'round'.*asymmetry, y, z, x"), ({"mood": "good"}, "mood")
])  # fmt: skip
def test_unknown_labels(encoder, labels, words):
    with pytest.raises(InputError, match=words):
        encoder(labels)
