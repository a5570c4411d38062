"""The loop: exact resume, micro-batches, activation checkpointing, records."""

import csv
from dataclasses import replace

import pytest
import torch

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.models import build
from shapegen4d_core.models.denoiser_blocks import DualBlock, SingleBlock
from shapegen4d_core.training.adapter import AdapterLoss, adapter_batches
from shapegen4d_core.training.bank import FrameBank
from shapegen4d_core.training.base import BaseLoss, base_batches, base_validation
from shapegen4d_core.training.loop import Stage, load_average, train
from shapegen4d_core.training.records import read_log
from shapegen4d_core.training.settings import TrainSettings
from shapegen4d_core.training.workers import Workers, recompute

SETTINGS = TrainSettings(seconds=None, steps=12, batch=4, rate=0.01, report_every=2, evaluate_every=4)


@pytest.fixture
def stage_of(config, data):
    def make(seed: int = 0) -> Stage:
        torch.manual_seed(seed)
        model = build(config, parts=("image_encoder", "denoiser"))
        bank = FrameBank(*data, config.image_encoder)
        return Stage(
            BaseLoss(model.image_encoder, model.denoiser), base_batches(bank, 4.0, 0.1), base_validation(bank, 2)
        )

    return make


class Killed(Exception):
    pass


def stopping(stage: Stage, step: int) -> Stage:
    """The stage, dying when it asks for the batch of ``step``."""

    def batches(at, rows, total):
        if at == step:
            raise Killed
        return stage.batches(at, rows, total)

    return replace(stage, batches=batches)


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_killed_run_ends_with_the_very_weights_and_curve_of_one_that_was_not(stage_of, tmp_path, optimizer):
    settings = replace(SETTINGS, optimizer=optimizer, save_seconds=0.0)
    through = weights(train(stage_of(), tmp_path / "through", settings))
    with pytest.raises(Killed):
        train(stopping(stage_of(), 8), tmp_path / "killed", settings)
    resumed = weights(train(stage_of(seed=5), tmp_path / "killed", settings))
    assert all(torch.equal(through[name], resumed[name]) for name in through)
    curves = [read_log(tmp_path / name) for name in ("through", "killed")]
    for first, second in zip(*curves, strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_a_spent_budget_is_not_spent_again_and_a_larger_one_goes_on(stage_of, tmp_path):
    first = weights(train(stage_of(), tmp_path, SETTINGS))
    again = weights(train(stage_of(seed=1), tmp_path, SETTINGS))
    assert all(torch.equal(first[name], again[name]) for name in first)
    train(stage_of(seed=1), tmp_path, replace(SETTINGS, steps=14))
    assert [row["step"] for row in read_log(tmp_path)] == [2, 4, 6, 8, 10, 12, 14, 14]


def test_the_returned_module_has_the_averaged_weights(stage_of, tmp_path):
    module = train(stage_of(), tmp_path, SETTINGS)
    stored = load_average(tmp_path, stage_of(seed=3).loss)
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in stored.state_dict().items())


def test_micro_batches_give_the_gradients_of_their_sum(stage_of, tmp_path):
    train(stage_of(), tmp_path / "once", replace(SETTINGS, steps=2, batch=8))
    train(stage_of(), tmp_path / "parts", replace(SETTINGS, steps=2, batch=2, accumulate=4))
    once, parts = (read_log(tmp_path / name)[0] for name in ("once", "parts"))
    for key in ("samples", "loss", "norm"):
        assert parts[key] == pytest.approx(once[key], rel=1e-4), key


def test_recomputed_activations_change_neither_loss_nor_gradients(config, data):
    bank, results = FrameBank(*data, config.image_encoder), []
    batch = adapter_batches(bank, 4.0, 0.0)(0, slice(0, 2), 2)
    for light in (False, True):
        torch.manual_seed(0)
        model = build(config)
        for parameter in model.adapter.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
        if light:
            recompute([model.adapter, model.denoiser], (DualBlock, SingleBlock))
        value, _ = AdapterLoss(model.adapter, model.image_encoder, model.denoiser)(**batch)
        value.backward()
        results.append((value.detach(), [p.grad for p in model.adapter.parameters()]))
    assert torch.equal(results[0][0], results[1][0])
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(results[0][1], results[1][1]))


def test_adapter_training_leaves_the_base_alone(config, data, tmp_path):
    torch.manual_seed(0)
    model = build(config)
    before, start = weights(model.denoiser), weights(model.adapter)
    loss = AdapterLoss(model.adapter, model.image_encoder, model.denoiser)
    stage = Stage(loss, adapter_batches(FrameBank(*data, config.image_encoder), 4.0, 0.1))
    train(stage, tmp_path, replace(SETTINGS, steps=3, batch=2))
    assert all(torch.equal(value, before[name]) for name, value in model.denoiser.state_dict().items())
    assert any(not torch.equal(value, start[name]) for name, value in model.adapter.state_dict().items())


def test_bfloat16_autocast_follows_float32(stage_of, tmp_path):
    runs = [train(stage_of(), tmp_path / p, replace(SETTINGS, steps=2, precision=p)) for p in ("float32", "bf16")]
    losses = [read_log(tmp_path / p)[0]["loss"] for p in ("float32", "bf16")]
    assert losses[0] != losses[1] and losses[1] == pytest.approx(losses[0], rel=0.02)
    assert all(value.dtype == torch.float32 for value in runs[1].state_dict().values())


