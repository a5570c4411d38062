"""Files and folders written whole or not at all, and one value in one safetensors file with a small text header."""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from .errors import InputError
from .manifest import MANIFEST, own_files
from .progress import Check
from .tensor_file import Rows, write_tensors

VERSION = 1
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}  # what file managers leave in every folder they show
_DTYPES = {"F32", "I32", "I64", "U8"}
_DAMAGED = (SafetensorError, OSError, ValueError, TypeError)
_REFUSED = {
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "EROFS", "ENOSPC", "EFBIG", "EDQUOT", "ENAMETOOLONG")
    if hasattr(errno, name)
}


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it replaces ``path``, on any failure it is removed.

    The file gets the permissions of any new file, whatever the library that writes it prefers.
    Raises InputError when the folder does not exist or ``path`` is a folder, and when the disk is full or writing
    is not permitted.
    """
    with atomic_paths([path]) as (temporary,):
        yield temporary


@contextmanager
def atomic_paths(paths: Sequence[str | os.PathLike]) -> Iterator[list[Path]]:
    """Like :func:`atomic_path` for files that belong together: all of them are replaced, or none.

    The ``paths`` lie in one folder; the last one is the one that readers open.
    """
    targets = [Path(path) for path in paths]
    for path in targets:
        check_target(path)
    temporaries = [_sibling(path, "tmp") for path in targets]
    try:
        with _refusals_named(targets[0]):
            for temporary in temporaries:
                temporary.touch()
            permissions = temporaries[0].stat().st_mode
            yield temporaries
            for temporary in temporaries:
                temporary.chmod(permissions)
            _replace_all(list(zip(temporaries, targets)))
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; on success it takes the place of ``path``, on any failure it is removed.

    A folder that is there already is replaced only when it is empty or holds nothing but a sequence of ours, as told
    by its manifest. Raises InputError when it holds anything else, when ``path`` is a file or its parent does not
    exist, and when the disk is full or writing is not permitted.
    """
    path = Path(path).resolve()  # through a link, so that the link itself stays
    check_folder(path)
    temporary = _sibling(path, "tmp")
    try:
        with _refusals_named(path):
            temporary.mkdir()
            yield temporary
            _replace_folder(temporary, path)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def suffix_of(path: str | os.PathLike) -> str:
    """The ending that tells a format, such as ".glb", in lower case; "" where none follows the last dot.

    Endings are letters and digits: ``shot.v2_00001_`` is the name of a folder.
    """
    suffix = Path(path).suffix.lower()
    return suffix if suffix[1:].isalnum() else ""


def check_target(path: Path) -> None:
    """Raise InputError when no file can be written at ``path``: its folder is missing, or it is a folder."""
    if not path.parent.is_dir():
        raise InputError(f"Cannot write {path}: the folder {path.parent} does not exist; create it first.")
    if os.path.isdir(path):
        raise InputError(f"Cannot write {path}: it is a folder; give the path of a file.")


def check_folder(path: Path) -> None:
    """Raise InputError when no folder of a sequence can be written at ``path``, as :func:`atomic_folder` says."""
    if not path.parent.is_dir():
        raise InputError(f"Cannot write {path}: the folder {path.parent} does not exist; create it first.")
    if not os.path.exists(path):
        return
    if not path.is_dir():
        raise InputError(f"Cannot write the folder {path}: it is a file; give another name.")
    own = own_files(path / MANIFEST) | _LITTER
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in own or entry.is_dir())
    if foreign:
        raise InputError(
            f"Cannot write the folder {path}: it holds {foreign[0]!r}, which belongs to no sequence written there "
            "before and would be lost; give another name or move it away."
        )


def _sibling(path: Path, suffix: str) -> Path:
    return path.parent / f".{uuid.uuid4().hex}.{suffix}"


