"""Measures between pictures that need no network: PSNR, SSIM, and overlap of silhouettes.

Pictures are straight-alpha RGBA; colours are compared over a white background, which reports must say.
"""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

BEST_PSNR = 99.0
"""What identical pictures count as, in dB, so that means stay finite."""


def over_white(frames: np.ndarray) -> np.ndarray:
    """Colours float32 [T,H,W,3] in 0..1 of straight-alpha frames [T,H,W,4], uint8 or float 0..1, over white."""
    values = frames.astype(np.float32) / (255.0 if frames.dtype == np.uint8 else 1.0)
    return values[..., :3] * values[..., 3:] + 1 - values[..., 3:]


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of colours [T,H,W,3] in 0..1, mean over frames, at most BEST_PSNR."""
    errors = ((first.astype(np.float64) - second) ** 2).reshape(len(first), -1).mean(axis=1)
    return float(np.minimum(-10 * np.log10(np.maximum(errors, 1e-30)), BEST_PSNR).mean())


def ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Structural similarity of colours [T,H,W,3] in 0..1, mean over frames: 11 x 11 Gaussian window, deviation 1.5."""
    values = [
        structural_similarity(
            a, b, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(first, second)
    ]
    return float(np.mean(values))


def silhouette_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of masks [T,H,W] (alpha 0..1 or bool, above 1/2 is object), mean over frames.

    Two empty masks agree: 1.
    """
    solid = [mask.reshape(len(mask), -1) > 0.5 for mask in (first, second)]
    both, either = (solid[0] & solid[1]).sum(axis=1), (solid[0] | solid[1]).sum(axis=1)
    return float(np.where(either == 0, 1.0, both / np.maximum(either, 1)).mean())


def picture_measures(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """``psnr``, ``ssim`` and ``silhouette_iou`` of straight-alpha frames [T,H,W,4] of one size."""
    alpha = [frames[..., 3] / (255 if frames.dtype == np.uint8 else 1) for frames in (prediction, truth)]
    colours = over_white(prediction), over_white(truth)
    return {"psnr": psnr(*colours), "ssim": ssim(*colours), "silhouette_iou": silhouette_iou(*alpha)}