def test_the_table_has_one_header_and_every_row_fits_it(stage_of, tmp_path):
    train(stage_of(), tmp_path, SETTINGS)
    with open(tmp_path / "log.csv", newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header[:4] == ["step", "seconds", "samples", "loss"] and {"high", "norm", "val_v1.0"} <= set(header)
    assert all(len(row) == len(header) for row in rows)
    assert [row["samples"] for row in read_log(tmp_path)[:3]] == [8, 16, 24]


def test_curves_reach_tensorboard(stage_of, tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(stage_of(), tmp_path, SETTINGS)
    events = reader.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [2, 4, 6, 8, 10, 12]
    assert events.Scalars("loss")[0].value == pytest.approx(read_log(tmp_path)[0]["loss"], rel=1e-5)


def test_an_exploding_run_stops_with_a_sentence(stage_of, tmp_path):
    stage = stage_of()
    torch.nn.init.constant_(next(stage.loss.denoiser.parameters()), float("nan"))
    with pytest.raises(InputError, match="no longer finite at step 2; lower --rate"):
        train(stage, tmp_path, SETTINGS)


def test_cancelling_keeps_the_last_checkpoint(stage_of, tmp_path):
    def check() -> None:
        if (tmp_path / "state.safetensors").exists():
            raise Cancelled

    with pytest.raises(Cancelled):
        train(stage_of(), tmp_path, replace(SETTINGS, save_seconds=0.0), check=check)
    assert 0 < len(read_log(tmp_path)) < 6 and not list(tmp_path.glob("*.tmp"))


def test_a_state_of_another_network_is_refused(stage_of, config, data, tmp_path):
    train(stage_of(), tmp_path, replace(SETTINGS, steps=1))
    model = build(config)
    loss = AdapterLoss(model.adapter, model.image_encoder, model.denoiser)
    with pytest.raises(InputError, match="belongs to another network"):
        train(Stage(loss, None), tmp_path, SETTINGS, Workers())


def test_steps_end_a_run_that_has_minutes_as_well(stage_of, tmp_path):
    train(stage_of(), tmp_path, replace(SETTINGS, seconds=600.0, steps=7))
    assert read_log(tmp_path)[-1]["samples"] == 7 * SETTINGS.batch


def test_a_bad_step_does_not_replace_the_last_good_checkpoint(stage_of, tmp_path):
    stage = stage_of()
    settings = replace(SETTINGS, save_seconds=0.0, report_every=100, evaluate_every=100)

    def batches(step, rows, total):
        batch = stage.batches(step, rows, total)
        return {**batch, "noise": batch["noise"] * float("nan")} if step == 7 else batch

    with pytest.raises(InputError, match="no longer finite"):
        train(replace(stage, batches=batches), tmp_path, settings)
    again = replace(stage_of(seed=2), batches=stage.batches)
    train(again, tmp_path, settings)
    assert all(value.isfinite().all() for value in again.loss.state_dict().values())


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"optimizer": "adamw"}, r"begun with optimizer muon \(now adamw\)"),
        ({"rate": 5e-5, "seed": 9}, r"rate .* \(now 5e-05\), seed 0 \(now 9\)"),
        ({"precision": "bf16"}, r"precision float32 \(now bf16\)"),
        ({"batch": 8}, r"begun with 4 samples in a step \(now 8\)"),
    ],
)
def test_a_run_goes_on_as_it_began_or_not_at_all(stage_of, tmp_path, changes, message):
    for steps in (6, 12):  # a finished one and one with a larger budget alike
        train(stage_of(), tmp_path, replace(SETTINGS, steps=6))
        said = (tmp_path / "settings.json").read_bytes()
        with pytest.raises(InputError, match=message):
            train(stage_of(), tmp_path, replace(SETTINGS, steps=steps, **changes))
        assert (tmp_path / "settings.json").read_bytes() == said


def test_a_run_with_other_options_is_refused(stage_of, tmp_path):
    train(replace(stage_of(), metadata={"options": {"attention": "joint"}}), tmp_path, replace(SETTINGS, steps=1))
    with pytest.raises(InputError, match="begun with options .*joint.* give the same again"):
        train(replace(stage_of(), metadata={"options": {"attention": "shape"}}), tmp_path, SETTINGS)


def test_the_samples_of_a_step_may_be_shared_out_otherwise(stage_of, tmp_path):
    train(stage_of(), tmp_path / "once", replace(SETTINGS, steps=4))
    train(stage_of(), tmp_path / "parts", replace(SETTINGS, steps=2))
    train(stage_of(seed=1), tmp_path / "parts", replace(SETTINGS, steps=4, batch=2, accumulate=2))
    samples = [read_log(tmp_path / name)[-1]["samples"] for name in ("once", "parts")]
    assert samples[0] == samples[1]


def test_what_a_finished_run_was_trained_with_stays_written(stage_of, tmp_path):
    train(stage_of(), tmp_path, replace(SETTINGS, steps=4))
    train(stage_of(), tmp_path, replace(SETTINGS, steps=2))
    assert '"steps": 4' in (tmp_path / "settings.json").read_text()


def test_a_run_stopped_between_its_last_two_files_is_completed(stage_of, tmp_path):
    module = train(stage_of(), tmp_path, replace(SETTINGS, steps=4))
    (tmp_path / "average.safetensors").unlink()
    train(stage_of(seed=3), tmp_path, replace(SETTINGS, steps=4))
    stored = load_average(tmp_path, stage_of(seed=5).loss)
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in stored.state_dict().items())


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"seconds": None, "steps": None}, "no end"),
        ({"optimizer": "sgd"}, "muon, adamw"),
        ({"precision": "fp8"}, "float32, bf16"),
        ({"parallel": "fsdp"}, "--optimizer adamw"),
        ({"parallel": "fsdp", "optimizer": "adamw", "compile": True}, "--parallel ddp only"),
        ({"accumulate": 0}, "at least 1"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        replace(SETTINGS, **changes)
