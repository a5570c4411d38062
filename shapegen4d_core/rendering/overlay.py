"""Pictures of meshes laid over what was filmed, with their outline drawn, to judge a pose by eye.

Pictures are [T,H,W,4] float 0..1 with straight alpha.
"""

from __future__ import annotations

import torch
from PIL import ImageColor
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from ..errors import InputError
from ..progress import Check, look

OUTLINE = (1.0, 0.45, 0.05)  # orange: seldom the colour of an object, and seen on dark and light


def parse_colour(text: str) -> tuple[float, float, float]:
    """Red, green and blue 0..1 of a colour's name or #rrggbb; raises InputError."""
    try:
        return tuple(value / 255 for value in ImageColor.getrgb(text)[:3])
    except ValueError as error:
        raise InputError(f"The background is {text!r}; accepted are names of colours and #rrggbb.") from error


def composite(
    pictures: Tensor, background: Tensor | tuple[float, float, float], check: Check | None = None
) -> Tensor:
    """``pictures`` [T,H,W,3|4] over a colour or over opaque pictures [T,H,W,3]: [T,H,W,3]; raises InputError.

    ``check`` may raise between two pictures, to cancel.
    """
    if pictures.dim() != 4 or pictures.shape[3] not in (3, 4):
        raise InputError(f"The pictures have shape {list(pictures.shape)}, accepted is [T,H,W,3 or 4].")
    if pictures.shape[3] == 3:
        return pictures
    behind = torch.as_tensor(background, dtype=pictures.dtype, device=pictures.device)
    behind = behind.expand(len(pictures), *behind.shape[-3:])
    result = pictures.new_empty(*pictures.shape[:3], 3)
    for number, picture in enumerate(pictures):  # one at a time: a long film takes no second one in between
        colour, alpha = picture[..., :3], picture[..., 3:]
        result[number] = colour * alpha + behind[number] * (1 - alpha)
        look(check)
    return result


def overlay(
    pictures: Tensor,
    plate: Tensor,
    opacity: float = 0.6,
    outline: tuple[float, float, float] | None = OUTLINE,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    check: Check | None = None,
) -> Tensor:
    """``pictures`` [T,H,W,4] at ``opacity`` 0..1 over the ``plate`` [T,H,W,3|4], with the ``outline``: [T,H,W,3].

    A plate with alpha, such as the frames of a clip, stands on ``background``. The outline is one pixel wide per 256
    pixels of height and full whatever the opacity; None draws none. ``check`` may raise between two pictures, to
    cancel. Raises InputError for sizes that differ.
    """
    if pictures.dim() != 4 or pictures.shape[3] != 4:
        raise InputError(f"The pictures have shape {list(pictures.shape)}, accepted is [T,H,W,4].")
    if plate.dim() != 4 or plate.shape[:3] != pictures.shape[:3]:
        sizes = f"{list(plate.shape)} and the pictures {list(pictures.shape)}"
        raise InputError(f"The plate has shape {sizes}; give both the same count of frames, height and width.")
    if not 0 <= opacity <= 1:
        raise InputError(f"opacity is {opacity}, accepted is 0 to 1.")
    laid = pictures.new_empty(*pictures.shape[:3], 3)
    for number, picture in enumerate(pictures.split(1)):
        thinned = torch.cat([picture[..., :3], picture[..., 3:] * opacity], dim=3)
        shown = composite(thinned, composite(plate[number : number + 1].to(pictures), background))
        if outline is not None:
            line = outline_of(picture[..., 3])[..., None]
            shown = shown + line * (shown.new_tensor(outline) - shown)
        laid[number] = shown[0]
        look(check)
    return laid


def outline_of(alpha: Tensor) -> Tensor:
    """Line [T,H,W] 0..1 along the border of the coverage ``alpha`` [T,H,W], a pixel wide per 256 of height."""
    width = max(1, round(alpha.shape[1] / 256))
    coverage = alpha[:, None]
    reach = 2 * ((width + 1) // 2) + 1
    grown = max_pool2d(coverage, reach, stride=1, padding=reach // 2)
    shrunk = -max_pool2d(-coverage, reach, stride=1, padding=reach // 2)
    return avg_pool2d(grown - shrunk, 3, stride=1, padding=1, count_include_pad=False).clamp(0, 1)[:, 0] ** 1.5
