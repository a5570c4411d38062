"""Two CPU processes against one: the same gradients as one process with twice the batch, and exact resume."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("accelerate")

from two_processes import SETTINGS, gradients, stage_of  # noqa: E402

from shapegen4d_core.training.loop import train  # noqa: E402
from shapegen4d_core.training.records import read_log  # noqa: E402
from shapegen4d_core.training.workers import Workers  # noqa: E402

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent.parent)}
    done = subprocess.run(
        [*command, str(HERE / "two_processes.py"), str(folder)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_give_the_gradients_of_one_with_twice_the_batch(folder, config, data, parallel):
    expected = gradients(stage_of(config, data), replace(SETTINGS, batch=4), Workers())
    found = load_file(folder / f"{parallel}.safetensors")
    assert found.keys() == expected.keys()
    worst = max(float((found[name] - value).abs().max()) for name, value in expected.items())
    assert worst < 1e-5


def test_split_weights_are_whole_when_they_are_judged(folder):
    last = [read_log(folder / parallel)[-1] for parallel in ("ddp", "fsdp")]
    assert last[0]["val_v0.6"] == pytest.approx(last[1]["val_v0.6"], rel=1e-3)
    drawn = [float((folder / parallel / "sheets" / "step-000007.png").read_text()) for parallel in ("ddp", "fsdp")]
    assert drawn[0] == pytest.approx(drawn[1], rel=1e-3)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_begin_with_given_weights(folder, parallel):
    given, after = (load_file(folder / name / "average.safetensors") for name in (parallel, f"{parallel}-started"))
    assert all(torch.allclose(after[name], value, atol=1e-6) for name, value in given.items())


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_train_like_one_and_resume_exactly(folder, config, data, parallel, tmp_path):
    alone = train(stage_of(config, data), tmp_path, replace(SETTINGS, batch=4)).state_dict()
    through, resumed = (load_file(folder / name / "state.safetensors") for name in (parallel, f"{parallel}-resumed"))
    averaged = load_file(folder / parallel / "average.safetensors")
    assert all(torch.allclose(averaged[name], value, atol=1e-3) for name, value in alone.items())
    assert any("exp_avg" in name for name in through) and through.keys() == resumed.keys()
    assert all(torch.equal(value, resumed[name]) for name, value in through.items())
