"""Loading and saving: round trips, parts, single files, host layers, old names."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from shapegen4d_core import models
from shapegen4d_core.errors import InputError
from shapegen4d_core.models import PRESETS, ImageEncoderConfig, LabelEncoderConfig

VAE_FILE = "vae/diffusion_pytorch_model.safetensors"
DENOISER_FILE = "transformer/diffusion_pytorch_model.safetensors"


def rewrite(path, change):
    tensors = load_file(path)
    save_file(change(tensors) or tensors, path)


def states(bundle):
    return {key: network.state_dict() for key, network in bundle.networks()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shard", [None, 4096])
def test_round_trip(bundle, tmp_path, dtype, shard):
    models.save(bundle, tmp_path, dtype, max_shard_bytes=shard)
    loaded = models.load(tmp_path)
    assert loaded.config == bundle.config and loaded.name == "small"
    original, result = states(bundle), states(loaded)
    assert list(result) == list(original) == ["image_encoder", "vae", "denoiser", "adapter"]
    for part, tensors in original.items():
        assert result[part].keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert result[part][name].dtype == torch.float32
            assert torch.equal(result[part][name], tensor.to(dtype).float()), name
    shards = list((tmp_path / "vae").glob("*-of-*.safetensors"))
    assert bool(shards) == (shard is not None)


def test_saving_again_in_one_file_removes_the_shards(bundle, tmp_path):
    models.save(bundle, tmp_path, torch.float32, max_shard_bytes=2048)
    models.save(bundle, tmp_path, torch.float32)
    assert [path.name for path in (tmp_path / "vae").glob("*.safetensors*")] == [VAE_FILE.split("/")[1]]
    assert states(models.load(tmp_path))["vae"].keys() == states(bundle)["vae"].keys()


def test_loading_in_half_precision_keeps_the_field_head_exact(folder):
    loaded = models.load(folder, dtype=torch.bfloat16)
    dtypes = {name: p.dtype for name, p in loaded.vae.named_parameters() if p.dtype != torch.bfloat16}
    assert set(dtypes.values()) == {torch.float32}
    assert {name.rsplit(".", 1)[0] for name in dtypes} == {
        "decoder.query_proj", "decoder.ln_post", "decoder.output_proj"
    }  # fmt: skip
    field = loaded.vae.field(loaded.vae.decode(torch.randn(1, 6, 4)))(torch.zeros(1, 3, 3))
    assert field.dtype == torch.float32 and field.shape == (1, 3)
    assert loaded.image_encoder.tokens(torch.zeros(1, 4, 28, 28)).dtype == torch.bfloat16


def test_parts_are_loaded_alone(folder, small):
    loaded = models.load(folder, parts=["vae"])
    assert [key for key, _ in loaded.networks()] == ["vae"]
    assert loaded.config.vae == small.vae and loaded.config.steps == 5
    with pytest.raises(InputError, match="label_encoder"):
        models.load(folder, parts=["vae", "label_encoder"])
    with pytest.raises(InputError, match="encoder_of_sounds.*image_encoder"):
        models.load(folder, parts=["encoder_of_sounds"])


def test_label_model_round_trip(tmp_path, small):
    config = replace(
        small,
        denoiser=replace(small.denoiser, use_label_condition=True),
        label_encoder=LabelEncoderConfig(16),
        adapter=None,
    )
    made = models.build(config)
    models.save(made, tmp_path, torch.float32)
    loaded = models.load(tmp_path)
    assert loaded.config == config and loaded.adapter is None
    assert torch.equal(loaded.label_encoder({"symmetry": "x"}), made.label_encoder({"symmetry": "x"}))


def test_old_names_and_prefix_of_the_shape_autoencoder(bundle, folder):
    def old(tensors):
        renames = (("proj_sharp", "proj1"), ("attn_sharp", "attn1"))
        for name in list(tensors):
            stored = name
            for new, former in renames:
                stored = stored.replace(new, former)
            tensors["shape_model." + stored] = tensors.pop(name)

    rewrite(folder / VAE_FILE, old)
    assert "shape_model.encoder.cross_attn1.ln_1.bias" in load_file(folder / VAE_FILE)
    vae = models.load(folder, parts=["vae"]).vae
    for name, tensor in bundle.vae.state_dict().items():
        assert torch.equal(vae.state_dict()[name], tensor), name


@pytest.mark.parametrize("part, path", [
    ("image_encoder", "visual_encoder/diffusion_pytorch_model.safetensors"), ("vae", VAE_FILE),
    ("denoiser", DENOISER_FILE), ("adapter", "spatiotemporal.safetensors"),
])  # fmt: skip
def test_single_files_and_state_dicts(bundle, folder, part, path):
    loader, network = getattr(models, f"load_{part}"), getattr(bundle, part)
    beside = loader(folder / path)
    for configuration in folder.rglob("*.json"):
        configuration.unlink()
    in_header = loader(folder / path)
    given = loader(network.state_dict(), network.config.to_dict())
    for result in (beside, in_header, given):
        assert result.config == network.config and not result.training
        for name, tensor in network.state_dict().items():
            assert torch.equal(result.state_dict()[name], tensor), name


def test_unused_tensors_of_clip_are_accepted_and_others_are_not(small):
    config = {"dino": {**small.image_encoder.to_dict(), "in_channels": 3, "mean": None, "std": None},
              "encoder": {"image_size": 28},
              "clip": {"vision": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
                                  "num_attention_heads": 2, "image_size": 28}}}  # fmt: skip
    for key in ("clip", "table_size"):
        config["dino"].pop(key)
    made = models.ImageEncoder(ImageEncoderConfig.from_dict(config))
    state = made.state_dict() | {"clip_model.logit_scale": torch.zeros(()), "clip_model.text_model.x": torch.zeros(2)}
    assert models.load_image_encoder(state, config).config.use_clip
    with pytest.raises(InputError, match="not part of the network: clip_model.vision_model.novelty"):
        models.load_image_encoder({**state, "clip_model.vision_model.novelty": torch.zeros(2)}, config)


class HostOps:
    """Layer classes of a host, told apart by their base class."""

    class Layer:
        pass

    class Linear(Layer, torch.nn.Linear):
        pass

    class LayerNorm(Layer, torch.nn.LayerNorm):
        pass

    class RMSNorm(Layer, torch.nn.RMSNorm):
        pass

    class Conv2d(Layer, torch.nn.Conv2d):
        pass

    class Embedding(Layer, torch.nn.Embedding):
        pass


def test_all_layers_come_from_the_host(folder):
    published = models.build("step1x-3d-label", device="meta", ops=HostOps)
    for bundle in (published, models.load(folder, ops=HostOps)):
        for part, network in bundle.networks():
            leaves = [m for m in network.modules() if not list(m.children()) and hasattr(m, "weight")]
            assert leaves and all(isinstance(leaf, HostOps.Layer) for leaf in leaves), part


def test_info_reads_headers_only(folder, small):
    found = models.info(folder)
    assert found["settings"]["frame"] == "view" and list(found["parts"]) == [
        "image_encoder",
        "vae",
        "denoiser",
        "adapter",
    ]
    vae = found["parts"]["vae"]
    state = models.load(folder).vae.state_dict()
    assert vae["parameters"] == sum(tensor.numel() for tensor in state.values())
    assert vae["tensors"] == len(state) and vae["dtypes"] == {"F32": len(state)}
    assert vae["bytes"] == (folder / VAE_FILE).stat().st_size and vae["config"] == small.vae.to_dict()


def test_bundled_model():
    bundle = models.load("tiny")
    assert [key for key, _ in bundle.networks()] == ["image_encoder", "vae", "denoiser", "adapter"]
    scale = bundle.config.vae.z_scale_factor  # measured on the latents of the training clips
    expected = replace(PRESETS["tiny"], vae=replace(PRESETS["tiny"].vae, z_scale_factor=scale))
    assert bundle.name == "tiny" and bundle.config == expected and 0.1 < scale < 10
    for part in models.info("tiny")["parts"].values():
        assert set(part["dtypes"]) == {"F16"} and part["bytes"] <= 16 << 20


def test_preset_tiny_fits_the_limit_of_a_file(tmp_path):
    made = models.build("tiny")
    models.save(made, tmp_path)
    sizes = [path.stat().st_size for path in tmp_path.rglob("*.safetensors")]
    assert len(sizes) == 4 and max(sizes) <= 16 << 20
    assert PRESETS["tiny"].vae.embed_dim == PRESETS["tiny"].denoiser.input_channels
