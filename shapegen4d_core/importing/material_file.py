"""Reads the MTL files of an OBJ: the one picture that its materials show.

Source: the MTL appendix of Wavefront's Advanced Visualizer manual. Colours and all else are left out.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from .still import beside, file_bytes

_NUMBER = r"\s+[-+]?[\d.]+(?:e[-+]?\d+)?(?=\s)"
_SWITCH, _MEASURE = r"(?:blendu|blendv|cc|clamp)\s+(?:on|off)", rf"(?:mm|bm|boost|texres|o|s|t)(?:{_NUMBER}){{1,3}}"
_OPTIONS = re.compile(rf"^(?:-(?:{_SWITCH}|{_MEASURE}|imfchan\s+\w|type\s+\w+)\s+)+", re.IGNORECASE)
_LIBRARY = re.compile(r"\S.*?\.mtl(?=\s|$)", re.IGNORECASE)  # one line may name several, each may have blanks


def picture_of(folder: Path, libraries: list[str], materials: list[str], said_by: str) -> Path | None:
    """The picture (map_Kd) of the ``materials`` used, from ``libraries`` beside the OBJ called ``said_by``.

    None when there is none or it lies elsewhere; None and a warning when several pictures share the faces.
    """
    pictures: dict[str, str | None] = {}
    for line in libraries:
        for name in _LIBRARY.findall(_unquoted(line)) or [line]:
            path = beside(folder, name, said_by)
            if path is not None:
                pictures |= _pictures(file_bytes(path).decode("utf-8-sig", "replace"))
    used = {pictures.get(name) for name in materials}
    if len(used) > 1:
        warnings.warn(f"{said_by} has faces with different textures; it is read without them.", stacklevel=2)
        return None
    name = used.pop() if used else None
    return None if name is None else beside(folder, name, said_by)


def _pictures(text: str) -> dict[str, str | None]:
    """The picture of every material of an MTL."""
    found: dict[str, str | None] = {}
    material = None
    for line in text.splitlines():
        key, _, rest = line.strip().replace("\t", " ").partition(" ")
        if key == "newmtl":
            material = rest.strip()
            found[material] = None
        elif key.lower() == "map_kd" and material is not None:
            found[material] = _unquoted(_OPTIONS.sub("", rest.strip())) or None
    return found


def _unquoted(name: str) -> str:
    quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return name[1:-1] if quoted else name
