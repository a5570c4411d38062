"""A glTF document under construction: its JSON lists, its one animation, and the spool of its binary data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import __version__
from ..manifest import ENTRY, check_extras
from ..sequence import MeshSequence
from .gltf_buffers import BufferSpool


class Document:
    """Grows entry by entry; a context manager whose ``spool`` keeps its temporary files in ``folder``."""

    def __init__(self, name: str, folder: Path, asset: dict[str, Any]) -> None:
        self.spool = BufferSpool(folder)
        self.roots: list[int] = []  # nodes of the scene
        self._asset = asset
        self._lists: dict[str, list[Any]] = {}
        self._animation: dict[str, Any] = {"name": name, "samplers": [], "channels": []}

    def __enter__(self) -> Document:
        return self

    def __exit__(self, *error: object) -> None:
        self.spool.__exit__(*error)

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        """Append an entry to a top-level list such as "nodes" and return its index."""
        entries = self._lists.setdefault(kind, [])
        entries.append(entry)
        return len(entries) - 1

    def node(self, index: int) -> dict[str, Any]:
        """The node with that index, to be completed."""
        return self._lists["nodes"][index]

    def animate(self, node: int, path: str, times: int, values: int, interpolation: str) -> None:
        """Move the property ``path`` of a node by the accessors of its key ``times`` and ``values``."""
        samplers, channels = self._animation["samplers"], self._animation["channels"]
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "output": values, "interpolation": interpolation})

    def need(self, extension: str, required: bool = False) -> None:
        """List an extension as used and, when the file cannot be shown without it, as required."""
        for kind in ("extensionsUsed", "extensionsRequired")[: 1 + required]:
            if extension not in self._lists.setdefault(kind, []):
                self._lists[kind].append(extension)

    def json(self) -> dict[str, Any]:
        """Everything but buffers, views and accessors, the asset first: hosts read the start of a file."""
        moving = {"animations": [self._animation]} if self._animation["channels"] else {}
        scene = {"nodes": self.roots}  # unnamed, or three.js renames the root
        return {"asset": self._asset, "scene": 0, "scenes": [scene], **self._lists, **moving}


def asset_entry(
    sequence: MeshSequence, extras: dict[str, Any] | None, played: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The ``asset``: version, generator and, under extras, our own entry beside the host's.

    Ours has fps, frames, name and settings of the sequence and what ``played`` adds. Raises InputError when
    ``extras`` takes our key.
    """
    check_extras(extras)
    ours = {
        "fps": sequence.fps,
        "frames": sequence.frame_count,
        "name": sequence.name,
        **(played or {}),
        "settings": sequence.settings,
    }
    return {
        "version": "2.0",
        "generator": f"ShapeGen4D {__version__}",
        "extras": {ENTRY: ours, **(extras or {})},
    }
