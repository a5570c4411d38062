"""Models put together from single files: the same networks as from a folder, and files that do not belong together."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from shapegen4d_core import models, published
from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.models import single_files
from shapegen4d_core.models.single_files import count_parameters, files_read, load_files, settings_file
from tests.models.sparse import write_sparse
from tests.models.test_recognise import FILES, manifest


@pytest.fixture
def apart(folder, tmp_path):
    """The files of a model in folders of a host, without anything beside them."""
    places = {"denoiser": "diffusion_models", "vae": "vae", "image_encoder": "clip_vision", "adapter": "shapegen4d"}
    files = {}
    for key, place in places.items():
        (tmp_path / place).mkdir()
        files[key] = (folder / FILES[key]).rename(tmp_path / place / f"{key}.safetensors")
    return files


def test_the_same_model_as_from_a_folder(apart, bundle):
    steps = []
    loaded = load_files(apart, "any", progress=lambda step, total, preview=None: steps.append((step, total)))
    assert loaded.config == bundle.config and loaded.name == "small"
    for key, network in bundle.networks():
        for name, tensor in network.state_dict().items():
            assert torch.equal(getattr(loaded, key).state_dict()[name], tensor), name
    assert steps[-1][0] == steps[-1][1] == 2 * sum(path.stat().st_size for path in apart.values())
    assert set(loaded.weights) == {f"{path.parent.name}/{path.name}" for path in apart.values()}
    with pytest.raises(Cancelled):
        load_files(apart, "any", check=lambda: (_ for _ in ()).throw(Cancelled()))


def test_counting_reads_headers_only(apart, bundle):
    numbers = [tensor.numel() for _, network in bundle.networks() for tensor in network.state_dict().values()]
    assert count_parameters(apart) == sum(numbers)


def test_parts_may_be_left_out_and_the_type_be_chosen(apart, small):
    del apart["adapter"]
    loaded = load_files(apart, "any", dtype=torch.bfloat16)
    assert loaded.adapter is None and loaded.config == replace(small, adapter=None)
    assert loaded.denoiser.dtype == torch.bfloat16


def without_settings(denoiser):
    """The same file, its header without training settings."""
    with safe_open(denoiser, "pt") as file:
        metadata = {"config": file.metadata()["config"]}
    save_file(load_file(denoiser), denoiser, metadata=metadata)


def test_settings_come_from_the_header_or_else_from_the_file_beside(apart, folder, tmp_path):
    denoiser = apart["denoiser"]
    beside = denoiser.with_name("shapegen4d.json")
    assert settings_file(denoiser) is None and load_files(apart, "any").config.steps == 5
    beside.write_text(json.dumps({"steps": 7, "frame": "view"}))
    assert settings_file(denoiser) == beside and load_files(apart, "any").config.steps == 5  # of another one, maybe
    without_settings(denoiser)
    assert load_files(apart, "any").config.steps == 7
    beside.unlink()
    inside = denoiser.rename(folder / FILES["denoiser"])  # as in a model folder
    assert settings_file(inside) == folder / "shapegen4d.json"
    alone = inside.rename(tmp_path / "d.safetensors")
    with pytest.raises(InputError, match=r"d.safetensors is no published denoiser.*put the shapegen4d.json"):
        load_files({**apart, "denoiser": alone}, "any")


def test_every_file_that_is_read_is_told(apart):
    beside = apart["denoiser"].with_name("shapegen4d.json")
    beside.write_text("{}")
    assert set(files_read(apart)) == {*apart.values(), beside}


@pytest.fixture
def label_files(tmp_path):
    """Published files of both models by ``model part``, without values."""
    names = {"transformer": (published.BASE, "denoiser"), "transformer_label": (published.LABEL, "denoiser"),
             "vae": (published.BASE, "vae"), "visual_encoder": (published.BASE, "image_encoder"),
             "visual_encoder_label": (published.LABEL, "image_encoder"),
             "label_encoder": (published.LABEL, "label_encoder")}  # fmt: skip
    return {
        pair: write_sparse(tmp_path / f"{name}.safetensors", manifest(name)["tensors"]) for name, pair in names.items()
    }


def checked(files):
    """What load_files finds out before it reads values."""
    return single_files._recognised(files, "any")[0]


def test_published_models_are_recognised_whole(label_files):
    for model, preset in ((published.BASE, "step1x-3d"), (published.LABEL, "step1x-3d-label")):
        files = {key: path for (of, key), path in label_files.items() if of == model}
        files["vae"] = label_files[published.BASE, "vae"]
        assert checked(files) == replace(models.PRESETS[preset], name="any", adapter=None)


@pytest.mark.parametrize("denoiser, encoder, labels, message", [
    (published.BASE, published.LABEL, False, "with a CLIP tower; .*Geometry-1300m/visual_encoder"),
    (published.LABEL, published.BASE, True, "without a CLIP tower; .*Geometry-Label-1300m/visual_encoder"),
    (published.LABEL, published.LABEL, False, "reads labels: choose its label_encoder .*Label-1300m/label_encoder"),
    (published.BASE, published.BASE, True, "reads no labels; choose none as the label_encoder"),
])  # fmt: skip
def test_files_of_both_models_are_not_mixed(label_files, denoiser, encoder, labels, message):
    files = {"denoiser": label_files[denoiser, "denoiser"], "image_encoder": label_files[encoder, "image_encoder"],
             "vae": label_files[published.BASE, "vae"]}  # fmt: skip
    if labels:
        files["label_encoder"] = label_files[published.LABEL, "label_encoder"]
    with pytest.raises(InputError, match=message) as caught:
        checked(files)
    assert "\n" not in str(caught.value)


def test_autoencoder_of_the_other_published_model_is_told_by_its_sum():
    sums = {"vae/x.safetensors": published.files_of(published.LABEL)["vae"].sha256}
    bundle = models.build("step1x-3d", device="meta", parts=["denoiser"])
    single_files._check_origins(replace(bundle, weights={"vae/x.safetensors": "0"}))
    with pytest.raises(InputError, match="x.safetensors is that of Step1X-3D-Geometry-Label-1300m, but .*1300m/vae/"):
        single_files._check_origins(replace(bundle, weights=sums))


def test_encoder_of_another_size(label_files, tmp_path):
    tensors = {name: tuple(768 if side == 1024 else 3072 if side == 4096 else side for side in shape)
               for name, shape in manifest("visual_encoder")["tensors"].items()}  # fmt: skip
    other = write_sparse(tmp_path / "base.safetensors", tensors)
    files = {"denoiser": label_files[published.BASE, "denoiser"], "image_encoder": other}
    with pytest.raises(InputError, match="image_encoder.hidden_size is 768 but denoiser.visual_condition_dim is 1024"):
        load_files(files, "any")


def test_types_that_are_no_floats_are_refused_before_reading(label_files, tmp_path):
    quantised = write_sparse(tmp_path / "q.safetensors", manifest("transformer")["tensors"], kind="F8_E4M3")
    with pytest.raises(InputError, match="q.safetensors keeps tensors as F8_E4M3, read are F64.*published") as caught:
        load_files({"denoiser": quantised}, "any")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sizes", [
    {"width": 2**40, "num_heads": 2}, {"slot_count": 10**25}, {"num_single_layers": 10**9},
])  # fmt: skip
def test_sizes_that_cannot_be_built_are_refused_at_once(apart, sizes):
    """A header may say anything; it is no reason to overflow, or to build layers for hours."""
    tensors = load_file(apart["denoiser"])
    with safe_open(apart["denoiser"], "pt") as file:
        header = file.metadata()
    config = {**json.loads(header["config"]), **sizes}
    save_file(tensors, apart["denoiser"], metadata={**header, "config": json.dumps(config)})
    with pytest.raises(InputError, match="denoiser.safetensors cannot be used: no denoiser can be built of the sizes"):
        load_files({"denoiser": apart["denoiser"]}, "any")


@pytest.mark.parametrize("settings", ['{"steps": "x"}', '{"steps": null}', '{"guidance": NaN}', '{"name": ["a"]}'])
def test_settings_of_another_type_are_one_sentence(apart, settings):
    without_settings(apart["denoiser"])
    apart["denoiser"].with_name("shapegen4d.json").write_text(settings)
    with pytest.raises(InputError, match="shapegen4d.json has .* as (steps|guidance|name); give a value like"):
        load_files({"denoiser": apart["denoiser"]}, "any")


def test_files_of_one_name_keep_their_sums(apart, tmp_path):
    """All published files have one name, and people sort them into a folder per model."""
    for key, path in apart.items():
        (path.parent / "mine").mkdir()
        apart[key] = path.rename(path.parent / "mine" / "diffusion_pytorch_model.safetensors")
    assert len(set(load_files(apart, "any").weights.values())) == len(apart)


def test_a_file_with_many_faults_names_a_few(label_files, tmp_path):
    tensors = {name: shape for name, shape in manifest("transformer")["tensors"].items() if "to_q" not in name}
    with pytest.raises(InputError, match="does not fit the denoiser") as caught:
        load_files({"denoiser": write_sparse(tmp_path / "p.safetensors", tensors)}, "any")
    assert str(caught.value).count("missing: ") == 6 and "; and 66 more); choose" in str(caught.value)
    assert "\n" not in str(caught.value)
