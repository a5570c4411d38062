"""Nodes that take turns: one is seen at a time, the others are scaled to 0 (STEP keys, core glTF 2.0).

Neighbours share their key times, eight nodes at a time, and equal rows of key values are stored once: a long flip
book costs few bytes of JSON per node. Every node has keys at 0 and where one of its neighbours changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .gltf_document import Document
from .key_times import key_times

HIDDEN = [0, 0, 0]
_NEIGHBOURS = 8  # more save little JSON and cost keys


def add_turns(document: Document, nodes: Sequence[int], owners: Sequence[int], fps: float) -> None:
    """Show ``nodes[owners[k]]`` from key k at k / fps until the next; ``owners`` [N + 1], the last at the end N / fps.

    Raises InputError for an ``fps`` beyond float32.
    """
    changes = [key for key in range(1, len(owners)) if owners[key] != owners[key - 1]]
    keys: dict[int, set[int]] = {block: {0} for block in range(-(-len(nodes) // _NEIGHBOURS))}
    for key in changes:
        keys[owners[key] // _NEIGHBOURS].add(key)
        keys[owners[key - 1] // _NEIGHBOURS].add(key)
    keys[owners[-1] // _NEIGHBOURS].add(len(owners) - 1)  # or the animation would end early
    stored: dict[tuple[bool, ...], int] = {}
    for block, found in keys.items():
        order = sorted(found)
        times = document.spool.key_times(key_times(order, fps))
        for turn in range(block * _NEIGHBOURS, min((block + 1) * _NEIGHBOURS, len(nodes))):
            shown = tuple(owners[key] == turn for key in order)
            if shown not in stored:
                stored[shown] = document.spool.key_values(np.repeat(np.float32(shown)[:, None], 3, axis=1))
            document.animate(nodes[turn], "scale", times, stored[shown], "STEP")
