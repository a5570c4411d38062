"""A node pack for these tests only, put beside ours: pictures that other nodes do not give, and a look at memory."""

from __future__ import annotations

import ctypes

import torch


class SpoiledImages:
    """A white disc that wanders over black, and its mask; one value of the third picture is ``text`` as a number."""

    CATEGORY, FUNCTION, RETURN_TYPES = "tests", "make", ("IMAGE", "MASK")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": "nan"})}}

    def make(self, text):
        grid = torch.arange(64).float()
        discs = [((grid[:, None] - 30 - shift) ** 2 + (grid - 32) ** 2 < 200).float() for shift in range(4)]
        masks = torch.stack(discs)
        images = masks[..., None].repeat(1, 1, 1, 3)
        images[2, 32, 32, 1] = float(text)
        return images, masks


class NoiseImages:
    """Pictures that nobody can compress."""

    CATEGORY, FUNCTION, RETURN_TYPES = "tests", "make", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"side": ("INT", {"default": 512}), "count": ("INT", {"default": 8})}}

    def make(self, side, count):
        return (torch.rand(count, side, side, 3, generator=torch.Generator().manual_seed(0)),)


class GiveBack:
    """Has the C library hand freed memory back to the system, which it otherwise keeps for later as it likes."""

    CATEGORY, FUNCTION, RETURN_TYPES, OUTPUT_NODE = "tests", "work", (), True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT", {"default": 0})}}

    def work(self, number):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
        return {"ui": {"text": [str(trim is not None and trim(0))]}}


NODE_CLASS_MAPPINGS = {"SpoiledImages": SpoiledImages, "NoiseImages": NoiseImages, "GiveBack": GiveBack}
