"""The node and the verb: one texture from the clip or a mesh, in the host's forms."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from shapegen4d_core import cli
from shapegen4d_core.export import write_glb
from shapegen4d_core.importing import load_sequence
from shapegen4d_core.sequence import MeshSequence
from tests.texturing.conftest import paint, painted, stage

QUICK = {"texture_size": 256, "symmetry": False, "refine_passes": 0, "robust_passes": 0}


@dataclass
class CoreMesh:
    """What the host's MESH has, as far as the node reads it."""

    vertices: torch.Tensor
    faces: torch.Tensor
    uvs: torch.Tensor | None = None
    vertex_colors: torch.Tensor | None = None
    texture: torch.Tensor | None = None
    vertex_counts: torch.Tensor | None = None
    face_counts: torch.Tensor | None = None


@pytest.fixture(scope="module")
def turning():
    """Two frames of a painted ball."""
    return stage(turns=(0.0, 30.0))


@pytest.fixture(scope="module")
def values(turning, core):
    """Its values as the nodes know them."""
    sequence = core("sequence")
    bare = sequence.MeshSequence(turning.bare.vertices, turning.bare.faces, 8.0, "ball")
    camera = turning.camera
    numbers = camera.yaw_degrees, camera.pitch_degrees, camera.radius, camera.look_at, camera.fov_degrees
    return {
        "meshes": bare,
        "clip": sequence.Clip(turning.clip.frames, 8.0),
        "camera": sequence.Camera(*numbers, camera.width, camera.height),
    }


@pytest.fixture(scope="module")
def core_mesh(turning):
    """The painted ball as a padded batch of one, uv with v down."""
    vertices, faces, uv, page = painted(turning.bare.vertices[0], turning.bare.faces[0], paint)
    pad = ((0, 5), (0, 0))
    return CoreMesh(
        torch.from_numpy(np.pad(vertices, pad, constant_values=9.0))[None],
        torch.from_numpy(np.pad(faces, pad).astype(np.int64))[None],
        torch.from_numpy(np.pad(np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1), pad))[None],
        texture=torch.from_numpy(page).float()[None] / 255,
        vertex_counts=torch.tensor([len(vertices)]),
        face_counts=torch.tensor([len(faces)]),
    )


def test_video_gives_meshes_pictures_and_words(run, values):
    meshes, texture, confidence, report = run("PropagateTexture", **values, **QUICK).result
    assert meshes.texture.shape == (256, 256, 3) and meshes.fixed_topology and meshes.frame_count == 2
    assert texture.shape == (1, 256, 256, 3) and texture.dtype == torch.float32 and float(texture.max()) <= 1
    assert torch.equal((texture[0] * 255).round().byte(), torch.from_numpy(meshes.texture))
    assert confidence.shape == (1, 256, 256) and 0.5 < float(confidence.max()) <= 1
    assert "% seen in the video" in report


def test_textured_mesh_in_every_form(run, values, core_mesh, turning, tmp_path):
    path = tmp_path / "ball.glb"
    write_glb(replace(turning.painted, vertices=turning.painted.vertices[:1], faces=turning.painted.faces[:1]), path)
    given = [core_mesh, _File(str(path)), _File(io.BytesIO(path.read_bytes()))]
    colours = torch.from_numpy(paint(core_mesh.vertices[0].numpy())).float()[None]
    given.append(replace(core_mesh, uvs=None, texture=None, vertex_colors=colours))
    textures = []
    for mesh in given:
        made = run("PropagateTexture", meshes=values["meshes"], mode="textured mesh", textured_mesh=mesh, **QUICK)
        assert "from the textured mesh" in made.result[3]
        textures.append(made.result[1])
    assert all(float((other - textures[0]).abs().mean()) < 0.02 for other in textures[1:])
    both = run("PropagateTexture", **values, textured_mesh=core_mesh, **QUICK).result
    assert "over the textured mesh" in both[3] and "made up" not in both[3]


@dataclass
class _File:
    source: Any

    def get_source(self):
        """Path or stream."""
        return self.source


def test_refusals_name_what_to_connect(run, values):
    with pytest.raises(ValueError, match="needs the clip and the camera of Register Pose"):
        run("PropagateTexture", meshes=values["meshes"], **QUICK)
    with pytest.raises(ValueError, match="needs a mesh at textured_mesh"):
        run("PropagateTexture", **values, mode="textured mesh", **QUICK)
    faces = values["meshes"].faces
    changing = replace(values["meshes"], faces=(faces[0], np.ascontiguousarray(faces[1][::-1])))
    with pytest.raises(ValueError, match="put the Track Topology node before this one"):
        run("PropagateTexture", **{**values, "meshes": changing}, **QUICK)
    with pytest.raises(ValueError, match="is a str; connect a MESH or a GLB file"):
        run("PropagateTexture", **values, textured_mesh="ball", **QUICK)


def test_the_stop_button(run, values):
    from comfy.model_management import STOP_AFTER, InterruptProcessingException

    STOP_AFTER.append(3)
    with pytest.raises(InterruptProcessingException):
        run("PropagateTexture", **values, **QUICK)
    assert not STOP_AFTER


def test_the_verb_writes_all_it_is_asked_for(turning, tmp_path, capsys):
    turning.bare.save(tmp_path / "ball.safetensors")
    turning.clip.save(tmp_path / "clip.safetensors")
    turning.camera.save(tmp_path / "camera.safetensors")
    arguments = ["texture", str(tmp_path / "ball.safetensors"), "--size", "256", "--no-symmetry", "--quiet"]
    arguments += ["--robust-passes", "0", "--refine-passes", "0", "-o", str(tmp_path / "out.glb")]
    filmed = ["--clip", str(tmp_path / "clip.safetensors"), "--camera", str(tmp_path / "camera.safetensors")]
    pictures = ["--texture", str(tmp_path / "t.png"), "--confidence", str(tmp_path / "c.png")]
    assert cli.main(arguments + filmed + pictures) == 0
    assert "% seen in the video" in capsys.readouterr().out
    loaded = load_sequence(tmp_path / "out.glb")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "t.png")), loaded.texture)
    assert Image.open(tmp_path / "c.png").size == (256, 256)
    again = [*arguments[:-1], str(tmp_path / "again.safetensors"), "--mesh", str(tmp_path / "out.glb")]
    assert cli.main(again) == 0
    assert MeshSequence.load(tmp_path / "again.safetensors").texture is not None
    assert cli.main(arguments) == 2 and "nothing to take colours from" in capsys.readouterr().err
    assert cli.main(arguments + filmed[:2]) == 2 and "go together" in capsys.readouterr().err
