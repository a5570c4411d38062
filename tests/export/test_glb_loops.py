"""How an animation ends: held, closed into a cycle, or played back again; and which interpolation "auto" means."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.export import write_glb
from shapegen4d_core.export.key_times import played_frames
from shapegen4d_core.importing import load_sequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import changing, waving
from tests.importing.scenes import read_json, write_json


@pytest.mark.parametrize(
    "count, loop, frames",
    [
        (3, "hold", [0, 1, 2, 2]),
        (3, "cycle", [0, 1, 2, 0]),
        (4, "ping-pong", [0, 1, 2, 3, 2, 1, 0]),
        (3, "ping-pong", [0, 1, 2, 1, 0]),
        (2, "ping-pong", [0, 1, 0]),
        (1, "hold", [0, 0]),
        (1, "cycle", [0, 0]),
        (1, "ping-pong", [0, 0]),
    ],
)
def test_frames_of_the_keys(count, loop, frames):
    assert played_frames(count, loop) == frames


SEQUENCES = [waving(6), changing(7), changing(20, empty=(0, 9, 19))]


@pytest.mark.parametrize("loop", ["hold", "cycle", "ping-pong"])
@pytest.mark.parametrize("sequence", SEQUENCES, ids=["morph", "flip", "long flip"])
def test_every_key_shows_its_frame(tmp_path, sequence, loop):
    glb = read_glb(write_glb(sequence, tmp_path / "a.glb", loop=loop))
    played = played_frames(sequence.frame_count, loop)
    assert glb.duration() == pytest.approx((len(played) - 1) / sequence.fps, rel=1e-6)
    for key, frame in enumerate(played):
        for share in (0, 0.9) if key < len(played) - 1 else (0,):
            shown = glb.at((key + share) / sequence.fps)
            if len(sequence.faces[frame]) == 0:
                assert shown == []
                continue
            assert len(shown) == 1
            np.testing.assert_allclose(shown[0]["positions"], sequence.vertices[frame], atol=2e-7)


def test_linear_closes_a_cycle(tmp_path):
    sequence = waving(5, 10.0)
    glb = read_glb(write_glb(sequence, tmp_path / "a.glb", interpolation="LINEAR", loop="cycle"))
    expected = 0.25 * sequence.vertices[4] + 0.75 * sequence.vertices[0]
    np.testing.assert_allclose(glb.at(0.475)[0]["positions"], expected, atol=1e-6)


@pytest.mark.parametrize("make", [waving, changing])
@pytest.mark.parametrize("loop", ["cycle", "ping-pong"])
@pytest.mark.parametrize("frame_count", [1, 2, 3, 8])
def test_the_frames_come_back_once(tmp_path, make, loop, frame_count):
    sequence = make(frame_count, 12.5)
    path = write_glb(sequence, tmp_path / "a.glb", loop=loop)
    found = load_sequence(path)
    assert found.frame_count == frame_count and found.fps == 12.5
    for ours, theirs in zip(found.vertices, sequence.vertices):
        np.testing.assert_allclose(ours, theirs, atol=2e-7)


def test_without_our_notes_a_ping_pong_is_as_long_as_it_plays(tmp_path):
    document, rest = read_json(write_glb(waving(6, 10.0), tmp_path / "a.glb", loop="ping-pong"))
    assert document["asset"]["extras"]["shapegen4d"]["loop"] == "ping-pong"
    del document["asset"]["extras"]
    assert load_sequence(write_json(tmp_path / "b.glb", document, rest)).frame_count == 10


@pytest.mark.parametrize(
    "sequence, options, mode",
    [
        (waving(), {}, "STEP"),
        (waving(), {"interpolation": "auto"}, "LINEAR"),
        (waving(300), {"interpolation": "auto"}, "LINEAR"),
        (waving(), {"interpolation": "auto", "encoding": "flipbook"}, "STEP"),
        (changing(), {"interpolation": "auto"}, "STEP"),
        (waving(1), {"interpolation": "auto"}, "STEP"),
    ],
)
def test_auto_blends_where_it_can(tmp_path, sequence, options, mode):
    glb = read_glb(write_glb(sequence, tmp_path / "a.glb", **options))
    animation = glb.json["animations"][0]
    modes = {animation["samplers"][c["sampler"]]["interpolation"] for c in animation["channels"]}
    assert modes - {"STEP"} == ({"LINEAR"} if mode == "LINEAR" else set())


@pytest.mark.parametrize(
    "sequence, options, words",
    [
        (changing(), {"encoding": "morph"}, "topology that changes; set encoding to auto"),
        (waving(1), {"encoding": "morph"}, "one frame; set encoding to auto"),
        (waving(), {"encoding": "flipbook", "interpolation": "LINEAR"}, "flip book; set interpolation to STEP"),
        (waving(), {"encoding": "film"}, "encoding is 'film'; accepted are auto, morph and flipbook"),
        (waving(), {"loop": "endless"}, "accepted are hold, cycle and ping-pong"),
        (waving(), {"texture_format": "jpeg"}, "accepted are png and webp"),
        (waving(), {"root_motion": "full"}, "accepted are none, translation and rigid"),
        (changing(), {"root_motion": "rigid"}, "set it to translation"),
    ],
)
def test_choices_that_do_not_fit(tmp_path, sequence, options, words):
    with pytest.raises(InputError, match=words) as error:
        write_glb(sequence, tmp_path / "a.glb", **options)
    assert "\n" not in str(error.value) and list(tmp_path.iterdir()) == []
