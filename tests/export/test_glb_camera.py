"""Cameras in the file: their place and direction at every key, the lens, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import trimesh

from shapegen4d_core.camera import Camera
from shapegen4d_core.errors import InputError
from shapegen4d_core.export import write_glb
from shapegen4d_core.importing import load_sequence
from tests.export.glb_reader import Glb, read_glb
from tests.export.shapes import changing, waving


def circling(count: int) -> list[Camera]:
    """Cameras all around the object, so that rotations pass half a turn."""
    return [Camera(yaw, -20 + yaw / 9, 3 + yaw / 90, (0.1, 0, 0), 40, 640, 360) for yaw in np.linspace(0, 350, count)]


def camera_node(glb: Glb) -> int:
    (found,) = [index for index, node in enumerate(glb.json["nodes"]) if "camera" in node]
    assert found in glb.json["scenes"][0]["nodes"]
    return found


@pytest.mark.parametrize("loop", ["hold", "cycle", "ping-pong"])
@pytest.mark.parametrize("make, mode", [(waving, "LINEAR"), (waving, "STEP"), (changing, "STEP")])
def test_a_camera_per_frame_looks_as_it_should(tmp_path, make, mode, loop):
    sequence, cameras = make(7), circling(7)
    path = write_glb(sequence, tmp_path / "a.glb", camera=cameras, interpolation=mode, loop=loop)
    glb = read_glb(path)
    node = camera_node(glb)
    for frame, camera in enumerate(cameras):
        view = np.linalg.inv(glb.pose(node, (frame + (0.5 if mode == "STEP" else 0)) / sequence.fps))
        np.testing.assert_allclose(view, camera.view_matrix(), atol=2e-6)
    if loop == "cycle":
        np.testing.assert_allclose(glb.pose(node, 7 / sequence.fps)[:3, 3], cameras[0].eye(), atol=1e-6)
    found = load_sequence(path)
    assert found.frame_count == 7 and found.fps == sequence.fps
    np.testing.assert_allclose(found.vertices[6], sequence.vertices[6], atol=2e-7)


@pytest.mark.parametrize("loop", ["hold", "cycle", "ping-pong"])
def test_rotations_take_the_shorter_way(tmp_path, loop):
    glb = read_glb(write_glb(waving(24), tmp_path / "a.glb", camera=circling(24), interpolation="LINEAR", loop=loop))
    between = glb.pose(camera_node(glb), 11.5 / 24)[:3, 2]
    animation = glb.json["animations"][0]
    (turns,) = [c for c in animation["channels"] if c["target"]["path"] == "rotation"]
    keys = glb.accessor(animation["samplers"][turns["sampler"]]["output"])
    assert (keys[1:] * keys[:-1]).sum(axis=1).min() > 0.9  # also for programs that blend number by number
    expected = sum(camera.axes()[2] for camera in circling(24)[11:13])
    assert between @ expected / np.linalg.norm(expected) > 0.9999


@pytest.mark.parametrize("make", [waving, changing])
def test_a_still_camera_has_no_keys(tmp_path, make):
    camera = Camera(30, 10, 2.5, (0, 0.2, 0), 50, 512, 256)
    path = write_glb(make(6), tmp_path / "a.glb", camera=camera)
    glb = read_glb(path)
    node = camera_node(glb)
    lens = glb.json["cameras"][0]["perspective"]
    assert lens["yfov"] == pytest.approx(math.radians(50)) and lens["aspectRatio"] == 2
    assert 0 < lens["znear"] < 0.1 * camera.radius
    np.testing.assert_allclose(np.linalg.inv(glb.pose(node, 0.1)), camera.view_matrix(), atol=1e-12)
    assert all(channel["target"]["node"] != node for channel in glb.json["animations"][0]["channels"])
    assert load_sequence(path).frame_count == 6
    assert "camera" in trimesh.load_scene(path).graph.nodes


def test_the_camera_does_not_travel_with_the_object(tmp_path):
    camera = Camera(0, 0, 3, (0, 0, 0), 40, 64, 64)
    glb = read_glb(write_glb(waving(), tmp_path / "a.glb", camera=camera, root_motion="rigid", quantize=True))
    assert len(glb.json["scenes"][0]["nodes"]) == 2
    assert all(camera_node(glb) not in node.get("children", []) for node in glb.json["nodes"])


@pytest.mark.parametrize(
    "cameras, words",
    [
        (circling(5), "5 entries for 6 frames"),
        ([], "0 entries for 6 frames"),
        ([None] * 6, "one Camera, or one for every frame"),
        ([*circling(5), Camera(0, 0, 3, (0, 0, 0), 41, 640, 360)], "field of view"),
        ([*circling(5), Camera(0, 0, 3, (0, 0, 0), 40, 360, 360)], "picture size"),
    ],
)
def test_what_a_glb_cannot_hold_is_refused(tmp_path, cameras, words):
    with pytest.raises(InputError, match=words):
        write_glb(waving(6), tmp_path / "a.glb", camera=cameras)
    assert list(tmp_path.iterdir()) == []
