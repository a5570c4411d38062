"""Image tokens to shape latents: the flow sampler of the core, with the host's NOISE and SIGMAS accepted."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import host
from .types import CATEGORY, ImageTokens, Latents, Model

NOISE_MODES = ("shared", "independent", "correlated")
GUIDANCE_MODES = ("collapsed", "together", "in_turn")
ZERO_INIT = ("model default", "on", "off")
SYMMETRIES = ("x", "asymmetry")
GEOMETRY_TYPES = ("sharp", "normal", "smooth")


class Sample4DLatents(io.ComfyNode):
    """Samples all frames of the sequence together."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_Sample4DLatents",
            display_name="Sample 4D Latents",
            category=CATEGORY,
            description="Generates the shape latents of all frames together from their image tokens.",
            search_aliases=["4d sampler", "flow sampler"],
            inputs=[
                Model.Input("model", tooltip="The model whose denoiser and adapter are sampled."),
                ImageTokens.Input("tokens", tooltip="Image tokens of every frame, made with the same model."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Start of the random numbers. The same seed gives the same result on every "
                    "device.",
                ),
                io.Int.Input(
                    "steps",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Denoising steps, 1 to 1000; 0 takes the model's own number. More steps follow "
                    "the flow more closely and take proportionally longer.",
                ),
                io.Float.Input(
                    "guidance",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="How strongly the result follows the frames: 1 is no guidance (and twice as "
                    "fast), 0 takes the model's own value. Too much gives bloated shapes.",
                ),
                io.Float.Input(
                    "time_shift",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="Moves steps towards high noise, where motion is decided: 1 spaces them "
                    "evenly, 0 takes the model's own value.",
                ),
                io.Combo.Input(
                    "noise_mode",
                    options=list(NOISE_MODES),
                    default="shared",
                    tooltip="Start noise of the frames: shared (one draw for all, the steadiest), "
                    "independent (one draw each, flickers) or correlated (a mixture).",
                ),
                io.Float.Input(
                    "adapter_strength",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Factor on what the spatiotemporal layers add: 1 as trained, 0 samples every "
                    "frame on its own with the base model. Without effect on a model that has no adapter.",
                ),
                io.Float.Input(
                    "correlation",
                    default=0.9,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip="Correlation of the start noise between frames, 0 to 1; only read when "
                    "noise_mode is correlated. 1 is shared, 0 independent.",
                ),
                io.Combo.Input(
                    "guidance_mode",
                    options=list(GUIDANCE_MODES),
                    default="collapsed",
                    advanced=True,
                    tooltip="How the unconditional half of guidance is computed: collapsed (one image "
                    "token stands for all, exact and fastest), together (one batch) or in_turn (least "
                    "memory).",
                ),
                io.Combo.Input(
                    "zero_init",
                    options=list(ZERO_INIT),
                    default="model default",
                    advanced=True,
                    tooltip="on: the first step leaves the noise as it is, as published Step1X-3D samplers "
                    "do; off: it moves like every other step.",
                ),
                io.Combo.Input(
                    "symmetry",
                    options=list(SYMMETRIES),
                    default="x",
                    advanced=True,
                    tooltip="Only read by label-conditioned models: whether left and right of the object "
                    "mirror each other (x) or not (asymmetry).",
                ),
                io.Combo.Input(
                    "geometry_type",
                    options=list(GEOMETRY_TYPES),
                    default="sharp",
                    advanced=True,
                    tooltip="Only read by label-conditioned models: how much surface detail is wanted.",
                ),
                io.Boolean.Input(
                    "preview",
                    default=True,
                    advanced=True,
                    tooltip="Shows the shapes while they are sampled, decoded coarsely. Takes less than a twentieth of "
                    "the time, and the memory of the autoencoder meanwhile.",
                ),
                io.Int.Input(
                    "ensemble_size",
                    default=0,
                    min=0,
                    max=64,
                    advanced=True,
                    tooltip="Averages so many results, each from noise of its own: closer to the video and softer; "
                    "takes so many times as long. Only for models whose latents have places, such as tiny; "
                    "0 takes the model's own number.",
                ),
                io.Noise.Input(
                    "noise",
                    optional=True,
                    tooltip="Optional noise source of ComfyUI (for example Random Noise) in place of seed; "
                    "noise_mode still says how frames share it.",
                ),
                io.Sigmas.Input(
                    "sigmas",
                    optional=True,
                    tooltip="Optional noise levels, from at most 1 down to 0, in place of steps and "
                    "time_shift.",
                ),
            ],
            outputs=[Latents.Output("latents", tooltip="Shape latents of every frame.")],
        )

    @classmethod
    def execute(
        cls,
        model: host.HostModel,
        tokens: Any,
        seed: int,
        steps: int,
        guidance: float,
        time_shift: float,
        noise_mode: str,
        adapter_strength: float,
        correlation: float,
        guidance_mode: str,
        zero_init: str,
        symmetry: str,
        geometry_type: str,
        preview: bool,
        ensemble_size: int,
        noise: Any = None,
        sigmas: Any = None,
    ) -> io.NodeOutput:
        """Sample on the memory manager's device; the result rests on the CPU."""
        from ..shapegen4d_core.pipeline import provenance, sampler_settings
        from ..shapegen4d_core.sampling import sample
        from ..shapegen4d_core.sampling.memory import evaluation
        from ..shapegen4d_core.sequence import LatentSequence

        host.check_same_model(model, tokens.model, "tokens")
        config = model.config
        denoiser, adapter = model.part("denoiser"), model.parts.get("adapter")
        settings = sampler_settings(
            model,
            steps=steps or None,
            guidance=guidance or None,
            time_shift=time_shift or None,
            noise=noise_mode,
            correlation=correlation,
            seed=seed,
            zero_init=None if zero_init == "model default" else zero_init == "on",
            guidance_mode=guidance_mode,
            ensemble_size=ensemble_size or None,
        )
        frames, token_count = tokens.tokens.shape[:2]
        latent_count, channels = config.vae.num_latents, config.denoiser.input_channels
        shown = model.part("vae") if preview else None
        used = [part for part in (denoiser, adapter, shown) if part is not None]
        wanted = evaluation(config.denoiser, settings, frames, token_count, latent_count, host.itemsize(denoiser))
        host.bring(*used, working_bytes=wanted.room)
        with host.advice_when_full("Set count of Load Video Frames lower, or precision of the loader to bfloat16."):
            latents = sample(
                denoiser.network,
                tokens.tokens,
                settings,
                adapter=None if adapter is None else adapter.network,
                adapter_strength=adapter_strength,
                noise=_start_noises(noise, settings, (frames, latent_count, channels)),
                sigmas=sigmas,
                label=_label(model, frames, symmetry, geometry_type),
                progress=host.progress_bar(_preview(shown, frames)),
                check=host.check_stopped,
                device=denoiser.device,
            )
        noted = provenance(model, settings, adapter_strength if adapter is not None else 0.0)
        return io.NodeOutput(LatentSequence(latents, tokens.fps, tokens.name, model.name, noted))


