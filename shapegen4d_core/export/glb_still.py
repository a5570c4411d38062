"""Writes the frames of a sequence as GLBs of their own, in which nothing moves; the texture is encoded once."""

from __future__ import annotations

import json
import struct
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..progress import Check
from ..sequence import MeshSequence
from .glb_container import write_container
from .gltf_document import Document
from .gltf_material import add_material
from .still import Still, Stills

_ASSET = {"version": "2.0", "generator": f"ShapeGen4D {__version__}"}
_LOOK = ("materials", "textures", "samplers")


class GlbStills:
    """Writes frames of one sequence one at a time; temporary files of the material lie in ``folder``."""

    def __init__(
        self, sequence: MeshSequence, folder: Path, normals: bool, unlit: bool = False, check: Check | None = None
    ) -> None:
        self._name, self._stills = sequence.name, Stills(sequence, normals, check)
        with Document(sequence.name, folder, _ASSET) as document:
            add_material(document, sequence.texture, sequence.uv, True, unlit, check=check)
            self._look = document.json()
            self._picture = b"".join(document.spool.blocks())

    def write(self, path: Path, frame: int, check: Check | None = None) -> None:
        """Write frame ``frame`` (from 0) to ``path``; one without faces becomes a node without a mesh.

        Raises InputError when the file would pass 4 GiB. ``check`` may raise to cancel.
        """
        still = self._stills.frame(frame)
        if not len(still.faces):
            path.write_bytes(_empty(self._name))
            return
        with Document(self._name, path.parent, _ASSET) as document:
            self._add_mesh(document, still)
            self._add_look(document, self._stills.closed(frame))
            write_container(path, document.json(), document.spool, check)

    def _add_mesh(self, document: Document, still: Still) -> None:
        spool = document.spool
        attributes = {"POSITION": spool.vectors(still.vertices, bounds=True)}
        if still.normals is not None:
            attributes["NORMAL"] = spool.vectors(still.normals)
        if still.uv is not None:
            top_left = np.stack([still.uv[:, 0], 1 - still.uv[:, 1]], axis=1)
            attributes["TEXCOORD_0"] = spool.texture_coordinates(top_left)
        indices = spool.indices(still.faces, len(still.vertices))
        primitive = {"attributes": attributes, "indices": indices, "material": 0}
        mesh = document.add("meshes", {"name": self._name, "primitives": [primitive]})
        document.roots.append(document.add("nodes", {"name": self._name, "mesh": mesh}))

    def _add_look(self, document: Document, closed: bool) -> None:
        look: dict[str, Any] = deepcopy(self._look)
        look["materials"][0]["doubleSided"] = not closed
        for kind in _LOOK:
            for entry in look.get(kind, []):
                document.add(kind, entry)
        for entry in look.get("images", []):
            document.add("images", {**entry, "bufferView": document.spool.image(self._picture)})
        for extension in look.get("extensionsUsed", []):
            document.need(extension)


def _empty(name: str) -> bytes:
    document = {"asset": _ASSET, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"name": name}]}
    text = json.dumps(document).encode("ascii")
    text += b" " * (-len(text) % 4)
    return struct.pack("<4s4I", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text
