"""Blender imports every file and shows the meshes that were written, at the times they were written for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.clients.blender import ABSENT, ask_blender, blender_command
from tests.clients.cases import TOLERANCE, cases, write_all
from tests.clients.seen import largest_camera_error, largest_error, largest_uv_error

CASES = [case for case in cases() if "Blender" in case.programs]
NAMES = [case.name for case in CASES]


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Every case by name: what was written and what Blender shows of it."""
    command, folder = blender_command(), tmp_path_factory.mktemp("blender")
    if command is None:
        pytest.skip(ABSENT)
    written = write_all(folder, CASES)
    return {entry.case.name: (entry, seen) for entry, seen in zip(written, ask_blender(command, written, folder))}


@pytest.fixture
def shown(everything, request):
    """The same; skips a case that could not be written."""
    name = request.node.callspec.params["name"] if hasattr(request.node, "callspec") else NAMES[0]
    missing = next(case.missing for case in CASES if case.name == name)
    if missing:
        pytest.skip(missing)
    return everything


@pytest.mark.parametrize("name", NAMES)
def test_positions_at_three_times(shown, name):
    entry, seen = shown[name]
    assert "error" not in seen.facts, seen.facts.get("error")
    assert largest_error(entry, seen) < TOLERANCE


@pytest.mark.parametrize("name", [case.name for case in CASES if case.opens == "glb"])
def test_keys_of_a_glb_span_the_clip(shown, name):
    """Blender turns the seconds of a glTF animation into frames of the scene's rate, set before the import."""
    entry, seen = shown[name]
    assert seen.facts["action_range"] == pytest.approx([0, entry.duration * seen.facts["fps"]], abs=1e-3)


@pytest.mark.parametrize("name", [case.name for case in CASES if case.cameras])
def test_the_camera_moves_as_it_did(shown, name):
    assert largest_camera_error(*shown[name]) < 1e-5


@pytest.mark.parametrize("name", [case.name for case in CASES if case.opens == "usd"])
def test_range_of_a_stage(shown, name):
    """Blender sets the scene's first and last frame by the stage; its rate is left to the user."""
    entry, seen = shown[name]
    assert seen.facts["scene_range"] == [0, entry.sequence.frame_count - 1]


@pytest.mark.parametrize("name", NAMES)
def test_names_texture_and_coordinates(shown, name):
    entry, seen = shown[name]
    assert any(found.startswith(entry.case.label) for found in seen.facts["names"])
    if entry.sequence.uv is not None:
        assert largest_uv_error(entry, seen) < 2e-5
    if entry.sequence.texture is not None and entry.case.texture:
        np.testing.assert_array_equal(seen.texture[..., :3], entry.sequence.texture)


def test_a_late_frame_would_be_seen(shown):
    """The comparison is as sharp as it looks: against the frame before, it fails."""
    entry, seen = shown[NAMES[0]]
    late = [seen.positions[0], *seen.positions[:2]]
    assert largest_error(entry, type(seen)(late, seen.corners, seen.uv, seen.facts)) > 100 * TOLERANCE
