"""Files and folders appear whole or not at all, and never in the place of something that is not ours."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shapegen4d_core import storage
from shapegen4d_core.errors import InputError
from shapegen4d_core.manifest import MANIFEST, Manifest, manifest_text
from shapegen4d_core.storage import atomic_folder, atomic_path, atomic_paths, write_value

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def sequence_folder(path: Path, *files: str) -> Path:
    """A folder as our writers leave it."""
    path.mkdir()
    for name in files:
        (path / name).write_text("old")
    (path / MANIFEST).write_text(manifest_text(Manifest(24.0, "x", len(files), files), None))
    return path


def test_a_folder_appears_at_the_end_with_what_was_put_in(tmp_path):
    with atomic_folder(tmp_path / "a") as folder:
        (folder / "one.txt").write_text("1")
        assert not (tmp_path / "a").exists() and folder.parent == tmp_path
    assert names(tmp_path) == ["a"] and names(tmp_path / "a") == ["one.txt"]


@pytest.mark.parametrize("there", [False, True])
def test_a_failure_leaves_everything_as_it_was(tmp_path, there):
    if there:
        sequence_folder(tmp_path / "a", "f1.obj")
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "a") as folder:
        (folder / "sub").mkdir()
        raise KeyboardInterrupt
    assert names(tmp_path) == (["a"] if there else [])
    assert not there or (tmp_path / "a" / "f1.obj").read_text() == "old"


def test_empty_folders_and_our_own_are_replaced(tmp_path):
    (tmp_path / "empty").mkdir()
    sequence_folder(tmp_path / "own", "f1.obj", "f2.obj")
    (tmp_path / "own" / ".DS_Store").touch()  # left by a file manager
    for name in ("empty", "own"):
        with atomic_folder(tmp_path / name) as folder:
            (folder / "new").touch()
        assert names(tmp_path / name) == ["new"]
    assert names(tmp_path) == ["empty", "own"]


def test_folders_of_others_are_never_touched(tmp_path):
    sequence_folder(tmp_path / "with notes", "f1.obj")
    (tmp_path / "with notes" / "notes.txt").touch()
    sequence_folder(tmp_path / "with folder", "f1.obj", "f2")
    (tmp_path / "with folder" / "f2").unlink()
    (tmp_path / "with folder" / "f2").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / MANIFEST).write_text('{"frames": ["sequence.json"]}')
    (tmp_path / "file").touch()
    cases = {"with notes": "notes.txt", "with folder": "f2", "theirs": MANIFEST, "file": "it is a file", ".": "holds"}
    for name, said in cases.items():
        with pytest.raises(InputError, match=said), atomic_folder(tmp_path / name):
            pytest.fail("the block must not run")
    with pytest.raises(InputError, match="does not exist"), atomic_folder(tmp_path / "no" / "x"):
        pytest.fail("the block must not run")
    assert names(tmp_path) == ["file", "theirs", "with folder", "with notes"]


def test_what_is_put_into_the_folder_during_the_write_is_kept(tmp_path):
    own = sequence_folder(tmp_path / "own", "f1.obj")
    with pytest.raises(InputError, match="late.txt"), atomic_folder(own) as folder:
        (folder / "new").touch()
        (own / "late.txt").touch()
    assert names(own) == ["f1.obj", "late.txt", MANIFEST] and names(tmp_path) == ["own"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_folder(tmp_path / "link") as folder:
        (folder / "new").touch()
    assert (tmp_path / "link").is_symlink() and names(tmp_path / "real") == ["new"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_move(tmp_path, monkeypatch):
    own, rename, calls = sequence_folder(tmp_path / "own", "f1.obj"), os.rename, []

    def failing(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise FULL
        rename(source, target)

    monkeypatch.setattr(storage.os, "rename", failing)
    with pytest.raises(InputError, match="own.*No space left"), atomic_folder(own) as folder:
        (folder / "new").touch()
    assert len(calls) == 3 and names(tmp_path) == ["own"] and names(own) == ["f1.obj", MANIFEST]


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_files_that_belong_together_come_all_or_none(tmp_path, monkeypatch, failing):
    """The move number ``failing`` of four (the old a aside, three new files in place, b where none was) fails."""
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths[::2]:
        path.write_text("old " + path.name)
    replace, calls = os.replace, []

    def limited(source, target):
        calls.append(source)
        if len(calls) == failing:
            raise PermissionError(errno.EACCES, "denied")
        replace(source, target)

    monkeypatch.setattr(storage.os, "replace", limited)
    with pytest.raises(InputError, match="denied"), atomic_paths(paths) as temporaries:
        for temporary in temporaries:
            temporary.write_text("new")
    assert len(calls) >= failing and names(tmp_path) == ["a", "c"]
    assert [path.read_text() for path in paths[::2]] == ["old a", "old c"]


def test_files_that_belong_together_are_replaced(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    paths[1].write_text("old")
    with atomic_paths(paths) as temporaries:
        for temporary, path in zip(temporaries, paths):
            temporary.write_text("new " + path.name)
    assert names(tmp_path) == ["a", "b", "c"] and [path.read_text() for path in paths] == ["new a", "new b", "new c"]


def test_what_the_system_refuses_is_one_sentence(tmp_path):
    for error in (FULL, PermissionError(errno.EACCES, "Permission denied")):
        with pytest.raises(InputError, match=r"Cannot write .*a\.txt.*choose another folder\.$"):
            with atomic_path(tmp_path / "a.txt") as temporary:
                temporary.write_text("half")
                raise error
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):  # a fault of the caller stays what it is
        raise FileNotFoundError(errno.ENOENT, "gone")
    assert names(tmp_path) == []


def test_a_folder_without_permission_is_one_sentence(tmp_path, monkeypatch):
    def denied(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", denied)
    monkeypatch.setattr(Path, "touch", denied)
    for make in (atomic_folder, atomic_path):
        with pytest.raises(InputError, match="Permission denied"), make(tmp_path / "a"):
            pytest.fail("the block must not run")


DISK_LIMIT = """
import resource, signal, sys
import numpy as np
from shapegen4d_core.errors import InputError
from shapegen4d_core.storage import write_value
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    write_value(sys.argv[1], "Latents", {}, {"x": np.zeros(10000, np.float32)})
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are a thing of POSIX")
def test_a_disk_that_is_full_midway_leaves_the_old_value(tmp_path):
    write_value(tmp_path / "a.safetensors", "Latents", {}, {"x": np.ones(3, np.float32)})
    before = (tmp_path / "a.safetensors").read_bytes()
    root = Path(storage.__file__).resolve().parents[1]
    command = [sys.executable, "-c", DISK_LIMIT, str(tmp_path / "a.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True, timeout=120)
    assert "Cannot write" in done.stdout and "too large" in done.stdout
    assert names(tmp_path) == ["a.safetensors"] and (tmp_path / "a.safetensors").read_bytes() == before
