"""Readings without ground truth on sequences whose jitter, volume and silhouettes are known."""

import numpy as np
import pytest
import torch
import trimesh

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.registration.quality import Quality, read_quality
from shapegen4d_core.rendering import render_sequence
from shapegen4d_core.sequence import Camera, Clip, MeshSequence

CAMERA = Camera(0.0, 0.0, 4.0, (0.0, 0.0, 0.0), 40.0, 64, 64)


def balls(shifts, radii=None, turn=True):
    """Spheres, by default meshed differently in every frame, as marching cubes would."""
    meshes = []
    for index, shift in enumerate(shifts):
        ball = trimesh.creation.icosphere(3, 0.6 if radii is None else radii[index])
        if turn:
            ball.apply_transform(trimesh.transformations.rotation_matrix(index, (1, 2, 3)))
        ball.apply_translation((shift, 0, 0))
        meshes.append(ball)
    vertices = tuple(np.asarray(mesh.vertices, np.float32) for mesh in meshes)
    return MeshSequence(vertices, tuple(np.asarray(mesh.faces, np.int32) for mesh in meshes), 8.0)


def film(meshes):
    return Clip(render_sequence(meshes, CAMERA, style="shaded").clamp(0, 1), 8.0)


@pytest.mark.parametrize(
    ("shifts", "expected", "tolerance"),
    [([0.0] * 5, 0.0, 0.002), (0.05 * np.arange(5), 0.0, 0.004), ([0.0, 0.05, 0.0, 0.05, 0.0], 0.05, 0.003)],
    ids=["still", "even motion", "to and fro"],  # to and fro by s: 2 s |n_x|, whose mean over a sphere is s
)
def test_jitter_is_the_uneven_part_of_the_motion(shifts, expected, tolerance):
    assert read_quality(balls(shifts)).jitter == pytest.approx(expected, abs=tolerance)


def test_volume_drift_and_pieces():
    read = read_quality(balls([0.0] * 3, radii=[0.5, 0.5, 0.5 * 1.3 ** (1 / 3)]))
    assert read.volume_drift == pytest.approx(0.1, abs=1e-3) and read.pieces == (1, 1, 1)
    two = trimesh.util.concatenate([trimesh.creation.box(), trimesh.creation.box().apply_translation((3, 0, 0))])
    frame = (np.asarray(two.vertices, np.float32),), (np.asarray(two.faces, np.int32),)
    assert read_quality(MeshSequence(*frame, 8.0)).pieces == (2,)
    corners = np.asarray(two.triangles.reshape(-1, 3), np.float32)  # every face cut off, as along seams of a texture
    faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    assert read_quality(MeshSequence((corners,), (faces,), 8.0)).pieces == (2,)


def test_the_sequence_that_was_filmed_fits_its_film():
    meshes = balls(0.02 * np.arange(5) ** 2)
    read = read_quality(meshes, film(meshes), CAMERA)
    assert min(read.silhouette_iou) > 0.97 and read.flicker == pytest.approx(1.0, abs=0.15)
    assert read.hints() == []


def test_what_differs_from_the_film_is_hinted_at():
    filmed = film(balls(0.02 * np.arange(5) ** 2))
    flickers = read_quality(balls([0.0, 0.12, 0.0, 0.12, 0.1]), filmed, CAMERA)
    assert flickers.flicker > 2 and any("flicker" in hint for hint in flickers.hints())
    aside = read_quality(balls(0.5 + 0.02 * np.arange(5) ** 2), filmed, CAMERA)
    assert np.mean(aside.silhouette_iou) < 0.6 and any("pose or shape is off" in hint for hint in aside.hints())
    grows = read_quality(balls([0.0] * 4, radii=[0.4, 0.5, 0.6, 0.7]))
    assert any("volume" in hint for hint in grows.hints())
    one = Quality(0.0, 0.0, (1, 1, 1, 1), (0.9, 0.5, 0.9, 0.95))
    assert "Frame 2" in one.hints()[0] and len(one.hints()) == 1


def test_an_empty_frame_is_read_and_named():
    full = balls([0.0] * 4)
    nothing = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    vertices, faces = [*full.vertices[:2], nothing[0], full.vertices[3]], [*full.faces[:2], nothing[1], full.faces[3]]
    read = read_quality(MeshSequence(tuple(vertices), tuple(faces), 8.0), film(full), CAMERA)
    assert read.pieces == (1, 1, 0, 1) and read.silhouette_iou[2] == 0 and "Frame 3 is empty" in read.hints()[0]


def test_a_frame_that_is_empty_in_mesh_and_film_fits():
    """The object left the picture for a moment."""
    meshes = balls(0.02 * np.arange(5) ** 2)
    nothing = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    frames = film(meshes).frames.clone()
    frames[2] = 0
    vertices, faces = (
        (*values[:2], none, *values[3:]) for values, none in zip((meshes.vertices, meshes.faces), nothing)
    )
    asked = []
    read = read_quality(
        MeshSequence(vertices, faces, 8.0), Clip(frames, 8.0), CAMERA, check=lambda: asked.append(None)
    )
    assert read.silhouette_iou[2] == 1 and min(read.silhouette_iou) > 0.97
    assert read.flicker == pytest.approx(1.0, abs=0.15)
    assert len(asked) >= 3 * 5  # also while outlines are compared, frame by frame


def test_lines_name_the_figures():
    text = "\n".join(Quality(0.0123, 0.5, (1, 2), (0.9, 0.7), 1.5).lines())
    assert "IoU 0.800" in text and "0.700" in text and "1.50 of the video" in text and "1 to 2" in text
    assert text.count("Hint:") == 2 and Quality(0.0, 0.0, (1,)).lines()[0].startswith("jitter")


def test_refusals_and_cancelling():
    meshes = balls([0.0, 0.1])
    with pytest.raises(InputError, match="both"):
        read_quality(meshes, film(meshes))
    with pytest.raises(InputError, match="3 frames and the sequence 2"):
        read_quality(meshes, Clip(torch.zeros(3, 8, 8, 4), 8.0), CAMERA)

    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        read_quality(meshes, check=stop)
