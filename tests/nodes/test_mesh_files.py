"""Saving in every format and loading it again, as the page asks for it."""

from __future__ import annotations

import importlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

FORMATS = {
    "glb": {},
    "usd": {"format.file_type": "usdc"},
    "file per frame": {"format.files": "ply"},
    "safetensors": {},
}
ENDINGS = {"glb": ".glb", "usd": ".usdc", "file per frame": "", "safetensors": ".safetensors"}


@pytest.fixture
def moving(core):
    """A tetrahedron of one topology in three frames."""
    corners = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = np.int32([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    frames = tuple(corners + np.float32([0.5 * frame, 0, 0]) for frame in range(3))
    return core("sequence").MeshSequence(frames, (faces,) * 3, 8.0, "four")


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_saved_can_be_chosen_and_loaded(run, base, nodes, chain, format):
    prefix = f"3d/{format.replace(' ', '_')}/disc"
    saved = run("SaveMeshSequence", meshes=chain["meshes"], filename_prefix=prefix, format=format, **FORMATS[format])
    model, path, _ = saved.result
    assert path == f"{prefix}_00001_{ENDINGS[format]}" and (base / "output" / path).exists()
    assert model.format == "glb" and Path(model.get_source()).read_bytes()[:4] == b"glTF"
    assert Path(model.get_source()).is_relative_to(base / ("output" if format == "glb" else "temp"))
    file = next(entry for entry in nodes["ShapeGen4D_LoadMeshSequence"].define_schema().inputs if entry.id == "file")
    name = next(name for name in file.options["options"] if name.startswith(path) and name.endswith(" [output]"))
    meshes, fps, frames = run("LoadMeshSequence", file=name).result
    assert frames == chain["meshes"].frame_count and fps == pytest.approx(chain["meshes"].fps)
    for old, new in zip(chain["meshes"].vertices, meshes.vertices):
        np.testing.assert_array_equal(new, old)


def test_a_missing_library_is_named_before_anything_runs(nodes, monkeypatch):
    node = nodes["ShapeGen4D_SaveMeshSequence"]
    options = importlib.import_module(f"{node.__module__.rpartition('.')[0]}.export_options")
    for given in ("usd", {"format": "usd", "file_type": "usdz"}):
        assert node.validate_inputs(format=given) is True
        with monkeypatch.context() as patch:
            patch.setattr(options, "find_spec", lambda name: None)
            assert "pip install usd-core" in node.validate_inputs(format=given)
            assert node.validate_inputs(format="glb") is True


@pytest.mark.parametrize("cache", ["pc2", "mdd"])
def test_point_cache(run, base, moving, cache):
    saved = run(
        "SaveMeshSequence", meshes=moving, filename_prefix="3d/cache", format="point cache", **{"format.cache": cache}
    )
    path = base / "output" / saved.result[1]
    assert path.suffix == f".{cache}" and path.with_suffix(".obj").is_file()
    meshes = run("LoadMeshSequence", file=f"{saved.result[1]} [output]").result[0]
    np.testing.assert_array_equal(np.stack(meshes.vertices), np.stack(moving.vertices))


def test_names_with_dots(run, base, moving):
    prefix = "3d/shot.v2"
    for format, options in (("file per frame", {}), ("usd", {"format.file_type": "usda"}), ("point cache", {})):
        path = run("SaveMeshSequence", meshes=moving, filename_prefix=prefix, format=format, **options).result[1]
        assert path.startswith(f"{prefix}_0000")
        meshes = run("LoadMeshSequence", file=f"{path} [output]").result[0]
        np.testing.assert_array_equal(np.stack(meshes.vertices), np.stack(moving.vertices))
    path = run("SaveAnimation", images=torch.rand(2, 8, 8, 3), filename_prefix=prefix, format="png files").result[0]
    assert len(list((base / "output" / path).iterdir())) == 2


def test_files_of_one_name_have_previews_of_their_own(run, moving, chain):
    shown = []
    for folder, meshes in (("3d/a", moving), ("3d/b", chain["meshes"])):
        saved = run("SaveMeshSequence", meshes=meshes, filename_prefix=f"{folder}/disc", format="safetensors")
        shown.append(Path(saved.result[0].get_source()))
    assert shown[0] != shown[1] and shown[0].read_bytes() != shown[1].read_bytes()


def test_what_a_format_cannot_hold_is_in_the_report(run, core, moving):
    corners = tuple(np.concatenate([frame, np.float32([[9, 9, 9]])]) for frame in moving.vertices)
    loose = core("sequence").MeshSequence(corners, moving.faces, 8.0)
    report = run("SaveMeshSequence", meshes=loose, format="point cache").result[2]
    assert "1 vertices belong to no face" in report.splitlines()[1]


@pytest.mark.parametrize("format", ["safetensors", "file per frame", "glb with bones"])
def test_meshes_without_faces_leave_no_file(run, base, core, moving, format):
    points = core("sequence").MeshSequence(moving.vertices, (np.zeros((0, 3), np.int32),) * 3, 8.0)
    with pytest.raises(ValueError, match="has a face, so there is no mesh to write"):
        run("SaveMeshSequence", meshes=points, filename_prefix=f"none/{format}/points", format=format)
    assert not (base / "output" / "none").exists()


def test_bones_follow_a_rigid_motion(run, moving):
    saved = run("SaveMeshSequence", meshes=moving, format="glb with bones", **{"format.joints": 1})
    assert "3 frames at 8 per second" in saved.result[2] and "1 joints, at most 1 per vertex" in saved.result[2]
    meshes = run("LoadMeshSequence", file=f"{saved.result[1]} [output]").result[0]
    np.testing.assert_allclose(np.stack(meshes.vertices), np.stack(moving.vertices), atol=1e-5)


def test_camera_goes_along_where_it_can(run, core, moving):
    camera = core("sequence").Camera(10, 20, 3, (0, 0, 0), 40, 64, 48)
    with_camera = run("SaveMeshSequence", meshes=moving, camera=camera).result[0]
    content = Path(with_camera.get_source()).read_bytes()
    assert b'"cameras":[' in content
    for name, options in (("point cache", {}), ("safetensors", {}), ("file per frame", {})):
        run("SaveMeshSequence", meshes=moving, camera=camera, format=name, **options)


def test_file_of_another_node_from_disk_and_from_memory(run, moving, base):
    from comfy_api.latest import Types

    path = Path(run("SaveMeshSequence", meshes=moving).result[0].get_source())
    before = set((base / "temp").glob("*")) if (base / "temp").exists() else set()
    for source in (str(path), io.BytesIO(path.read_bytes())):
        meshes, fps, frames = run("LoadMeshSequence", model_3d=Types.File3D(source, "glb")).result
        assert frames == 3 and fps == 8.0
        np.testing.assert_allclose(np.stack(meshes.vertices), np.stack(moving.vertices), atol=1e-6)
    assert set((base / "temp").glob("*")) == before


def test_files_of_other_programs_are_offered(run, base, nodes, moving):
    from_blender = base / "input" / "3d" / "walk"
    from_blender.mkdir(parents=True)
    for number in (1, 2, 10):
        (from_blender / f"walk{number}.obj").write_text(f"v 0 0 {number}\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (base / "input" / "3d" / "notes.txt").write_text("not a mesh")
    names = nodes["ShapeGen4D_LoadMeshSequence"].define_schema().inputs[0].options["options"]
    assert "3d/walk" in names and not any("notes" in name for name in names)
    meshes, fps, frames = run("LoadMeshSequence", file="3d/walk", fps=5.0).result
    assert (fps, frames) == (5.0, 3)
    assert [frame[0, 2] for frame in meshes.vertices] == [1, 2, 10]


def test_changed_files_are_read_again(nodes, base):
    node = nodes["ShapeGen4D_LoadMeshSequence"]
    path = base / "input" / "3d" / "again.glb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"one")
    before = node.fingerprint_inputs("3d/again.glb", 0.0)
    assert node.fingerprint_inputs("3d/again.glb", 0.0) == before
    path.write_bytes(b"other")
    changed = node.fingerprint_inputs("3d/again.glb", 0.0)
    assert changed != before
    (path.parent / "unrelated.glb").write_bytes(b"one")
    assert node.fingerprint_inputs("3d/again.glb", 0.0) == changed
    path.with_suffix(".obj").write_bytes(b"a base mesh beside it")
    assert node.fingerprint_inputs("3d/again.glb", 0.0) != changed


@pytest.mark.parametrize(
    "name", ["none", "3d/missing.glb", "../secret.glb", "3d/../../secret.glb [output]", "/etc/passwd", "", " [output]"]
)
def test_nothing_outside_the_folders_is_read(run, base, name):
    (base / "secret.glb").write_bytes(b"glTF")
    with pytest.raises(ValueError, match="There is no|No file is chosen"):
        run("LoadMeshSequence", file=name)


@pytest.mark.parametrize(("format", "suffix"), [("mp4", ".mp4"), ("webp", ".webp"), ("gif", ".gif")])
def test_animations(run, base, format, suffix):
    pictures = torch.linspace(0, 1, 4)[:, None, None, None].expand(4, 16, 16, 3)
    output = run("SaveAnimation", images=pictures, format=format, fps=10.0)
    path = base / "output" / output.result[0]
    assert path.suffix == suffix and output.ui["animated"] == (True,)
    assert output.ui["images"] == [{"filename": path.name, "subfolder": "3d", "type": "output"}]
    if suffix != ".mp4":
        with Image.open(path) as picture:
            assert picture.n_frames == 4


def test_contact_sheet_and_transparent_files(run, base):
    pictures, masks = torch.ones(4, 16, 16, 3), torch.zeros(4, 16, 16)
    sheet = run("SaveAnimation", images=pictures, format="contact sheet", columns=2)
    with Image.open(base / "output" / sheet.result[0]) as picture:
        assert picture.width < 3 * 16 and sheet.ui["animated"] == (False,)
    folder = run("SaveAnimation", images=pictures, format="png files", masks=masks)
    files = sorted((base / "output" / folder.result[0]).iterdir())
    with Image.open(files[0]) as picture:
        assert len(files) == 4 and picture.getpixel((3, 3))[3] == 0
    with pytest.raises(ValueError, match="one mask of the same size"):
        run("SaveAnimation", images=pictures, masks=masks[:2])


def test_links_are_followed_and_those_that_lead_nowhere_do_not_disturb(run, base, nodes, moving, tmp_path):
    node = nodes["ShapeGen4D_LoadMeshSequence"]
    moving.save(tmp_path / "elsewhere.safetensors")
    folder = base / "output" / "3d" / "links"
    folder.mkdir(parents=True)
    (folder / "there.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")
    (folder / "gone.glb").symlink_to(tmp_path / "gone.glb")
    (folder / "sequence.json").symlink_to(tmp_path / "gone.json")
    file = next(entry for entry in node.define_schema().inputs if entry.id == "file")
    listed = [name for name in file.options["options"] if name.startswith("3d/links")]
    assert listed == ["3d/links/there.safetensors [output]"]
    assert run("LoadMeshSequence", file=listed[0]).result[2] == 3
    assert "there.safetensors" in node.fingerprint_inputs(listed[0], 0.0)
    assert "gone.glb" not in node.fingerprint_inputs("3d/links [output]", 0.0)
    for name in ("../../etc/passwd", "3d/../../x", "/etc/passwd", "a" * 300, "."):
        with pytest.raises(ValueError, match="There is no"):
            run("LoadMeshSequence", file=name)
