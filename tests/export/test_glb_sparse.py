"""Targets in which little moves store only that: the values, the sizes, and the targets that stay whole."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.export import write_glb
from shapegen4d_core.importing import load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.export.glb_reader import read_glb
from tests.export.shapes import sphere


def partly_moving(shares: list[float]) -> MeshSequence:
    """A sphere of 642 vertices of which a share, from below, moves in each frame after the first."""
    vertices, faces = sphere(3)
    upwards = np.argsort(vertices[:, 1], kind="stable")
    frames = [vertices]
    for number, share in enumerate(shares):
        moved = vertices.copy()
        moved[upwards[: round(share * len(vertices))]] *= np.float32(1.25 + 0.25 * number)
        frames.append(moved)
    return MeshSequence(tuple(frames), (faces,) * len(frames), 24.0)


@pytest.mark.parametrize("quantize", [False, True])
def test_every_share_comes_back_and_only_small_ones_are_sparse(tmp_path, quantize):
    sequence = partly_moving([0.01, 0.5, 0.69, 0.71, 1.0, 0.0])
    path = write_glb(sequence, tmp_path / "a.glb", quantize=quantize)
    glb = read_glb(path)
    tolerance = 1e-4 if quantize else 2e-7
    for frame, expected in enumerate(sequence.vertices):
        np.testing.assert_allclose(glb.at(frame / 24)[0]["positions"], expected, atol=tolerance)
    np.testing.assert_allclose(np.stack(load_sequence(path).vertices), np.stack(sequence.vertices), atol=tolerance)
    targets = glb.json["meshes"][0]["primitives"][0]["targets"]
    accessors = [glb.json["accessors"][target["POSITION"]] for target in targets]
    assert ["sparse" in accessor for accessor in accessors] == [True, True, True, False, False, False]
    assert ["bufferView" in accessor for accessor in accessors] == [False, False, False, True, True, False]


def test_normals_of_what_does_not_turn_are_sparse_too(tmp_path):
    glb = read_glb(write_glb(partly_moving([0.1]), tmp_path / "a.glb"))
    (target,) = glb.json["meshes"][0]["primitives"][0]["targets"]
    stored = glb.json["accessors"][target["NORMAL"]]["sparse"]["count"]
    assert 64 <= stored < 200  # the moved vertices and their neighbours


def test_a_sixth_that_moves_takes_a_fraction_of_the_size(tmp_path):
    sizes = [write_glb(partly_moving([s] * 15), tmp_path / "a.glb").stat().st_size for s in (0.17, 1.0)]
    assert sizes[0] < 0.4 * sizes[1]


def test_a_frame_equal_to_the_first_costs_one_shared_accessor(tmp_path):
    glb = read_glb(write_glb(partly_moving([0.0, 0.0, 0.0]), tmp_path / "a.glb"))
    targets = glb.json["meshes"][0]["primitives"][0]["targets"]
    assert len({target["POSITION"] for target in targets}) == 1
    accessor = glb.json["accessors"][targets[0]["POSITION"]]
    assert "sparse" not in accessor and "bufferView" not in accessor and accessor["max"] == [0, 0, 0]
