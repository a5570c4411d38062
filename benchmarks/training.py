"""Training throughput against model size and clip length, as ratios side by side in one run.

    python benchmarks/training.py                                  # one CPU core, float32
    python benchmarks/training.py --precision float32 bf16         # both, side by side
    python benchmarks/training.py --device cuda --precision bf16 --batch 256 --compile

Each row trains random data for a few steps, after a warm-up, on one process: samples per second in every precision, and
the time of a sample relative to the first row of its table in the first one. Model size varies the width, clip length
the frames of the adapter.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from shapegen4d_core.models import PRESETS, AdapterConfig, ModelConfig, build
from shapegen4d_core.models.layers import attention_implementation
from shapegen4d_core.training.adapter import AdapterLoss, adapter_batches
from shapegen4d_core.training.bank import FrameBank
from shapegen4d_core.training.base import BaseLoss, base_batches
from shapegen4d_core.training.loop import Stage, train
from shapegen4d_core.training.settings import TrainSettings
from shapegen4d_core.training.workers import Workers

WIDTHS, FRAMES = (64, 128, 192, 256), (4, 8, 16)


def sized(width: int, frames: int) -> ModelConfig:
    """The tiny preset at another width and clip length."""
    tiny, heads = PRESETS["tiny"], width // 32
    denoiser = replace(
        tiny.denoiser, width=width, num_heads=heads, condition_dim=width, visual_condition_dim=width
    )
    encoder = replace(tiny.image_encoder, hidden_size=width, num_attention_heads=heads)
    adapter = AdapterConfig.for_denoiser(denoiser, every=2, frames=frames)
    return replace(tiny, image_encoder=encoder, denoiser=denoiser, adapter=adapter, frames=frames)


def bank_of(config: ModelConfig, device: torch.device, clips: int = 16) -> FrameBank:
    """Random pictures and latents of a few clips."""
    rng, size = np.random.default_rng(0), config.image_encoder.image_size
    rgba = rng.integers(0, 255, (clips, config.frames, size, size, 4), dtype=np.uint8)
    latents = rng.standard_normal((clips, config.frames, config.vae.num_latents, config.vae.embed_dim))
    return FrameBank(rgba, latents.astype(np.float16), config.image_encoder, device)


def stage_of(kind: str, config: ModelConfig, device: torch.device) -> Stage:
    """The base or adapter stage of fresh networks on random data."""
    torch.manual_seed(0)
    model, bank = build(config), bank_of(config, device)
    explicit = None if device.type == "cuda" else lambda: attention_implementation("explicit")
    if kind == "base":
        return Stage(BaseLoss(model.image_encoder, model.denoiser), base_batches(bank, 4.0, 0.1), context=explicit)
    loss = AdapterLoss(model.adapter, model.image_encoder.to(device), model.denoiser.to(device))
    return Stage(loss, adapter_batches(bank, 4.0, 0.1), context=explicit)


def seconds_per_sample(stage: Stage, settings: TrainSettings, device: torch.device, steps: int) -> float:
    """Time of a training step divided by its samples, the first steps left out."""
    stamps: list[float] = []
    torch._dynamo.reset()  # rows must not share compiled graphs

    def check() -> None:
        if device.type == "cuda" and len(stamps) in (2, steps + 2):
            torch.cuda.synchronize()
        stamps.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        train(stage, Path(folder), replace(settings, steps=steps + 3), Workers(device=device), check=check)
    return (stamps[-1] - stamps[2]) / (len(stamps) - 3) / settings.batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", nargs="+", choices=("float32", "bf16"), default=["float32"])
    parser.add_argument("--batch", type=int, default=16, help="frames of the base; the adapter takes batch/8 clips")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--compile", action="store_true")
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore", "Mismatch dtype between input and weight")  # bf16 norms with float32 weights
    device = torch.device(chosen.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    settings = TrainSettings(
        seconds=None, steps=1, batch=chosen.batch, compile=chosen.compile, save_seconds=1e9
    )
    print(f"{device}, torch {torch.__version__}, {torch.get_num_threads()} thread(s)")
    tables = (
        ("base, frames", "base", "width", [(width, 8) for width in WIDTHS], chosen.batch),
        ("adapter, clips", "adapter", "frames", [(128, frames) for frames in FRAMES], max(1, chosen.batch // 8)),
    )
    heads = " | ".join(f"per second, {precision}" for precision in chosen.precision)
    for title, kind, axis, sizes, batch in tables:
        first = None
        print(f"\n| {title}: {axis} | {heads} | time per sample, relative |\n|{'---|' * (len(chosen.precision) + 2)}")
        for width, frames in sizes:
            spent = []
            for precision in chosen.precision:
                wanted = replace(settings, batch=batch, precision=precision)
                spent.append(
                    seconds_per_sample(stage_of(kind, sized(width, frames), device), wanted, device, chosen.steps)
                )
            first = first or spent[0]
            rates = " | ".join(f"{1 / seconds:.1f}" for seconds in spent)
            print(f"| {width if axis == 'width' else frames} | {rates} | {spent[0] / first:.2f} |", flush=True)


if __name__ == "__main__":
    main()
