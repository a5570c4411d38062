"""The files to curate: their names, their content and whose they are."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import InputError

SUFFIXES = (".glb", ".gltf")


@dataclass(frozen=True)
class Source:
    """One file to curate: the name of its shards, its path, the path to show and the SHA-256 of its content."""

    name: str
    path: Path
    shown: str
    sha256: str


@dataclass(frozen=True)
class Rights:
    """Licence and attribution recorded with every asset; ``by_file`` overrides them for relative paths."""

    licence: str
    attribution: str = ""
    by_file: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, shown: str) -> dict[str, str]:
        """The licence and attribution of one file, named relative to the input folder."""
        own = self.by_file.get(shown, {})
        return {key: str(own.get(key, getattr(self, key))) for key in ("licence", "attribution")}


def read_rights(path: str | Path | None, licence: str | None, attribution: str) -> Rights:
    """Rights from a licence for all files and a JSON file {relative path: {"licence": ..., "attribution": ...}}.

    Raises InputError when there is neither, and for a file that is not of that form.
    """
    by_file: Any = {}
    if path is not None:
        try:
            by_file = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as JSON: {error}") from error
        if not isinstance(by_file, dict) or not all(isinstance(entry, dict) for entry in by_file.values()):
            raise InputError(f'{path} must hold {{"file.glb": {{"licence": "...", "attribution": "..."}}, ...}}.')
    if not licence and not by_file:
        raise InputError("The licence of the assets is recorded in every shard; give --licence or --licences.")
    return replace(Rights(licence or "unknown", attribution), by_file=by_file)


def find_sources(folder: str | Path) -> list[Source]:
    """The files of :func:`find_files` with their content's digest; raises InputError."""
    folder = Path(folder)
    return [Source(name, path, _shown(path, folder), digest(path)) for name, path in find_files(folder).items()]


def digest(path: str | Path) -> str:
    """SHA-256 of a file's content, as shards record it; raises InputError for a file that cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; make it readable or take it away.") from error


def find_files(folder: str | Path) -> dict[str, Path]:
    """All .glb and .gltf files below a folder, or the one file given, by the name their shard gets.

    The name comes from the path; where two would get the same one, both end in a number made from the path.
    Raises InputError when there are none.
    """
    folder = Path(folder)
    paths = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    paths = [path for path in paths if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise InputError(f"There are no .glb or .gltf files in {folder}; give the folder of the animated assets.")
    plain = {path: _plain(_shown(path, folder)) for path in paths}
    uses = Counter(plain.values())
    names = {}
    for path, name in plain.items():
        digits = f"-{zlib.crc32(_shown(path, folder).encode()):08x}" if uses[name] > 1 or not name else ""
        names[(name + digits).strip("-")] = path
    return names


def _shown(path: Path, folder: Path) -> str:
    return path.name if path == folder else path.relative_to(folder).as_posix()


def _plain(shown: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", shown.rsplit(".", 1)[0].lower()).strip("-")
