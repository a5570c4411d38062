"""three.js in a headless browser plays every GLB: positions, screenshots, length, texture, and no complaint."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from shapegen4d_core.rendering import Raster, opencv_camera, rasterise
from tests.clients.cases import TOLERANCE, Written, cases, first_frames, write_all
from tests.clients.seen import largest_camera_error, largest_error, largest_uv_error
from tests.clients.three import CHROMIUM_ABSENT, THREE_ABSENT, VIEW, ask_three, chromium, three_folder

CASES = [case for case in cases() if "three.js" in case.programs]
NAMES = [case.name for case in CASES]
STAGES = first_frames("three.js, frame 1")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Every case by name: what was written and what three.js shows of it."""
    folder, browser, scratch = three_folder(), chromium(), tmp_path_factory.mktemp("three")
    if folder is None or browser is None:
        pytest.skip(CHROMIUM_ABSENT if folder else THREE_ABSENT)
    written = write_all(scratch, CASES + STAGES)
    seen = ask_three(folder, browser, written, scratch)
    return {entry.case.name: (entry, found) for entry, found in zip(written, seen)}


def drawn(written: Written, seconds: float) -> Raster:
    """The meshes as they should be at a time, drawn by our own rasteriser."""
    vertices, faces = (torch.from_numpy(values) for values in written.expected(seconds))
    return rasterise(vertices, faces, *opencv_camera(VIEW), (VIEW.height, VIEW.width), backend="torch")


@pytest.mark.parametrize("name", NAMES)
def test_positions_at_three_times(shown, name):
    entry, seen = shown[name]
    assert "error" not in seen.facts, seen.facts.get("error")
    assert largest_error(entry, seen) < TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_screenshots_show_the_frames_and_differ(shown, name):
    """The pixels it covers are ours but for those whose centre lies on an edge, and change with the meshes."""
    entry, seen = shown[name]
    expected = [(drawn(entry, seconds).face_id >= 0).numpy() for seconds in entry.seconds]
    covered = [screenshot[..., 3] > 0 for screenshot in seen.screenshots]
    for own, theirs in zip(expected, covered):
        assert (own ^ theirs).sum() <= 0.002 * own.sum()
    pairs = list(combinations(range(3), 2))
    differ = [(expected[first] ^ expected[second]).sum() > 0.05 * expected[first].sum() for first, second in pairs]
    seen_to = [(covered[first] ^ covered[second]).sum() > 0.04 * covered[first].sum() for first, second in pairs]
    assert sum(differ) >= 2  # a loop ends where it began
    assert all(found for found, should in zip(seen_to, differ) if should)


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals [V,3], mean of the faces around by area, with vertices in one place taken as one."""
    _, place = np.unique(vertices, axis=0, return_inverse=True)
    first, second, third = (vertices[faces[:, corner]] for corner in range(3))
    sums = np.zeros((place.max() + 1, 3))
    for corner in range(3):
        np.add.at(sums, place.reshape(-1)[faces[:, corner]], np.cross(second - first, third - first))
    return (sums / np.linalg.norm(sums, axis=1, keepdims=True))[place.reshape(-1)]


@pytest.mark.parametrize("name", [case.name for case in CASES if case.shaded])
def test_light_falls_on_the_surface_of_each_frame(shown, name):
    """Normals that three.js draws with: those of the mesh at that time, smooth across the seam of the texture."""
    entry, seen = shown[name]
    for seconds, picture in zip(entry.seconds, seen.normals):
        vertices, faces = entry.expected(seconds)
        if not len(faces):
            continue
        raster = drawn(entry, seconds)
        inside = (raster.face_id >= 0).numpy() & (picture[..., 3] > 0)
        corners = smooth_normals(vertices, faces)[faces[raster.face_id.numpy()[inside]]]
        wanted = np.einsum("pc,pcd->pd", raster.barycentric.numpy()[inside], corners) @ VIEW.axes().T
        found = picture[inside][:, :3] / 127.5 - 1
        cosines = (wanted * found).sum(axis=1) / np.linalg.norm(wanted, axis=1) / np.linalg.norm(found, axis=1)
        angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
        assert np.median(angles) < 2 and np.percentile(angles, 98) < 4


def test_colours_of_an_unlit_texture_lie_where_they_were_painted(shown):
    """Pixels of the picture against the texture at the same place of the surface, nearest texel, top row v = 1."""
    entry, seen = shown["GLB morph, unlit"]
    height, width = entry.sequence.texture.shape[:2]
    for seconds, screenshot in zip(entry.seconds, seen.screenshots):
        raster = drawn(entry, seconds)
        inside = (raster.face_id >= 0).numpy() & (screenshot[..., 3] > 0)
        corners = entry.sequence.uv[entry.sequence.faces[0]][raster.face_id.numpy()[inside]]
        u, v = np.einsum("pc,pcd->dp", raster.barycentric.numpy()[inside], corners)
        rows = np.clip((1 - v) * height, 0, height - 1).astype(int)
        painted = entry.sequence.texture[rows, np.clip(u * width, 0, width - 1).astype(int)]
        off = np.abs(painted.astype(int) - screenshot[inside][:, :3]).max(axis=1)
        assert np.percentile(off, 90) <= 4  # the rest lies where two colours meet and are blended


@pytest.mark.parametrize("name", NAMES)
def test_length_and_silence(shown, name):
    entry, seen = shown[name]
    assert seen.facts["durations"] == pytest.approx([entry.duration], rel=1e-5)
    assert seen.facts["said"] == []


@pytest.mark.parametrize("name", [case.name for case in CASES if case.cameras])
def test_the_camera_moves_as_it_did(shown, name):
    assert largest_camera_error(*shown[name]) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_names_texture_and_coordinates(shown, name):
    entry, seen = shown[name]
    assert entry.sequence.name in seen.facts["names"]
    if entry.sequence.uv is not None:
        assert largest_uv_error(entry, seen) < 2e-5
        np.testing.assert_array_equal(seen.texture[..., :3], entry.sequence.texture)


@pytest.mark.parametrize("case", STAGES, ids=[case.name for case in STAGES])
def test_the_first_frame_of_a_stage(shown, case):
    """three.js has a reader of USD of its own, which knows no motion of points: whatever the time, frame 1."""
    if case.missing:
        pytest.skip(case.missing)
    entry, seen = shown[case.name]
    assert "error" not in seen.facts, seen.facts.get("error")
    assert largest_error(entry, seen) < TOLERANCE
    own, theirs = (drawn(entry, 0.0).face_id >= 0).numpy(), seen.screenshots[0][..., 3] > 0
    assert (own ^ theirs).sum() <= 0.002 * own.sum()
    if entry.sequence.texture is not None:
        np.testing.assert_array_equal(seen.texture[..., :3], entry.sequence.texture)
