"""Rasterisers agree with published golden data and with a plain ray caster, whatever the chunks and the camera."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from shapegen4d_core.errors import InputError
from shapegen4d_core.rendering import raster_torch, rasterise

GROUPS = ("square", "wide")
BACKENDS = ["torch"] + [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
    for name in ("warp", "pytorch3d")
]


@pytest.fixture
def scene(golden):
    """One group of the golden file as tensors."""

    def read(group: str) -> dict[str, torch.Tensor]:
        arrays = golden("raster")
        return {key.split(".")[1]: torch.from_numpy(a) for key, a in arrays.items() if key.startswith(group)}

    return read


def draw(data: dict[str, torch.Tensor], **options):
    """The golden scene through our rasteriser."""
    size = tuple(data["size_hw"].tolist())
    return rasterise(data["verts"], data["faces"], data["K"], data["R"], data["t"], size, **options)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("group", GROUPS)
def test_golden_data(scene, group, backend):
    data = scene(group)
    raster = draw(data, backend=backend)
    assert int((raster.face_id != data["face_id"]).sum()) <= 2
    same = (raster.face_id == data["face_id"]) & (raster.face_id >= 0)
    assert int(same.sum()) > 300
    torch.testing.assert_close(raster.depth[same], data["depth"][same], rtol=1e-5, atol=0)
    torch.testing.assert_close(raster.barycentric[same], data["bary"][same], rtol=0, atol=1e-4)
    empty = raster.face_id < 0
    assert bool((raster.depth[empty] == -1).all()) and bool((raster.barycentric[empty] == 0).all())


@pytest.mark.parametrize("samples_at_once", [1, 100, 5000])
def test_chunks_do_not_change_a_bit(scene, samples_at_once):
    data = scene("wide")
    whole, chunked = draw(data), draw(data, samples_at_once=samples_at_once, backend="torch")
    for name in ("face_id", "barycentric", "depth"):
        assert torch.equal(getattr(whole, name), getattr(chunked, name))


def test_chunks_are_full_but_not_larger_than_asked_and_faces_behind_cost_nothing(monkeypatch, scene):
    plain, sizes = raster_torch._samples, []

    def recording(boxes, chunk):
        found = plain(boxes, chunk)
        sizes.append(len(found[0]))
        return found

    monkeypatch.setattr(raster_torch, "_samples", recording)
    data = scene("wide")
    draw(data, samples_at_once=1000, backend="torch")
    assert max(sizes) <= 1000 and min(sizes[:-1]) > 900 and len(sizes) > 3
    sizes.clear()
    draw({**data, "t": torch.tensor([0.0, 0.0, -10.0])}, backend="torch")
    assert sizes == []


def cast_rays(vertices: np.ndarray, faces: np.ndarray, focal: float, size: int, near: float) -> tuple:
    """Nearest face and its depth per pixel by solving each ray against each face plane in float64 (identity pose)."""
    ids, depths = np.full((size, size), -1), np.full((size, size), np.inf)
    for row in range(size):
        for column in range(size):
            ray = np.array([(column + 0.5 - size / 2) / focal, (row + 0.5 - size / 2) / focal, 1.0])
            for number, face in enumerate(faces):
                corner = vertices[face].astype(np.float64)
                system = np.stack([ray, corner[0] - corner[1], corner[0] - corner[2]], axis=1)
                if abs(np.linalg.det(system)) < 1e-12:
                    continue
                depth, first, second = np.linalg.solve(system, corner[0])
                inside = first >= 0 and second >= 0 and first + second <= 1
                if inside and near < depth < depths[row, column]:
                    ids[row, column], depths[row, column] = number, depth
    return ids, depths


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("seed", "low", "high"), [(0, 2.0, 4.0), (1, 2.0, 4.0), (2, -2.0, 3.0), (3, -2.0, 3.0)])
def test_random_triangles_agree_with_ray_casting_even_across_the_camera_plane(seed, low, high, backend):
    random = np.random.default_rng(seed)
    vertices = random.uniform([-2, -2, low], [2, 2, high], (18, 3)).astype(np.float32)
    faces = np.arange(18).reshape(6, 3)
    size, focal, near = 20, 14.0, 0.05
    expected, depths = cast_rays(vertices, faces, focal, size, near)
    intrinsics = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    raster = rasterise(
        torch.from_numpy(vertices),
        torch.from_numpy(faces),
        intrinsics,
        torch.eye(3),
        torch.zeros(3),
        (size, size),
        near,
        backend=backend,
    )
    assert (expected >= 0).sum() > 40
    differing = raster.face_id.numpy() != expected
    assert differing.sum() <= 1  # an edge may pass through a pixel's centre within rounding
    covered = ~differing & (expected >= 0)
    np.testing.assert_allclose(raster.depth.numpy()[covered], depths[covered], rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fan_has_no_pixel_missing_and_the_nearest_face_wins(backend):
    angles = torch.linspace(0, 2 * torch.pi, 90)[:-1]
    rim = torch.stack([angles.cos(), angles.sin(), torch.full_like(angles, 2.0)], dim=1)
    vertices = torch.cat([torch.tensor([[0.013, -0.007, 2.0]]), rim])
    number = torch.arange(89)
    fan = torch.stack([torch.zeros(89, dtype=torch.long), 1 + number, 1 + (number + 1) % 89], dim=1)
    intrinsics = torch.tensor([[64.0, 0, 32], [0, 64, 32], [0, 0, 1]])
    pose = (intrinsics, torch.eye(3), torch.zeros(3), (64, 64))
    raster = rasterise(vertices, fan, *pose, backend=backend)
    place = torch.arange(64) + 0.5 - 32
    radius = (place[:, None] ** 2 + place**2).sqrt()
    assert bool((raster.face_id[radius < 31.9] >= 0).all()) and bool((raster.face_id[radius > 32.1] < 0).all())
    behind = torch.cat([vertices * 1.5, vertices])  # the same fan further away, listed first
    both = rasterise(behind, torch.cat([fan, fan + 90]), *pose, backend=backend)
    inner = radius < 31.9
    assert torch.equal(both.face_id[inner], raster.face_id[inner] + 89)
    assert float(both.depth[inner].max()) == pytest.approx(2.0)


@pytest.mark.parametrize("backend", BACKENDS[:2])  # pytorch3d leaves such pixels empty
def test_an_edge_through_pixel_centres_belongs_to_both_faces_and_the_first_one_wins(backend):
    corners = torch.tensor([[-1.0, -1, 2], [1, -1, 2], [1, 1, 2], [-1, 1, 2]])
    intrinsics = torch.tensor([[8.0, 0, 4], [0, 8, 4], [0, 0, 1]])  # the square fills 8 x 8 pixels exactly
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    raster = rasterise(corners, faces, intrinsics, torch.eye(3), torch.zeros(3), (8, 8), backend=backend)
    assert torch.equal(raster.face_id, torch.ones(8, 8, dtype=torch.long).tril(-1))
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]):  # the edge may be any of the three, either way round
        alone = faces[:1, order]
        raster = rasterise(corners, alone, intrinsics, torch.eye(3), torch.zeros(3), (8, 8), backend=backend)
        assert torch.equal(raster.face_id >= 0, torch.ones(8, 8, dtype=torch.bool).triu())


def test_barycentrics_give_the_point_the_ray_hits(scene):
    data = scene("square")
    raster = draw(data)
    seen = raster.face_id >= 0
    in_view = data["verts"].double() @ data["R"].T + data["t"]
    points = (in_view[data["faces"][raster.face_id[seen]]] * raster.barycentric[seen][..., None]).sum(dim=1)
    pixels = points @ data["K"].T
    rows, columns = seen.nonzero().T
    torch.testing.assert_close(pixels[:, 0] / pixels[:, 2], columns + 0.5, rtol=0, atol=1e-3, check_dtype=False)
    torch.testing.assert_close(pixels[:, 1] / pixels[:, 2], rows + 0.5, rtol=0, atol=1e-3, check_dtype=False)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_to_draw_is_background(backend):
    intrinsics = torch.tensor([[8.0, 0, 4], [0, 8, 4], [0, 0, 1]])
    pose = (intrinsics, torch.eye(3), torch.zeros(3), (8, 8))
    faces = torch.tensor([[0, 1, 2]])
    behind = torch.tensor([[0.0, 0, -1], [1, 0, -1], [0, 1, -1]])
    needle = torch.tensor([[-1.0, -1, 2], [0, 0, 2], [1, 1, 2]])  # no area
    for raster in (
        rasterise(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32), *pose, backend=backend),
        rasterise(behind, faces, *pose, backend=backend),
        rasterise(needle, faces, *pose, backend=backend),
    ):
        assert bool((raster.face_id == -1).all()) and bool((raster.depth == -1).all())


def test_input_errors():
    vertices, faces, pose = torch.zeros(3, 3), torch.tensor([[0, 1, 2]]), (torch.eye(3), torch.zeros(3), (8, 8))
    skewed = torch.tensor([[1.0, 0.1, 0], [0, 1, 0], [0, 0, 1]])
    for arguments, words in (
        ((vertices[:, :2], faces, torch.eye(3), *pose), "vertices has shape"),
        ((vertices, faces[0], torch.eye(3), *pose), "faces has shape"),
        ((vertices.long(), faces, torch.eye(3), *pose), "floating-point"),
        ((vertices, faces, skewed, *pose), "no skew"),
        ((vertices, faces, torch.eye(3), *pose[:2], (0, 8)), "at least 1 x 1"),
    ):
        with pytest.raises(InputError, match=words):
            rasterise(*arguments)
