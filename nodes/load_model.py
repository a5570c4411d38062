"""Loader: one model, all its networks, in one socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io

from . import folders, host
from .types import CATEGORY, Model

if TYPE_CHECKING:
    from ..shapegen4d_core.models import ModelBundle


class LoadShapeGen4DModel(io.ComfyNode):
    """Reads safetensors files only; nothing is downloaded."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_LoadShapeGen4DModel",
            display_name="Load ShapeGen4D Model",
            category=CATEGORY,
            description="Loads image encoder, denoiser, spatiotemporal adapter and shape autoencoder of "
            "one model. The tiny model comes with the pack; put others, in their published folder layout, "
            "under models/shapegen4d.",
            search_aliases=["4d model", "step1x", "video to mesh"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=folders.model_names(),
                    default=folders.BUNDLED,
                    tooltip="The bundled tiny model, or a folder under models/shapegen4d that holds a "
                    "model_index.json and safetensors files (a published Step1X-3D geometry folder works "
                    "as it is). Other file formats are never read.",
                ),
                precision_input(),
            ],
            outputs=[Model.Output("loaded", display_name="model", tooltip="All networks of the model.")],
        )

    @classmethod
    def validate_inputs(cls, model: str | None) -> bool | str:
        """Say where a model that is not in the list is published, before anything runs; a link gives None here."""
        try:
            if model is not None:
                folders.resolve(model)
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, model: str, precision: str) -> str:
        """Changes when a file of the model changes, so that it is read again."""
        return folders.fingerprint(model)

    @classmethod
    def execute(cls, model: str, precision: str) -> io.NodeOutput:
        """Read the files and hand each network to the memory manager."""
        from ..shapegen4d_core import models

        source = folders.resolve(model)
        held = models.info(source)["parts"]
        dtype = host.choose_dtype(precision, sum(part["parameters"] for part in held.values()))
        hooks = {"progress": host.progress_bar(), "check": host.check_stopped}
        bundle = models.load(source, dtype=dtype, device="cpu", ops=host.cast_ops(), **hooks)
        return io.NodeOutput(hosted(bundle))


def precision_input() -> io.Combo.Input:
    """The list of number formats, for every node that loads a model."""
    return io.Combo.Input(
        "precision",
        options=list(host.PRECISIONS),
        default="auto",
        advanced=True,
        tooltip="Number format the weights are kept and computed in. auto: float32 for models "
        "below 100 million parameters, otherwise what ComfyUI chooses for this device. Lower "
        "precision halves memory and may roughen surfaces.",
    )


def hosted(bundle: ModelBundle) -> host.HostModel:
    """A loaded model with each network in the hands of the memory manager."""
    parts = {name: host.wrap(network) for name, network in bundle.networks()}
    return host.HostModel(bundle.name, bundle.config, parts, bundle.weights)
