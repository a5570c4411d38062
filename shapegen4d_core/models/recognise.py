"""What a weight file is, told from the names, shapes and text in its header, for files that come without a folder.

A published file says nothing about itself. Files of ours carry their configuration in the header.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .. import published
from ..errors import InputError
from .checkpoint import config_of, header_json
from .parts import PARTS, Part
from .weights import FLOAT_TYPES, Weights, read_json

# Tensors by which a part is known, under its names of today.
SIGNATURES = {
    "image_encoder": {"dino_model.embeddings.register_tokens", "dino_model.layernorm.weight"},
    "vae": {"post_kl.weight", "decoder.query_proj.weight", "encoder.input_proj.weight"},
    "denoiser": {"dit_model.proj_in.weight", "dit_model.proj_cross_attention.weight"},
    "label_encoder": {"embedding_table_tpose.weight"},
}
ADAPTER_NAME = re.compile(r"(dual|single)\.\d+\.(norm\.linear|proj_out)\.weight")

# What other files are, by the first pattern that a name in them matches from its start.
STRANGERS = [
    ("a LoRA", r".*[._]lora[._]?(up|down|A|B|a|b)\b"),
    ("a Stable Diffusion checkpoint", r"(model\.diffusion_model\.)?(input_blocks|middle_block|down_blocks)\."),
    ("a checkpoint of an image or video model", r"model\.diffusion_model\."),
    ("a Flux model", r"double_blocks\."),
    ("a language model", r"(model\.)?(language_model\.)?(model\.)?embed_tokens\.|lm_head\."),
    ("a T5 text encoder", r"encoder\.block\.\d+\.layer\."),
    ("a transformer for other pictures, videos or text", r"(model\.|diffusion_model\.)?(\w*blocks|layers)\.\d+\."),
    ("an autoencoder of pictures or videos", r"(encoder|decoder)\.(conv_in|conv1|downsamples|down_blocks)\."),
    ("a CLIP vision model", r"(clip\.)?(vision_model\.embeddings|visual\.(conv1|transformer|blocks|trunk))\b"),
    ("a CLIP text encoder", r"(transformer\.)?text_model\."),
    ("an image model other than DINOv2 with registers", r"(\w+\.)?embeddings\.(patch_embeddings|cls_token)"),
    ("a VGGT network", r"aggregator\."),
]  # fmt: skip
_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}\.safetensors")


def whole(file: Path) -> Path:
    """The file itself, or the index of all shards where it is one of several and their index lies beside it."""
    match = _SHARD.fullmatch(file.name)
    index = file.with_name(f"{match['stem']}.safetensors.index.json") if match else file
    return index if index.is_file() else file


def kind_of(weights: Weights) -> str | None:
    """The part of a model that a file holds, None for any other file."""
    for key, signature in SIGNATURES.items():
        if signature <= {PARTS[key].rename(name) for name in weights.shapes}:
            return key
    return "adapter" if any(ADAPTER_NAME.fullmatch(name) for name in weights.shapes) else None


def recognised_config(key: str, weights: Weights) -> Any:
    """The configuration of a file that is to be the part ``key``: of its header, beside it, or read off its shapes.

    Raises InputError, in one sentence, for any other file, saying what it is, and where the right one is published.
    """
    part, kind = PARTS[key], kind_of(weights)
    if kind != key:
        raise InputError(f"{weights.label} is {_described(kind, weights)}, not the {part.what}{_advice(key)}.")
    odd = sorted(set(weights.dtypes.values()) - set(FLOAT_TYPES))
    if odd:
        types = f"keeps tensors as {', '.join(odd)}, read are {', '.join(FLOAT_TYPES)}"
        raise InputError(f"{weights.label} {types}{_advice(key)}.")
    given = header_json(weights, "config") if "config" in weights.metadata else None
    try:
        if given is not None:
            return part.config.from_dict(given)
        beside = config_beside(part, weights)
        return config_of(part, weights, None if beside is None else read_json(beside), look_beside=False)
    except InputError as error:
        raise InputError(f"{weights.label} cannot be used: {error}") from error
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
        raise InputError(f"{weights.label} cannot be used: its configuration is damaged ({error}).") from error


def config_beside(part: Part, weights: Weights) -> Path | None:
    """The configuration file of a file that has its published name; others share their folder with strangers."""
    file = weights.files[0]
    beside = file.with_name(part.config_file)
    return beside if beside.is_file() and file.name.startswith(Path(part.weights_file).stem) else None


def _described(kind: str | None, weights: Weights) -> str:
    if kind is not None:
        return f"the {PARTS[kind].what} of a model"
    for what, pattern in STRANGERS:
        if any(re.match(pattern, name) for name in weights.shapes):
            return what
    first = next(iter(sorted(weights.shapes)), None)
    return f"a file of other tensors (such as {first})" if first else "a file without tensors"


def _advice(key: str) -> str:
    if key == "adapter":
        return "; choose a spatiotemporal.safetensors of ShapeGen4D, or none"
    model = published.LABEL if key == "label_encoder" else published.BASE
    return f"; that of Step1X-3D is {published.where(key, model)}"
