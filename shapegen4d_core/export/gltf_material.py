"""The one material of an exported sequence: neutral grey or textured, physically based (glTF 2.0, 3.9)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from .gltf_buffers import BufferSpool

_GREY = 0.45  # linear reflectance of the untextured surface; viewers with strong lights wash out anything lighter
_UNLIT = "KHR_materials_unlit"
_ROUGHNESS = 0.9
_LINEAR, _MIPMAPS, _CLAMP, _REPEAT = 9729, 9987, 33071, 10497


def material_parts(
    spool: BufferSpool, texture: np.ndarray | None, uv: np.ndarray | None, closed: bool, unlit: bool = False
) -> dict[str, list[Any]]:
    """The ``materials`` of a document and, with a texture [H,W,3|4] uint8, its image, sampler and texture.

    Double sided only when the surface is not ``closed``; blended only when the texture has transparency. ``unlit``
    shows the texture as it is, for one that carries the light of the video already (KHR_materials_unlit).
    """
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS}
    material: dict[str, Any] = {"pbrMetallicRoughness": surface, "doubleSided": not closed}
    if texture is None or uv is None:
        surface["baseColorFactor"] = [_GREY, _GREY, _GREY, 1.0]
        return {"materials": [{"name": "neutral grey", **material}]}
    surface["baseColorTexture"] = {"index": 0}
    if texture.shape[2] == 4 and texture[..., 3].min() < 255:
        material["alphaMode"] = "BLEND"
    inside = bool((uv >= 0).all() and (uv <= 1).all())
    wrap = _CLAMP if inside else _REPEAT
    image = {"name": "base colour", "mimeType": "image/png", "bufferView": spool.image(_png(texture))}
    if unlit:
        material["extensions"] = {_UNLIT: {}}
    return {
        **({"extensionsUsed": [_UNLIT]} if unlit else {}),
        "materials": [{"name": "textured", **material}],
        "images": [image],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _MIPMAPS, "wrapS": wrap, "wrapT": wrap}],
        "textures": [{"sampler": 0, "source": 0}],
    }


def _png(texture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(texture)).save(file, format="PNG")
    return file.getvalue()
