"""Memory of encoding a clip: the estimate against the counted peak, and half of the frames when it runs out."""

import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.models import PRESETS, build
from shapegen4d_core.models.encoding import encode_clip, encoding_bytes
from shapegen4d_core.sequence import Clip
from tests.tools.peak import peak_bytes


@pytest.mark.parametrize("preset, frames, dtype, slack", [
    ("step1x-3d", 4, torch.bfloat16, 1.15), ("step1x-3d", 1, torch.float32, 1.2),
    ("step1x-3d-label", 2, torch.float16, 1.35), ("tiny", 8, torch.float32, 2.0),
])  # fmt: skip
def test_the_estimate_covers_the_peak(preset, frames, dtype, slack):
    encoder = build(PRESETS[preset], dtype=dtype, device="meta", parts=("image_encoder",)).image_encoder
    config = encoder.config
    pixels = [torch.empty(frames, config.in_channels, config.image_size, config.image_size, device="meta")]
    if config.clip is not None:
        pixels.append(torch.empty(frames, 3, 224, 224, device="meta"))
    peak = peak_bytes(lambda: encoder.tokens(*pixels))
    assert peak <= encoding_bytes(config, frames, dtype.itemsize) <= slack * peak


def clip():
    return Clip(torch.rand(5, 84, 84, 4, generator=torch.Generator().manual_seed(0)), 8.0)


@pytest.fixture
def encoder():
    return build(PRESETS["tiny"], parts=("image_encoder",)).image_encoder.eval()


def fail_above(encoder, limit):
    def hook(module, given):
        if len(given[0]) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    encoder.dino_model.register_forward_pre_hook(hook)


def test_frames_are_halved_when_memory_runs_out(encoder):
    whole = encode_clip(encoder, clip(), "tiny", frames_at_once=4).tokens
    fail_above(encoder, 2)
    with pytest.warns(UserWarning, match="going on with 2 frames at once"):
        halved = encode_clip(encoder, clip(), "tiny", frames_at_once=4).tokens
    torch.testing.assert_close(halved, whole, atol=1e-5, rtol=1e-5)


def test_the_setting_is_named_when_half_is_too_much(encoder):
    fail_above(encoder, 0)
    with pytest.warns(UserWarning), pytest.raises(InputError, match="with 2 frames at once; set frames_at_once to 1"):
        encode_clip(encoder, clip(), "tiny", frames_at_once=4)
