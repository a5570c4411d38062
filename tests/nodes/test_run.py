"""The nodes behind the loaders: results, settings, noise from the host, stopping, memory, saved files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
import trimesh


def test_tokens_do_not_depend_on_how_many_are_made_at_once(run, chain):
    one = run("EncodeDINO", model=chain["model"], clip=chain["clip"], frames_at_once=1).result[0]
    assert one.tokens.shape == (4, 5, 16) and one.model == "random"
    torch.testing.assert_close(one.tokens, chain["tokens"].tokens)


def test_latents_carry_what_made_them(chain):
    latents = chain["latents"]
    assert latents.latents.shape == (4, 8, 4) and latents.fps == chain["clip"].fps
    noted = {"steps": 3, "guidance": 2.0, "time_shift": 2.0, "noise": "shared", "seed": 1, "zero_init": False}
    assert noted.items() <= latents.settings.items()


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 2},
        {"steps": 4},
        {"guidance": 3.0},
        {"time_shift": 5.0},
        {"noise_mode": "independent"},
        {"noise_mode": "correlated"},
        {"adapter_strength": 0.0},
        {"zero_init": "on"},
        {"ensemble_size": 2},
    ],
    ids=str,
)
def test_each_setting_has_an_effect(run, chain, changed):
    given = {"model": chain["model"], "tokens": chain["tokens"], "seed": 1, **changed}
    other = run("Sample4DLatents", **given).result[0].latents
    assert (other - chain["latents"].latents).abs().max() > 1e-3


@pytest.mark.parametrize("mode", ["together", "in_turn"])
def test_guidance_modes_agree(run, chain, mode):
    given = {"model": chain["model"], "tokens": chain["tokens"], "seed": 1, "guidance_mode": mode}
    other = run("Sample4DLatents", **given).result[0].latents
    torch.testing.assert_close(other, chain["latents"].latents, atol=1e-4, rtol=1e-4)


class HostNoise:
    """As the host's Random Noise: one generator, one draw of the shape asked for."""

    seed = 5

    def generate_noise(self, latent):
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randn(latent["samples"].shape, generator=generator)


@pytest.mark.parametrize(
    ("mode", "alike"), [("shared", True), ("independent", False), ("correlated", False)]
)
def test_noise_of_the_host_is_the_start(run, chain, mode, alike):
    """With one noise level next to nothing is denoised, so the result shows the start noise itself."""
    given = {"sigmas": torch.tensor([1.0, 1.0 - 1e-6]), "noise": HostNoise(), "correlation": 0.5}
    chained = {"model": chain["model"], "tokens": chain["tokens"]}
    latents = run("Sample4DLatents", **chained, **given, noise_mode=mode).result[0].latents
    drawn = HostNoise().generate_noise({"samples": torch.zeros(5, 8, 4)})
    expected = {
        "shared": drawn[:1].expand(4, -1, -1),
        "independent": drawn[:4],
        "correlated": 0.5**0.5 * (drawn[:1] + drawn[1:]),
    }
    torch.testing.assert_close(latents, expected[mode], atol=1e-4, rtol=0)
    assert torch.allclose(latents[0], latents[1], atol=1e-4) == alike


@pytest.mark.parametrize("mode", ["shared", "independent", "correlated"])
def test_an_ensemble_draws_one_noise_per_member(run, chain, mode):
    given = {"sigmas": torch.tensor([1.0, 1.0 - 1e-6]), "noise": HostNoise(), "correlation": 0.5}
    chained = {"model": chain["model"], "tokens": chain["tokens"], "noise_mode": mode}
    latents = run("Sample4DLatents", **chained, **given, ensemble_size=3).result[0].latents
    draws = {"shared": 1, "independent": 4, "correlated": 5}[mode]
    drawn = HostNoise().generate_noise({"samples": torch.zeros(3, draws, 8, 4)})
    expected = drawn.mean(dim=0)
    if mode == "correlated":
        expected = 0.5**0.5 * (expected[:1] + expected[1:])
    torch.testing.assert_close(latents, expected.expand(4, -1, -1), atol=1e-4, rtol=0)


def test_sigmas_replace_steps(run, chain):
    import comfy.utils

    comfy.utils.REPORTS.clear()
    given = {"model": chain["model"], "tokens": chain["tokens"], "sigmas": torch.tensor([1.0, 0.5, 0.0])}
    run("Sample4DLatents", **given)
    assert comfy.utils.REPORTS == [(1, 2), (2, 2)]


def test_decoding_gives_closed_meshes(chain):
    meshes = chain["meshes"]
    assert meshes.frame_count == 4 and meshes.fps == chain["clip"].fps
    for vertices, faces in zip(meshes.vertices, meshes.faces):
        assert trimesh.Trimesh(vertices, faces, process=False).is_watertight


def test_decode_settings_reach_the_core(run, chain):
    given = {"resolution": 16, "max_faces": 60, "floater_ratio": 1.0, "level": 0.1, "chunk": 100, "bounds": 1.2}
    meshes = run("DecodeSDFSequence", model=chain["model"], latents=chain["latents"], **given).result[0]
    noted = meshes.settings["decoding"]
    assert given.items() <= noted.items()
    assert max(len(faces) for faces in meshes.faces) < max(len(faces) for faces in chain["meshes"].faces)


