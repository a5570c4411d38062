"""One value in one safetensors file: arrays plus a small text header, written whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .errors import InputError

VERSION = 1
_DTYPES = {"F32", "I32", "I64", "U8"}
_DAMAGED = (SafetensorError, OSError, ValueError, TypeError)


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it replaces ``path``, on any failure it is removed.

    The file gets the permissions of any new file, whatever the library that writes it prefers.
    Raises InputError when the folder does not exist or ``path`` is a folder.
    """
    path = Path(path)
    check_target(path)
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    temporary.touch()
    permissions = temporary.stat().st_mode
    try:
        yield temporary
        temporary.chmod(permissions)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_target(path: Path) -> None:
    """Raise InputError when no file can be written at ``path``: its folder is missing, or it is a folder."""
    if not path.parent.is_dir():
        raise InputError(f"Cannot write {path}: the folder {path.parent} does not exist; create it first.")
    if path.is_dir():
        raise InputError(f"Cannot write {path}: it is a folder; give the path of a file.")


def write_value(
    path: str | os.PathLike, kind: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write ``arrays`` and the JSON-able ``header`` of a value of class ``kind`` to ``path``, atomically.

    In ``__metadata__``, ``kind`` and ``name`` are plain text, every other field is JSON text.
    Raises InputError when the folder is missing.
    """
    metadata = {"kind": kind, "version": str(VERSION)}
    for key, field in header.items():
        metadata[key] = field if key == "name" else json.dumps(field, allow_nan=False)
    contiguous = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    with atomic_path(path) as temporary:
        save_file(contiguous, temporary, metadata=metadata)


def read_value(path: str | os.PathLike, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the header fields and arrays of a value of class ``kind`` from ``path``.

    Raises InputError (one sentence) for a missing, damaged or foreign file, another kind or a newer version.
    """
    path = Path(path)
    if not path.is_file():
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
