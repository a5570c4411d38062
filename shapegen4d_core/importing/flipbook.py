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
from .tracks import Track


@dataclass(frozen=True)
class FlipBook:
    """The nodes that take turns, and the ``times`` [K] of all keys of the file, increasing."""

    tracks: dict[int, Track]
    times: np.ndarray

    def visible(self, seconds: np.ndarray) -> list[int]:
        """The node seen at each time [T]."""
        nodes = list(self.tracks)
        seen = np.zeros(len(seconds), np.int64)
        for column, node in enumerate(nodes):
            seen[self.tracks[node].at(seconds)[:, 0] == 1] = column
        return [nodes[column] for column in seen]

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
    if not (sum(track.at(changes)[:, 0] for track in scales.values()) == 1).all():
        return None
    return FlipBook(scales, _together(animation.tracks.values()))


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
