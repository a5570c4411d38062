"""A write that fails midway, whatever the reason, leaves what was there before and nothing else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import shapegen4d_core
from shapegen4d_core.errors import InputError
from shapegen4d_core.export import write_glb
from shapegen4d_core.export.mesh_folder import write_mesh_folder
from shapegen4d_core.export.point_cache import write_point_cache
from tests.export.test_mesh_folder import textured

WRITERS: dict[str, tuple[str, Callable]] = {
    "obj": ("a", lambda meshes, path: write_mesh_folder(meshes, path, kind="obj")),
    "ply": ("a", lambda meshes, path: write_mesh_folder(meshes, path, kind="ply")),
    "glbs": ("a", lambda meshes, path: write_mesh_folder(meshes, path, kind="glb")),
    "pc2": ("a.pc2", write_point_cache),
    "mdd": ("a.mdd", write_point_cache),
    "glb": ("a.glb", write_glb),
    "safetensors": ("a.safetensors", lambda meshes, path: meshes.save(path)),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FULL_DISK = """
import resource, signal, sys
from shapegen4d_core.errors import InputError
from shapegen4d_core.sequence import MeshSequence
from tests.export.test_writes_that_fail import WRITERS
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
meshes = MeshSequence.load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
for folder in sys.argv[2:]:
    for name, (file, write) in WRITERS.items():
        try:
            write(meshes, folder + "/" + file)
            sys.exit(name + " was written")
        except InputError as error:
            print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are a thing of POSIX")
def test_a_disk_that_is_full_midway(tmp_path):
    """A process that may write no file above 1500 bytes stands for a full disk: each format needs more."""
    textured(4).save(tmp_path / "meshes.safetensors")
    empty, filled = tmp_path / "empty", tmp_path / "filled"
    empty.mkdir()
    filled.mkdir()
    for file, write in WRITERS.values():
        write(textured(1), filled / file)
    before = contents(filled)
    root = Path(shapegen4d_core.__file__).resolve().parents[1]
    command = [sys.executable, "-c", FULL_DISK, *(str(tmp_path / name) for name in ("meshes.safetensors", "empty"))]
    done = subprocess.run([*command, str(filled)], capture_output=True, text=True, cwd=root, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2 * len(WRITERS) and all(line.startswith("Cannot write") for line in lines)
    assert all("too large" in line for line in lines)
    assert os.listdir(empty) == [] and contents(filled) == before


@pytest.mark.parametrize("name", sorted(WRITERS))
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_system_that_refuses_the_last_step(tmp_path, monkeypatch, name, reason):
    """Everything is written; only taking the final name is refused."""
    file, write = WRITERS[name]

    def refused(source, target):
        raise OSError(reason, os.strerror(reason), str(source))

    monkeypatch.setattr("shapegen4d_core.storage.os.replace", refused)
    monkeypatch.setattr("shapegen4d_core.storage.os.rename", refused)
    with pytest.raises(InputError, match=f"Cannot write .*{os.strerror(reason)}"):
        write(textured(2), tmp_path / file)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["obj", "ply", "pc2", "mdd", "glb"])
def test_a_system_that_refuses_in_between(tmp_path, name):
    """After two of four frames; the earlier output stays."""
    file, write = WRITERS[name]
    write(textured(1), tmp_path / file)
    before = contents(tmp_path)
    kind = {"kind": name} if name in ("obj", "ply") else {}
    writer = {"obj": write_mesh_folder, "ply": write_mesh_folder, "glb": write_glb}.get(name, write_point_cache)

    def progress(step: int, total: int, preview: object = None) -> None:
        if step == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match="No space left"):
        writer(textured(4), tmp_path / file, progress=progress, **kind)
    assert contents(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write everywhere")
@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_folder_that_may_not_be_written(tmp_path, name):
    file, write = WRITERS[name]
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            write(textured(2), tmp_path / file)
    finally:
        tmp_path.chmod(0o700)
    assert os.listdir(tmp_path) == []
