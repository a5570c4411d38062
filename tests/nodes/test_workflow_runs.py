"""The bundled workflows run through our nodes, small, with stand-ins for those of the core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from tests.nodes.host_run import run_workflow
from tests.nodes.pages import PAGES, api_copy

SMALLER = {
    "ShapeGen4D_LoadShapeGen4DModel": {"model": "zoo/random"},
    "ShapeGen4D_LoadImageSequence": {"folder": "disc"},
    "ShapeGen4D_LoadLatents": {"file": "latents/disc.safetensors"},
    "ShapeGen4D_LoadMeshSequence": {"file": "3d/ball.glb"},
    "ShapeGen4D_LoadVideoFrames": {"size": 64},
    "ShapeGen4D_DecodeSDFSequence": {"resolution": 16},
    "ShapeGen4D_RegisterPose": {"views": 32, "rivals": 1},
    "ShapeGen4D_TrackTopology": {"faces": 200, "iterations": 2, "coarse_iterations": 2},
    "ShapeGen4D_PropagateTexture": {"texture_size": 256},
    "ShapeGen4D_RenderMeshSequence": {"width": 64, "height": 64, "count": 3},
}
FRAMES_SHOWN = {"saved_latents_to_meshes": [4, 4 + 2]}  # those of the model, then without the ends backwards


@pytest.fixture(scope="module")
def pictures(frames):
    """The disc as pictures with alpha."""
    images, mask = frames
    rgba = (torch.cat([images, mask[..., None]], dim=-1) * 255).to(torch.uint8).numpy()
    return [Image.fromarray(frame, "RGBA") for frame in rgba]


@pytest.fixture(scope="module")
def files(core, base, pictures, chain):
    """What users put into the input folder: an animation with a texture, latents, a folder of pictures."""
    folder = base / "input"
    for name in ("3d", "latents", "disc"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        picture.save(folder / "disc" / f"{number}.png")
    chain["latents"].save(folder / "latents" / "disc.safetensors")
    ball = trimesh.creation.icosphere(subdivisions=2)
    corners, faces = np.float32(ball.vertices), np.int32(ball.faces)
    uv = corners[:, :2] * 0.49 + np.float32(0.5)
    texture = np.zeros((32, 32, 3), np.uint8) + np.uint8([200, 60, 20])
    moved = tuple(corners + np.float32([0.05 * frame, 0, 0]) for frame in range(3))
    meshes = core("sequence").MeshSequence(moved, (faces,) * 3, 8.0, uv=uv, texture=texture)
    core("export").write_sequence(meshes, folder / "3d" / "ball.glb")


class Core:
    """Stand-ins for nodes of the core, and what they were given to show."""

    def __init__(self, video, frames, model):
        from comfy_api.latest import InputImpl

        images, mask = frames
        self.images, self.texts, self.files, self.stills = [], [], [], []
        token = lambda **given: (object(),)  # noqa: E731  what only the core looks into
        self.nodes = {
            "LoadVideo": lambda file: (InputImpl.VideoFromFile(str(video)),),
            "PreviewImage": lambda images: self.images.append(images) or (),
            "PreviewAny": lambda source: self.texts.append(source) or (),
            "Preview3D": lambda model_file, camera_info=None: self.files.append(model_file) or (),
            "SaveGLB": lambda mesh, filename_prefix: self.stills.append(mesh) or (),
            "DecimateMesh": lambda mesh, target_face_count, placement_mode: (mesh,),
            "VAEDecode": lambda samples, vae: (images,),
            "RemoveBackground": lambda bg_removal_model, image: (mask,),
            "ShapeGen4D_LoadModelFiles": lambda **given: (model,),
        }
        for name in ("UNETLoader", "CLIPLoader", "VAELoader", "Wan22ImageToVideoLatent", "ModelSamplingSD3"):
            self.nodes[name] = token
        for name in ("CLIPTextEncode", "KSampler", "LoadBackgroundRemovalModel"):
            self.nodes[name] = token


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_workflow_runs(nodes, frames, pictures, files, chain, core, page, tmp_path):
    path = tmp_path / "disc.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, lossless=True)
    workflow = api_copy(page.stem)
    for entry in workflow.values():
        entry["inputs"].update(SMALLER.get(entry["class_type"], {}))
    host = Core(path, frames, chain["model"])
    done = run_workflow(workflow, nodes, host.nodes)
    assert set(done) == set(workflow)
    assert host.files and all(isinstance(text, str) and text for text in host.texts)
    for images in host.images:
        assert images.dim() == 4 and images.shape[3] == 3
    for mesh in host.stills:
        assert len(mesh.vertices) == 1 and mesh.faces.shape[1] > 100
    counts = []
    for file in host.files:
        assert file.format == "glb" and Path(file.get_source()).stat().st_size > 1000
        counts.append(core("importing").read_sequence(Path(file.get_source())).frame_count)
    assert counts == FRAMES_SHOWN.get(page.stem, counts) and max(counts) > 2
    for entry in workflow.values():  # each saving node wrote something that is there
        if entry["class_type"] == "ShapeGen4D_SaveAnimation":
            assert entry["inputs"]["images"][0] in done
