"""The formats Save Mesh Sequence offers, each with its own settings, and what the core's writer takes for them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from comfy_api.latest import io

FOLDERS = ("obj", "ply", "glb")


def format_input() -> Any:
    """The ``format`` list; choosing an entry shows the settings of that format."""
    return io.DynamicCombo.Input(
        "format",
        options=[
            io.DynamicCombo.Option("glb", _glb()),
            io.DynamicCombo.Option("glb with bones", _bones()),
            io.DynamicCombo.Option("usd", _usd()),
            io.DynamicCombo.Option("file per frame", [_files()]),
            io.DynamicCombo.Option("point cache", [_cache()]),
            io.DynamicCombo.Option("safetensors", []),
        ],
        tooltip="glb plays in browsers, Blender, Unreal and here. glb with bones is a fraction of its size and what "
        "game engines like best; it needs meshes of one topology. usd suits pipelines and any topology. file per frame "
        "is a folder. point cache moves a base mesh in 3D programs. safetensors is for Load Mesh Sequence.",
    )


def missing(chosen: Any) -> bool | str:
    """True, or the sentence that says which package the chosen format needs."""
    name = chosen["format"] if isinstance(chosen, dict) else chosen
    if name == "usd" and find_spec("pxr") is None:
        return "Writing USD needs the package usd-core in ComfyUI's Python (pip install usd-core); or choose glb."
    return True


def read(chosen: dict[str, Any], camera: Any) -> tuple[str, dict[str, Any]]:
    """File suffix and keywords of ``write_sequence`` for what the list and its settings say.

    A camera goes with the formats that hold one. Raises ValueError for an unknown format.
    """
    values = dict(chosen)
    name = values.pop("format")
    held = {} if camera is None else {"camera": camera}
    if name == "glb":
        return ".glb", {**values, **held}
    if name == "glb with bones":
        return ".glb", {**_rig(values), **held}
    if name == "usd":
        return "." + values.pop("file_type"), {**values, **held}
    if name == "file per frame":
        return "", {"kind": values["files"]}
    if name == "point cache":
        return "." + values["cache"], {}
    if name == "safetensors":
        return ".safetensors", {}
    raise ValueError(f"format is {name!r}, which this node does not write; choose one from the list.")


def fit_bones(meshes: Any, options: dict[str, Any], hooks: dict[str, Any]) -> list[str]:
    """Fit the rig that ``options`` asks for, put it in its place there, and tell how well it follows the meshes."""
    if "rig" not in options:
        return []
    from ..shapegen4d_core.rigging import fit_rig

    options["rig"] = rig = fit_rig(meshes, options["rig"], **hooks)
    return [*rig.report.table(), *rig.report.hints()]


def _rig(values: dict[str, Any]) -> dict[str, Any]:
    from ..shapegen4d_core.rigging import RigSettings

    joints, error = values.pop("joints"), values.pop("largest_error")
    return {**values, "rig": RigSettings(joints=joints, error=error or None)}


def _glb() -> list[Any]:
    return [
        *playing(),
        _texture_format(),
        io.Combo.Input(
            "root_motion",
            options=["none", "translation", "rigid"],
            default="none",
            advanced=True,
            tooltip="Takes the travel of the whole object out of the vertices and writes it as keys of the root node, "
            "which game engines use to move a character: its translation, or translation and rotation.",
        ),
        io.Boolean.Input(
            "quantize",
            default=False,
            advanced=True,
            tooltip="Stores positions in 16 bits (KHR_mesh_quantization): about two thirds of the size, moved by at "
            "most 1/65534 of its longest side. Blender and three.js read it, ComfyUI's own mesh nodes do not.",
        ),
    ]


def playing() -> list[Any]:
    """How a GLB moves and looks in a viewer: ``interpolation``, ``loop`` and ``unlit``."""
    return [
        _interpolation(),
        io.Combo.Input(
            "loop",
            options=["hold", "cycle", "ping-pong"],
            default="hold",
            advanced=True,
            tooltip="What the end of the animation leads to when it is played in a loop: hold stands on the last frame "
            "for its time, cycle moves back into the first, ping-pong plays backwards to the start.",
        ),
        _unlit(),
    ]


def _bones() -> list[Any]:
    return [
        io.Int.Input(
            "joints",
            default=24,
            min=1,
            max=255,
            tooltip="Most bones that may be fitted. More follow soft motion better; the file grows little, the fit "
            "takes longer.",
        ),
        io.Float.Input(
            "largest_error",
            default=0.0,
            min=0.0,
            max=10.0,
            step=0.05,
            advanced=True,
            tooltip="Adds bones only until the average error of the fit, in percent of the object's diagonal, is below "
            "this; 0 uses all of them.",
        ),
        _interpolation(),
        _unlit(),
        _texture_format(),
    ]


def _usd() -> list[Any]:
    return [
        io.Combo.Input(
            "file_type",
            options=["usdz", "usdc", "usda"],
            default="usdz",
            tooltip="usdz is one package with the texture inside, usdc the binary file of pipelines with the texture "
            "beside it, usda the same as readable text, three times the size.",
        ),
        io.Combo.Input(
            "up_axis",
            options=["Y", "Z"],
            default="Y",
            advanced=True,
            tooltip="Which axis the stage calls up: Y for most programs, Z for Unreal and Blender, which turn a stage "
            "by themselves as well.",
        ),
        _unlit(),
    ]


def _files() -> Any:
    return io.Combo.Input(
        "files",
        options=list(FOLDERS),
        default="obj",
        tooltip="One file per frame, numbered, in a folder of its own with a list of what is in it.",
    )


def _cache() -> Any:
    return io.Combo.Input(
        "cache",
        options=["pc2", "mdd"],
        default="pc2",
        tooltip="The moving points beside an OBJ base mesh: pc2 for Blender's Mesh Cache and 3ds Max, mdd for Maya, "
        "Lightwave and Modo. Needs meshes of one topology.",
    )


def _interpolation() -> Any:
    return io.Combo.Input(
        "interpolation",
        options=["auto", "STEP", "LINEAR"],
        default="auto",
        advanced=True,
        tooltip="STEP holds every frame until the next. LINEAR moves smoothly between frames and needs frames that "
        "share their triangles. auto is LINEAR where that is possible.",
    )


def _unlit() -> Any:
    return io.Boolean.Input(
        "unlit",
        default=False,
        advanced=True,
        tooltip="Shows the texture as it is, without the viewer's light. Right for a texture painted from the video, "
        "which has the video's light in it; switch it off to relight the object. Nothing changes without a texture.",
    )


def _texture_format() -> Any:
    return io.Combo.Input(
        "texture_format",
        options=["png", "webp"],
        default="png",
        advanced=True,
        tooltip="How the texture is kept in the file, both without loss: png is read everywhere, webp is smaller.",
    )
