"""Reading weights: the same values as the library's, followed, cancelled, and without a second copy in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from shapegen4d_core import models
from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.models import hashes
from shapegen4d_core.models import tensor_reader as reader
from shapegen4d_core.models.weights import open_weights

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
         torch.uint8, torch.bool]  # fmt: skip


@pytest.fixture
def mixed(tmp_path):
    """A file with every type, a tensor above the size of a block, a scalar and an empty one."""
    torch.manual_seed(0)
    tensors = {str(kind): (torch.randn(7, 5) * 9).to(kind) for kind in TYPES}
    tensors |= {"large": torch.randn(3, 700_001), "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4)}
    save_file(tensors, tmp_path / "mixed.safetensors", metadata={"format": "pt"})
    return tmp_path / "mixed.safetensors"


def test_values_are_those_of_the_library(mixed):
    expected = load_file(mixed)
    counts = []
    found = dict(reader.stream_tensors(mixed, advance=counts.append))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
    assert sum(counts) == mixed.stat().st_size and max(counts) == reader.BLOCK_BYTES


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_values_are_cast_as_torch_casts_them(mixed, kind):
    counts = []
    wanted = dict.fromkeys(["large", "scalar", "empty", "torch.bfloat16", "torch.float64"], kind)
    found = dict(reader.stream_tensors(mixed, wanted, counts.append))
    assert found.keys() == wanted.keys() and sum(counts) == mixed.stat().st_size
    for name, tensor in found.items():
        assert tensor.dtype == kind and torch.equal(tensor, load_file(mixed)[name].to(kind)), name


def test_file_that_shrinks_and_types_that_torch_lacks(mixed, monkeypatch):
    weights = open_weights(mixed)
    with monkeypatch.context() as patch:
        patch.delitem(reader._TYPES, "I16")
        with pytest.raises(InputError, match="stores torch.int16 as I16; read are F64"):
            dict(weights.read())
    mixed.write_bytes(mixed.read_bytes()[:-10])
    with pytest.raises(InputError, match="could not be read to its end"):
        dict(weights.read())
    mixed.unlink()
    with pytest.raises(InputError, match="could not be read to its end"):
        dict(weights.read())


def test_progress_goes_to_the_bytes_of_reading_and_summing(folder, monkeypatch):
    monkeypatch.setattr(hashes, "_known", {})
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    for steps in ([], []):  # the second time the sums are known
        models.load(folder, progress=lambda step, total, preview=None, steps=steps: steps.append((step, total)))
        assert steps == sorted(steps) and len(steps) > 20
        assert {total for _, total in steps} == {2 * size} and steps[-1][0] == 2 * size


def test_loading_is_cancelled_at_every_block(folder, monkeypatch):
    polls = []
    monkeypatch.setattr(hashes, "_known", {})
    models.load(folder, check=lambda: polls.append(len(hashes._known)))
    assert {polls.count(known) >= 3 for known in range(4)} == {True}  # reading and summing each of the four files
    for allowed in range(0, len(polls), 5):
        monkeypatch.setattr(hashes, "_known", {})
        left = iter(range(allowed))

        def check(left=left):
            if next(left, None) is None:
                raise Cancelled

        with pytest.raises(Cancelled):
            models.load(folder, check=check)


def test_nothing_is_read_unless_all_parts_fit(folder):
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"  # read after the two others
    save_file({**load_file(path), "more": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not part of the network: more"):
        models.load(folder, check=lambda: pytest.fail("something was read"))


PEAK = """
import re, sys, torch
from pathlib import Path
from shapegen4d_core import models

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

models.load("tiny", dtype=torch.bfloat16)  # whatever comes with the first call
before = peak()
loaded = models.load_denoiser(sys.argv[1], dtype=getattr(torch, sys.argv[2]))
print((peak() - before) / sum(tensor.nbytes for tensor in loaded.state_dict().values()))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux, to see the peak of a process")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_no_second_copy_is_held(tmp_path, dtype):
    config = models.DenoiserConfig(width=1024, num_heads=16, layers=1, num_single_layers=1)
    denoiser = models.Denoiser(config)
    save_file(denoiser.state_dict(), tmp_path / "d.safetensors")
    command = [sys.executable, "-c", PEAK, tmp_path / "d.safetensors", dtype]
    share = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert 0.9 < share < 1.2
