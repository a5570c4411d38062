"""Pictures and latents of a data set on one device, and batches of them as the networks take them."""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor

from ..data.stored import StoredRows
from ..errors import InputError
from ..memory import free_memory
from ..models.config import ImageEncoderConfig
from ..models.preprocess import pixel_values_from_tensor


def resident(array: np.ndarray | StoredRows, device: torch.device | str) -> Tensor | StoredRows:
    """``array`` on the GPU if it takes at most a quarter of what is free there, else on the CPU (not copied).

    Stored rows are read whole into the main memory if all processes of this computer together need at most a quarter
    of what is free there; else they stay in their files, which the processes share in the system's cache.
    """
    on_gpu = torch.device(device).type == "cuda" and array.nbytes <= torch.cuda.mem_get_info(device)[0] // 4
    if isinstance(array, np.ndarray):
        return torch.from_numpy(array).to(device) if on_gpu else torch.from_numpy(array)
    if on_gpu:
        return array.whole(device)
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # what launchers tell
    return array.whole() if array.nbytes * processes <= free_memory() // 4 else array


def sent(values: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """``values`` on the device; a GPU copies them while it is still busy with the step before."""
    tensor = torch.from_numpy(np.ascontiguousarray(values)) if isinstance(values, np.ndarray) else values
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def network_pixels(rgba: Tensor, config: ImageEncoderConfig, change: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Pictures [F,S,S,4] uint8 (straight alpha) as network input [F,C,S,S] float32.

    Four channels: premultiplied RGBA; three: over white. ``change``: channel order [F,3] and gain [F,3] of the colour.
    """
    values = rgba.float() / 255.0
    colour, alpha = values[..., :3], values[..., 3:]
    if change is not None:
        order, gain = change
        colour = colour.gather(3, order[:, None, None, :].expand_as(colour))
        colour = (colour * gain[:, None, None, :]).clamp(0.0, 1.0)
    if config.in_channels == 4:
        return pixel_values_from_tensor(torch.cat([colour, alpha], dim=-1), config).contiguous()
    return pixel_values_from_tensor(colour * alpha + (1.0 - alpha), config).contiguous()


class FrameBank:
    """rgba [clips,T,S,S,4] uint8 and latents [clips or 2*clips,T,N,C] float16, mirrored clips in the second half."""

    def __init__(
        self,
        rgba: np.ndarray | StoredRows,
        latents: np.ndarray | StoredRows,
        config: ImageEncoderConfig,
        device: torch.device | str = "cpu",
    ) -> None:
        """Arrays in memory, or rows in files, of which only small ones are read whole (see ``resident``).

        Raises InputError when pictures and latents belong to different data, or pictures have another size."""
        self.clips, self.frames = rgba.shape[:2]
        if len(latents) not in (self.clips, 2 * self.clips) or latents.shape[1] != self.frames:
            raise InputError(
                f"{self.clips} clips of {self.frames} frames have pictures, but the latents are {list(latents.shape)}; "
                "run the latents stage again."
            )
        if rgba.shape[2:] != (config.image_size, config.image_size, 4):
            raise InputError(
                f"The pictures are {list(rgba.shape[2:])}; the image encoder takes {config.image_size} pixels: "
                f"curate the files (--input) with --image-size {config.image_size}."
            )
        self.mirrored = len(latents) == 2 * self.clips
        self.config, self.device = config, torch.device(device)
        self.rgba, self.latents = resident(rgba, device), resident(latents, device)

    def flips(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """0 or 1 [count]: which samples are mirrored."""
        return rng.integers(0, 2, count) if self.mirrored else np.zeros(count, dtype=np.int64)

    def take(
        self, clip: np.ndarray, frame: np.ndarray, flip: np.ndarray, change: tuple[np.ndarray, np.ndarray] | None
    ) -> tuple[Tensor, Tensor]:
        """Pixels [F,C,S,S] and latents [F,N,C'] float32 of frames [F] of clips [F], mirrored where ``flip`` is 1."""
        rgba = self._rows(self.rgba, clip, frame)
        if self.mirrored:
            rgba = torch.where(sent(flip, self.device)[:, None, None, None] == 1, rgba.flip(2), rgba)
        if change is not None:
            change = tuple(sent(part, self.device) for part in change)
        latents = self._rows(self.latents, clip + self.clips * flip, frame).float()
        return network_pixels(rgba, self.config, change), latents

    def _rows(self, array: Tensor | StoredRows, clip: np.ndarray, frame: np.ndarray) -> Tensor:
        """Frames [F,...] of an array [clips,T,...], on the device of the bank."""
        return sent(array[sent(clip, array.device), sent(frame, array.device)], self.device)
