"""Builds the stage of a sequence in a file: root, mesh, camera, material and the metadata of the layer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..camera import Camera
from ..progress import Check, Progress, tick
from ..sequence import MeshSequence
from ..usd_library import usd_module
from .usd_camera import CameraPrim
from .usd_material import bind_grey, bind_texture
from .usd_mesh import MeshPrim
from .usd_sinks import CrateSink, TextSink
from .usd_space import StageSpace


@dataclass(frozen=True)
class StagePlan:
    """What a stage is to hold; ``picture`` is where its texture lies, relative to it."""

    sequence: MeshSequence
    space: StageSpace
    cameras: tuple[Camera, ...]  # none, one, or one per frame
    entries: dict[str, str]  # of customLayerData
    picture: str
    unlit: bool


def write_stage(path: Path, plan: StagePlan, progress: Progress | None = None, check: Check | None = None) -> None:
    """Write the stage to ``path`` (a new .usda or .usdc), frame by frame; raises OSError when it cannot be written."""
    sink = TextSink(path) if path.suffix == ".usda" else CrateSink(path)
    try:
        _fill(sink, plan, progress, check)
        sink.finish(check)
    finally:
        sink.close()


def _fill(sink: CrateSink | TextSink, plan: StagePlan, progress: Progress | None, check: Check | None) -> None:
    sequence, usd_geom = plan.sequence, usd_module("UsdGeom")
    stage, name = usd_module("Usd").Stage.Open(sink.layer), identifier(sequence.name)
    root = usd_geom.Xform.Define(stage, f"/{name}").GetPrim()
    mesh = MeshPrim(stage, f"/{name}/{name}_mesh", sequence, plan.space, check)
    camera = CameraPrim(stage, f"/{name}/camera", plan.cameras, plan.space) if plan.cameras else None
    for frame in range(sequence.frame_count):
        if sequence.frame_count > 1:  # a still has constants only
            size = mesh.write_frame(frame)
            if camera is not None:
                camera.write_frame(frame)
            sink.frame_done(size)
        tick(progress, check, frame + 1, sequence.frame_count)
    mesh.write_constants(next(t for t, faces in enumerate(sequence.faces) if len(faces)))
    if camera is not None:
        camera.write_constants()
    _write_material(stage, f"/{name}", mesh.prim, plan)
    _describe(stage, root, plan)


def identifier(name: str) -> str:
    """``name`` as the name of a prim: ASCII letters, digits and underscores, which every USD release accepts."""
    word = re.sub(r"[^A-Za-z0-9_]", "_", name)[:64]
    if not re.search(r"[A-Za-z0-9]", word):
        return "sequence"
    return f"_{word}" if word[0].isdigit() else word


def _write_material(stage: Any, path: str, mesh: Any, plan: StagePlan) -> None:
    """Define the material directly below the prim at ``path``: of a scope around it Blender makes an empty object."""
    texture, uv = plan.sequence.texture, plan.sequence.uv
    if texture is None or uv is None:
        bind_grey(stage, f"{path}/neutral_grey", mesh)
        return
    clear = texture.shape[2] == 4 and bool(texture[..., 3].min() < 255)
    bind_texture(stage, f"{path}/textured", mesh, plan.picture, uv, clear, plan.unlit)


def _describe(stage: Any, root: Any, plan: StagePlan) -> None:
    sequence = plan.sequence
    plan.space.describe(stage, usd_module("UsdGeom"))
    stage.SetTimeCodesPerSecond(float(sequence.fps))
    stage.SetFramesPerSecond(float(sequence.fps))
    stage.SetStartTimeCode(0.0)
    stage.SetEndTimeCode(float(sequence.frame_count - 1))
    stage.SetDefaultPrim(root)
    usd_module("Usd").ModelAPI(root).SetKind(usd_module("Kind").Tokens.component)
    root.SetDisplayName("".join(letter for letter in sequence.name if letter.isprintable()))
    layer = stage.GetRootLayer()
    layer.documentation = f"ShapeGen4D {__version__}"
    layer.customLayerData = plan.entries
