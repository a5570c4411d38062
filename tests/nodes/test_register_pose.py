"""RegisterPose as the host runs it: outputs, both camera forms, the report, stopping, optional networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

SIDE = 72


@pytest.fixture(scope="module")
def scene(core):
    """An L-shaped body and its clip from the side, as core values of the pack."""
    import trimesh

    sequence, rendering = core("sequence"), core("rendering")
    parts = [trimesh.creation.box(extents) for extents in ((1.6, 0.4, 0.5), (0.4, 1.0, 0.4), (0.3, 0.3, 0.9))]
    for part, shift in zip(parts, ((0, -0.5, 0), (-0.6, 0.2, 0), (0.5, -0.2, 0.4))):
        part.apply_translation(shift)
    body = trimesh.util.concatenate([part.subdivide().subdivide() for part in parts])
    vertices, faces = body.vertices.astype(np.float32), body.faces.astype(np.int32)
    meshes = sequence.MeshSequence((vertices, vertices), (faces, faces), fps=8.0, name="body")
    camera = sequence.Camera(35.0, 15.0, 5.0, (0.0, 0.1, 0.0), 40.0, SIDE, SIDE)
    frames = rendering.render_sequence(meshes, camera)
    return {"meshes": meshes, "clip": sequence.Clip(frames, 8.0, "body"), "camera": camera}


@pytest.fixture(scope="module")
def posed(run, scene):
    return run("RegisterPose", meshes=scene["meshes"], clip=scene["clip"], views=96, rivals=3).result


def test_meshes_cover_the_clip(posed, scene, core):
    meshes, camera = posed[:2]
    overlap = core("registration.pose.result").outline_overlap(meshes, camera, scene["clip"])
    assert overlap.min() > 0.95
    assert camera.radius == pytest.approx(scene["camera"].radius, rel=0.1)


def test_the_overlay_is_an_image_batch(posed, scene):
    overlay = posed[3]
    assert overlay.shape == (2, SIDE, SIDE, 3) and 0 <= overlay.min() and overlay.max() <= 1
    assert (overlay - scene["clip"].frames[..., :3]).abs().max() > 0.1


def test_the_report_names_overlap_and_stages(posed):
    report = posed[4]
    assert "IoU" in report and all(name in report for name in ("candidates", "settle", "swarm", "refine"))
    assert "volume drift" in report and "pieces" in report


def test_the_camera_in_the_hosts_form_is_the_same_camera(posed):
    from scipy.spatial.transform import Rotation

    camera, form = posed[1:3]
    assert form["cameraType"] == "perspective" and form["fov"] == camera.fov_degrees and form["aspect"] == 1.0
    eye, target = (np.array([form[key][axis] for axis in "xyz"]) for key in ("position", "target"))
    np.testing.assert_allclose(eye, camera.eye())
    turn = Rotation.from_quat([form["quaternion"][axis] for axis in "xyzw"]).as_matrix()
    view = (target - eye) / np.linalg.norm(target - eye)
    np.testing.assert_allclose(turn @ (0, 0, -1), view, atol=1e-9)
    assert 0 < form["near"] < camera.radius < form["far"]


def test_placement_camera_keeps_the_meshes(run, scene):
    given = {"meshes": scene["meshes"], "clip": scene["clip"], "views": 96, "rivals": 2}
    meshes, camera, *_ = run("RegisterPose", placement="camera", **given).result
    assert meshes is scene["meshes"]
    assert camera.yaw_degrees == pytest.approx(35.0, abs=3) and camera.pitch_degrees == pytest.approx(15.0, abs=3)


def test_the_image_encoder_of_a_model_takes_part(run, scene, chain):
    given = {"meshes": scene["meshes"], "clip": scene["clip"], "views": 32, "rivals": 1}
    report = run("RegisterPose", model=chain["model"], **given).result[4]
    assert "IoU" in report


def test_weights_are_listed_by_their_names(pack, base, nodes):
    folder = base / "models" / "shapegen4d" / "vggt"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"")
    options = {entry.id: entry.options.get("options") for entry in
               nodes["ShapeGen4D_RegisterPose"].define_schema().inputs}  # fmt: skip
    assert options["vggt"] == ["none", "vggt/model.safetensors"] and options["dreamsim"] == ["none"]


def test_a_name_that_is_not_there_is_refused(run, scene):
    with pytest.raises(ValueError, match="choose one of none"):
        run("RegisterPose", meshes=scene["meshes"], clip=scene["clip"], dreamsim="../dreamsim.safetensors")


def test_the_stop_button_is_heard(run, scene, monkeypatch):
    import comfy.model_management as manager

    calls = iter(range(20))

    def pressed():
        if next(calls, None) is None:
            raise InterruptedError

    monkeypatch.setattr(manager, "throw_exception_if_processing_interrupted", pressed)
    with pytest.raises(InterruptedError):
        run("RegisterPose", meshes=scene["meshes"], clip=scene["clip"])


def test_counts_that_differ_are_told(run, scene, core):
    clip = replace(scene["clip"], frames=torch.cat([scene["clip"].frames, scene["clip"].frames[:1]]))
    with pytest.raises(core("errors").InputError, match="2 meshes and the clip 3 frames"):
        run("RegisterPose", meshes=scene["meshes"], clip=clip)
