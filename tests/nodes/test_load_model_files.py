"""Models from single files in the host's folders: lists, loading, and what is said when a file is missing or wrong."""

from __future__ import annotations

import os
import shutil
from importlib import import_module

import pytest
import torch

from tests.models.sparse import write_sparse

PLACES = {
    "denoiser": ("transformer", "diffusion_models", "my 4d.safetensors"),
    "vae": ("vae", "vae", "shapes/my vae.safetensors"),
    "image_encoder": ("visual_encoder", "clip_vision", "my dino.safetensors"),
}
ADAPTER = "mine/spatiotemporal.safetensors"


@pytest.fixture
def model_files(pack):
    return import_module(f"{pack.__name__}.nodes.model_files")


@pytest.fixture
def files(base):
    """The random model's files in the host's folders, and what to choose for them."""
    source, chosen = base / "models" / "shapegen4d" / "zoo" / "random", {}
    for part, (folder, kind, name) in PLACES.items():
        target = base / "models" / kind / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / folder / "diffusion_pytorch_model.safetensors", target)
        chosen[part] = name.replace("/", os.sep)
    adapter = base / "models" / "diffusion_models" / ADAPTER
    adapter.parent.mkdir()
    shutil.copy(source / "spatiotemporal.safetensors", adapter)
    yield {**chosen, "adapter": ADAPTER}
    for kind in ("diffusion_models", "vae", "clip_vision"):
        shutil.rmtree(base / "models" / kind)


def lists(nodes):
    inputs = nodes["ShapeGen4D_LoadModelFiles"].define_schema().inputs
    return {entry.id: (entry.options["options"], entry.default) for entry in inputs}


def test_empty_folders_give_lists_that_explain_and_errors_that_help(nodes, run):
    offered = lists(nodes)
    for part, (folder, kind, _) in PLACES.items():
        options, default = offered[part]
        assert options == [default] == [f"(none yet: models/{kind} is empty)"]
        message = f"There is no {part} to load: models/{kind} holds no .safetensors file; that of Step1X-3D is "
        message += f"published as Step1X-3D-Geometry-1300m/{folder}/diffusion_pytorch_model.safetensors .* at https://hug"
        message += f"gingface.co/stepfun-ai/Step1X-3D: put it into models/{kind}, best as .*-{folder}.safetensors,"
        with pytest.raises(ValueError, match=message) as caught:
            run("LoadModelFiles")
        assert len(str(caught.value).split("\n")) == 3  # all that is missing, a sentence each
    assert nodes["ShapeGen4D_LoadModelFiles"].validate_inputs("x", "x", "x", "x", "x") is True


def test_lists_are_made_anew_and_prefer_published_names(nodes, files, base):
    assert lists(nodes)["vae"] == ([files["vae"]], files["vae"])
    assert lists(nodes)["denoiser"] == ([ADAPTER.replace("/", os.sep), files["denoiser"]], files["denoiser"])
    assert lists(nodes)["adapter"] == (["none", "zoo/random/spatiotemporal.safetensors", ADAPTER], "none")
    folder = base / "models" / "vae"
    for name in ("a.ckpt", "a step1x.safetensors", "a.safetensors"):
        (folder / name).touch()
    assert lists(nodes)["vae"][0] == ["a step1x.safetensors", "a.safetensors", files["vae"]]
    assert lists(nodes)["vae"][1] == "a step1x.safetensors"
    (folder / "sub").mkdir()
    published = os.path.join("sub", "Step1X-3D-Geometry-1300m-vae.safetensors")
    (folder / published).touch()
    assert lists(nodes)["vae"][1] == published


def test_the_same_model_as_from_its_folder(run, files, chain):
    import comfy.utils

    comfy.utils.REPORTS.clear()
    model = run("LoadModelFiles", **files).result[0]
    assert comfy.utils.REPORTS[-1][0] == comfy.utils.REPORTS[-1][1]
    assert model.config == chain["model"].config and model.name == chain["model"].name
    assert sorted(model.weights.values()) == sorted(chain["model"].weights.values())
    latents = run("Sample4DLatents", model=model, tokens=chain["tokens"], seed=1).result[0].latents
    assert torch.equal(latents, chain["latents"].latents)
    assert run("LoadModelFiles", **files, precision="bfloat16").result[0].parts["vae"].network.post_kl.weight.dtype == (
        torch.bfloat16
    )
    plain = run("LoadModelFiles", **{**files, "adapter": "none"}).result[0]
    assert "adapter" not in plain.parts


def test_loading_can_be_stopped(run, files):
    import comfy.model_management as manager

    manager.STOP_AFTER.append(10)
    with pytest.raises(manager.InterruptProcessingException):
        run("LoadModelFiles", **files)


