"""Glue to the host: its memory manager, its progress bar and its stop button."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..shapegen4d_core.models.presets import ModelConfig

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
SMALL_MODEL = 100_000_000  # parameters; below it float32 costs nothing worth saving


@dataclass(frozen=True, eq=False)
class HostModel:
    """A loaded model as the host sees it: each part wrapped so that the memory manager can move it."""

    name: str
    config: ModelConfig
    parts: dict[str, HostPart]  # by their names in the core: image_encoder, vae, denoiser ...
    weights: dict[str, str]  # SHA-256 of each weight file

    def part(self, name: str) -> HostPart:
        """One part; ValueError says so if the model has none of that name."""
        if name not in self.parts:
            raise ValueError(
                f"The model {self.name!r} has no {name}; it has {', '.join(self.parts)}. Load another one."
            )
        return self.parts[name]


@dataclass(frozen=True, eq=False)
class HostPart:
    """One network and its patcher."""

    network: Any  # torch.nn.Module of the core
    patcher: Any  # comfy.model_patcher.CoreModelPatcher

    @property
    def device(self) -> Any:
        """Where the part computes; weights may rest elsewhere and be cast on the way."""
        return self.patcher.load_device


def wrap(network: Any) -> HostPart:
    """Give a network to the memory manager, under a plain module because the manager sets attributes on it."""
    import comfy.model_management as manager
    import comfy.model_patcher
    import torch

    shell = torch.nn.Module()
    shell.network = network
    patcher = comfy.model_patcher.CoreModelPatcher(
        shell, load_device=manager.get_torch_device(), offload_device=manager.unet_offload_device()
    )
    return HostPart(network, patcher)


def cast_ops() -> Any:
    """Layer classes for the core that cast their weights to the type and device of their input.

    The host's own Linear and Embedding may postpone building their weights until a file is read; the core checks
    names and shapes before that, so these override the loader, which is how the host knows not to postpone.
    """
    import comfy.ops
    import torch

    class CastOps(comfy.ops.manual_cast):
        class Linear(comfy.ops.manual_cast.Linear):
            def _load_from_state_dict(self, *arguments: Any) -> None:
                torch.nn.Linear._load_from_state_dict(self, *arguments)

        class Embedding(comfy.ops.manual_cast.Embedding):
            def _load_from_state_dict(self, *arguments: Any) -> None:
                torch.nn.Embedding._load_from_state_dict(self, *arguments)

    return CastOps


def bring(*parts: HostPart, working_bytes: float = 0) -> None:
    """Have the memory manager place these parts, keeping ``working_bytes`` free for activations."""
    import comfy.model_management as manager

    manager.load_models_gpu([part.patcher for part in parts], memory_required=int(working_bytes))


@contextmanager
def advice_when_full(advice: str) -> Iterator[None]:
    """Turn running out of memory into a sentence that ends in ``advice``."""
    import comfy.model_management as manager

    try:
        yield
    except Exception as error:
        if not manager.is_oom(error):
            raise
        raise RuntimeError(f"Out of memory. {advice}") from error


def check_same_model(model: HostModel, made_with: str, what: str) -> None:
    """Raise ValueError when a value was made with another model than the one connected."""
    if made_with != model.name:
        raise ValueError(
            f"The {what} were made with the model {made_with!r}, but {model.name!r} is connected; connect one "
            "model to all nodes."
        )


def choose_dtype(precision: str, parameter_count: int) -> Any:
    """The torch dtype weights are kept in; "auto" is the host's choice, float32 for a small model."""
    import comfy.model_management as manager
    import torch

    if precision != "auto":
        return getattr(torch, precision)
    if parameter_count < SMALL_MODEL:
        return torch.float32
    wanted = [torch.bfloat16, torch.float16, torch.float32]
    return manager.unet_dtype(model_params=parameter_count, supported_dtypes=wanted)


def check_stopped() -> None:
    """Raise the host's interruption if its stop button was pressed."""
    import comfy.model_management as manager

    manager.throw_exception_if_processing_interrupted()


def progress_bar(draw: Callable[[Any, int, int], Any] | None = None) -> Callable[..., None]:
    """A progress callback of the core that drives the bar of the running node.

    ``draw`` makes a picture [H,W,3] uint8, or None, of the preview value, the step and the total; the page shows it.
    """
    import comfy.utils

    bar = comfy.utils.ProgressBar(1)

    def report(step: int, total: int, preview: Any = None) -> None:
        picture = None if draw is None or preview is None else draw(preview, step, total)
        bar.update_absolute(step, total, None if picture is None else _shown(picture))

    return report


def _shown(picture: Any) -> tuple[str, Any, int]:
    """A picture as the host's bar takes it: format, image and the longest side it is reduced to."""
    from PIL import Image

    return "JPEG", Image.fromarray(picture), max(picture.shape[:2])


def itemsize(part: HostPart) -> int:
    """Bytes of one value in the computation of a part."""
    kind = getattr(part.network, "compute_dtype", None) or next(part.network.parameters()).dtype
    return kind.itemsize
