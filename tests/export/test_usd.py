"""What a stage holds: clean by the validators, frames at their times, axes, units, texture, camera."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from shapegen4d_core.camera import Camera
from shapegen4d_core.export.usd import write_usd
from shapegen4d_core.sequence import MeshSequence
from tests.export.shapes import changing, sphere, waving
from tests.export.usd_check import complaints, topology_faults

from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade  # isort: skip  (after the check that it is there)

SUFFIXES = ["usda", "usdc", "usdz"]


def textured(channels: int = 3, **fields) -> MeshSequence:
    plain, random = waving(), np.random.default_rng(0)
    texture = random.integers(0, 255, (4, 6, channels), dtype=np.uint8)
    uv = random.random((42, 2), dtype=np.float32)
    return MeshSequence(plain.vertices, plain.faces, 24.0, uv=uv, texture=texture, **fields)


def circling(count: int) -> list[Camera]:
    return [Camera(10.0 * index, 20, 3 + index, (0, 0.5, 0), 30 + index, 640, 480) for index in range(count)]


def mesh_of(stage: Usd.Stage) -> UsdGeom.Mesh:
    (mesh,) = [UsdGeom.Mesh(prim) for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    return mesh


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_validators_and_topology_have_nothing_to_say(tmp_path, suffix):
    written = [
        write_usd(waving(name="F\u00fcchsin \u72d0"), tmp_path / f"a.{suffix}"),
        write_usd(changing(empty=(0, 3)), tmp_path / f"b.{suffix}", up_axis="Z", extras={"workflow": "{}"}),
        write_usd(textured(4), tmp_path / f"c.{suffix}", camera=circling(6)),
        write_usd(textured(), tmp_path / f"d.{suffix}", unlit=True, metres_per_unit=0.01, camera=circling(1)[0]),
        write_usd(waving(1), tmp_path / f"e.{suffix}"),
    ]
    assert [complaints(path) for path in written] == [[]] * len(written)


def test_the_checks_would_complain(tmp_path):
    path = write_usd(changing(), tmp_path / "a.usda")
    broken = path.read_text().replace('defaultPrim = "sequence"', "").replace("[0, 11, 5,", "[0, 11, 999,")
    path.write_text(broken)
    found = complaints(path)
    assert any("MissingDefaultPrim" in fault for fault in found), found
    assert any("0..999" in fault or "span" in fault for fault in found), found
    stage = Usd.Stage.Open(str(write_usd(waving(), tmp_path / "b.usda")))
    mesh_of(stage).GetFaceVertexCountsAttr().Set([3])
    assert "counts add up to 3" in topology_faults(stage)[0]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("make", [waving, changing])
def test_frames_are_exact_at_their_time_codes(tmp_path, suffix, make):
    sequence = make(7, 12.5)
    stage = Usd.Stage.Open(str(write_usd(sequence, tmp_path / f"a.{suffix}")))
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 6)
    assert stage.GetTimeCodesPerSecond() == stage.GetFramesPerSecond() == 12.5
    mesh = mesh_of(stage)
    assert mesh.GetPointsAttr().GetTimeSamples() == list(range(7))
    for frame in range(7):
        points = np.array(mesh.GetPointsAttr().Get(frame)).reshape(-1, 3)
        np.testing.assert_array_equal(points, sequence.vertices[frame])
        indices = np.array(mesh.GetFaceVertexIndicesAttr().Get(frame), np.int32).reshape(-1, 3)
        np.testing.assert_array_equal(indices, sequence.faces[frame])
    varies = mesh.GetFaceVertexIndicesAttr().ValueMightBeTimeVarying()
    assert varies == (not sequence.fixed_topology)


def test_normals_are_those_of_the_surface(tmp_path):
    stage = Usd.Stage.Open(str(write_usd(waving(), tmp_path / "a.usdc")))
    mesh, sequence = mesh_of(stage), waving()
    assert mesh.GetNormalsInterpolation() == "vertex"
    for frame, vertices in enumerate(sequence.vertices):
        expected = vertices / np.abs(vertices).max(axis=0) ** 2
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        assert (np.array(mesh.GetNormalsAttr().Get(frame)) * expected).sum(axis=1).min() > 0.98


def test_frames_of_equal_size_but_other_faces_hold_until_the_next(tmp_path):
    vertices, faces = sphere()
    frames, turned = (vertices, vertices * np.float32(2), vertices * np.float32(3)), faces[:, [1, 2, 0]]
    sequence = MeshSequence(frames, (faces, turned, turned), 8.0)
    stage = Usd.Stage.Open(str(write_usd(sequence, tmp_path / "a.usdc")))
    points = mesh_of(stage).GetPointsAttr()
    np.testing.assert_array_equal(points.Get(0.99), frames[0])
    np.testing.assert_array_equal(points.Get(1), frames[1])
    np.testing.assert_allclose(points.Get(1.5), 2.5 * vertices, atol=1e-6)  # the faces stayed: blended, as USD does
    stage = Usd.Stage.Open(str(write_usd(waving(4), tmp_path / "b.usdc")))
    np.testing.assert_allclose(mesh_of(stage).GetPointsAttr().Get(0.5), sum(waving(4).vertices[:2]) / 2, atol=1e-6)


def test_without_a_time_the_first_filled_frame_is_seen(tmp_path):
    sequence = changing(empty=(0, 1))
    stage = Usd.Stage.Open(str(write_usd(sequence, tmp_path / "a.usda")))
    mesh = mesh_of(stage)
    np.testing.assert_array_equal(mesh.GetPointsAttr().Get(), sequence.vertices[2])
    assert len(mesh.GetPointsAttr().Get(0)) == 0


@pytest.mark.parametrize(("up_axis", "up", "front"), [("Y", (0, 1, 0), (0, 0, 1)), ("Z", (0, 0, 1), (0, -1, 0))])
@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_axes_and_units(tmp_path, up_axis, up, front, unit):
    corners = np.float32([[0, 0, 0], [0, 1, 0], [0, 0, 1]])  # origin, up, front
    sequence = MeshSequence((corners,), (np.int32([[0, 1, 2]]),), 24.0)
    path = write_usd(sequence, tmp_path / "a.usdc", up_axis=up_axis, metres_per_unit=unit)
    stage = Usd.Stage.Open(str(path))
    assert UsdGeom.GetStageUpAxis(stage) == up_axis and UsdGeom.GetStageMetersPerUnit(stage) == unit
    points = np.array(mesh_of(stage).GetPointsAttr().Get()) * unit
    np.testing.assert_allclose(points, [(0, 0, 0), up, front], atol=1e-6)


def test_doubled_sides_only_where_the_inside_can_be_seen(tmp_path):
    vertices, faces = sphere()
    for name, last, expected in (("closed", faces, False), ("open", faces[:-1], True)):
        sequence = MeshSequence((vertices, vertices), (faces, last), 8.0)
        stage = Usd.Stage.Open(str(write_usd(sequence, tmp_path / f"{name}.usdc")))
        assert mesh_of(stage).GetDoubleSidedAttr().Get() is expected


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_texture_is_found_from_the_stage(tmp_path, suffix):
    sequence = textured(4)
    stage = Usd.Stage.Open(str(write_usd(sequence, tmp_path / f"fox.{suffix}")))
    material, _ = UsdShade.MaterialBindingAPI(mesh_of(stage)).ComputeBoundMaterial()
    surface, _, _ = material.ComputeSurfaceSource()
    assert surface.GetShaderId() == "UsdPreviewSurface"
    ((source, name, _),) = [surface.GetInput("diffuseColor").GetConnectedSource()]
    assert (name, UsdShade.Shader(source.GetPrim()).GetShaderId()) == ("rgb", "UsdUVTexture")
    assert surface.GetInput("opacity").GetConnectedSource()[1] == "a"
    resolved = UsdShade.Shader(source.GetPrim()).GetInput("file").Get().resolvedPath
    inside = resolved.endswith("fox.usdz[textures/base_colour.png]")
    content = zipfile.ZipFile(tmp_path / "fox.usdz").read("textures/base_colour.png") if inside else b""
    file = io.BytesIO(content) if inside else tmp_path / "fox_texture.png"
    assert inside == (suffix == "usdz") and (inside or resolved == str(file))
    np.testing.assert_array_equal(np.asarray(Image.open(file)), sequence.texture)
    st = UsdGeom.PrimvarsAPI(mesh_of(stage)).GetPrimvar("st")
    assert st.GetInterpolation() == "vertex"
    np.testing.assert_array_equal(st.Get(), sequence.uv)  # both have their origin at the bottom left


def test_unlit_glows_and_does_not_reflect(tmp_path):
    stage = Usd.Stage.Open(str(write_usd(textured(), tmp_path / "a.usdc", unlit=True)))
    surface = UsdShade.Material(stage.GetPrimAtPath("/sequence/textured")).ComputeSurfaceSource()[0]
    assert surface.GetInput("emissiveColor").GetConnectedSource()[1] == "rgb"
    assert [surface.GetInput(name).Get() for name in ("diffuseColor", "specularColor")] == [Gf.Vec3f(0)] * 2


@pytest.mark.parametrize("up_axis", ["Y", "Z"])
@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_cameras_see_what_ours_see(tmp_path, up_axis, unit):
    cameras, sequence = circling(6), waving()
    path = write_usd(sequence, tmp_path / "a.usda", camera=cameras, up_axis=up_axis, metres_per_unit=unit)
    stage = Usd.Stage.Open(str(path))
    view = UsdGeom.Camera(stage.GetPrimAtPath("/sequence/camera"))
    for frame, camera in enumerate(cameras):
        found = view.GetCamera(frame)
        frustum = found.frustum
        project = frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
        points = np.array(mesh_of(stage).GetPointsAttr().Get(frame), np.float64)
        seen = np.array([project.Transform(Gf.Vec3d(*point.tolist())) for point in points])[:, :2]
        clip = camera.projection_matrix(0.1, 10) @ camera.view_matrix()
        wanted = np.c_[sequence.vertices[frame], np.ones(42)] @ clip.T
        np.testing.assert_allclose(seen, wanted[:, :2] / wanted[:, 3:], atol=1e-5)
        assert found.verticalAperture * unit == pytest.approx(0.24)  # 24 mm in tenths of a unit


def test_a_still_camera_has_no_keys(tmp_path):
    stage = Usd.Stage.Open(str(write_usd(waving(), tmp_path / "a.usdc", camera=circling(1)[0])))
    camera = UsdGeom.Camera(stage.GetPrimAtPath("/sequence/camera"))
    assert not camera.GetFocalLengthAttr().ValueMightBeTimeVarying() and not camera.TransformMightBeTimeVarying()


def test_the_package_is_one_that_viewers_accept(tmp_path):
    path = write_usd(textured(), tmp_path / "fox.usdz")
    names = []
    with zipfile.ZipFile(path) as package, open(path, "rb") as file:
        for entry in package.infolist():
            file.seek(entry.header_offset + 26)
            lengths = int.from_bytes(file.read(2), "little") + int.from_bytes(file.read(2), "little")
            assert (entry.header_offset + 30 + lengths) % 64 == 0
            assert entry.compress_type == zipfile.ZIP_STORED and entry.flag_bits & 0x9 == 0  # no descriptor, no key
            assert entry.file_size == entry.compress_size
            names.append(entry.filename)
        assert package.testzip() is None
    assert names == ["stage.usdc", "textures/base_colour.png"]
    reader = Sdf if hasattr(Sdf, "ZipFile") else Usd  # older releases have it there
    assert list(reader.ZipFile.Open(str(path)).GetFileNames()) == names
    assert [entry.name for entry in tmp_path.iterdir()] == ["fox.usdz"]
