"""Flip books: files that show one node at a time and hide the others by a scale of 0, as our own exporter writes them.

Recognised by structure: STEP scales of 0 or 1 move the nodes that carry meshes, and exactly one of these is seen at
any key. They may have morph targets of their own (long clips are cut into meshes that take turns), and nodes above or
beside them may travel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .animation import Animation
from .nodes import Nodes
from .tracks import Track, reached


@dataclass(frozen=True)
class FlipBook:
    """The ``nodes`` that take turns: ``nodes[owners[k]]`` is seen from ``changes[k]`` seconds on.

    ``owners`` [K], ``changes`` [K] and the ``times`` [L] of all keys of the file; both of these increase.
    """

    nodes: tuple[int, ...]
    changes: np.ndarray
    owners: np.ndarray
    times: np.ndarray

    def visible(self, seconds: np.ndarray) -> list[int]:
        """The node seen at each time [T]."""
        places = np.searchsorted(self.changes, reached(seconds), side="right") - 1
        return [self.nodes[owner] for owner in self.owners[places.clip(0)]]

    def key_rate(self) -> float | None:
        """Keys per second, by their median distance; None for a single frame."""
        steps = np.diff(self.times)
        return float(1 / np.median(steps)) if len(steps) else None


def read_flipbook(nodes: Nodes, animation: Animation) -> FlipBook | None:
    """The flip book a file is; None when it is something else."""
    scales = {node: track for (node, path), track in animation.tracks.items() if path == "scale"}
    if len(scales) < 2 or not all(track.mode == "STEP" and _switches(track) for track in scales.values()):
        return None
    if not _pages_alone(nodes, set(scales)) or not _others_only_travel(animation, set(scales)):
        return None
    changes = _together(scales.values())
    owners = _owners(list(scales.values()), changes)
    if owners is None:
        return None
    return FlipBook(tuple(scales), changes, owners, _together(animation.tracks.values()))


def _owners(tracks: list[Track], changes: np.ndarray) -> np.ndarray | None:
    """Number of the track that is 1 from each of the ``changes`` [K] on; None unless it is one at any time."""
    owners, counts = np.zeros(len(changes), np.int64), np.zeros(len(changes), np.int64)
    for number, track in enumerate(tracks):
        places = np.searchsorted(changes, track.times.astype(np.float64))
        starts, ends = [0, *places[1:]], [*places[1:], len(changes)]  # the first value holds before its key, too
        for value, start, end in zip(track.values[:, 0], starts, ends):
            if value:
                owners[start:end] = number
                counts[start:end] += 1
    return owners if (counts == 1).all() else None


def _pages_alone(nodes: Nodes, pages: set[int]) -> bool:
    """Whether the pages are shown, without skins, none inside another, and all other nodes without a mesh."""
    shown = set(nodes.shown)
    if not pages <= shown or any("mesh" in nodes.entries[node] for node in shown - pages):
        return False
    return not any("skin" in nodes.entries[node] or nodes.parents[node] in pages for node in pages)


def _others_only_travel(animation: Animation, pages: set[int]) -> bool:
    """Whether all tracks but the scales of pages are morph weights of pages, or moves of nodes that are none."""
    for node, path in animation.tracks:
        if path != "scale" and (path == "weights") != (node in pages):
            return False
    return True


def _together(tracks: Iterable[Track]) -> np.ndarray:
    return np.unique(np.concatenate([track.times for track in tracks])).astype(np.float64)


def _switches(track: Track) -> bool:
    first = track.values[:, :1]
    return bool((track.values == first).all() and np.isin(first, (0, 1)).all())