def test_values_of_another_model_are_refused(run, chain, pack):
    import dataclasses

    other = dataclasses.replace(chain["model"], name="other")
    with pytest.raises(ValueError, match="made with the model 'random', but 'other' is connected"):
        run("Sample4DLatents", model=other, tokens=chain["tokens"])
    with pytest.raises(ValueError, match="made with the model 'random', but 'other' is connected"):
        run("DecodeSDFSequence", model=other, latents=chain["latents"])


@pytest.mark.parametrize(
    "name", ["LoadVideoFrames", "EncodeDINO", "Sample4DLatents", "DecodeSDFSequence", "SaveMeshSequence"]
)
def test_stop_button_stops_every_loop(run, chain, frames, base, name):
    from comfy.model_management import STOP_AFTER, InterruptProcessingException

    model = {"model": chain["model"]}
    given = {
        "LoadVideoFrames": {**model, "video": frames[0], "mask": frames[1]},
        "EncodeDINO": {**model, "clip": chain["clip"], "frames_at_once": 1},
        "Sample4DLatents": {**model, "tokens": chain["tokens"]},
        "DecodeSDFSequence": {**model, "latents": chain["latents"], "resolution": 16},
        "SaveMeshSequence": {"meshes": chain["meshes"], "filename_prefix": "stopped/here"},
    }
    STOP_AFTER.append(1)
    with pytest.raises(InterruptProcessingException):
        run(name, **given[name])
    assert not STOP_AFTER
    stopped = base / "output" / "stopped"
    assert not stopped.exists() or list(stopped.iterdir()) == []


def test_memory_is_asked_for_before_each_network(run, chain):
    from comfy.model_management import BROUGHT

    BROUGHT.clear()
    run("Sample4DLatents", model=chain["model"], tokens=chain["tokens"])
    run("Sample4DLatents", model=chain["model"], tokens=chain["tokens"], preview=False)
    (watched, wanted), (together, _) = BROUGHT
    parts = chain["model"].parts
    assert together == [parts["denoiser"].patcher, parts["adapter"].patcher] and wanted > 0
    assert watched == [*together, parts["vae"].patcher]


def test_full_memory_names_the_way_out(run, chain, monkeypatch):
    network = chain["model"].parts["denoiser"].network

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(network, "forward", full)
    with pytest.warns(UserWarning, match="going on with"), pytest.raises(ValueError, match="memory.*fewer frames"):
        run("Sample4DLatents", model=chain["model"], tokens=chain["tokens"])


def document(path):
    """JSON chunk of a GLB."""
    data = Path(path).read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + length])


@pytest.fixture
def hidden(nodes, monkeypatch):
    """What the host tells the saving node about the workflow."""
    node = nodes["ShapeGen4D_SaveMeshSequence"]
    values = type(node.hidden)(prompt={"1": {}}, extra_pnginfo={"workflow": {"nodes": []}})
    monkeypatch.setattr(node, "hidden", values)


def test_saved_file_plays_and_holds_the_workflow(run, chain, base, hidden):
    output = run("SaveMeshSequence", meshes=chain["meshes"], filename_prefix="3d/disc")
    assert output.result[1] == "3d/disc_00001_.glb"
    path = base / "output" / "3d" / "disc_00001_.glb"
    assert output.result[0].get_source() == str(path) and output.result[0].format == "glb"
    assert output.ui == {"3d": [{"filename": path.name, "subfolder": "3d", "type": "output"}]}
    content = document(path)
    assert len(content["animations"]) == 1
    extras = content["asset"]["extras"]
    assert json.loads(extras["prompt"]) == {"1": {}} and json.loads(extras["workflow"]) == {"nodes": []}
    again = run("SaveMeshSequence", meshes=chain["meshes"], filename_prefix="3d/disc")
    assert Path(again.result[0].get_source()).name == "disc_00002_.glb"


def test_no_workflow_in_the_file_when_metadata_is_off(run, chain, hidden, monkeypatch):
    from comfy.cli_args import args

    monkeypatch.setattr(args, "disable_metadata", True)
    output = run("SaveMeshSequence", meshes=chain["meshes"], filename_prefix="private/disc")
    assert set(document(output.result[0].get_source())["asset"]["extras"]) == {"shapegen4d"}


def test_files_stay_inside_the_output_folder(run, chain, base):
    with pytest.raises(ValueError, match="not below ComfyUI's output folder"):
        run("SaveMeshSequence", meshes=chain["meshes"], filename_prefix="../../elsewhere/disc")
    assert not (base.parent / "elsewhere").exists()


def test_sampling_shows_the_shapes_and_is_not_changed_by_it(run, chain):
    from comfy import utils

    given = {"model": chain["model"], "tokens": chain["tokens"], "seed": 1, "steps": 6}
    utils.PREVIEWS.clear()
    plain = run("Sample4DLatents", **given, preview=False).result[0]
    assert not utils.PREVIEWS
    watched = run("Sample4DLatents", **given).result[0]
    kind, picture, side = utils.PREVIEWS[-1]
    assert kind == "JPEG" and picture.size == (3 * 128, 2 * 128) and side == 384
    assert torch.equal(watched.latents, plain.latents)
