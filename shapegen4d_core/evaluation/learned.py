"""Measures by large networks, through their own libraries, and only when library and weights are on the disk.

Nothing here downloads: every file a library would fetch is looked for first, and what is missing is said.
LPIPS: VGG, mean of the spatial map. CLIP: cosine between image embeddings of OpenCLIP ViT-bigG-14. DreamSim: the
ensemble. FVD: I3D logits on Kinetics-400, once over all clips as a set (rank-deficient below 400 clips) and once as
the squared distance of the two logit vectors of each pair, which some papers also print as FVD.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, interpolate

Frames = np.ndarray  # colours [T,H,W,3] in 0..1

_CLIP = ("ViT-bigG-14", "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k")
_CLIP_FILES = ("open_clip_model.safetensors",)  # never the pickled one
_CLIP_MEAN, _CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_DREAMSIM_FILES = (
    *("dino_vitb16_pretrain.pth", "clip_vitb16_pretrain.pth.tar", "open_clip_vitb16_pretrain.pth.tar"),
    *("ensemble_lora/adapter_config.json", "facebookresearch_dino_main/hubconf.py"),
    "checkpoints/dino_vitbase16_pretrain.pth",
)
I3D_FILE = "i3d_pretrained_400.pt"
LEAST_FRAMES = {"fvd_pair": 16}
"""What a clip must have for a measure whose network looks at many frames at once."""


@dataclass(frozen=True)
class LearnedMetric:
    """``package`` to install, the ``module`` it brings, files it needs, and how to make the measure from them."""

    package: str
    modules: tuple[str, ...]
    missing_file: Callable[[Path], str | None]
    load: Callable[[Path], Callable]


def unavailable(weights: Path) -> dict[str, str]:
    """Why each measure cannot be computed, for those that cannot: the first library or file that is missing.

    ``weights``: folder of the networks whose libraries have no cache of their own.
    """
    reasons = {}
    for name, metric in LEARNED.items():
        absent = [module for module in metric.modules if find_spec(module) is None]
        what = f"the package {metric.package}" if absent else metric.missing_file(weights)
        if what is not None:
            reasons[name] = f"not available: {what} missing"
    return reasons


def load_available(weights: Path) -> dict[str, Callable]:
    """The measures that can be computed, ready to be called with two clips of one length.

    ``fvd_pair`` is no measure but the function from a clip to its logits [400]; see :func:`frechet_distance`.
    """
    absent = unavailable(weights)
    return {name: metric.load(weights) for name, metric in LEARNED.items() if name not in absent}


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet distance of Gaussians fitted to features [N,D] and [M,D] (covariances over n - 1).

    The trace of the root of A B is that of the root of A^1/2 B A^1/2, which is symmetric, so that few clips do no harm.
    """
    mean_gap = first.mean(axis=0) - second.mean(axis=0)
    spreads = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second)]
    values, vectors = np.linalg.eigh(spreads[0])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    overlap = np.sqrt(np.linalg.eigvalsh(root @ spreads[1] @ root).clip(0)).sum()
    return float(mean_gap @ mean_gap + np.trace(spreads[0]) + np.trace(spreads[1]) - 2 * overlap)


def _batch(frames: Frames, size: int | None = None) -> Tensor:
    """Pictures [T,3,H,W]; with ``size`` resized to squares."""
    pictures = torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32)).permute(0, 3, 1, 2)
    if size is None or pictures.shape[-2:] == (size, size):
        return pictures
    return interpolate(pictures, (size, size), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def _first_missing(folder: Path, names: tuple[str, ...]) -> str | None:
    return next((str(folder / name) for name in names if not (folder / name).exists()), None)


def _vgg_missing(_: Path) -> str | None:
    return _first_missing(Path(torch.hub.get_dir()) / "checkpoints", ("vgg16-397923af.pth",))


def _load_lpips(_: Path) -> Callable[[Frames, Frames], float]:
    import lpips

    network = lpips.LPIPS(net="vgg", spatial=True, verbose=False).eval()

    @torch.inference_mode()
    def measure(prediction: Frames, truth: Frames) -> float:
        pairs = zip(_batch(prediction, 512), _batch(truth, 512))
        return float(np.mean([network(2 * a[None] - 1, 2 * b[None] - 1).mean() for a, b in pairs]))

    return measure


def _clip_file() -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = (try_to_load_from_cache(_CLIP[1], name) for name in _CLIP_FILES)
    return next((Path(path) for path in found if isinstance(path, str)), None)


def _clip_missing(_: Path) -> str | None:
    return None if _clip_file() else f"{_CLIP[1]}/{_CLIP_FILES[0]} in the Hugging Face cache"


def _load_clip(_: Path) -> Callable[[Frames, Frames], float]:
    import open_clip

    network = open_clip.create_model(_CLIP[0], pretrained=str(_clip_file())).eval()
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (_CLIP_MEAN, _CLIP_DEVIATION))

    @torch.inference_mode()
    def measure(prediction: Frames, truth: Frames) -> float:
        both = [network.encode_image((_batch(frames, 224) - mean) / deviation) for frames in (prediction, truth)]
        return float(cosine_similarity(*both).mean())

    return measure


def _load_dreamsim(weights: Path) -> Callable[[Frames, Frames], float]:
    from dreamsim import dreamsim

    network, _ = dreamsim(pretrained=True, device="cpu", cache_dir=str(weights / "dreamsim"))

    @torch.inference_mode()
    def measure(prediction: Frames, truth: Frames) -> float:
        pairs = zip(_batch(prediction, 224), _batch(truth, 224))
        return float(np.mean([float(network(a[None], b[None])) for a, b in pairs]))

    return measure


def _load_i3d(weights: Path) -> Callable[[Frames], np.ndarray]:
    from cdfvd.third_party.i3d.utils import load_i3d_model, preprocess_i3d

    network = load_i3d_model(torch.device("cpu"), str(weights / I3D_FILE))

    @torch.inference_mode()
    def logits(frames: Frames) -> np.ndarray:
        video = np.round(frames[None] * 255).astype(np.uint8)
        return network(preprocess_i3d(video))[0].reshape(-1).numpy().astype(np.float64)

    return logits


LEARNED = {
    "lpips": LearnedMetric("lpips", ("lpips", "torchvision"), _vgg_missing, _load_lpips),
    "clip": LearnedMetric("open_clip_torch", ("open_clip", "huggingface_hub"), _clip_missing, _load_clip),
    "dreamsim": LearnedMetric(
        "dreamsim", ("dreamsim",), lambda folder: _first_missing(folder / "dreamsim", _DREAMSIM_FILES), _load_dreamsim
    ),
    "fvd_pair": LearnedMetric("cd-fvd", ("cdfvd",), lambda folder: _first_missing(folder, (I3D_FILE,)), _load_i3d),
}
