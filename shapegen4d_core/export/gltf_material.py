"""The one material of an exported sequence: neutral grey or textured, physically based (glTF 2.0, 3.9).

Pictures are PNG, or lossless WebP (EXT_texture_webp), which is smaller and needs a reader that knows it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..progress import Check
from .gltf_document import Document
from .gltf_picture import encoded_picture

_GREY = 0.45  # linear reflectance of the untextured surface; viewers with strong lights wash out anything lighter
_UNLIT, _WEBP = "KHR_materials_unlit", "EXT_texture_webp"
_ROUGHNESS = 0.9
_LINEAR, _MIPMAPS, _CLAMP, _REPEAT = 9729, 9987, 33071, 10497


def add_material(
    document: Document,
    texture: np.ndarray | None,
    uv: np.ndarray | None,
    closed: bool,
    unlit: bool = False,
    texture_format: str = "png",
    check: Check | None = None,
) -> int:
    """Add the material and, with a ``texture`` [H,W,3|4] uint8 and ``uv`` [V,2], its picture; return its index.

    Double sided only when the surface is not ``closed``; blended only when the texture has transparency. ``unlit``
    shows the texture as it is, for one that carries the light of the video already (KHR_materials_unlit).
    ``texture_format`` is "png" or "webp"; ``check`` may raise to cancel.
    """
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS}
    material: dict[str, Any] = {"pbrMetallicRoughness": surface, "doubleSided": not closed}
    if texture is None or uv is None:
        surface["baseColorFactor"] = [_GREY, _GREY, _GREY, 1.0]
        return document.add("materials", {"name": "neutral grey", **material})
    surface["baseColorTexture"] = {"index": _add_texture(document, texture, uv, texture_format, check)}
    if texture.shape[2] == 4 and texture[..., 3].min() < 255:
        material["alphaMode"] = "BLEND"
    if unlit:
        material["extensions"] = {_UNLIT: {}}
        document.need(_UNLIT)
    return document.add("materials", {"name": "textured", **material})


def _add_texture(
    document: Document, texture: np.ndarray, uv: np.ndarray, texture_format: str, check: Check | None
) -> int:
    view = document.spool.image(encoded_picture(texture, texture_format, check))
    picture = {"name": "base colour", "mimeType": f"image/{texture_format}", "bufferView": view}
    inside = bool((uv >= 0).all() and (uv <= 1).all())
    wrap = _CLAMP if inside else _REPEAT
    sampler = {"magFilter": _LINEAR, "minFilter": _MIPMAPS, "wrapS": wrap, "wrapT": wrap}
    source = {"source": document.add("images", picture)}
    if texture_format == "webp":
        document.need(_WEBP, required=True)  # there is no second picture to fall back on
        source = {"extensions": {_WEBP: source}}
    return document.add("textures", {"sampler": document.add("samplers", sampler), **source})
