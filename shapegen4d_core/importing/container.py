"""Opens .glb and .gltf files: the JSON, and the bytes of buffers and pictures wherever they are kept.

Specification: glTF 2.0, sections 2.3.1 (data URIs), 2.8 (URIs) and 4.4 (GLB). External files must lie in the file's
own folder or below it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..errors import InputError
from .fields import entry_of, integer, items, part, text

BYTES_LIMIT = 2**31  # of one file
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_JSON, _BINARY = 0x4E4F534A, 0x004E4942
READABLE = {
    "KHR_mesh_quantization",
    "KHR_texture_transform",
    "EXT_texture_webp",
    "KHR_lights_punctual",
    "KHR_xmp_json_ld",
}


class Gltf:
    """A file's ``json`` and its bytes; ``path`` names it in messages."""

    def __init__(self, path: Path, document: dict[str, Any], binary: bytes | None) -> None:
        self.path, self.json = path, document
        self._binary = binary
        self._buffers: dict[int, bytes] = {}
        self._lists: dict[str, list[dict[str, Any]]] = {}  # checked once: long files have thousands of entries

    def entry(self, name: str, index: Any, where: str) -> dict[str, Any]:
        """Entry ``index`` of the top-level list ``name``; raises InputError when there is none."""
        if name not in self._lists:
            self._lists[name] = items(self.json, name, "the file")
        return entry_of(self._lists[name], name, index, where)

    def view(self, index: Any, where: str) -> tuple[memoryview, int]:
        """The bytes of a bufferView and its byteStride (0 when not given)."""
        view, name = self.entry("bufferViews", index, where), f"bufferView {index}"
        buffer = memoryview(self._buffer(integer(view, "buffer", name), name))
        start, length = integer(view, "byteOffset", name, 0), integer(view, "byteLength", name)
        if start + length > len(buffer):
            raise InputError(f"{name} ends at byte {start + length}, but its buffer has {len(buffer)}")
        return buffer[start : start + length], integer(view, "byteStride", name, 0, most=2**16)

    def content(self, uri: str, where: str) -> bytes:
        """The bytes behind a URI: base64 data, or a file in the folder of this one or below it."""
        if uri.startswith("data:"):
            head, comma, body = uri.partition(",")
            if not comma or not head.endswith(";base64"):
                raise InputError(f"{where} has a data URI that is not base64")
            try:
                return base64.b64decode(body, validate=True)
            except (binascii.Error, ValueError) as error:
                raise InputError(f"{where} has a data URI with damaged base64") from error
        return _file_bytes(self._beside(uri, where), where)

    def _beside(self, uri: str, where: str) -> Path:
        name = unquote(uri)
        parts = name.split("/")
        if _SCHEME.match(name) or {"..", ""} & set(parts) or {"\\", "\0"} & set(name):
            raise InputError(f"{where} points to {uri!r:.80}, accepted are files in the glTF file's folder or below")
        folder = self.path.parent.resolve()
        try:
            path = (folder / name).resolve()
        except (OSError, RuntimeError) as error:
            raise InputError(f"{where} points to {uri!r:.80}, which cannot be followed") from error
        if not path.is_relative_to(folder):
            raise InputError(f"{where} points to {uri!r:.80}, a link that leaves the folder of the glTF file")
        return path

    def _buffer(self, index: int, where: str) -> bytes:
        if index not in self._buffers:
            buffer, name = self.entry("buffers", index, where), f"buffer {index}"
            length = integer(buffer, "byteLength", name)
            if "uri" in buffer:
                content = self.content(text(buffer, "uri", name), name)
            elif index == 0 and self._binary is not None:
                content = self._binary
            elif "EXT_meshopt_compression" in part(buffer, "extensions", name):
                raise InputError("it is compressed with EXT_meshopt_compression, which is not read; save it without")
            else:
                raise InputError(f"{name} has no uri and the file no binary chunk for it")
            if len(content) < length:
                raise InputError(f"{name} should have {length} bytes, but only {len(content)} are there")
            self._buffers[index] = content[:length]
        return self._buffers[index]


def open_gltf(path: Path) -> Gltf:
    """Open a file, by its content: GLB or JSON. Raises InputError (one sentence, without the file's name)."""
    content = _file_bytes(path, "the file")
    binary = None
    if content[:4] == b"glTF":
        content, binary = _chunks(content)
    try:
        document = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is not glTF: its JSON is damaged ({str(error)[:80]})") from error
    asset = document.get("asset") if isinstance(document, dict) else None
    if not isinstance(asset, dict):
        raise InputError("it is not glTF: the JSON has no asset")
    if text(asset, "version", "asset").split(".")[0] != "2":
        raise InputError(f"it is glTF {asset.get('version')!r:.20}, accepted is version 2")
    gltf = Gltf(path, document, binary)
    _check_extensions(document)
    return gltf


def _file_bytes(path: Path, where: str) -> bytes:
    try:
        if not path.is_file():
            raise InputError(f"{where} does not exist at {path.name!r:.80}")
        if path.stat().st_size > BYTES_LIMIT:
            raise InputError(f"{where} has more than {BYTES_LIMIT >> 30} GiB, the most that is read")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where} cannot be read ({str(error)[:80]})") from error


def _chunks(content: bytes) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk of a GLB."""
    if len(content) < 20:
        raise InputError("it is a GLB that ends inside its header")
    _, version, length = struct.unpack_from("<3I", content)
    if version != 2:
        raise InputError(f"it is a GLB of version {version}, accepted is version 2")
    if length > len(content):
        raise InputError(f"it is a GLB of {length} bytes that ends after {len(content)}")
    found: dict[int, bytes] = {}
    place = 12
    while place + 8 <= length:
        size, kind = struct.unpack_from("<2I", content, place)
        if place + 8 + size > length:
            raise InputError(f"it is a GLB whose chunk at byte {place} reaches beyond the end")
        found.setdefault(kind, content[place + 8 : place + 8 + size])
        place += 8 + size
    if _JSON not in found:
        raise InputError("it is a GLB without a JSON chunk")
    return found[_JSON], found.get(_BINARY)


def _check_extensions(document: dict[str, Any]) -> None:
    required = document.get("extensionsRequired", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise InputError("extensionsRequired of the file is not a list of names")
    for name in required:
        if name not in READABLE and not name.startswith("KHR_materials_"):
            hint = ", save it without compression" if "compression" in name else ""
            raise InputError(f"it needs the extension {name!r:.60}, which is not read{hint}")


def _no_constant(name: str) -> None:
    raise ValueError(f"the constant {name}")
