"""One animation of a file: which properties of which nodes it moves, and the poses it gives at sampled times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError
from .accessors import Accessors
from .container import Gltf
from .fields import integer, items, part, text
from .nodes import Nodes
from .tracks import MODES, Track

_KINDS = {"translation": ("VEC3", 3), "rotation": ("VEC4", 4), "scale": ("VEC3", 3), "weights": ("SCALAR", 1)}
_VALUES_LIMIT = 2**28  # sampled numbers of all tracks together


@dataclass
class Animation:
    """Tracks by (node, path); empty for a still file."""

    name: str = ""
    tracks: dict[tuple[int, str], Track] = field(default_factory=dict)

    def span(self) -> tuple[float, float]:
        """First and last key time over all tracks, in seconds; (0, 0) without tracks."""
        if not self.tracks:
            return 0.0, 0.0
        starts = [float(track.times[0]) for track in self.tracks.values()]
        return min(starts), max(float(track.times[-1]) for track in self.tracks.values())

    def key_rate(self) -> float | None:
        """Keys per second of the track with the most keys, by their median distance; None when nothing moves."""
        times = max((track.times for track in self.tracks.values()), key=len, default=np.zeros(0))
        steps = np.diff(times.astype(np.float64))
        steps = steps[steps > 0]
        return float(1 / np.median(steps)) if len(steps) else None


def read_animation(gltf: Gltf, accessors: Accessors, nodes: Nodes, wanted: int | str | None) -> Animation:
    """The animation of that number or name, the first one for None; an empty one when the file has none.

    Raises InputError for an unknown one or damaged keys.
    """
    entries = items(gltf.json, "animations", "the file")
    if not entries and wanted is None:
        return Animation()
    names = [text(entry, "name", f"animation {index}", "") for index, entry in enumerate(entries)]
    index = names.index(wanted) if wanted in names else wanted
    index = 0 if index is None else index
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(entries):
        raise InputError(f"animation is {wanted!r}, but the file has {len(entries)} ({', '.join(names[:8])[:200]})")
    animation = Animation(names[index])
    where = f"animation {index}"
    samplers = items(entries[index], "samplers", where)
    for channel in items(entries[index], "channels", where):
        target = part(channel, "target", where)
        path = text(target, "path", where, "")
        if "node" not in target or path not in _KINDS:
            continue  # other paths and targets belong to extensions, and such channels are to be skipped
        node, number = integer(target, "node", where), integer(channel, "sampler", where)
        if node >= len(nodes.entries) or number >= len(samplers):
            raise InputError(f"{where} has a channel for node {node} and sampler {number}, which do not both exist")
        if (node, path) in animation.tracks:
            raise InputError(f"{where} moves the {path} of node {node} twice")
        if nodes.fixed[node] and path != "weights":
            raise InputError(f"{where} moves the {path} of node {node}, which has a matrix; write it as separate parts")
        animation.tracks[node, path] = _track(accessors, samplers[number], path, f"sampler {number} of {where}")
    return animation


def _track(accessors: Accessors, sampler: dict[str, Any], path: str, where: str) -> Track:
    kind, width = _KINDS[path]
    mode = text(sampler, "interpolation", where, "LINEAR")
    if mode not in MODES:
        raise InputError(f"{where} has the interpolation {mode!r:.40}, accepted are {', '.join(MODES)}")
    times = accessors.numbers(sampler.get("input"), "SCALAR", where)[:, 0]
    values = accessors.numbers(sampler.get("output"), kind, where)
    if len(times) == 0 or (np.diff(times) < 0).any():
        raise InputError(f"{where} has no keys, or key times that go back")
    rows = len(times) * (3 if mode == "CUBICSPLINE" else 1)
    if len(values) == 0 or len(values) % rows or (path != "weights" and len(values) != rows):
        raise InputError(f"{where} has {len(times)} keys, but {len(values)} values")
    width = width * len(values) // rows
    shape = (len(times), 3, width) if mode == "CUBICSPLINE" else (len(times), width)
    return Track(times, values.reshape(shape), mode, rotation=path == "rotation")


class Poses:
    """An animation sampled at T times, ready to pose the nodes frame by frame (morph weights when asked for)."""

    def __init__(self, nodes: Nodes, animation: Animation, seconds: np.ndarray) -> None:
        self._nodes = nodes
        moves = [track for (_, path), track in animation.tracks.items() if path != "weights"]
        total = sum(track.values.shape[-1] for track in moves) * len(seconds)
        if total > _VALUES_LIMIT:
            raise InputError(f"its tracks give {total} values in {len(seconds)} frames; ask for fewer frames")
        self._seconds = seconds
        self._weights: dict[int, Track] = {}
        self._moves: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._columns: dict[tuple[int, str], int] = {}  # of the values in _moves, by node and path
        by_path: dict[str, list[tuple[int, np.ndarray]]] = {}
        for (node, path), track in animation.tracks.items():
            if path == "weights":
                self._weights[node] = track
            else:
                by_path.setdefault(path, []).append((node, track.at(seconds)))
        for path, found in by_path.items():
            order = np.array([node for node, _ in found], np.int64)
            self._moves[path] = order, np.stack([values for _, values in found], axis=1)  # [T,C,width]
            self._columns.update({(node, path): column for column, (node, _) in enumerate(found)})

    def world(self, frame: int) -> np.ndarray:
        """World matrices [N,4,4] of all nodes in one frame."""
        pose = {path: getattr(self._nodes, path) for path in ("translation", "rotation", "scale")}
        for path, (order, values) in self._moves.items():
            pose[path] = pose[path].copy()
            pose[path][order] = values[frame]
        return self._nodes.world(**pose)

    def world_to(self, node: int, frame: int) -> dict[int, np.ndarray]:
        """World matrices [4,4] of one node and those above it, by node, in one frame."""
        chain = self._nodes.chain(node)
        pose = {path: getattr(self._nodes, path)[chain] for path in ("translation", "rotation", "scale")}
        for path, (_, values) in self._moves.items():
            for place, member in enumerate(chain):
                if (member, path) in self._columns:
                    pose[path][place] = values[frame, self._columns[member, path]]
        return self._nodes.world_along(chain, **pose)

    def weights(self, node: int, frame: int) -> np.ndarray | None:
        """Animated morph weights [M] of a node; None when they are not animated."""
        if node not in self._weights:
            return None
        return self._weights[node].at(self._seconds[frame : frame + 1])[0]
