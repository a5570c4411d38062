"""Every clip, and its mirror image, encoded once to aligned latents, in memory or shard by shard into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ..data.shards import Shard
from ..data.slots import assign_slots, mirror_slots
from ..data.stored import StoredArray
from ..errors import InputError
from ..geometry.sampling import farthest_point_sampling
from ..models.shape_vae import ShapeVAE
from ..progress import Check, Meter, Progress, tick
from .vae import mirrored

CHUNK = 1 << 22  # values of a file handled at once
Choose = Callable[[dict[str, np.ndarray], int, int], tuple[dict[str, np.ndarray], np.ndarray]]
"""From the clips of a shard, its views and the number of its first clip to clips and slots, of one view or of all."""


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


def encode_shards(
    vae: ShapeVAE,
    shards: Sequence[Shard],
    choose: Choose,
    into: StoredArray,
    progress: Progress | None = None,
    check: Check | None = None,
) -> None:
    """Write the latents of ``encode_clips`` into a file [clips or 2*clips,T,N,C]; one shard is in memory at a time.

    What all views of a shard share is encoded once and written for each of them. Progress counts encoded clips.
    """
    count, start = sum(shard.views for shard in shards), 0
    meter = Meter(into.shape[0], progress, check)
    for shard in shards:
        clips, slots = choose(shard.read(), shard.views, start)
        copies = shard.views // len(slots)
        encoded = encode_clips(
            vae, clips, slots, into.shape[0] > count, progress=lambda *_, times=copies: meter.advance(times)
        )
        for first, rows in zip((start, count + start), np.split(encoded, into.shape[0] // count)):
            into.write(first, np.repeat(rows, copies, axis=0))
        start += shard.views


def scale_values(stored: StoredArray, scale: float) -> None:
    """Multiply every float16 value of a file by ``scale``, in place, in float32."""
    flat = stored.flat
    for start in range(0, flat.shape[0], CHUNK):
        values = flat.read(start, min(start + CHUNK, flat.shape[0]))
        flat.write(start, (values.astype(np.float32) * scale).astype(np.float16))


def deviation(stored: StoredArray) -> float:
    """Standard deviation in float32 of all values of a file, to the last bit that of numpy for the array in memory.

    numpy adds long arrays by halves; so does this, down to pieces that fit in memory.
    """
    flat = stored.flat

    def added(change: Callable[[np.ndarray], np.ndarray], start: int, stop: int) -> np.float32:
        count = stop - start
        if count <= CHUNK:
            return np.add.reduce(change(flat.read(start, stop).astype(np.float32)))
        middle = start + count // 2 // 8 * 8
        return added(change, start, middle) + added(change, middle, stop)

    def square(values: np.ndarray) -> np.ndarray:
        values -= mean
        return np.multiply(values, values, out=values)

    mean = np.float32(added(lambda values: values, 0, flat.shape[0]) / flat.shape[0])
    return float(np.sqrt(np.float32(added(square, 0, flat.shape[0]) / flat.shape[0])))


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
