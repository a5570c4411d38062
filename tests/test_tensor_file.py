"""Safetensors written piece by piece: the bytes are those of the library, and its reader opens them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load_file, save_file

from shapegen4d_core.tensor_file import Rows, write_tensors

TYPES = st.sampled_from([np.dtype(name) for name in ("float32", "int32", "int64", "uint8")])
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
TENSORS = st.dictionaries(NAMES, TYPES.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)), max_size=5)


@given(TENSORS, st.dictionaries(st.sampled_from(["kind", "na\u00efve", "\u718a"]), st.text(max_size=8), max_size=1))
def test_the_bytes_are_those_of_the_library(tmp_path_factory, tensors, metadata):
    folder = tmp_path_factory.mktemp("tensors")
    write_tensors(folder / "ours", tensors, metadata)
    save_file(tensors, folder / "theirs", metadata=metadata or None)
    assert (folder / "ours").read_bytes() == (folder / "theirs").read_bytes()


def test_rows_are_stored_as_one_array(tmp_path):
    parts = [np.arange(3 * count, dtype=np.float32).reshape(count, 3)[:, ::-1] for count in (2, 0, 5)]
    write_tensors(tmp_path / "a", {"rows": Rows(parts), "other": np.int64([7])}, {})
    read = load_file(tmp_path / "a")
    np.testing.assert_array_equal(read["rows"], np.concatenate(parts))
    assert read["other"].tolist() == [7]


def test_other_types_are_refused(tmp_path):
    with pytest.raises(ValueError, match="float16"):
        write_tensors(tmp_path / "a", {"x": np.zeros(3, np.float16)}, {})


def test_memory_does_not_grow_with_the_number_of_parts(tmp_path):
    part = np.zeros((20_000, 3), np.float32)
    peaks = []
    for count in (3, 100):
        tracemalloc.start()
        write_tensors(tmp_path / "a", {"rows": Rows([part] * count)}, {})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + part.nbytes