def _replace_all(pairs: list[tuple[Path, Path]]) -> None:
    """Move every temporary to its target; when one cannot be moved, what was there before comes back."""
    aside: list[tuple[Path, Path]] = []
    done: list[Path] = []
    try:
        for temporary, target in pairs[:-1]:
            if target.exists():
                aside.append((_sibling(target, "old"), target))
                os.replace(target, aside[-1][0])
            done.append(target)
            os.replace(temporary, target)
        os.replace(*pairs[-1])  # in place, so that a single file is there at any moment
    except BaseException:
        for target in done:
            target.unlink(missing_ok=True)
        for old, target in aside:
            if old.exists():
                os.replace(old, target)
        raise
    for old, _ in aside:
        old.unlink()


def _replace_folder(temporary: Path, path: Path) -> None:
    if not path.exists():
        os.rename(temporary, path)
        return
    check_folder(path)  # again: something may have been put there in the meantime
    aside = _sibling(path, "old")
    os.rename(path, aside)
    try:
        os.rename(temporary, path)
    except BaseException:
        os.rename(aside, path)
        raise
    shutil.rmtree(aside)


@contextmanager
def _refusals_named(path: Path) -> Iterator[None]:
    """Turn what the system refuses while writing (full disk, no permission) into one InputError naming ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        raise InputError(_refusal(path, error.strerror or str(error))) from error
    except SafetensorError as error:
        if "os error" not in str(error):
            raise
        raise InputError(_refusal(path, str(error).split(": ")[-1])) from error


def _refusal(path: Path, reason: str) -> str:
    return f"Cannot write {path}: the system says {reason!r}; free some space or choose another folder."


def write_value(
    path: str | os.PathLike,
    kind: str,
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray | Rows],
    check: Check | None = None,
) -> None:
    """Write ``arrays`` and the JSON-able ``header`` of a value of class ``kind`` to ``path``, atomically.

    Rows are arrays that are stored as one. In ``__metadata__``, ``kind`` and ``name`` are plain text, every other field
    is JSON text. ``check`` may raise to cancel. Raises InputError when the folder is missing.
    """
    metadata = {"kind": kind, "version": str(VERSION)}
    for key, field in header.items():
        metadata[key] = field if key == "name" else json.dumps(field, allow_nan=False)
    with atomic_path(path) as temporary:
        write_tensors(temporary, arrays, metadata, check)


def read_value(path: str | os.PathLike, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the header fields and arrays of a value of class ``kind`` from ``path``.

    Raises InputError (one sentence) for a missing, damaged or foreign file, another kind or a newer version.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise InputError(f"{path} is not a file; give the path of a saved {kind}.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_origin(path, kind, metadata)
            arrays = {key: _array(path, file, key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(f"{path} is damaged or not a safetensors file; save the {kind} again.") from error
    return _parse_header(path, metadata), arrays


def _check_origin(path: Path, kind: str, metadata: Mapping[str, str]) -> None:
    if "kind" not in metadata or "version" not in metadata:
        raise InputError(f"{path} is safetensors but holds no ShapeGen4D value; a saved {kind} is needed.")
    if metadata["kind"] != kind:
        raise InputError(f"{path} holds a {metadata['kind']}, but a {kind} is needed here.")
    if metadata["version"] != str(VERSION):
        raise InputError(
            f"{path} has format version {metadata['version']}, but this release reads version {VERSION}; "
            "update the package or save the file again."
        )


def _array(path: Path, file: Any, key: str) -> np.ndarray:
    dtype = file.get_slice(key).get_dtype()
    if dtype not in _DTYPES:
        raise InputError(f"{path} stores {key} as {dtype}, accepted are {', '.join(sorted(_DTYPES))}.")
    return file.get_tensor(key)


def _parse_header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    header: dict[str, Any] = {}
    for key, text in metadata.items():
        if key in ("kind", "version"):
            continue
        try:
            header[key] = text if key == "name" else json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} has a damaged header: {key} is not JSON text.") from error
    return header
