"""Shape latents to one mesh per frame."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import host
from .types import CATEGORY, Latents, MeshSequence, Model

POINTS = 1 << 16  # room made for the points decoded in one go, when their number is left to free memory


class DecodeSDFSequence(io.ComfyNode):
    """Evaluates the signed distance field of every frame and extracts its surface."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_DecodeSDFSequence",
            display_name="Decode Mesh Sequence (SDF)",
            category=CATEGORY,
            description="Decodes every frame to a signed distance field and extracts a closed mesh from "
            "it. Each frame has its own triangles.",
            search_aliases=["marching cubes", "vae decode 3d"],
            inputs=[
                Model.Input("model", tooltip="The model whose shape autoencoder decodes the latents."),
                Latents.Input("latents", tooltip="Shape latents of every frame, made with the same model."),
                io.Int.Input(
                    "resolution",
                    default=128,
                    min=8,
                    max=1024,
                    step=8,
                    tooltip="Grid cells along each side of the cube that holds the whole motion, 8 to "
                    "1024. Doubling it takes about four times as long. 64 is a quick look, 256 and more "
                    "suit large models.",
                ),
                io.Int.Input(
                    "max_faces",
                    default=0,
                    min=0,
                    max=10_000_000,
                    tooltip="Most triangles per frame; meshes above it are simplified. 0 keeps all.",
                ),
                io.Float.Input(
                    "floater_ratio",
                    default=0.005,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    round=0.0001,
                    tooltip="Loose parts whose area is below this fraction of the largest part's are "
                    "removed: 0 keeps everything, 1 keeps only the largest part.",
                ),
                io.Float.Input(
                    "bounds",
                    default=1.05,
                    min=0.1,
                    max=4.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Half side of the sampled cube in half boxes, 0.1 to 4. Training shapes lie "
                    "within 1; raise it only if meshes are cut off at the cube's sides.",
                ),
                io.Float.Input(
                    "level",
                    default=0.0,
                    min=-0.9,
                    max=0.9,
                    step=0.01,
                    advanced=True,
                    tooltip="Field value taken as the surface, in units of the truncation distance, -0.9 "
                    "to 0.9. Below 0 the shape gets fatter, above 0 thinner.",
                ),
                io.Int.Input(
                    "chunk",
                    default=0,
                    min=0,
                    max=10_000_000,
                    step=1024,
                    advanced=True,
                    tooltip="Points decoded in one go; 0 chooses from free memory. Lower it when memory "
                    "runs out; the result is the same.",
                ),
            ],
            outputs=[MeshSequence.Output("meshes", tooltip="One mesh per frame.")],
        )

    @classmethod
    def execute(
        cls,
        model: host.HostModel,
        latents: Any,
        resolution: int,
        max_faces: int,
        floater_ratio: float,
        bounds: float,
        level: float,
        chunk: int,
    ) -> io.NodeOutput:
        """Decode frame by frame, so that only one field is in memory."""
        from ..shapegen4d_core.decoding import DecodeSettings, decode_sequence
        from ..shapegen4d_core.decoding.memory import decoding_bytes

        host.check_same_model(model, latents.model, "latents")
        part = model.part("vae")
        settings = DecodeSettings(
            resolution=resolution,
            bounds=bounds,
            level=level,
            chunk=chunk or None,
            floater_ratio=floater_ratio,
            max_faces=max_faces or None,
        )
        sizes = (model.config.vae, latents.latents.shape[1], resolution, chunk or POINTS)
        host.bring(part, working_bytes=decoding_bytes(*sizes, host.itemsize(part), part.device))
        with host.advice_when_full("Set resolution of Decode Mesh Sequence lower."):
            meshes = decode_sequence(
                part.network,
                latents,
                settings,
                progress=host.progress_bar(),
                check=host.check_stopped,
                device=part.device,
            )
        return io.NodeOutput(meshes)
