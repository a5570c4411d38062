"""Flip books: files that show one node per frame and hide the others by a scale of 0, as our own exporter writes them.

Recognised by structure: the animation has nothing but STEP scales of 0 or 1, every mesh hangs at one of the nodes
they move, and exactly one of those nodes is seen at any key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .animation import Animation
from .nodes import Nodes
from .tracks import Track


@dataclass(frozen=True)
class FlipBook:
    """The nodes that take turns and the ``times`` [K] of all changes, increasing."""

    tracks: dict[int, Track]
    times: np.ndarray

    def visible(self, seconds: np.ndarray) -> list[int]:
        """The node seen at each time [T]."""
        nodes = list(self.tracks)
        seen = np.stack([self.tracks[node].at(seconds)[:, 0] for node in nodes], axis=1)
        return [nodes[column] for column in seen.argmax(axis=1)]

    def key_rate(self) -> float | None:
        """Changes per second, by their median distance; None for a single frame."""
        steps = np.diff(self.times)
        return float(1 / np.median(steps)) if len(steps) else None


def read_flipbook(nodes: Nodes, animation: Animation) -> FlipBook | None:
    """The flip book a file is; None when it is something else."""
    tracks = {node: track for (node, path), track in animation.tracks.items() if path == "scale"}
    shown = set(nodes.shown)
    if len(tracks) != len(animation.tracks) or len(tracks) < 2 or not set(tracks) <= shown:
        return None
    if not all(track.mode == "STEP" and _switches(track) for track in tracks.values()):
        return None
    if any("mesh" in nodes.entries[node] and node not in tracks for node in shown):
        return None
    if any("skin" in nodes.entries[node] or nodes.parents[node] in tracks for node in tracks):
        return None
    times = np.unique(np.concatenate([track.times for track in tracks.values()])).astype(np.float64)
    seen = sum(track.at(times)[:, 0] for track in tracks.values())
    return FlipBook(tracks, times) if (seen == 1).all() else None


def _switches(track: Track) -> bool:
    first = track.values[:, :1]
    return bool((track.values == first).all() and np.isin(first, (0, 1)).all())
