"""The dry run against known figures: parameters, arithmetic and memory of the paper's configuration and of tiny."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from shapegen4d_core.errors import InputError
from shapegen4d_core.models import PRESETS, build
from shapegen4d_core.models.layers import attention_implementation
from shapegen4d_core.training.adapter import AdapterLoss, adapter_batches
from shapegen4d_core.training.bank import FrameBank
from shapegen4d_core.training.estimate import estimate, report
from shapegen4d_core.training.settings import TrainSettings
from shapegen4d_core.training.stages import BLOCKS

SETTINGS = TrainSettings(steps=1, batch=1, precision="bf16", optimizer="adamw")


@pytest.fixture(scope="module")
def paper():
    """16 frames of 1024 latents on the published sizes: the configuration of the paper's section 5.1."""
    config = PRESETS["step1x-3d"]
    config = replace(config, vae=replace(config.vae, num_latents=1024))
    return {light: estimate("adapter", config, replace(SETTINGS, checkpointing=light), BLOCKS) for light in (0, 1)}


def test_the_papers_step_costs_what_was_worked_out_by_hand(paper):
    plain = paper[0]
    assert plain.trained == 36 * 24_590_208
    dino, skipped = 16 * 1.0e12, 10e12  # image rows of the last blocks are not computed
    assert plain.forward == pytest.approx(395.8e12 + dino - skipped / 2, rel=0.02)
    assert plain.activations == pytest.approx(127e9, rel=0.1), "85 GB of added layers and 42 GB of the frozen base"


def test_checkpointing_trades_memory_for_a_second_forward_pass(paper):
    plain, light = paper[0], paper[1]
    assert light.forward == plain.forward
    assert light.step - plain.step == pytest.approx(plain.forward - 16 * 1.0e12, rel=0.03)
    assert light.activations == pytest.approx(7.1e9 + 2.4e9, rel=0.15)


def test_the_traced_arithmetic_is_that_of_a_real_pass(config, data):
    bank = FrameBank(*data, config.image_encoder)
    model = build(config)
    loss = AdapterLoss(model.adapter, model.image_encoder, model.denoiser)
    batch = adapter_batches(bank, 4.0, 0.0)(0, slice(0, 2), 2)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), attention_implementation("explicit"):
        loss(**batch)
    cost = estimate("adapter", replace(config, frames=bank.frames), replace(SETTINGS, batch=2), BLOCKS)
    assert cost.forward == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert cost.trained == sum(p.numel() for p in model.adapter.parameters())


@pytest.mark.parametrize("stage", ["vae", "base", "adapter"])
def test_every_stage_reports(stage):
    lines = report(stage, None, replace(SETTINGS, batch=2))
    assert lines[0].startswith(f"tiny, stage {stage}: micro-batch of 2") and "TFLOP forward" in lines[2]


@pytest.mark.parametrize(
    "stage, model, message",
    [("adapter", "nowhere", "step1x-3d"), ("latents", None, "use vae"), ("vae", "step1x-3d", "latents and adapter")],
)
def test_what_cannot_be_estimated_is_said(stage, model, message):
    with pytest.raises(InputError, match=message):
        report(stage, model, SETTINGS)
