"""DreamSim against the tiny reference (published code, random weights) and the published names and shapes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.models.dreamsim import BRANCHES, DreamSim

BUNDLED = Path(__file__).resolve().parent.parent / "reference" / "geometry"
METADATA = {"lora_alpha": "2", "num_heads": "4"}


def reference_file(name):
    path = Path(os.environ.get("SHAPEGEN4D_GEOMETRY_REFERENCE", BUNDLED)) / name
    return path if path.is_file() else BUNDLED / name


@pytest.fixture(scope="module")
def tiny():
    return load_file(reference_file("dreamsim_tiny.safetensors"))


@pytest.fixture(scope="module")
def state(tiny):
    return {name.removeprefix("w."): tensor for name, tensor in tiny.items() if name.startswith("w.")}


@pytest.fixture(scope="module")
def manifest():
    return json.loads(reference_file("dreamsim_manifest.json").read_text(encoding="utf-8"))


@pytest.fixture
def converted(state, tmp_path):
    """A folder with a converted file; ``keep`` chooses names."""

    def write(keep=lambda name: True, metadata=METADATA):
        save_file({name: t for name, t in state.items() if keep(name)}, tmp_path / "model.safetensors", metadata)
        return tmp_path

    return write


def test_embeddings_and_distances(converted, tiny, close):
    network = DreamSim.load(converted())
    first, second = (network.embed(tiny[f"in.image_{which}"]) for which in "ab")
    close(first, tiny["out.embed_a"], 2e-6)
    close(second, tiny["out.embed_b"], 2e-6)
    close(network.distance(first, second), tiny["out.distance"], 2e-6)
    close(network(tiny["in.image_a"], tiny["in.image_b"]), tiny["out.distance"], 2e-6)


@pytest.mark.parametrize("dtype, tolerance", [(torch.bfloat16, 0.01), (torch.float16, 0.001)])
def test_16_bit_layers_give_nearly_the_same_distances(converted, tiny, close, dtype, tolerance):
    network = DreamSim.load(converted(), dtype=dtype)
    assert network.dino.blocks[0].mlp.fc1.weight.dtype == dtype
    close(network.embed(tiny["in.image_a"]), tiny["out.embed_a"], tolerance)
    close(network(tiny["in.image_a"], tiny["in.image_b"]), tiny["out.distance"], tolerance)


def test_merged_weights_need_no_factors(converted, state, tiny, close, tmp_path):
    merged = {name: tensor.float() for name, tensor in state.items() if ".lora_" not in name}
    for name in [name for name in state if name.endswith("lora_A.weight")]:
        base = name.removesuffix(".lora_A.weight")
        merged[f"{base}.weight"] += 2 / 4 * state[f"{base}.lora_B.weight"].float() @ state[name].float()
    save_file(merged, tmp_path / "model.safetensors", {"num_heads": "4"})
    close(DreamSim.load(tmp_path).embed(tiny["in.image_a"]), tiny["out.embed_a"], 2e-6)


def test_strength_may_stand_beside_the_file_or_be_given(converted, tiny, close, tmp_path):
    folder = converted(metadata={"num_heads": "4"})
    with pytest.raises(InputError, match="lora_alpha"):
        DreamSim.load(folder)
    close(DreamSim.load(folder, lora_alpha=2).embed(tiny["in.image_a"]), tiny["out.embed_a"], 2e-6)
    (tmp_path / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 2}', encoding="utf-8")
    close(DreamSim.load(folder).embed(tiny["in.image_a"]), tiny["out.embed_a"], 2e-6)


@pytest.mark.parametrize("branch, start, stop", [("dino", 0, 32), ("clip", 32, 56), ("open_clip", 56, 80)])
def test_one_branch_alone_points_where_its_part_of_the_whole_does(converted, tiny, branch, start, stop):
    alone = DreamSim.load(converted(lambda name: name.startswith(f"{branch}."))).embed(tiny["in.image_a"])
    part = tiny["out.embed_a"][:, start:stop]
    centred = part - part.mean(dim=1, keepdim=True)
    assert torch.allclose(alone, torch.nn.functional.normalize(centred, dim=1), atol=1e-5)


def test_batches_may_be_cut_anywhere_and_stopped(converted, tiny, close):
    network = DreamSim.load(converted())
    images = torch.cat([tiny["in.image_a"], tiny["in.image_b"]])
    close(network.embed(images, at_once=3), network.embed(images, at_once=16), 1e-6)

    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        network.embed(images, check=stop)


def published(manifest):
    """Shapes of a full-size converted file, and of the low-rank factors beside it."""
    vit = manifest["vit_b16_tensors_of_one_clip_branch"]
    shapes = {f"{branch}.{name}": shape for branch in BRANCHES for name, shape in vit.items()}
    shapes = {name: shape for name, shape in shapes.items() if not name.startswith("dino.pos_drop.")}
    shapes |= {f"{branch}.proj": manifest["clip_projection"]["proj"] for branch in ("clip", "open_clip")}
    factors = {}
    for name, shape in manifest["lora_tensors"].items():
        number, tensor = name.removeprefix("base_model.model.extractor_list.").split(".model.", 1)
        factors[f"{list(BRANCHES)[int(number)]}.{tensor}"] = shape
    return shapes, factors


def test_a_full_size_file_fits(manifest):
    """Every published tensor has its place, and the sizes of ViT-B/16 come out."""
    shapes, factors = published(manifest)
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    network = DreamSim.load(tensors, device="meta")
    assert network.side == 224
    assert network.names == ("dino", "clip", "open_clip")
    blocks = [getattr(network, name).config.block for name in network.names]
    assert {(block.width, block.heads, block.hidden) for block in blocks} == {(768, 12, 3072)}
    assert [block.quick for block in blocks] == [False, True, False]
    plain, norm, projection = 85_798_656, 2 * 768, 768 * 512
    total = 3 * plain - norm + 2 * (norm + projection)  # dino reads no last norm, the others have a first one
    assert sum(parameter.numel() for parameter in network.parameters()) == total
    ends = {name.split("lora_")[0] for name in factors}
    assert len(factors) == 72 and all(f"{end}weight" in shapes for end in ends)


def test_reading_can_be_cancelled(state, tmp_path):
    def stopped():
        raise Cancelled

    save_file(state, tmp_path / "w.safetensors", metadata=METADATA)
    with pytest.raises(Cancelled):
        DreamSim.load(tmp_path / "w.safetensors", check=stopped)


def test_missing_foreign_and_damaged_weights_are_explained(converted, state, tmp_path):
    with pytest.raises(InputError, match=r"ssundaram21/dreamsim .*pickled"):
        DreamSim.load(tmp_path / "dreamsim")
    with pytest.raises(InputError, match="not the weights of DreamSim"):
        DreamSim.load({"weight": torch.zeros(1)})
    with pytest.raises(InputError, match="no tensor clip.proj"):
        DreamSim.load(converted(lambda name: name != "clip.proj"))
    with pytest.raises(InputError, match="factors of clip.blocks.3.attn.qkv"):
        DreamSim.load(converted(lambda name: name != "clip.blocks.3.attn.qkv.lora_B.weight"))
    with pytest.raises(InputError, match="missing: open_clip.norm.bias"):
        DreamSim.load(converted(lambda name: name != "open_clip.norm.bias"))
    with pytest.raises(InputError, match="num_heads is 'four'"):
        DreamSim.load(converted(metadata={**METADATA, "num_heads": "four"}))


@pytest.mark.parametrize("shape", [(1, 3, 64, 48), (1, 4, 64, 64), (3, 64, 64)])
def test_pictures_of_other_shapes_are_refused(converted, shape):
    with pytest.raises(InputError, match=r"\[B,3,64,64\]"):
        DreamSim.load(converted()).embed(torch.zeros(shape))
