"""What every kind of input looks like to the rest of the folder: timed pictures read by number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

FOLDER_FPS = 24.0  # rate of pictures that carry no timing, unless the caller gives one


class Source(ABC):
    """Pictures in order of presentation, of which only the wanted ones are decoded, one at a time.

    ``times`` [n] are the starts of the frames in seconds from 0, ``end`` is the end of the last one,
    ``label`` names the source in messages, ``decoded`` counts pictures decoded so far (those on the way
    included).
    """

    def __init__(self, label: str, times: np.ndarray, end: float) -> None:
        self.label = label
        self.times = times
        self.end = end
        self.decoded = 0

    def set_rate(self, fps: float) -> None:
        """Replace the source's own timing by a constant rate."""
        self.times = np.arange(len(self.times)) / fps
        self.end = len(self.times) / fps

    @abstractmethod
    def has_alpha(self, indices: Sequence[int]) -> bool:
        """Whether any of these pictures has an alpha channel (which may still be opaque)."""

    def pictures(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, picture) for increasing ``indices``; uint8 or float 0..1, [H,W,1|3|4], straight
        alpha.

        Raises InputError when a picture cannot be decoded or its size differs from the others.
        """
        size: tuple[int, int] | None = None
        index = None
        for index, picture in self._decode(indices):
            if size is not None and picture.shape[:2] != size:
                raise InputError(
                    f"Frame {index} of {self.label} is {picture.shape[1]} x {picture.shape[0]} pixels, but "
                    f"those before are {size[1]} x {size[0]}; all frames must have one size."
                )
            size = picture.shape[:2]
            yield index, picture
        if index != indices[-1]:
            raise InputError(f"{self.label} ends before frame {indices[-1]}; set stop to a lower frame.")

    @abstractmethod
    def _decode(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Decode these pictures, in order."""


class TensorSource(Source):
    """Frames that a host already holds, [T,H,W,C] with C = 1, 3 or 4, values 0..1."""

    def __init__(self, images: Tensor, fps: float, label: str) -> None:
        super().__init__(label, np.arange(len(images)) / fps, len(images) / fps)
        self._images = images

    def has_alpha(self, indices: Sequence[int]) -> bool:
        return self._images.shape[-1] == 4

    def _decode(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        for index in indices:
            self.decoded += 1
            picture = self._images[index].detach().to("cpu", torch.float32).numpy()
            low, high = float(picture.min()), float(picture.max())
            if not (low >= -1e-3 and high <= 1 + 1e-3):
                raise InputError(f"Frame {index} of {self.label} spans {low:g}..{high:g}, accepted is 0..1.")
            yield index, np.clip(picture, 0.0, 1.0)
