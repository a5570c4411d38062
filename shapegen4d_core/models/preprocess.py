"""From pictures to what the image encoders take (spec 3.1, 3.2).

Resampling is Pillow's bicubic on 8-bit values, as the published models were fed; tensors from a renderer
have a path of their own that stays in float. H, W pixels; S the side of a square; F pictures; C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as functional
from PIL import Image
from torch import Tensor

from ..errors import InputError
from .config import ClipVisionConfig, ImageEncoderConfig

if TYPE_CHECKING:
    from ..sequence import Clip

PixelConfig = ImageEncoderConfig | ClipVisionConfig
WHITE = (255, 255, 255)


def crop_to_object(
    rgba: np.ndarray, foreground_ratio: float = 0.95, background: tuple[int, int, int] = WHITE
) -> np.ndarray:
    """Cut out the object of one picture, scale it and centre it on a plain square (spec 3.1).

    rgba: uint8 [H,W,4], straight alpha; foreground_ratio: part of the picture's limiting side the object
    fills, in (0,1]; background: colour 0..255. Returns uint8 [S,S,4], S = max(H,W), alpha being the resized
    mask. For a clip use one box for all frames instead, or the object breathes. Raises InputError if
    nothing is opaque.
    """
    if rgba.dtype != np.uint8 or rgba.ndim != 3 or rgba.shape[2] != 4:
        raise InputError(
            f"The object crop takes uint8 [H,W,4]; it was given {rgba.dtype} {list(rgba.shape)}."
        )
    if not 0 < foreground_ratio <= 1:
        raise InputError(f"foreground_ratio is {foreground_ratio}; it must be above 0 and at most 1.")
    height, width = rgba.shape[:2]
    left, top, right, bottom = _object_box(rgba[..., 3])
    scale = min(height * foreground_ratio / (bottom - top), width * foreground_ratio / (right - left))
    size = int((right - left) * scale), int((bottom - top) * scale)
    if min(size) < 1:
        raise InputError(
            "The object is too thin for its picture: it vanishes when scaled; use a larger picture."
        )
    picture = Image.fromarray(rgba, "RGBA")
    flat = Image.new("RGBA", picture.size, (*background, 255))
    flat.alpha_composite(picture)
    box = (left, top, right, bottom)
    colour = flat.convert("RGB").crop(box).resize(size)
    mask = picture.getchannel("A").crop(box).resize(size)
    square = _centred(_centred(colour, (width, height), background), (max(rgba.shape[:2]),) * 2, background)
    square.putalpha(_centred(_centred(mask, (width, height), 0), square.size, 0))
    return np.asarray(square)


def _object_box(alpha: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (the last two exclusive) of the non-transparent part."""
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if rows.size == 0:
        raise InputError("The picture is fully transparent; give one with an object whose alpha is above 0.")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _centred(picture: Image.Image, size: tuple[int, int], background: Any) -> Image.Image:
    canvas = Image.new(picture.mode, size, background)
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return canvas


def pixel_values(images: Any, config: PixelConfig) -> Tensor:
    """Normalised pixels [F,C,S,S] float32 of 8-bit pictures, as published models take them (spec 3.2).

    images: one picture or a sequence of them, each a Pillow image or uint8 [H,W,3|4] (an array [F,H,W,3|4]
    is a sequence). For RGB encoders alpha is dropped, not composited; RGBA encoders get straight alpha
    premultiplied.
    """
    pictures = [_as_picture(image) for image in _as_sequence(images)]
    if config.in_channels == 4:
        arrays = (np.asarray(picture.convert("RGBA")) for picture in pictures)
        tensors = (torch.from_numpy(array.copy()).float().div(255).unsqueeze(0) for array in arrays)
        return torch.cat([pixel_values_from_tensor(tensor, config) for tensor in tensors])
    squares = (_resized_square(picture.convert("RGB"), config.image_size) for picture in pictures)
    stacked = torch.from_numpy(np.stack([np.asarray(square) for square in squares]))
    return _normalised(stacked.permute(0, 3, 1, 2).float() / 255, config)


def pixel_values_from_tensor(images: Tensor, config: PixelConfig) -> Tensor:
    """Normalised pixels [F,C,S,S] of float pictures [F,H,W,3|4] in 0..1 (the training path of spec 3.2).

    Resampling is torch's antialiased bicubic. RGB encoders drop alpha and do not clamp; RGBA encoders
    premultiply straight alpha first and clamp to 0..1, because overshoot would make an alpha outside its
    range.
    """
    if images.ndim != 4 or images.shape[-1] not in (3, 4) or images.shape[-1] < config.in_channels:
        raise InputError(
            f"Pictures must be [F,H,W,{config.in_channels}] for this encoder; they are {list(images.shape)}."
        )
    colour, alpha = images[..., :3], images[..., 3:]
    pixels = colour if config.in_channels == 3 else torch.cat([colour * alpha, alpha], dim=-1)
    pixels = _resized_square_tensor(pixels.permute(0, 3, 1, 2).float(), config.image_size)
    return _normalised(pixels if config.in_channels == 3 else pixels.clamp(0, 1), config)


def clip_to_pixels(clip: Clip, config: PixelConfig) -> Tensor:
    """Normalised pixels [T,C,S,S] of a clip that is already cropped around its object.

    RGB encoders see the object on white, rounded to 8 bits, as in the published pipeline; RGBA encoders see
    it premultiplied by its alpha.
    """
    if config.in_channels == 4:
        return pixel_values_from_tensor(clip.frames, config)
    colour, alpha = clip.frames[..., :3], clip.frames[..., 3:]
    on_white = colour * alpha + (1 - alpha)
    return pixel_values((on_white * 255).round().to(torch.uint8).cpu().numpy(), config)


def _as_sequence(images: Any) -> Sequence[Any]:
    if isinstance(images, Image.Image):
        return [images]
    if isinstance(images, np.ndarray):
        return [images] if images.ndim == 3 else images
    if len(images) == 0:
        raise InputError("No pictures were given; give at least one.")
    return images


def _as_picture(image: Any) -> Image.Image:
    if isinstance(image, Image.Image):
        return image
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4):
        raise InputError(
            f"A picture must be uint8 [H,W,3] or [H,W,4]; it is {array.dtype} {list(array.shape)}."
        )
    return Image.fromarray(array)


def _scaled_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height with the shorter side at ``side``, the longer one truncated to whole pixels."""
    if width <= height:
        return side, int(side * height / width)
    return int(side * width / height), side


def _resized_square(picture: Image.Image, side: int) -> Image.Image:
    size = _scaled_size(*picture.size, side)
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return picture.crop((left, top, left + side, top + side))


def _resized_square_tensor(pixels: Tensor, side: int) -> Tensor:
    """Float pictures [F,C,H,W] -> [F,C,side,side]."""
    width, height = _scaled_size(pixels.shape[3], pixels.shape[2], side)
    if tuple(pixels.shape[2:]) != (height, width):
        pixels = functional.interpolate(
            pixels, size=(height, width), mode="bicubic", align_corners=False, antialias=True
        )
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[..., top : top + side, left : left + side]


def _normalised(pixels: Tensor, config: PixelConfig) -> Tensor:
    mean, std = (_constant(tuple(values), pixels.dtype, pixels.device) for values in (config.mean, config.std))
    return (pixels - mean) / std


@lru_cache(maxsize=16)
def _constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Values [1,C,1,1]; kept, because a copy to a GPU would wait for it in every step of training."""
    with torch.inference_mode(False):  # a host may first come here in inference mode, a gradient later
        return torch.tensor(values, dtype=dtype, device=device).view(1, -1, 1, 1)
