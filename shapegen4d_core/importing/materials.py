"""Materials: base colour factor and texture of each, pictures decoded by Pillow within limits.

Specification: glTF 2.0, sections 3.8 and 3.9, KHR_texture_transform, EXT_texture_webp. Of the older
KHR_materials_pbrSpecularGlossiness the diffuse colour and texture stand in for the base colour.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import InputError
from .animated_mesh import Material
from .container import Gltf
from .fields import flag, integer, numbers, part, text

PIXEL_LIMIT = 2**26  # 8192 x 8192
PICTURES_LIMIT = 2**31  # bytes of all pictures of one file
_FORMATS = ("PNG", "JPEG", "WEBP")


@dataclass(frozen=True)
class Paint:
    """A material, and where its texture takes its coordinates: set ``texcoord``, through ``placement`` [2,3]."""

    material: Material
    texcoord: int
    placement: np.ndarray

    def placed(self, uv: np.ndarray) -> np.ndarray:
        """Coordinates [V,2] float32 the texture is read at."""
        return (uv @ self.placement[:, :2].T + self.placement[:, 2]).astype(np.float32)


def plain_paint() -> Paint:
    """What glTF gives to a primitive without a material: white."""
    return Paint(Material("default"), 0, np.eye(2, 3))


class Paints:
    """The materials of one file; each picture is decoded once."""

    def __init__(self, gltf: Gltf) -> None:
        self._gltf = gltf
        self._pictures: dict[int, np.ndarray] = {}
        self._room = PICTURES_LIMIT

    def read(self, index: int, where: str) -> Paint:
        """Material ``index``. Raises InputError for a broken reference, a picture that is none or is too large."""
        entry, name = self._gltf.entry("materials", index, where), f"material {index}"
        surface = part(entry, "pbrMetallicRoughness", name)
        factor, picture = "baseColorFactor", "baseColorTexture"
        older = part(part(entry, "extensions", name), "KHR_materials_pbrSpecularGlossiness", name)
        if older:
            surface, factor, picture = older, "diffuseFactor", "diffuseTexture"
        colour = numbers(surface, factor, name, [1, 1, 1, 1], 4)
        if colour.min() < 0 or colour.max() > 1:
            raise InputError(f"{factor} of {name} is {colour.tolist()}, accepted is 0..1")
        reference, texture = part(surface, picture, name), None
        if reference:
            texture = self._texture(integer(reference, "index", name), name)
        texcoord, placement = _placement(reference, name)
        label = text(entry, "name", name, name)
        material = Material(label, tuple(colour.tolist()), texture, flag(entry, "doubleSided", name))
        return Paint(material, texcoord, placement)

    def _texture(self, index: int, where: str) -> np.ndarray:
        entry, name = self._gltf.entry("textures", index, where), f"texture {index}"
        webp = part(part(entry, "extensions", name), "EXT_texture_webp", name)
        if "source" not in entry and "source" not in webp:
            raise InputError(f"{name} has no picture in a format that is read ({', '.join(_FORMATS)})")
        source = integer(webp if "source" in webp else entry, "source", name)
        if source not in self._pictures:
            picture = self._pictures[source] = self._picture(source, name)
            self._room -= picture.nbytes
            if self._room < 0:
                raise InputError(f"its pictures unpack to more than {PICTURES_LIMIT >> 30} GiB, the most that is read")
        return self._pictures[source]

    def _picture(self, index: int, where: str) -> np.ndarray:
        entry, name = self._gltf.entry("images", index, where), f"image {index}"
        if "bufferView" in entry:
            content = bytes(self._gltf.view(entry["bufferView"], name)[0])
        else:
            content = self._gltf.content(text(entry, "uri", name), name)
        return decode_picture(content, name)


def decode_picture(content: bytes, where: str) -> np.ndarray:
    """An encoded PNG, JPEG or WebP as [H,W,3|4] uint8; raises InputError for anything else or too many pixels."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit follows
            picture = Image.open(io.BytesIO(content), formats=_FORMATS)
        width, height = picture.size
        if width * height > PIXEL_LIMIT:
            raise InputError(f"{where} has {width} x {height} pixels, at most {PIXEL_LIMIT} are read")
        clear = "A" in picture.getbands() or "transparency" in picture.info
        return np.array(picture.convert("RGBA" if clear else "RGB"))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where} is not a readable {', '.join(_FORMATS)} ({str(error)[:60]})") from error


def _placement(reference: dict[str, Any], where: str) -> tuple[int, np.ndarray]:
    """The texture coordinate set, and KHR_texture_transform as an affine map [2,3]: scale, rotate, move."""
    transform = part(part(reference, "extensions", where), "KHR_texture_transform", where)
    texcoord = integer(reference, "texCoord", where, 0)
    texcoord = integer(transform, "texCoord", where, texcoord)
    offset = numbers(transform, "offset", where, [0, 0], 2)
    scale = numbers(transform, "scale", where, [1, 1], 2)
    angle = numbers({"rotation": [transform.get("rotation", 0.0)]}, "rotation", where, [0], 1)[0]
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])  # counter-clockwise as seen with v down
    return texcoord, np.concatenate([turn * scale, offset[:, None]], axis=1)
