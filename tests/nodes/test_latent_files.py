"""Latents that are kept in a file and decoded again."""

from __future__ import annotations

import errno
import os

import pytest
import torch


def listed(nodes):
    return nodes["ShapeGen4D_LoadLatents"].define_schema().inputs[0].options["options"]


def test_saved_latents_are_listed_and_come_back_exactly(run, base, nodes, chain):
    saved = run("SaveLatents", latents=chain["latents"])
    assert saved.result == (chain["latents"], "latents/ShapeGen4D_00001_.safetensors")
    assert saved.ui == {"text": ("latents/ShapeGen4D_00001_.safetensors",)}
    assert (base / "output" / saved.result[1]).is_file()
    again = run("SaveLatents", latents=chain["latents"]).result[1]
    assert again == "latents/ShapeGen4D_00002_.safetensors"
    assert {f"{again} [output]", f"{saved.result[1]} [output]", "none"} <= set(listed(nodes))
    latents, frames, model = run("LoadLatents", file=f"{saved.result[1]} [output]").result
    assert (frames, model) == (4, "random")
    assert torch.equal(latents.latents, chain["latents"].latents) and latents.fps == chain["latents"].fps
    assert latents.settings == chain["latents"].settings
    decoded = run("DecodeSDFSequence", model=chain["model"], latents=latents, resolution=16).result[0]
    assert all((old == new).all() for old, new in zip(chain["meshes"].vertices, decoded.vertices))


def test_files_from_elsewhere_and_nothing_but_latents_folders(run, base, nodes, chain):
    folder = base / "input" / "latents" / "walks"
    folder.mkdir(parents=True)
    chain["latents"].save(folder / "one.safetensors")
    (folder / "core.latent").write_bytes(b"of the core")
    (base / "input" / "model.safetensors").write_bytes(b"not latents")
    names = listed(nodes)
    assert names[:2] == ["none", "latents/walks/one.safetensors"] and not any("model" in name for name in names)
    assert run("LoadLatents", file="latents/walks/one.safetensors").result[1] == 4


def test_other_content_is_one_sentence(run, base, chain):
    folder = base / "input" / "latents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "random.safetensors").write_bytes(os.urandom(4 * 2**20))
    (folder / "zeros.safetensors").write_bytes(bytes(4 * 2**20))
    (folder / "empty.safetensors").touch()
    chain["meshes"].save(folder / "meshes.safetensors")
    whole = base / "output" / run("SaveLatents", latents=chain["latents"]).result[1]
    (folder / "cut.safetensors").write_bytes(whole.read_bytes()[:-5])
    for name in ("random", "zeros", "empty", "cut"):
        with pytest.raises(ValueError, match="is damaged or not a safetensors file; save the LatentSequence again"):
            run("LoadLatents", file=f"latents/{name}.safetensors")
    with pytest.raises(ValueError, match="holds a MeshSequence, but a LatentSequence is needed"):
        run("LoadLatents", file="latents/meshes.safetensors")


@pytest.mark.parametrize(
    "name", ["../secret.safetensors", "/etc/passwd", "latents/../../secret.safetensors [output]", "latents/gone", ""]
)
def test_nothing_outside_the_folders_is_read(run, base, chain, name):
    chain["latents"].save(base / "secret.safetensors")
    with pytest.raises(ValueError, match="There is no .* put the file into input/latents, press R"):
        run("LoadLatents", file=name)


def test_without_a_file_it_says_where_to_put_one(run):
    with pytest.raises(ValueError, match="No file is chosen in file; choose one, or put yours into input/latents"):
        run("LoadLatents", file="none")


def test_a_changed_file_is_read_again(nodes, base, chain):
    node = nodes["ShapeGen4D_LoadLatents"]
    path = base / "input" / "latents" / "again.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    chain["latents"].save(path)
    before = node.fingerprint_inputs("latents/again.safetensors")
    assert node.fingerprint_inputs("latents/again.safetensors") == before
    (path.parent / "other.safetensors").write_bytes(b"beside it")
    assert node.fingerprint_inputs("latents/again.safetensors") == before
    path.write_bytes(path.read_bytes() + b" ")
    assert node.fingerprint_inputs("latents/again.safetensors") != before


def test_files_stay_inside_the_output_folder_and_a_full_disk_leaves_none(run, base, chain, core, monkeypatch):
    with pytest.raises(ValueError, match="not below ComfyUI's output folder"):
        run("SaveLatents", latents=chain["latents"], filename_prefix="../../elsewhere/latents")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(core("storage"), "write_tensors", full)
    with pytest.raises(ValueError, match="No space left on device"):
        run("SaveLatents", latents=chain["latents"], filename_prefix="full/latents")
    assert not list((base / "output" / "full").iterdir())
