"""The files as a whole: errors, provenance, cancel, nothing left behind, full disks, memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shapegen4d_core import __version__
from shapegen4d_core.camera import Camera
from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export import usd_package
from shapegen4d_core.export.usd import write_usd
from shapegen4d_core.export.usd_stage import identifier
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import EMPTY, changing, sphere, waving

pytest.importorskip("pxr", reason="OpenUSD is not installed; pip install usd-core")
from pxr import Sdf, Usd, UsdGeom  # noqa: E402

SUFFIXES = ["usda", "usdc", "usdz"]
LOOKALIKE = "        point3f[] points.timeSamples = {\n            0: [],\n        }\n"
STILL = Camera(0, 0, 3, (0, 0, 0), 40, 64, 64)


def painted() -> MeshSequence:
    plain, uv = waving(), np.zeros((42, 2), np.float32)
    return MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv, texture=np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_provenance_and_extras(tmp_path, suffix):
    workflow = json.dumps({"nodes": ["Knoten \u00fc"]}, ensure_ascii=False) + '\n"""\n' + LOOKALIKE
    sequence = waving(settings={"seed": 7, "steps": [1, None]}, name="Fu\u00df\0\n")
    path = write_usd(sequence, tmp_path / f"a.{suffix}", extras={"workflow": workflow, "prompt": {"a": [1, 2.5]}})
    stage = Usd.Stage.Open(str(path))
    points = UsdGeom.Mesh(stage.GetPrimAtPath("/Fu___/Fu____mesh")).GetPointsAttr()
    np.testing.assert_array_equal([points.Get(frame) for frame in points.GetTimeSamples()], sequence.vertices)
    data = dict(stage.GetRootLayer().customLayerData)
    ours = {"fps": 24.0, "frames": 6, "name": "Fu\u00df\0\n", "normals": False, "settings": sequence.settings}
    assert json.loads(data["shapegen4d"]) == ours
    assert data["workflow"] == workflow and json.loads(data["prompt"]) == {"a": [1, 2.5]}
    assert stage.GetRootLayer().documentation == f"ShapeGen4D {__version__}"
    root = stage.GetDefaultPrim()
    assert (root.GetName(), root.GetDisplayName()) == ("Fu___", "Fu\u00df")
    assert Usd.ModelAPI(root).GetKind() == "component"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("fox", "fox"), ("2 fox", "_2_fox"), ("\u72d0", "sequence"), ("", "sequence"), ("_/", "sequence"), ("a/", "a_")],
)
def test_names_of_prims(name, expected):
    assert identifier(name) == expected and Sdf.Path.IsValidIdentifier(identifier(name))


@pytest.mark.parametrize(
    ("sequence", "options", "words"),
    [
        (MeshSequence((EMPTY[0],) * 3, (EMPTY[1],) * 3, 8.0, "x"), {}, "None of the 3 frames of 'x' has"),
        (waving(), {"extras": {"shapegen4d": 1}}, "use another name"),
        (waving(), {"extras": {"x": {1, 2}}}, "cannot be written into a USD file"),
        (waving(), {"extras": {"x": float("nan")}}, "cannot be written into a USD file"),
        (waving(), {"extras": {"x": "\ud800"}}, "cannot be written into a USD file"),
        (waving(), {"extras": {"": "x"}}, "accepted are words"),
        (waving(), {"up_axis": "X"}, "up_axis is 'X'; accepted are Y and Z"),
        (waving(), {"metres_per_unit": 0}, "metres_per_unit is 0"),
        (waving(), {"metres_per_unit": float("nan")}, "metres_per_unit is nan"),
        (waving(), {"camera": [STILL] * 5}, "5 entries for 6 frames"),
        (waving(), {"camera": ["side"]}, "something else than cameras"),
        (waving(), {"unlit": True}, "unlit shows only a texture"),
    ],
)
def test_one_sentence_and_no_file(tmp_path, sequence, options, words):
    with pytest.raises(InputError, match=words) as error:
        write_usd(sequence, tmp_path / "a.usdc", **options)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_points_beyond_float32_are_refused(tmp_path):
    huge = MeshSequence((sphere()[0] * np.float32(1e38),), (sphere()[1],), 8.0)
    with pytest.raises(InputError, match="use a larger one"):
        write_usd(huge, tmp_path / "a.usdc", metres_per_unit=0.01)
    assert list(tmp_path.iterdir()) == []


