"""Stages that are damaged, foreign or hostile: one InputError, never anything else, and nothing read elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shapegen4d_core import usd_library
from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.export.usd import write_usd
from shapegen4d_core.importing import usd_files, usd_probe
from shapegen4d_core.importing.usd import read_usd
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import changing, waving
from tests.importing.test_usd_stages import HEAD, SQUARE, square, stage

pytest.importorskip("pxr", reason="OpenUSD is not installed; pip install usd-core")

NESTED = HEAD + 'def "a" {\n' * 100_000
POINTLESS = 'def Mesh "root" {\n int[] faceVertexCounts = [3]\n int[] faceVertexIndices = [0, 1, 2]\n}'
CONTENTS = {
    "empty": ("a.usda", b"", "damaged"),
    "not USD": ("a.usd", b"ply\nformat ascii", "damaged"),
    "not a crate": ("a.usdc", b"PXR-USDC" + bytes(80), "damaged"),
    "not a package": ("a.usdz", b"PK\3\4" + bytes(80), "damaged"),
    "nested without end": ("a.usda", NESTED.encode(), "damaged"),
    "another name": ("a.obj", b"v 0 0 0", "must end in .usd, .usda, .usdc, .usdz"),
    "no mesh": ("a.usda", (HEAD + 'def Xform "root" {}').encode(), "shows no mesh"),
    "no points": ("a.usda", (HEAD + POINTLESS).encode(), "indices 0..2 for 0 points"),
}
BODIES = {
    "index beyond": (square("int[] faceVertexIndices = [0, 1, 2, 4]"), "indices 0..4 for 4 points"),
    "index below": (square("int[] faceVertexIndices = [0, 1, 2, -1]"), "indices -1..2 for 4 points"),
    "counts": (square("int[] faceVertexCounts = [5]"), "5 corners, but 4 indices"),
    "two corners": (square("int[] faceVertexCounts = [2, 2]"), "a face of 2 corners"),
    "huge counts": (square("int[] faceVertexCounts = [2147483647, 2147483647]"), "4294967294 corners"),
    "NaN": (square("point3f[] points = [(nan, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]"), "not all finite"),
    "no faces": (square("int[] faceVertexCounts = []\n int[] faceVertexIndices = []"), "no faces at any time"),
}
MOVING = square("point3f[] points.timeSamples = { 1: [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], 2: [] }")
HEADS = {
    "no rate": ("timeCodesPerSecond = 12", "timeCodesPerSecond = 0", "0 time codes"),
    "endless": ("endTimeCode = 3", "endTimeCode = 1e15", "over 10000 frames"),
    "infinite": ("endTimeCode = 3", "endTimeCode = inf", "go from 1 to inf"),
    "backwards": ("endTimeCode = 3", "endTimeCode = -5", "go from 1 to -5"),
    "no unit": ("metersPerUnit = 1", "metersPerUnit = 0", "metersPerUnit is 0"),
}


@pytest.fixture
def unprobed(monkeypatch):
    """The other process takes a quarter of a second per file; text like this needs none."""
    monkeypatch.setattr(usd_files, "_probe", lambda *_: None)


def refused(path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_usd(path)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text and text.endswith(".") and len(text) < 400


@pytest.mark.parametrize("case", sorted(CONTENTS))
def test_refused_files(tmp_path, case):
    name, content, message = CONTENTS[case]
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, message)


def test_absent_files_and_folders_are_refused(tmp_path):
    (tmp_path / "folder.usdc").mkdir()
    for name in ("absent.usda", "folder.usdc"):
        refused(tmp_path / name, "does not exist")


@pytest.mark.parametrize("case", sorted(BODIES))
def test_refused_meshes(tmp_path, case, unprobed):
    body, message = BODIES[case]
    refused(stage(tmp_path, _once(body)), message)


def _once(body: str) -> str:
    """The square without the attributes that are said again after it."""
    before, after = body.split(SQUARE)
    again = {part.split("=")[0].strip() for part in after.split("\n") if "=" in part}
    kept = [line for line in SQUARE.split("\n") if line.split("=")[0].strip() not in again]
    return before + "\n".join(kept) + after


@pytest.mark.parametrize("case", sorted(HEADS))
def test_refused_metadata(tmp_path, case, unprobed):
    old, new, message = HEADS[case]
    refused(stage(tmp_path, MOVING, HEAD.replace(old, new)), message)


def test_frames_that_take_too_much_memory_are_refused(tmp_path, unprobed, monkeypatch):
    path = write_usd(waving(10), tmp_path / "a.usda")
    monkeypatch.setattr("shapegen4d_core.importing.usd.BYTES_LIMIT", 4000)
    refused(path, "10 frames take more than")


@pytest.mark.parametrize("outside", ["../secret.usda", "{folder}/secret.usda", "./link.usda", "./link/secret.usda"])
@pytest.mark.parametrize("way", ["references", "payload", "subLayers", "clips"])
def test_nothing_outside_of_the_folder_is_read(tmp_path, unprobed, outside, way):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.usda").write_text(HEAD + square())
    (inside / "link.usda").symlink_to(tmp_path / "secret.usda")
    (inside / "link").symlink_to(tmp_path)
    name, head, more = outside.format(folder=tmp_path), HEAD, ""
    if way == "subLayers":
        head = HEAD.replace("(\n", f"(\n    subLayers = [@{name}@]\n", 1)
    elif way == "clips":
        more = f"""(
            clips = {{
                dictionary default = {{
                    asset[] assetPaths = [@{name}@]
                    string primPath = "/root"
                    double2[] active = [(0, 0)]
                    double2[] times = [(0, 0), (9, 9)]
                }}
            }}
        )"""
    else:
        more = f"(prepend {way} = @{name}@)"
    body = f'def Xform "root" {more} {{\n def Mesh "square" {{{SQUARE}}}\n}}'
    refused(stage(inside, body, head), "own folder or below")


def test_pictures_outside_of_the_folder_are_not_read(tmp_path, unprobed):
    plain, uv = waving(2), np.zeros((42, 2), np.float32)
    texture = np.zeros((2, 2, 3), np.uint8)
    (tmp_path / "inside").mkdir()
    sequence = MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv, texture=texture)
    path = write_usd(sequence, tmp_path / "inside" / "a.usda")
    (tmp_path / "inside" / "a_texture.png").rename(tmp_path / "secret.png")
    path.write_text(path.read_text().replace("./a_texture.png", "../secret.png"))
    refused(path, "secret.png'.*own folder or below")
    (tmp_path / "inside" / "a_texture.png").write_bytes(b"no picture")
    path.write_text(path.read_text().replace("../secret.png", "./a_texture.png"))
    refused(path, "texture is not a readable PNG")


def test_a_missing_reference_is_warned_of(tmp_path, unprobed):
    missing = 'def "x" (prepend references = @./absent.usda@) {}'
    body = f'def Xform "root" {{\n {missing}\n def Mesh "a" {{{SQUARE}}}\n}}'
    with pytest.warns(UserWarning, match="absent.usda', which is not there"):
        assert len(read_usd(stage(tmp_path, body)).vertices[0]) == 4


def test_a_compressed_package_is_refused(tmp_path, unprobed):
    path, squeezed = write_usd(waving(2), tmp_path / "a.usdz"), tmp_path / "b.usdz"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(squeezed, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("stage.usdc", old.read("stage.usdc"))
    refused(squeezed, "damaged")


def test_arrays_that_would_take_all_memory_are_not_made(tmp_path, monkeypatch):
    path = tmp_path / "a.usda"
    path.write_text(HEAD + square())
    monkeypatch.setattr(usd_files, "_PROBE_BYTES", 1 << 20)  # too little to load the library
    if sys.platform == "linux":
        refused(path, "damaged, too large")


def multiplied(levels: int, instances: bool, content: str = "") -> str:
    """A stage whose prims refer to ten others each, ``levels`` deep."""
    hint = "instanceable = true" if instances else ""
    text = HEAD + f'def Xform "L0" {{\n{content}\n}}\n'
    for level in range(levels):
        children = "\n".join(f'def "c{number}" (\n{hint}\nreferences = </L{level}>\n) {{}}' for number in range(10))
        text += f'def Xform "L{level + 1}" {{\n{children}\n}}\n'
    return text


def test_references_that_multiply_are_composed_elsewhere_first(tmp_path, monkeypatch):
    path, stages = tmp_path / "a.usda", []
    opened = usd_files.usd_module("Usd").Stage.Open
    monkeypatch.setattr(usd_files.usd_module("Usd").Stage, "Open", lambda name: stages.append(name) or opened(name))
    monkeypatch.setattr(usd_files, "_PROBE_SECONDS", 4.0)
    path.write_text(multiplied(9, False))  # a thousand million prims
    refused(path, "damaged, too large")
    assert not stages
    path.write_text(multiplied(1, False, square()))
    assert sum(map(len, read_usd(path).vertices)) == 11 * 4 and stages == [str(path)]


@pytest.mark.parametrize("content", ["", square()])
def test_instances_that_multiply_are_refused(tmp_path, unprobed, content, monkeypatch):
    monkeypatch.setattr("shapegen4d_core.importing.usd_scene.PRIM_LIMIT", 5000)
    monkeypatch.setattr("shapegen4d_core.importing.usd_scene.MESH_LIMIT", 500)
    path = tmp_path / "a.usda"
    path.write_text(multiplied(9, True, content))
    refused(path, "over 5000 prims or 500 meshes")


def test_one_frame_that_takes_too_much_is_refused_before_it_is_put_together(tmp_path, unprobed, monkeypatch):
    monkeypatch.setattr("shapegen4d_core.importing.usd_scene.BYTES_LIMIT", 11 * (4 * 12 + 2 * 12) - 1)
    path = tmp_path / "a.usda"
    path.write_text(multiplied(1, True, square()))
    refused(path, "one frame takes more")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 always puts the program's folder first")
def test_the_other_process_where_python_leaves_the_programs_folder_out(tmp_path):
    """As an embedded Python on Windows does, and as PYTHONSAFEPATH asks."""
    path = tmp_path / "a.usda"
    path.write_text(HEAD + square())
    library = str(Path(pytest.importorskip("pxr").__path__[0]).parent)
    command = [sys.executable, "-P", "-S", usd_probe.__file__, str(path), str(8 << 30)]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": library}).returncode == 0


def test_a_file_without_end_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / "a.usda"
    path.write_text(HEAD + 'def "a" { double3[] x = ' + "[" * 200_000)
    monkeypatch.setattr(usd_files, "_PROBE_SECONDS", 0.5)
    refused(path, "damaged")


def test_cancel_while_the_other_process_reads(tmp_path):
    path = tmp_path / "a.usda"
    path.write_text(HEAD + 'def "a" { double3[] x = ' + "[" * 200_000)

    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read_usd(path, check=check)


def test_progress_and_rate(tmp_path, unprobed):
    path, steps = write_usd(changing(5), tmp_path / "a.usda"), []
    read_usd(path, progress=lambda step, total, preview=None: steps.append((step, total)))
    assert steps == [(step, 5) for step in range(1, 6)]
    for fps in (0, -1, float("nan"), "24", True):
        with pytest.raises(InputError, match="accepted is a positive number"):
            read_usd(path, fps=fps)


def test_without_the_library_the_pip_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(usd_library, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    for action in (lambda: read_usd(tmp_path / "a.usdc"), lambda: write_usd(waving(), tmp_path / "a.usdc")):
        with pytest.raises(InputError, match=r"pip install usd-core"):
            action()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    return write_usd(changing(3, empty=(1,)), tmp_path_factory.mktemp("text") / "a.usda").read_text()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_text_is_one_error_or_a_sequence(data, text, tmp_path, unprobed):
    start = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.sampled_from([1, 3, 40]))
    patch = data.draw(st.sampled_from(["", "9", "-", "]", '"', "nan, ", "@../x@", "\0"]))
    path = tmp_path / "a.usda"
    path.write_text(text[:start] + patch + text[start + length :], newline="\n")
    try:
        read_usd(path)
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