def test_files_in_the_wrong_list_and_of_other_models(run, files, base):
    shutil.copy(base / "models" / "vae" / "shapes" / "my vae.safetensors", base / "models" / "diffusion_models")
    with pytest.raises(ValueError, match="my vae.safetensors is the shape autoencoder of a model, not the denoiser; "):
        run("LoadModelFiles", **{**files, "denoiser": "my vae.safetensors"})
    for name, tensor in (("clip.safetensors", "vision_model.embeddings.x"), ("llm.safetensors", "lm_head.weight")):
        write_sparse(base / "models" / "clip_vision" / name, {tensor: (4,)})
        with pytest.raises(ValueError, match=f"{name} is a .* model, not the image encoder; .*visual_encoder/"):
            run("LoadModelFiles", **{**files, "image_encoder": name})
    (base / "models" / "vae" / "noise.safetensors").write_bytes(os.urandom(4 << 20))
    with pytest.raises(ValueError, match="noise.safetensors is not a readable safetensors file; download"):
        run("LoadModelFiles", **{**files, "vae": "noise.safetensors"})


@pytest.mark.parametrize("name, model", [
    ("Step1X-3D-Geometry-Label-1300m-vae.safetensors", "Step1X-3D-Geometry-Label-1300m"),
    ("gone.safetensors", "Step1X-3D-Geometry-1300m"), ("../../secret.safetensors", "Step1X-3D-Geometry-1300m"),
    ("/etc/passwd", "Step1X-3D-Geometry-1300m"), ("old.ckpt", "Step1X-3D-Geometry-1300m"),
])  # fmt: skip
def test_missing_files_are_named_with_their_place(run, files, base, name, model):
    (base / "models" / "vae" / "old.ckpt").touch()  # the host lists it, this node does not
    message = f"The vae '{name}' is not in models/vae nor in another vae folder of extra_model_paths.yaml; "
    message += f".*{model}/vae/"
    with pytest.raises(ValueError, match=message) as caught:
        run("LoadModelFiles", **{**files, "vae": name})
    assert "\n" not in str(caught.value)


def test_missing_optional_files_are_named(run, files):
    with pytest.raises(ValueError, match="no 'spatiotemporal.x' under models/shapegen4d or models/diffusion_models"):
        run("LoadModelFiles", **{**files, "adapter": "spatiotemporal.x"})


def test_every_folder_of_a_kind_is_looked_at(run, files, base, tmp_path, nodes):
    import folder_paths

    folder_paths.add_model_folder_path("vae", str(tmp_path))
    shutil.move(base / "models" / "vae" / "shapes" / "my vae.safetensors", tmp_path / "far.safetensors")
    assert lists(nodes)["vae"][0] == ["far.safetensors"]
    assert run("LoadModelFiles", **{**files, "vae": "far.safetensors"}).result[0].name == "random"
    folder_paths._folders["vae"].remove(str(tmp_path))


def test_read_again_when_a_file_changes(nodes, files, base):
    node = nodes["ShapeGen4D_LoadModelFiles"]
    names = [files[part] for part in PLACES]
    before = node.fingerprint_inputs(*names, files["adapter"], "none", "auto")
    assert node.fingerprint_inputs(*names, files["adapter"], "none", "auto") == before
    assert node.fingerprint_inputs(*names, "none", "none", "auto") != before
    settings = base / "models" / "diffusion_models" / "shapegen4d.json"
    settings.write_text('{"steps": 3}')
    assert node.fingerprint_inputs(*names, files["adapter"], "none", "auto") != before


@pytest.mark.parametrize("denoiser, name", [
    ("Step1X-3D-Geometry-1300m-transformer.safetensors", "Step1X-3D-Geometry-1300m-transformer"),
    ("Step1X-3D-Geometry-1300m/transformer/diffusion_pytorch_model.safetensors", "Step1X-3D-Geometry-1300m"),
    ("mine/diffusion_pytorch_model.safetensors", "mine"), ("a/b.safetensors", "b"),
    ("transformer/diffusion_pytorch_model.safetensors", "transformer"),
    ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model"),
])  # fmt: skip
def test_model_is_named_after_its_denoiser(model_files, denoiser, name):
    assert model_files.model_name(denoiser.replace("/", os.sep)) == name


def test_download_entries_name_what_the_lists_prefer(core):
    published = import_module(core("published").__name__)
    page = "https://huggingface.co/stepfun-ai/Step1X-3D/resolve/bf7084495b3a72222f36549b7942948aa4d9daa7/"
    entries = published.downloads()
    assert [entry["directory"] for entry in entries] == ["diffusion_models", "vae", "clip_vision"]
    assert [entry["name"] for entry in entries] == [
        f"Step1X-3D-Geometry-1300m-{folder}.safetensors" for folder in ("transformer", "vae", "visual_encoder")
    ]
    assert all(entry["url"].startswith(page) and entry["url"].endswith(".safetensors") for entry in entries)
    assert len(published.downloads(published.LABEL)) == 4
