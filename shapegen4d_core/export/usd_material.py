"""The material of a stage: neutral grey or textured, the same look as in a GLB (UsdPreviewSurface).

Specification: "UsdPreviewSurface Specification" of OpenUSD. The texture coordinates are the primvar "st", origin
bottom left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..usd_library import usd_module

_GREY = 0.45  # linear reflectance, as in our GLB files
_ROUGHNESS = 0.9


def bind_grey(stage: Any, path: str, mesh: Any) -> None:
    """Give the prim ``mesh`` a plain material at ``path``."""
    material, surface = _surface(stage, path, mesh)
    surface.CreateInput("diffuseColor", usd_module("Sdf").ValueTypeNames.Color3f).Set((_GREY,) * 3)


def bind_texture(stage: Any, path: str, mesh: Any, picture: str, uv: np.ndarray, clear: bool, unlit: bool) -> None:
    """Give the prim ``mesh`` a material at ``path`` that shows the file ``picture``, a path relative to the stage.

    The texture repeats when ``uv`` [V,2] leaves 0..1; ``clear`` uses its alpha; ``unlit`` makes it glow instead of
    reflecting, which is as near as a preview surface comes to showing it without further light.
    """
    types = usd_module("Sdf").ValueTypeNames
    material, surface = _surface(stage, path, mesh)
    texture = _texture(stage, path, picture, uv)
    colour = texture.CreateOutput("rgb", types.Float3)
    surface.CreateInput("emissiveColor" if unlit else "diffuseColor", types.Color3f).ConnectToSource(colour)
    if unlit:
        surface.CreateInput("diffuseColor", types.Color3f).Set((0, 0, 0))
        surface.CreateInput("useSpecularWorkflow", types.Int).Set(1)
        surface.CreateInput("specularColor", types.Color3f).Set((0, 0, 0))
    if clear:
        surface.CreateInput("opacity", types.Float).ConnectToSource(texture.CreateOutput("a", types.Float))


def _surface(stage: Any, path: str, mesh: Any) -> tuple[Any, Any]:
    usd_shade, types = usd_module("UsdShade"), usd_module("Sdf").ValueTypeNames
    material = usd_shade.Material.Define(stage, path)
    surface = _shader(stage, f"{path}/surface", "UsdPreviewSurface")
    surface.CreateInput("roughness", types.Float).Set(_ROUGHNESS)
    surface.CreateInput("metallic", types.Float).Set(0.0)
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", types.Token))
    usd_shade.MaterialBindingAPI.Apply(mesh).Bind(material)
    return material, surface


def _texture(stage: Any, path: str, picture: str, uv: np.ndarray) -> Any:
    sdf = usd_module("Sdf")
    types = sdf.ValueTypeNames
    reader = _shader(stage, f"{path}/coordinates", "UsdPrimvarReader_float2")
    reader.CreateInput("varname", types.String).Set("st")
    texture = _shader(stage, f"{path}/base_colour", "UsdUVTexture")
    texture.CreateInput("file", types.Asset).Set(sdf.AssetPath(picture))
    texture.CreateInput("sourceColorSpace", types.Token).Set("sRGB")
    wrap = "clamp" if bool((uv >= 0).all() and (uv <= 1).all()) else "repeat"
    for side in ("wrapS", "wrapT"):
        texture.CreateInput(side, types.Token).Set(wrap)
    texture.CreateInput("st", types.Float2).ConnectToSource(reader.CreateOutput("result", types.Float2))
    return texture


def _shader(stage: Any, path: str, kind: str) -> Any:
    shader = usd_module("UsdShade").Shader.Define(stage, path)
    shader.CreateIdAttr(kind)
    return shader
