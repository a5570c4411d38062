"""Reads Panda3D egg files (zlib-compressed text) far enough for characters: vertices, polygons, joints, tables.

Syntax: ``<Kind> name { words and further entries }``. Matrices are written for row vectors, z is up, texture
coordinates start at the bottom left; vertices are in the space of the whole file whatever groups hold them.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_TOKEN = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|<[^>]*>|[{}]|[^\s{}<>"]+')
_TURNS = {"p": (0, 1.0), "h": (2, 1.0), "r": (1, -1.0)}  # axis and sense of pitch, heading and roll in order "sphrt"


@dataclass
class Entry:
    """One entry of an egg file."""

    kind: str
    name: str = ""
    words: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def all(self, kind: str) -> list[Entry]:
        """The direct entries of a kind."""
        return [entry for entry in self.entries if entry.kind == kind]

    def below(self, kind: str) -> list[Entry]:
        """The entries of a kind at any depth, in order of the file."""
        found = []
        for entry in self.entries:
            found += [entry] if entry.kind == kind else []
            found += entry.below(kind)
        return found

    def numbers(self) -> np.ndarray:
        """The words as float64 [K]."""
        return np.array(self.words, np.float64)


def read_egg(path: Path) -> Entry:
    """The whole file as one entry."""
    data = Path(path).read_bytes()
    text = (zlib.decompress(data) if path.suffix == ".pz" else data).decode("latin-1")
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith("//")]
    tokens.reverse()
    top = Entry("file")
    while tokens:
        top.entries.append(_entry(tokens))
    return top


def _entry(tokens: list[str]) -> Entry:
    entry, name = Entry(tokens.pop()[1:-1]), []
    while (token := tokens.pop()) != "{":
        name.append(token.strip('"'))
    entry.name = " ".join(name)
    while tokens[-1] != "}":
        if tokens[-1].startswith("<"):
            entry.entries.append(_entry(tokens))
        else:
            entry.words.append(tokens.pop().strip('"'))
    tokens.pop()
    return entry


@dataclass
class Character:
    """A mesh with joints: positions [V,3], uv [V,2] (bottom left), faces [F,3], joints in order of the file."""

    positions: np.ndarray
    uv: np.ndarray
    faces: np.ndarray
    names: list[str]
    parents: list[int]
    rest: np.ndarray  # [J,4,4] joint to parent, column vectors
    weights: np.ndarray  # [V,J], rows sum to 1
    morphs: dict[str, np.ndarray]  # name to moves [V,3]


def character(file: Entry) -> Character:
    """The one vertex pool of a file with its polygons and joints."""
    pool = file.below("VertexPool")[0]
    used = {int(word) for polygon in file.below("Polygon") for word in polygon.all("VertexRef")[0].words}
    vertices = [vertex for vertex in pool.all("Vertex") if int(vertex.name) in used]
    index = {int(vertex.name): place for place, vertex in enumerate(vertices)}
    polygons = [[index[int(word)] for word in polygon.all("VertexRef")[0].words] for polygon in file.below("Polygon")]
    joints, parents = _joints(file)
    weights = np.zeros((len(vertices), len(joints)))
    for column, joint in enumerate(joints):
        for group in joint.all("VertexRef"):
            share = next((float(scalar.words[0]) for scalar in group.all("Scalar")), 1.0)
            weights[[index[int(word)] for word in group.words if int(word) in used], column] += share
    return Character(
        positions=np.stack([vertex.numbers() for vertex in vertices]),
        uv=np.stack([vertex.all("UV")[0].numbers() for vertex in vertices]),
        faces=np.array([[p[0], p[i], p[i + 1]] for p in polygons for i in range(1, len(p) - 1)]),
        names=[joint.name for joint in joints],
        parents=parents,
        rest=np.stack([joint.all("Transform")[0].below("Matrix4")[0].numbers().reshape(4, 4).T for joint in joints]),
        weights=weights / weights.sum(axis=1, keepdims=True),
        morphs=_morphs(vertices),
    )


def _joints(file: Entry) -> tuple[list[Entry], list[int]]:
    joints: list[Entry] = []
    parents: list[int] = []

    def visit(entry: Entry, parent: int) -> None:
        for child in entry.entries:
            if child.kind == "Joint":
                joints.append(child)
                parents.append(parent)
            visit(child, len(joints) - 1 if child.kind == "Joint" else parent)

    visit(file, -1)
    return joints, parents


def _morphs(vertices: list[Entry]) -> dict[str, np.ndarray]:
    moves: dict[str, np.ndarray] = {}
    for place, vertex in enumerate(vertices):
        for move in vertex.all("Dxyz"):
            moves.setdefault(move.name, np.zeros((len(vertices), 3)))[place] = move.numbers()
    return dict(sorted(moves.items()))


def joint_tracks(file: Entry) -> tuple[dict[str, dict[str, np.ndarray]], float]:
    """For each joint of an animation its components (i j k scale, p h r degrees, x y z) [T] or [1]; its rate."""
    tracks, fps = {}, 0.0
    for table in file.below("Table"):
        for xform in table.all("Xfm$Anim_S$"):
            settings = {entry.name: entry.words[0] for entry in xform.all("Scalar") + xform.all("Char*")}
            if settings["order"] != "sphrt":
                raise ValueError(f"order {settings['order']} is not read")
            tracks[table.name] = {track.name: track.all("V")[0].numbers() for track in xform.all("S$Anim")}
            fps = float(settings["fps"])
    return tracks, fps


def morph_tracks(file: Entry) -> tuple[dict[str, np.ndarray], float]:
    """The weight [T] of each morph of an animation, and its rate."""
    table = next(table for table in file.below("Table") if table.name == "morph")
    tracks = {track.name: track.all("V")[0].numbers() for track in table.all("S$Anim")}
    return tracks, float(table.below("Scalar")[0].words[0])


def local_matrices(track: dict[str, np.ndarray], frame_count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Translation [T,3], rotation matrices [T,3,3] and scale [T,3] of one joint: scale, then p, h, r, then move."""
    def component(name: str, default: float) -> np.ndarray:
        return np.broadcast_to(track.get(name, np.array([default])), (frame_count,))

    rotation = np.eye(3)
    for letter, (axis, sense) in _TURNS.items():
        rotation = _turn(axis, np.radians(sense * component(letter, 0.0))) @ rotation
    move = np.stack([component(name, 0.0) for name in "xyz"], axis=1)
    scale = np.stack([component(name, 1.0) for name in "ijk"], axis=1)
    return move, np.broadcast_to(rotation, (frame_count, 3, 3)), scale


def _turn(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotation matrices [T,3,3] about a coordinate axis, column vectors, counter-clockwise."""
    matrices = np.zeros((len(angle), 3, 3))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrices[:, axis, axis] = 1
    matrices[:, first, first] = matrices[:, second, second] = np.cos(angle)
    matrices[:, second, first] = np.sin(angle)
    matrices[:, first, second] = -matrices[:, second, first]
    return matrices
