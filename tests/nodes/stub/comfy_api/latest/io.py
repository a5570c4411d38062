"""Schema classes: every input keeps the keywords it was given."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Input:
    """One input of a node."""

    io_type = "*"

    def __init__(self, id: str, **options: Any) -> None:
        self.id = id
        self.options = options

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.options.get(name)

    def get_io_type(self) -> str:
        """Name of the type on the link."""
        return self.io_type


class Output:
    """One output of a node."""

    io_type = "*"

    def __init__(self, id: str | None = None, display_name: str | None = None, tooltip: str | None = None) -> None:
        self.id, self.display_name, self.tooltip = id, display_name, tooltip


def Custom(io_type: str) -> type:  # noqa: N802 (the host's name)
    """A socket type named by a string."""
    kinds = {name: type(name, (base,), {"io_type": io_type}) for name, base in _BASES.items()}
    return type(io_type, (), {"io_type": io_type, **kinds})


_BASES = {"Input": Input, "Output": Output}
Int, Float, Boolean, String, Combo = (
    Custom(name) for name in ("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO")
)
Image, Mask, Video, Noise, Sigmas = (Custom(name) for name in ("IMAGE", "MASK", "VIDEO", "NOISE", "SIGMAS"))
File3DGLB, File3DGLTF, File3DUSDZ = (Custom(f"FILE_3D_{name}") for name in ("GLB", "GLTF", "USDZ"))
File3DAny = Custom("FILE_3D")
Mesh = Custom("MESH")
Load3DCamera = Custom("LOAD3D_CAMERA")


class MultiType:
    """A socket that takes several types."""

    class Input(Input):
        """``types`` are socket classes."""

        def get_io_type(self) -> str:
            return ",".join(kind.io_type for kind in self.options["types"])


class DynamicCombo:
    """A list whose entries bring inputs of their own; the node gets one dictionary."""

    class Option:
        """One entry."""

        def __init__(self, key: str, inputs: list[Input]) -> None:
            self.key, self.inputs = key, inputs

    class Input(Input):
        """``options`` are entries; the first one is chosen at the start."""

        io_type = "COMFY_DYNAMICCOMBO_V3"

        @property
        def default(self) -> str:
            """Key of the first entry."""
            return self.options["options"][0].key


class MatchType:
    """A socket of several types; sockets of one template have the same type, which the page sees to."""

    io_type = "COMFY_MATCHTYPE_V3"

    class Template:
        """Sockets with this name belong together."""

        def __init__(self, template_id: str, allowed_types: Any) -> None:
            self.template_id, self.allowed_types = template_id, allowed_types

    class Input(Input):
        """``template`` says which types."""

        io_type = "COMFY_MATCHTYPE_V3"

        def __init__(self, id: str, template: Any, **options: Any) -> None:
            super().__init__(id, template=template, **options)

    class Output(Output):
        """``template`` says whose type it has."""

        io_type = "COMFY_MATCHTYPE_V3"

        def __init__(self, template: Any, id: str | None = None, **labels: Any) -> None:
            super().__init__(id, **labels)
            self.template = template


class Autogrow:
    """As many inputs of one kind as are connected; the node gets one dictionary."""

    Type = dict

    class TemplatePrefix:
        """Inputs ``prefix0``, ``prefix1`` and so on, of which ``min`` are required."""

        def __init__(self, input: Input, prefix: str, min: int = 1, max: int = 10) -> None:
            self.input, self.prefix, self.min, self.max = input, prefix, min, max
            self.names = [f"{prefix}{number}" for number in range(max)]

    class Input(Input):
        """``template`` describes one of them."""

        io_type = "COMFY_AUTOGROW_V3"

        def __init__(self, id: str, template: Any, **options: Any) -> None:
            super().__init__(id, template=template, **options)


class Hidden(str, Enum):
    """Values the host fills in by itself."""

    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"


@dataclass
class Schema:
    """What a node declares."""

    node_id: str
    display_name: str = ""
    category: str = ""
    description: str = ""
    search_aliases: list[str] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    is_output_node: bool = False


@dataclass
class HiddenValues:
    """Filled by the host while a node runs."""

    prompt: Any = None
    extra_pnginfo: Any = None


class ComfyNode:
    """Base of all nodes."""

    hidden = HiddenValues()


class NodeOutput:
    """What execute returns."""

    def __init__(self, *args: Any, ui: Any = None) -> None:
        self.args, self.ui = args, ui

    @property
    def result(self) -> tuple[Any, ...]:
        """Values of the output sockets."""
        return self.args
