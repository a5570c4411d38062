"""Every clip, and its mirror image, encoded once to aligned latents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..data.slots import assign_slots, mirror_slots
from ..errors import InputError
from ..geometry.sampling import farthest_point_sampling
from ..models.shape_vae import ShapeVAE
from ..progress import Check, Progress, tick
from .vae import mirrored


@torch.inference_mode()
def encode_clip(
    vae: ShapeVAE,
    surface: np.ndarray,
    aligned: np.ndarray,
    slots: np.ndarray,
    flip: float = 1.0,
    points: int | None = None,
    sharp: np.ndarray | None = None,
    aligned_sharp: np.ndarray | None = None,
) -> np.ndarray:
    """Posterior mode [T,N,C] float16 of one clip.

    surface [T,P,6], aligned [T,Q,6], slots [N,K] rows of ``aligned`` (the first of each is used); flip -1 mirrors x.
    points: rows of each cloud, None for the model's own number. Raises InputError when the shards hold fewer.
    Models with a sharp-edge cloud take sharp [T,P',6] and aligned_sharp [T,Q',6], whose first N rows they use.
    """
    points, device = points or vae.config.n_samples, vae.pre_kl.weight.device
    for name, held in (("surface", surface), ("sharp", sharp)):
        if held is not None and held.shape[1] < points:
            raise InputError(
                f"The shards hold {held.shape[1]} {name} points and the model takes {points}; curate with more."
            )
    signs = torch.full((len(surface),), flip, device=device)

    def cloud(values: np.ndarray) -> Tensor:
        return mirrored(torch.from_numpy(np.ascontiguousarray(values)).to(device), signs, normals=True)

    rows = (mirror_slots(slots) if flip < 0 and slots.shape[1] > 1 else slots)[:, 0]
    if not vae.config.with_sharp_data:
        posterior = vae.encode(cloud(surface[:, :points]), query=cloud(aligned[:, rows]))
    else:
        posterior = vae.encode(
            cloud(surface[:, :points]),
            cloud(sharp[:, :points]),
            query=cloud(aligned[:, rows]),
            sharp_query=cloud(aligned_sharp[:, : len(rows)]),
        )
    return posterior.mode().cpu().numpy().astype(np.float16)


def encode_clips(
    vae: ShapeVAE,
    clips: dict[str, np.ndarray],
    slots: np.ndarray,
    mirror: bool = True,
    progress: Progress | None = None,
    check: Check | None = None,
) -> np.ndarray:
    """Latents [clips or 2*clips,T,N,C] float16, the mirrored copies after all plain ones."""
    rows, signs = [], (1.0, -1.0) if mirror else (1.0,)
    for flip in signs:
        for index, (surface, aligned, chosen) in enumerate(zip(clips["surface"], clips["aligned"], slots)):
            more = {key: clips[key][index] for key in ("sharp", "aligned_sharp") if vae.config.with_sharp_data}
            rows.append(encode_clip(vae, surface, aligned, chosen, flip, **more))
            tick(progress, check, len(rows), len(signs) * len(slots))
    return np.stack(rows)


def independent_points(surface: np.ndarray, anchors: np.ndarray, seed: int = 0) -> Iterator[np.ndarray]:
    """Query points [N,6] of each frame of a cloud [T,P,6], chosen anew per frame: the paper's ablation.

    Farthest points from a random start in every frame, put in slot order frame by frame so that only the tracking
    through time is lost.
    """
    rng, count = np.random.default_rng(seed), len(anchors)
    for points in surface.astype(np.float32):
        points = points[rng.permutation(len(points))]
        chosen = points[farthest_point_sampling(torch.from_numpy(points[None, :, :3]), count)[0].numpy()]
        yield chosen[assign_slots(chosen[None], anchors)[:, 0]]
