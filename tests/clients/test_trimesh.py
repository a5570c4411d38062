"""trimesh opens the files of a folder and finds the mesh of that frame, with its texture where it reads one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.clients.cases import cases, write_all
from tests.clients.seen import largest_error, largest_uv_error
from tests.clients.statics import ask_trimesh

CASES = [case for case in cases() if "trimesh" in case.programs]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_frames_are_found_exactly(tmp_path, case):
    (written,) = write_all(tmp_path, [case])
    (seen,) = ask_trimesh([written], tmp_path)
    assert len(list(written.path.glob(f"*.{case.opens.split()[-1]}"))) == written.sequence.frame_count
    assert largest_error(written, seen) == 0
    if written.sequence.uv is not None:
        assert largest_uv_error(written, seen) < 1e-6
    if written.sequence.texture is not None and case.texture:
        np.testing.assert_array_equal(seen.texture[..., :3], written.sequence.texture)
