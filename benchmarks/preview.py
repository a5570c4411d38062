"""What it costs to look while sampling: the bundled model on the bundled clip, with and without pictures.

    python benchmarks/preview.py
    python benchmarks/preview.py --steps 50 --repeats 5
"""

from __future__ import annotations

import argparse
import time
from statistics import median

from shapegen4d_core import models
from shapegen4d_core.example_clips import example_path
from shapegen4d_core.pipeline import encode_clip, sample_latents, sampler_settings
from shapegen4d_core.preview import SequencePreview
from shapegen4d_core.video import load_clip


def main() -> None:
    """Print the median times of both ways, their ratio, and how many pictures were made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    model = models.load("tiny")
    clip = example_path("creature")
    clip = load_clip(clip, count=8, size=84, foreground_ratio=model.config.foreground_ratio)
    tokens, settings = encode_clip(model, clip), sampler_settings(model, steps=chosen.steps, ensemble_size=1)
    plain, watched, pictures = [], [], []
    for _ in range(chosen.repeats):
        plain.append(_timed(lambda: sample_latents(model, tokens, settings)))
        preview, shown = SequencePreview(model.vae, 8), []

        def look(step, total, estimate=None, preview=preview, shown=shown):
            if estimate is not None and preview(estimate, step, total) is not None:
                shown.append(step)

        watched.append(_timed(lambda look=look: sample_latents(model, tokens, settings, progress=look)))
        pictures.append(len(shown))
    print(f"{chosen.steps} steps, 8 frames: {median(plain):.2f} s plain, {median(watched):.2f} s with pictures, "
          f"ratio {median(watched) / median(plain):.3f}; new pictures at {median(pictures):g} steps")  # fmt: skip


def _timed(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
