"""Estimates of working memory against measured peaks, stage by stage, each in a process of its own.

    python benchmarks/memory.py
    python benchmarks/memory.py --device cuda --preset step1x-3d --dtype bfloat16 --frames 16

On a CPU the peak is what the process grew by, on CUDA what torch allocated at most beyond the weights.
"""

from __future__ import annotations

import argparse
import multiprocessing
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from shapegen4d_core.decoding import DecodeSettings, decode_field, make_sampler
from shapegen4d_core.decoding.memory import decoding_bytes
from shapegen4d_core.models import PRESETS, AdapterConfig, ModelConfig, build
from shapegen4d_core.models.encoding import encode_clip, encoding_bytes
from shapegen4d_core.sampling import SamplerSettings, sample
from shapegen4d_core.sampling.memory import evaluation
from shapegen4d_core.sequence import Clip

STAGES = ("encoding", "sampling, collapsed", "sampling, in parts", "sampling, together", "decoding")
RESOLUTION, CHUNK = 160, 16384
PAGE = 4096


def medium() -> ModelConfig:
    """The published shapes of every network, a third as wide and a few layers deep: peaks a CPU can be asked for."""
    full = PRESETS["step1x-3d"]
    denoiser = replace(full.denoiser, width=512, num_heads=8, layers=2, num_single_layers=2)
    encoder = replace(full.image_encoder, num_hidden_layers=2)
    vae = replace(full.vae, width=384, heads=6, num_encoder_layers=1, num_decoder_layers=2, num_latents=512)
    return replace(full, denoiser=denoiser, image_encoder=encoder, vae=vae,
                   adapter=AdapterConfig.for_denoiser(denoiser))  # fmt: skip


def work_of(stage: str, config: ModelConfig, frames: int, dtype: torch.dtype, device: str):
    """The work of a stage as a callable, and its estimate in bytes."""
    if stage == "encoding":
        encoder = build(config, dtype=dtype, device=device, parts=("image_encoder",)).image_encoder
        side = config.image_encoder.image_size
        clip = Clip(torch.rand(frames, side, side, 4), 12.0)
        return partial(encode_clip, encoder, clip, "m", 4, device), encoding_bytes(encoder.config, 4, dtype.itemsize)
    if stage == "decoding":
        vae = build(config, dtype=dtype, device=device, parts=("vae",)).vae
        count = config.vae.num_latents
        latent = torch.randn(1, count, config.vae.embed_dim, device=device)
        settings = DecodeSettings(resolution=RESOLUTION, chunk=CHUNK)

        @torch.inference_mode()
        def decode():
            network = vae.field(vae.decode(latent))

            def ball(points):  # a surface of known size: random weights give none
                return 0 * network(points[None])[0] + ((0.7 - points.norm(dim=1)) / 0.05).clamp(-1, 1)

            sampler = make_sampler(settings, 0.05, device)
            return decode_field(ball, sampler, settings, CHUNK)

        return decode, decoding_bytes(config.vae, count, RESOLUTION, CHUNK, dtype.itemsize, device)
    return _sampling(stage, config, frames, dtype, device)


def _sampling(stage: str, config: ModelConfig, frames: int, dtype: torch.dtype, device: str):
    networks = build(config, dtype=dtype, device=device, parts=("denoiser", "adapter"))
    tokens = torch.randn(frames, config.image_encoder.token_count, config.denoiser.visual_condition_dim, device=device)
    count = config.vae.num_latents
    mode = "together" if "together" in stage else "collapsed"
    settings = SamplerSettings(steps=1, zero_init=False, guidance_mode=mode, latent_count=count)
    wanted = evaluation(config.denoiser, settings, frames, tokens.shape[1], count, dtype.itemsize)
    rows = wanted.rows // 8 if "parts" in stage else wanted.rows
    settings = replace(settings, rows_per_call=rows)
    return partial(sample, networks.denoiser, tokens, settings, adapter=networks.adapter), wanted.bytes(rows)


class Watch(threading.Thread):
    """The most memory the process held while this ran, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.running = 0, True

    def run(self) -> None:
        while self.running:
            self.most = max(self.most, resident())
            time.sleep(0.001)


def resident() -> int:
    """Bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def measure(stage: str, config: ModelConfig, frames: int, dtype: torch.dtype, device: str, queue) -> None:
    """Put (peak, estimate) of one stage into ``queue``."""
    torch.set_num_threads(1)
    work, estimate = work_of(stage, config, frames, dtype, device)
    if device == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        queue.put((torch.cuda.max_memory_allocated() - before, estimate))
        return
    before, watch = resident(), Watch()
    watch.start()
    work()
    watch.running = False
    watch.join()
    queue.put((watch.most - before, estimate))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=("medium", *PRESETS), default="medium")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    config = medium() if chosen.preset == "medium" else PRESETS[chosen.preset]
    context = multiprocessing.get_context("spawn")
    print("| stage | measured MiB | estimate MiB | estimate / measured |\n|---|---|---|---|")
    for stage in STAGES:
        queue = context.Queue()
        given = (stage, config, chosen.frames, getattr(torch, chosen.dtype), chosen.device, queue)
        process = context.Process(target=measure, args=given)
        process.start()
        peak, estimate = queue.get()
        process.join()
        print(f"| {stage} | {peak / 2**20:.0f} | {estimate / 2**20:.0f} | {estimate / peak:.2f} |")


if __name__ == "__main__":
    main()