def test_path_errors(tmp_path):
    with pytest.raises(InputError, match="must end in .usdz, .usdc, .usda"):
        write_usd(waving(), tmp_path / "a.usd")
    with pytest.raises(InputError, match="does not exist"):
        write_usd(waving(), tmp_path / "missing" / "a.usdc")
    (tmp_path / "a_texture.png").mkdir()
    with pytest.raises(InputError, match="a_texture.png: it is a folder"):
        write_usd(painted(), tmp_path / "a.usdc")
    assert [path.name for path in tmp_path.iterdir()] == ["a_texture.png"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("sequence", [painted(), changing()], ids=["fixed", "changing"])
def test_cancel_keeps_the_old_files_and_leaves_nothing_else(tmp_path, suffix, sequence):
    old = {tmp_path / f"a.{suffix}", tmp_path / "a_texture.png"}
    for path in old:
        path.write_bytes(b"old")
    steps = []

    def check() -> None:
        if len(steps) == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_usd(sequence, tmp_path / f"a.{suffix}", progress=lambda *step: steps.append(step[:2]), check=check)
    assert set(tmp_path.iterdir()) == old and {path.read_bytes() for path in old} == {b"old"}
    assert steps == [(step, sequence.frame_count) for step in (1, 2, 3, 4)]


def test_text_has_every_sample_once(tmp_path):
    text = write_usd(waving(5), tmp_path / "a.usda").read_text()
    assert [text.count(f"\n            {frame}: [") for frame in range(6)] == [3] * 5 + [0]  # points, normals, extent


@pytest.mark.parametrize("suffix", ["usda", "usdz"])
def test_cancel_while_files_are_put_together(tmp_path, suffix):
    sequence, seen = waving(), []

    def check() -> None:
        seen.append(1)
        if len(seen) > sequence.frame_count:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_usd(sequence, tmp_path / f"a.{suffix}", check=check)
    assert list(tmp_path.iterdir()) == []


def test_packages_over_the_format_limit_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(usd_package, "PACKAGE_LIMIT", 3000)
    with pytest.raises(InputError, match=r"4 are possible; write \.usdc"):
        write_usd(waving(), tmp_path / "a.usdz")
    assert list(tmp_path.iterdir()) == []


ALONE = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from shapegen4d_core.errors import InputError
from shapegen4d_core.export import usd_sinks
from shapegen4d_core.export.usd import write_usd
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import sphere, waving

usd_sinks._SAVE_BYTES = 1 << 20  # an eighth, so that fewer frames tell
folder, count = Path(sys.argv[1]), int(sys.argv[2])
vertices, faces = sphere(4)
frames = tuple(vertices * np.float32(1 + frame / count) for frame in range(count))
sequence = MeshSequence(frames, (faces,) * count, 24.0)
assert sequence.fixed_topology
for suffix in ("usda", "usdz"):
    write_usd(waving(3), folder / f"warm.{suffix}")
for suffix in ("usdz", "usda"):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = write_usd(sequence, folder / f"a.{suffix}")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(grown / 1024, path.stat().st_size / 2**20)

full = folder / "full"
full.mkdir()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # as a full disk does, this ends in an error of write
for suffix in ("usda", "usdc", "usdz"):
    try:
        write_usd(waving(60), full / f"a.{suffix}")
    except InputError as error:
        print(suffix, "\\n" not in str(error) and "free some space" in str(error))
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> tuple[Path, list[str]]:
    """The folder and the words of a process of its own, which writes 160 frames and then has a full disk."""
    if sys.platform == "win32":
        pytest.skip("Windows does not tell the memory a process took at most, and has no limit on the size of files")
    folder = tmp_path_factory.mktemp("alone")
    command = [sys.executable, "-c", ALONE, str(folder), "160"]
    run = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return folder, run.stdout.splitlines()


def test_memory_does_not_grow_with_the_frames(alone):
    """MiB by which the peak of the process grew while writing, and MiB of the file: a package, then text."""
    (packed, packed_size), (text, text_size) = ([float(word) for word in line.split()] for line in alone[1][:2])
    assert packed_size > 9 and packed < 8
    assert text_size > 25 and text < 8


def test_a_full_disk_is_one_sentence_and_leaves_nothing(alone):
    folder, lines = alone
    assert lines[2:] == ["usda True", "usdc True", "usdz True"]
    assert list((folder / "full").iterdir()) == []
