"""Time of the unconditional half of guidance: all image tokens against one weighted token.

    python benchmarks/guidance_collapse.py                    # the small default on the CPU
    python benchmarks/guidance_collapse.py --preset step1x-3d --device cuda --dtype bfloat16

Both are run in turn in one process on the same random weights, and the ratio plain / collapsed is printed, for
one unconditional evaluation and for a guided pair (unconditional and conditional), without and with the adapter.
"""

from __future__ import annotations

import argparse
import time

import torch

from shapegen4d_core.models.adapter import SpatioTemporalAdapter
from shapegen4d_core.models.denoiser import Denoiser
from shapegen4d_core.models.denoiser_config import AdapterConfig, DenoiserConfig
from shapegen4d_core.sampling.guidance import guided_velocity

PRESETS = {
    # (denoiser, adapter layers after every n-th block, frames, latents, image tokens)
    "small": (dict(input_channels=8, width=128, layers=2, num_single_layers=6, num_heads=4), 2, 8, 64, 37),
    "medium": (dict(width=256, layers=2, num_single_layers=4, num_heads=8), 1, 4, 256, 342),
    "step1x-3d": ({}, 1, 16, 1024, 1370),
}


def best_seconds(run, device: str, repeats: int) -> dict[str, float]:
    """Shortest time of each mode, the modes taking turns."""
    best = {"in_turn": float("inf"), "collapsed": float("inf")}
    for _ in range(repeats + 1):  # the first round warms up
        for mode in best:
            start = time.perf_counter()
            run(mode)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            best[mode] = min(best[mode], time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=sorted(PRESETS), default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    sizes, every, frames, latents, tokens = PRESETS[options.preset]
    place = {"device": options.device, "dtype": getattr(torch, options.dtype)}
    torch.manual_seed(0)
    denoiser = Denoiser(DenoiserConfig(**sizes), **place)
    adapter = SpatioTemporalAdapter(AdapterConfig.for_denoiser(denoiser.config, every=every), **place)
    torch.nn.init.normal_(adapter.single[next(iter(adapter.single))].proj_out.weight, std=0.02)
    x = torch.randn(frames, latents, denoiser.config.input_channels, **place)
    visual = torch.randn(frames, tokens, denoiser.config.visual_condition_dim, **place)
    level = torch.full((frames,), 600.0, device=options.device)
    print(f"{options.preset}: {frames} frames x ({latents} latents + {tokens} image tokens), {options.dtype}")
    for name, layers in (("base", None), ("base + adapter", adapter)):
        bound = dict(adapter=layers, frames=frames)

        def network(*given, bound=bound, **more):
            return denoiser(*given, **bound, **more)

        def half(mode, network=network):
            count, weight = (1, float(tokens)) if mode == "collapsed" else (tokens, 1.0)
            return network(x, level, torch.zeros_like(visual[:, :count]), token_weight=weight)

        def pair(mode, network=network):
            return guided_velocity(network, x, level, visual, guidance=3.0, mode=mode)

        with torch.inference_mode():
            error = (half("collapsed") - half("in_turn")).abs().max().item()
            print(f"{name}: largest difference {error:.2g}")
            for what, run in (("unconditional half", half), ("guided pair", pair)):
                seconds = best_seconds(run, options.device, options.repeats)
                ratio = seconds["in_turn"] / seconds["collapsed"]
                print(f"  {what:18s} plain / collapsed = {ratio:.2f}")


if __name__ == "__main__":
    main()
