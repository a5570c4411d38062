"""Which times are sampled for which settings."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.importing import load_animated
from shapegen4d_core.importing.timing import sample_times
from tests.importing.scenes import animate, triangle_file


@pytest.mark.parametrize(
    "span, key_rate, settings, seconds, fps",
    [
        ((0, 2), 2.0001, {}, [0, 0.5, 1, 1.5], 2),
        ((0, 1), 1.25, {}, [0], 1.25),
        ((1, 3), 30.0, {"frames": 4}, [1, 1.5, 2, 2.5], 2),
        ((1, 3), 30.0, {"fps": 1}, [1, 2], 1),
        ((1, 3), 30.0, {"fps": 1, "frames": 4}, [1, 2, 3, 4], 1),
        ((0, 0), None, {}, [0], 24),
        ((0, 0), None, {"frames": 2}, [0, 1 / 24], 24),
    ],
)
def test_times(span, key_rate, settings, seconds, fps):
    timing = sample_times(span, key_rate, None, settings.get("frames"), settings.get("fps"))
    np.testing.assert_allclose(timing.seconds, seconds, rtol=1e-6)
    assert timing.fps == fps


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"frames": 0}, "frames is 0"),
        ({"frames": 2.0}, "frames is 2.0"),
        ({"frames": True}, "frames is True"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"fps": 1e6}, "set frames or fps"),
        ({"fps": 1e-300, "frames": 3}, "too low"),
        ({"frames": 10**6}, "set frames or fps"),
        ({"animation": 1}, r"animation is 1, but the file has 1 \(move\)"),
        ({"animation": "run"}, r"animation is 'run', but the file has 1 \(move\)"),
        ({"animation": -1}, "animation is -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, settings, message):
    file = triangle_file()
    animate(file, 0, "translation", [0, 1], np.float32([[0, 0, 0], [1, 0, 0]]))
    file.write(tmp_path / "file.glb")
    with pytest.raises(InputError, match=message):
        load_animated(tmp_path / "file.glb", **settings)


def test_animations_are_chosen_by_number_or_name(tmp_path):
    file = triangle_file()
    animate(file, 0, "translation", [0, 1], np.float32([[0, 0, 0], [8, 0, 0]]))
    second = {**file.document["animations"][0], "name": "back"}
    second["samplers"] = [{**second["samplers"][0], "output": file.array(np.float32([[0, 0, 0], [-8, 0, 0]]))}]
    file.document["animations"].append(second)
    file.write(tmp_path / "file.glb")
    ends = [load_animated(tmp_path / "file.glb", frames=2, animation=which) for which in (None, 0, "move", 1, "back")]
    assert [mesh.vertices[1, 0, 0] for mesh in ends] == [4, 4, 4, -4, -4]


def test_progress_is_told_and_check_can_stop(tmp_path):
    file = triangle_file()
    animate(file, 0, "translation", [0, 1], np.float32([[0, 0, 0], [1, 0, 0]]))
    file.write(tmp_path / "file.glb")
    steps = []

    def note(step: int, total: int, preview: object = None) -> None:
        steps.append((step, total))

    load_animated(tmp_path / "file.glb", frames=3, progress=note)
    assert steps == [(1, 3), (2, 3), (3, 3)]

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_animated(tmp_path / "file.glb", frames=3, check=stop)