def _preview(vae: Any, frames: int) -> Any:
    """What draws the sequence while it is sampled; None without an autoencoder."""
    from ..shapegen4d_core.preview import SequencePreview

    if vae is None:
        return None
    return SequencePreview(vae.network, frames, device=vae.device, check=host.check_stopped)


def _start_noises(noise: Any, settings: Any, shape: tuple[int, int, int]) -> Any:
    """Start noise [T or 1,N,C] of each member of the ensemble from a NOISE object of the host, shared as the settings
    say; None without one."""
    import torch

    from ..shapegen4d_core.sampling.noise import correlated

    if noise is None:
        return None
    frames, *rest = shape
    draws = {"shared": 1, "independent": frames, "correlated": 1 + frames}[settings.noise]
    drawn = noise.generate_noise({"samples": torch.zeros(settings.ensemble_size * draws, *rest)}).float()
    members = drawn.split(draws)
    if settings.noise != "correlated":
        return members
    return [correlated(member[:1], member[1:], settings.correlation) for member in members]


def _label(model: host.HostModel, frames: int, symmetry: str, geometry_type: str) -> Any:
    """Label tokens [T,3,D] for a label model, None for any other."""
    encoder = model.parts.get("label_encoder")
    if encoder is None:
        return None
    host.bring(encoder)
    tokens = encoder.network({"symmetry": symmetry, "geometry_type": geometry_type})
    return tokens.expand(frames, -1, -1).cpu()
