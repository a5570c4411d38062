"""Writing is streamed: memory beyond one frame's share, the size of the JSON, and disks that fill up."""

from __future__ import annotations

import errno
import json
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from shapegen4d_core.errors import InputError
from shapegen4d_core.export import glb_container, gltf_buffers, write_glb
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import changing, sphere, waving

FRAME_BYTES = 2562 * 3 * 4  # the positions of one frame of the sphere below


def growing(frame_count: int, changes: bool) -> MeshSequence:
    """A sphere that grows; with ``changes`` every frame loses other faces."""
    vertices, faces = sphere(4)
    frames = tuple(vertices * np.float32(1 + frame / 300) for frame in range(frame_count))
    lists = tuple(faces[: len(faces) - (frame % 5 if changes else 0)] for frame in range(frame_count))
    return MeshSequence(frames, lists, 24.0)


def peak_of(sequence: MeshSequence, path: Path, **options) -> int:
    """Bytes taken at most while writing, the sequence itself apart."""
    tracemalloc.start()
    try:
        write_glb(sequence, path, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


ALL = {"quantize": True, "root_motion": "translation"}


@pytest.mark.parametrize("changes, options", [(False, {}), (True, ALL)], ids=["morph", "flip, quantised, moving"])
def test_300_frames_take_little_more_memory_than_30(tmp_path, changes, options):
    peaks = [peak_of(growing(count, changes), tmp_path / "a.glb", **options) for count in (30, 300)]
    assert (tmp_path / "a.glb").stat().st_size > 250 * FRAME_BYTES // 2
    per_frame = (peaks[1] - peaks[0]) / 270
    assert per_frame < 0.25 * FRAME_BYTES  # lines of JSON, not vertices


def test_a_long_flip_book_leaves_room_for_a_workflow_in_the_first_mebibyte(tmp_path):
    spheres = [sphere(level) for level in range(3)]
    frames = [(points * np.float32(1 + t / 3000), faces) for t in range(1500) for points, faces in [spheres[t % 3]]]
    sequence = MeshSequence(tuple(points for points, _ in frames), tuple(faces for _, faces in frames), 24.0, "walk")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        glb = read_glb(write_glb(sequence, tmp_path / "a.glb", extras={"workflow": "w" * 100_000}))
    assert glb.json_end < 1 << 20
    assert next(iter(glb.json)) == "asset"
    assert (glb.json_end - 100_000) / 1500 < 620  # bytes per frame


def test_json_of_a_long_morph(tmp_path):
    glb = read_glb(write_glb(waving(500), tmp_path / "a.glb"))
    assert glb.json_end / 500 < 420


@pytest.mark.parametrize("sequence", [waving(), changing()], ids=["morph", "flip"])
@pytest.mark.parametrize("blocks", [0, 3, 9])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, sequence, blocks):
    path = tmp_path / "a.glb"
    path.write_bytes(b"old")
    written, append = [], gltf_buffers.BufferSpool._append

    def full(spool, name, content):
        written.append(name)
        if len(written) > blocks:
            raise OSError(errno.ENOSPC, "No space left on device")
        return append(spool, name, content)

    monkeypatch.setattr(gltf_buffers.BufferSpool, "_append", full)
    with pytest.raises(InputError, match="No space left"):
        write_glb(sequence, path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fills_up_while_the_file_is_put_together(tmp_path, monkeypatch):
    class Full:
        def pack(self, *values):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(glb_container, "struct", Full())
    with pytest.raises(InputError, match="No space left"):
        write_glb(waving(), tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


def test_extras_survive_beside_everything(tmp_path):
    extras = {"prompt": json.dumps({"1": "\u00fc"}), "weights": {"vae": "ab12"}}
    path = write_glb(waving(300), tmp_path / "a.glb", extras=extras, loop="cycle", quantize=True)
    found = read_glb(path).json["asset"]["extras"]
    assert {key: found[key] for key in extras} == extras and found["shapegen4d"]["loop"] == "cycle"
