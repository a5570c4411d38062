"""Contact sheets: rows of frames below each other, such as the input above its rendered meshes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import InputError
from ..progress import Check, look
from ..storage import atomic_path
from .watched_file import WatchedFile

_GAP = 4  # pixels between pictures and around the sheet
_TEXT = 14  # height of a label in pixels


def contact_sheet(
    rows: Sequence[Any],
    labels: Sequence[str] | None = None,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    columns: int | None = None,
    check: Check | None = None,
) -> np.ndarray:
    """One picture [H,W,3] uint8 with the frames of every row side by side, rows below each other.

    ``rows`` are arrays or CPU tensors [T,H,W,3|4], float 0..1 or uint8, straight alpha, with one T; their sizes may
    differ, smaller pictures are enlarged to the height of the largest. ``labels`` stand above their rows.
    More than ``columns`` frames continue in further blocks below. ``check`` may raise between frames, to cancel.
    Raises InputError.
    """
    pictures = [_opaque(row, background, check) for row in rows]
    _check(pictures, labels, columns)
    height = max(row.shape[1] for row in pictures)
    pictures = [_of_height(row, height) for row in pictures]
    frame_count = len(pictures[0])
    columns = min(columns or frame_count, frame_count)
    width = max(row.shape[2] for row in pictures)
    text = _TEXT + _GAP if labels is not None else 0
    blocks = -(-frame_count // columns)
    line = text + height + _GAP
    size = (_GAP + columns * (width + _GAP), _GAP + blocks * (len(pictures) * line + _GAP) - _GAP)
    sheet = Image.new("RGB", size, tuple(round(255 * value) for value in background))
    for block in range(blocks):
        for number, row in enumerate(pictures):
            top = _GAP + (block * len(pictures) + number) * line + block * _GAP
            if labels is not None:
                _write(sheet, labels[number], top, background)
            for column, picture in enumerate(row[block * columns : (block + 1) * columns]):
                left = _GAP + column * (width + _GAP) + (width - picture.shape[1]) // 2
                sheet.paste(Image.fromarray(picture), (left, top + text))
    return np.asarray(sheet)


def save_png(picture: np.ndarray, path: str | os.PathLike, check: Check | None = None) -> None:
    """Write a picture [H,W,3|4] uint8 as PNG, whole or not at all; raises InputError when the folder is missing.

    ``check`` may raise while it is written, to cancel.
    """
    with atomic_path(path) as temporary, WatchedFile(temporary, check) as file:
        Image.fromarray(picture).save(file, format="PNG")


def _opaque(row: Any, background: tuple[float, float, float], check: Check | None) -> np.ndarray:
    """A row over the background, uint8 [T,H,W,3]."""
    frames = np.asarray(row)
    if frames.ndim != 4 or frames.shape[3] not in (3, 4) or frames.size == 0:
        raise InputError(f"A row of the contact sheet has shape {list(frames.shape)}, accepted is [T,H,W,3 or 4].")
    if frames.dtype != np.uint8 and not np.issubdtype(frames.dtype, np.floating):
        raise InputError(f"A row of the contact sheet is {frames.dtype}, accepted is float 0..1 or uint8.")
    result = np.empty((*frames.shape[:3], 3), np.uint8)
    for number, frame in enumerate(frames):
        frame = frame / np.float32(255) if frame.dtype == np.uint8 else frame
        colour = frame[..., :3]
        if frame.shape[2] == 4:
            alpha = frame[..., 3:]
            colour = colour * alpha + np.asarray(background, frame.dtype) * (1 - alpha)
        result[number] = (colour.clip(0, 1) * 255).round()
        look(check)
    return result


def _check(rows: list[np.ndarray], labels: Sequence[str] | None, columns: int | None) -> None:
    if not rows or len({len(row) for row in rows}) != 1:
        counts = ", ".join(str(len(row)) for row in rows) or "no rows"
        raise InputError(f"The rows of the contact sheet have {counts} frames, accepted is one count for all.")
    if labels is not None and len(labels) != len(rows):
        raise InputError(f"The contact sheet has {len(rows)} rows and {len(labels)} labels, accepted is one each.")
    if columns is not None and columns < 1:
        raise InputError(f"columns is {columns}, accepted is at least 1.")


def _of_height(row: np.ndarray, height: int) -> np.ndarray:
    if row.shape[1] == height:
        return row
    width = max(1, round(row.shape[2] * height / row.shape[1]))
    return np.stack([np.asarray(Image.fromarray(frame).resize((width, height), Image.LANCZOS)) for frame in row])


def _write(sheet: Image.Image, label: str, top: int, background: tuple[float, float, float]) -> None:
    ink = (0, 0, 0) if sum(background) > 1.5 else (255, 255, 255)
    ImageDraw.Draw(sheet).text((_GAP, top), label, fill=ink, font=ImageFont.load_default(_TEXT))
