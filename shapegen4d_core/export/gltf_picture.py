"""Textures as encoded pictures, PNG or lossless WebP; a large one takes seconds, in which writing can be cancelled."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from PIL import Image, features

from ..errors import InputError
from ..progress import Check

_WEBP_SIDE = 16383  # pixels, the most a WebP can have
_PATIENCE = 0.1  # seconds between two looks at whether to stop


def encoded_picture(texture: np.ndarray, texture_format: str, check: Check | None = None) -> bytes:
    """``texture`` [H,W,3|4] uint8 as "png" or "webp", every value kept, those under transparency too.

    ``check`` is called ten times per second and may raise to cancel. :func:`check_picture` says what is possible.
    """
    encode = _webp if texture_format == "webp" else _png
    if check is None:
        return encode(texture)
    pool = ThreadPoolExecutor(1)
    try:
        encoding = pool.submit(encode, texture)
        while wait([encoding], _PATIENCE).not_done:
            check()
        return encoding.result()
    finally:
        pool.shutdown(wait=False)  # a cancelled one ends by itself and is forgotten


def check_picture(texture: np.ndarray | None, texture_format: str) -> None:
    """Raise InputError when ``texture`` [H,W,3|4], if there is one, is to be a WebP and cannot be."""
    if texture is None or texture_format != "webp":
        return
    if max(texture.shape[:2]) > _WEBP_SIDE:
        raise InputError(
            f"The texture is {texture.shape[1]} x {texture.shape[0]} pixels, WebP holds at most {_WEBP_SIDE} on a "
            "side; set texture_format to png."
        )
    if not features.check("webp"):
        raise InputError("This Pillow cannot write WebP; set texture_format to png, or pip install -U Pillow.")


def _png(texture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(texture)).save(file, format="PNG")
    return file.getvalue()


def _webp(texture: np.ndarray) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(texture))
    picture.save(file, format="WEBP", lossless=True, quality=20, method=1, exact=True)  # more effort saves 1 %
    return file.getvalue()
