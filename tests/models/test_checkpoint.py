"""Loading and saving: round trips, everything wrong with a file in one message, and what is refused."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from shapegen4d_core import models
from shapegen4d_core.errors import InputError
from shapegen4d_core.models import (
    PRESETS,
    AdapterConfig,
    DenoiserConfig,
    ImageEncoderConfig,
    LabelEncoderConfig,
    ModelConfig,
    ShapeVAEConfig,
)
from shapegen4d_core.models.checkpoint import TINY_FOLDER

DENOISER = DenoiserConfig(
    input_channels=4, width=16, layers=1, num_single_layers=2, num_heads=2, condition_dim=16,
    visual_condition_dim=16, label_condition_dim=16, caption_condition_dim=16, slot_count=6, mlp_ratio=2,
)  # fmt: skip
SMALL = ModelConfig(
    name="small",
    image_encoder=ImageEncoderConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, in_channels=4
    ),
    vae=ShapeVAEConfig(
        num_latents=6, embed_dim=4, num_freqs=3, width=16, heads=2, num_encoder_layers=1, num_decoder_layers=1,
        truncation=0.1, query_mlp_ratio=2,
    ),
    denoiser=DENOISER,
    adapter=AdapterConfig.for_denoiser(DENOISER, attention="temporal", frames=3),
    frame="view",
    train_time_shift=4.0,
    steps=5,
    zero_init=False,
)  # fmt: skip
VAE_FILE = "vae/diffusion_pytorch_model.safetensors"
DENOISER_FILE = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def bundle():
    torch.manual_seed(0)
    return models.build(SMALL)


@pytest.fixture
def folder(bundle, tmp_path):
    models.save(bundle, tmp_path / "small", torch.float32)
    return tmp_path / "small"


def states(bundle):
    return {key: network.state_dict() for key, network in bundle.networks()}


def rewrite(path, change):
    tensors = load_file(path)
    save_file(change(tensors) or tensors, path)


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


def test_parts_are_loaded_alone(folder):
    loaded = models.load(folder, parts=["vae"])
    assert [key for key, _ in loaded.networks()] == ["vae"]
    assert loaded.config.vae == SMALL.vae and loaded.config.steps == 5
    with pytest.raises(InputError, match="label_encoder"):
        models.load(folder, parts=["vae", "label_encoder"])
    with pytest.raises(InputError, match="encoder_of_sounds.*image_encoder"):
        models.load(folder, parts=["encoder_of_sounds"])


def test_label_model_round_trip(tmp_path):
    config = replace(
        SMALL, denoiser=replace(DENOISER, use_label_condition=True), label_encoder=LabelEncoderConfig(16), adapter=None
    )
    made = models.build(config)
    models.save(made, tmp_path, torch.float32)
    loaded = models.load(tmp_path)
    assert loaded.config == config and loaded.adapter is None
    assert torch.equal(loaded.label_encoder({"symmetry": "x"}), made.label_encoder({"symmetry": "x"}))


def test_every_mismatch_of_a_file_is_in_one_message(folder):
    def damage(tensors):
        tensors["encoder.extra.weight"] = torch.zeros(3)
        del tensors["pre_kl.bias"], tensors["decoder.output_proj.weight"]
        tensors["post_kl.weight"] = torch.zeros(5, 7)
        tensors["post_kl.bias"] = torch.zeros(16, dtype=torch.int32)

    rewrite(folder / VAE_FILE, damage)
    with pytest.raises(InputError) as caught:
        models.load(folder)
    message = str(caught.value)
    for expected in (
        VAE_FILE.split("/")[1],
        "missing: pre_kl.bias [8]",
        "missing: decoder.output_proj.weight [1, 16]",
        "not part of the network: encoder.extra.weight [3]",
        "post_kl.weight is [5, 7], the configuration needs [16, 4]",
        "post_kl.bias is I32",
    ):
        assert expected in message
    assert message.count("\n") == 5


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


def test_a_tensor_stored_under_two_names_is_reported(folder):
    rewrite(folder / VAE_FILE, lambda t: {**t, "shape_model.pre_kl.bias": t["pre_kl.bias"].clone()})
    with pytest.raises(InputError, match="stored twice: pre_kl.bias"):
        models.load(folder)


@pytest.mark.parametrize("suffix", ["bin", "ckpt", "pt", "pth", "pkl"])
def test_pickled_weights_are_refused_unopened(folder, tmp_path, suffix):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (folder / VAE_FILE).unlink()
    path = folder / "vae" / f"diffusion_pytorch_model.{suffix}"
    path.write_bytes(pickle.dumps(Trap()))
    for attempt in (lambda: models.load(folder), lambda: models.load_vae(path), lambda: models.info(folder)):
        with pytest.raises(InputError, match=rf"{suffix} file.*convert it to .safetensors"):
            attempt()
    assert not (tmp_path / "sprung").exists()


def test_pickled_weights_under_another_name_are_refused(folder, tmp_path):
    (folder / VAE_FILE).write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match="not a readable safetensors file") as caught:
        models.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, bytes(range(256)) * 40, b"\x10" + b"\x00" * 7 + b"{" * 16])
def test_damaged_files_give_one_sentence(folder, content):
    (folder / DENOISER_FILE).write_bytes(content)
    with pytest.raises(InputError, match="not a readable safetensors file") as caught:
        models.load(folder)
    assert "\n" not in str(caught.value)


def test_half_a_file_gives_one_sentence(folder):
    path = folder / DENOISER_FILE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a readable safetensors file"):
        models.load(folder)


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"width": 16, "depth_of_water": 3}', '{"qk_norm": true}'])
def test_damaged_and_unknown_configurations(folder, text):
    (folder / "vae" / "config.json").write_text(text)
    with pytest.raises(InputError, match="JSON|depth_of_water|qk_norm"):
        models.load(folder)


def test_missing_things_are_named(folder, tmp_path):
    with pytest.raises(InputError, match="nowhere.*tiny"):
        models.load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="give the model folder"):
        models.load(folder / VAE_FILE)
    with pytest.raises(InputError, match=r"transformer/.*models in small"):
        models.load(tmp_path)
    (folder / VAE_FILE).unlink()
    with pytest.raises(InputError, match="holds no .safetensors file"):
        models.load(folder)
    (folder / "vae" / "config.json").unlink()
    (folder / "vae").rmdir()
    with pytest.raises(InputError, match=r"lacks vae \(vae\)"):
        models.load(folder)


def test_missing_shard_and_shard_outside_the_folder(bundle, tmp_path):
    models.save(bundle, tmp_path, torch.float32, max_shard_bytes=4096)
    shards = sorted((tmp_path / "vae").glob("*-of-*.safetensors"))
    shards[1].unlink()
    with pytest.raises(InputError, match=f"lacks the shards {shards[1].name}"):
        models.load(tmp_path)
    index = next((tmp_path / "vae").glob("*.index.json"))
    index.write_text(json.dumps({"weight_map": {"pre_kl.bias": "../transformer/x.safetensors"}}))
    with pytest.raises(InputError, match="beside the index"):
        models.load(tmp_path)


def test_several_weight_files_of_unusual_names(folder):
    path = folder / VAE_FILE
    path.rename(path.with_name("one.safetensors"))
    assert models.load(folder).vae is not None
    save_file({"a": torch.zeros(1)}, path.with_name("two.safetensors"))
    with pytest.raises(InputError, match="one.safetensors, two.safetensors"):
        models.load(folder)


def test_parts_that_do_not_belong_together(bundle, folder):
    other = models.build(replace(SMALL, vae=replace(SMALL.vae, embed_dim=8)), parts=["vae"])
    models.save(other, folder, torch.float32)
    with pytest.raises(InputError, match="vae.embed_dim is 8 but denoiser.input_channels is 4"):
        models.load(folder)


def test_values_that_overflow_are_not_saved(bundle, tmp_path):
    broken = models.build(SMALL, parts=["vae"])
    with torch.no_grad():
        broken.vae.pre_kl.bias[0] = 1e6
    with pytest.raises(InputError, match="pre_kl.bias"):
        models.save(broken, tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))


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


def test_configuration_that_shapes_do_not_show_must_be_given(bundle):
    with pytest.raises(InputError, match="16 wide.*give its configuration"):
        models.load_vae(bundle.vae.state_dict())
    with pytest.raises(InputError, match="spatiotemporal.json"):
        models.load_adapter(bundle.adapter.state_dict())
    with pytest.raises(InputError, match="not the weights of the denoiser"):
        models.load_denoiser(bundle.vae.state_dict())
    assert models.load_denoiser(bundle.denoiser.state_dict()).config == DENOISER


def test_unused_tensors_of_clip_are_accepted_and_others_are_not():
    config = {"dino": {**SMALL.image_encoder.to_dict(), "in_channels": 3, "mean": None, "std": None},
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


def test_info_reads_headers_only(folder):
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
    assert vae["bytes"] == (folder / VAE_FILE).stat().st_size and vae["config"] == SMALL.vae.to_dict()


def test_settings_with_unknown_fields_are_refused(folder):
    (folder / "shapegen4d.json").write_text(json.dumps({"frame": "view", "colour": "blue"}))
    with pytest.raises(InputError, match="colour"):
        models.load(folder)


@pytest.mark.skipif(not TINY_FOLDER.is_dir(), reason="this checkout has no bundled model (assets/tiny)")
def test_bundled_model():
    bundle = models.load("tiny")
    assert [key for key, _ in bundle.networks()] == ["image_encoder", "vae", "denoiser", "adapter"]
    assert bundle.name == "tiny" and bundle.config == PRESETS["tiny"]
    for part in models.info("tiny")["parts"].values():
        assert set(part["dtypes"]) == {"F16"} and part["bytes"] <= 16 << 20


def test_preset_tiny_fits_the_limit_of_a_file(tmp_path):
    made = models.build("tiny")
    models.save(made, tmp_path)
    sizes = [path.stat().st_size for path in tmp_path.rglob("*.safetensors")]
    assert len(sizes) == 4 and max(sizes) <= 16 << 20
    assert PRESETS["tiny"].vae.embed_dim == PRESETS["tiny"].denoiser.input_channels
