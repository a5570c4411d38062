"""Scores on disk as JSON lines, so that an interrupted evaluation goes on where it stopped.

The first line says what was evaluated and how; every further line is one asset, method and seed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError

NAME = "scores.jsonl"


@dataclass(frozen=True)
class Row:
    """Measures of one ``method`` on one ``asset`` of a ``group``; ``seed`` None where nothing is drawn.

    ``failure`` says why there is no result; ``failed_frames`` frames had none and were scored as the worst. ``made_of``
    is the digest of the files that were compared (:func:`files_digest`), empty where none were.
    """

    asset: str
    group: str
    method: str
    seed: int | None
    values: dict[str, float] = field(default_factory=dict)
    failure: str | None = None
    failed_frames: int = 0
    made_of: str = ""

    @property
    def key(self) -> tuple[str, str, int | None]:
        """What makes the row unique."""
        return self.asset, self.method, self.seed


class ScoreFile:
    """The rows of one evaluation in ``folder``; made with its header, or read again when that is the same.

    Raises InputError when the folder holds scores of something else, or damaged ones.
    """

    def __init__(self, folder: str | os.PathLike, header: Mapping[str, Any]):
        self.path = Path(folder) / NAME
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.header = json.loads(json.dumps(header))
        self.rows: list[Row] = []
        if self.path.exists() and self.path.stat().st_size:
            self._read()
        else:
            self._append([self.header])

    def add(self, rows: Iterable[Row]) -> None:
        """Write further rows through to the disk."""
        rows = list(rows)
        self._append([{key: _plain(value) for key, value in asdict(row).items()} for row in rows])
        self.rows += rows

    def missing(self, wanted: Iterable[tuple[str, str, int | None]]) -> list[tuple[str, str, int | None]]:
        """Those keys that have no row yet, in order."""
        done = {row.key for row in self.rows}
        return [key for key in wanted if key not in done]

    def fitting(self, made_of: Mapping[str, str]) -> list[Row]:
        """The rows of the assets in ``made_of`` whose files are still those with that digest."""
        return [row for row in self.rows if made_of.get(row.asset) == row.made_of]

    def _append(self, values: Iterable[Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            for value in values:
                file.write(json.dumps(value, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            lines = [json.loads(line) for line in whole.decode("utf-8").splitlines()]
            rows = [Row(**{**line, "values": _numbers(line["values"])}) for line in lines[1:]]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{self.path} is damaged; remove it, or give another --output.") from error
        if not lines or lines[0] != self.header:
            changed = _difference(lines[0] if lines else {}, self.header)
            raise InputError(
                f"{self.path} holds scores of another evaluation ({changed}); give another --output, or remove it."
            )
        if len(whole) < len(content):  # the last line was cut off when the run was stopped
            os.truncate(self.path, len(whole))
        self.rows = rows


def files_digest(*paths: Path | None) -> str:
    """A digest of the content of files and whole folders, in their order; None is one that is missing."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(b"missing" if path is None else b"given")
        for file in [] if path is None else sorted(p for p in [path, *path.rglob("*")] if p.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()} {file.stat().st_size} ".encode())
            try:
                with file.open("rb") as content:
                    while block := content.read(1 << 20):
                        digest.update(block)
            except OSError:  # whoever reads it says so
                digest.update(b"unreadable")
    return digest.hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: None if math.isnan(number) else number for key, number in value.items()}
    return value


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {key: math.nan if value is None else float(value) for key, value in values.items()}


def _difference(old: Any, new: Mapping[str, Any]) -> str:
    if not isinstance(old, dict):
        return "no header"
    changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    return ", ".join(changed)
