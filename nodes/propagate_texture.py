"""One texture for all frames of a tracked sequence: from the video, or from a textured mesh."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import core_mesh, host
from .types import CATEGORY, Camera, Clip, MeshSequence

MODES = ("video", "first frame", "textured mesh")
ALIGNMENTS = ("icp", "search", "none")


class PropagateTexture(io.ComfyNode):
    """Unwraps the sequence once and paints one texture, so that nothing flickers."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_PropagateTexture",
            display_name="Propagate Texture",
            category=CATEGORY,
            description="Gives a sequence of one topology uv coordinates and one texture for all frames. The colours "
            "come from every frame of the video, or from a textured mesh of the first frame. Parts that are never "
            "seen are mirrored or filled smoothly, and marked in the confidence.",
            search_aliases=["texture from video", "bake texture", "unwrap", "retexture", "project texture"],
            inputs=[
                MeshSequence.Input(
                    "meshes",
                    tooltip="Meshes of one topology, from Track Topology. For a texture from the video they must lie "
                    "on it, as they do after Register Pose.",
                ),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default="video",
                    tooltip="video takes colours from all frames, first frame from the first alone (quicker, and for "
                    "meshes that drift). textured mesh copies a given texture. A textured mesh connected in the "
                    "other modes colours what no frame shows.",
                ),
                io.Int.Input(
                    "texture_size",
                    default=1024,
                    min=256,
                    max=8192,
                    step=256,
                    tooltip="Side of the square texture in texels. Time and memory grow with its square: about 0.8 GiB "
                    "at 1024, 4.6 GiB at 4096. More than a few times the clip's own pixels shows nothing new.",
                ),
                io.Boolean.Input(
                    "symmetry",
                    default=True,
                    tooltip="Colour unseen parts from their mirror image, when the mesh is symmetric in one frame or "
                    "between two, and the seen colours agree. Costs a few seconds.",
                ),
                io.Float.Input(
                    "sharpness",
                    default=4.0,
                    min=1.0,
                    max=16.0,
                    step=0.5,
                    advanced=True,
                    tooltip="1 averages all frames, high values keep the frame that sees a spot best: sharper, but "
                    "with more of its noise and light.",
                ),
                io.Float.Input(
                    "border_pixels",
                    default=2.0,
                    min=0.0,
                    max=100.0,
                    step=0.5,
                    advanced=True,
                    tooltip="Width of the band along outlines, in pixels of the clip, whose colours count less. Raise "
                    "it when background colours show along edges.",
                ),
                io.Int.Input(
                    "robust_passes",
                    default=2,
                    min=0,
                    max=4,
                    advanced=True,
                    tooltip="Passes in which frames that disagree with the others lose weight. 0 is quicker and "
                    "blends everything.",
                ),
                io.Int.Input(
                    "refine_passes",
                    default=2,
                    min=0,
                    max=8,
                    advanced=True,
                    tooltip="Passes that compare the re-rendered frames with the clip and put missing detail back. "
                    "Each costs about as much as a robust pass; 0 is softer.",
                ),
                io.Boolean.Input(
                    "match_gain",
                    default=False,
                    advanced=True,
                    tooltip="Even out the brightness of frames first, for video whose exposure changes. Small cost.",
                ),
                io.Boolean.Input(
                    "linear_light",
                    default=False,
                    advanced=True,
                    tooltip="Average colours in linear light instead of stored values; matters only where frames "
                    "differ strongly. Small cost.",
                ),
                io.Combo.Input(
                    "alignment",
                    options=list(ALIGNMENTS),
                    default="icp",
                    advanced=True,
                    tooltip="How a textured mesh is moved onto the first frame: icp from where it lies, search from "
                    "24 turns and any size (some seconds more), none if it lies there already.",
                ),
                Clip.Input("clip", optional=True, tooltip="The frames the meshes were made from; not needed for mode "
                           "textured mesh."),
                Camera.Input("camera", optional=True, tooltip="The camera of Register Pose that goes with the meshes; "
                             "not needed for mode textured mesh."),
                io.MultiType.Input(
                    "textured_mesh",
                    types=[io.Mesh, io.File3DGLB],
                    optional=True,
                    tooltip="A textured mesh of the first frame from any node or GLB file; its topology may differ.",
                ),
            ],
            outputs=[
                MeshSequence.Output("meshes", tooltip="The meshes cut at texture seams, with uv and the texture."),
                io.Image.Output("texture", tooltip="The texture as an image, padded beyond its charts."),
                io.Mask.Output(
                    "confidence",
                    tooltip="How sure each texel is, 0 to 1: seen well, at most 0.5 from a textured mesh, at most 0.3 "
                    "mirrored, 0 made up.",
                ),
                io.String.Output("report", tooltip="Shares of the surface by where their colour comes from."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls,
        meshes: Any,
        mode: str,
        texture_size: int,
        symmetry: bool,
        sharpness: float,
        border_pixels: float,
        robust_passes: int,
        refine_passes: int,
        match_gain: bool,
        linear_light: bool,
        alignment: str,
        clip: Any = None,
        camera: Any = None,
        textured_mesh: Any = None,
    ) -> io.NodeOutput:
        """Texture on the CPU; memory grows with the texture, not with the frames."""
        import torch

        from ..shapegen4d_core.texturing import TextureSettings, texture_from_mesh, texture_from_video

        settings = TextureSettings(
            size=texture_size,
            mode="first frame" if mode == "first frame" else "video",
            symmetry=symmetry,
            sharpness=sharpness,
            border_pixels=border_pixels,
            robust_passes=robust_passes,
            refine_passes=refine_passes,
            match_gain=match_gain,
            linear_light=linear_light,
            alignment=alignment,
        )
        source = None if textured_mesh is None else _source(textured_mesh)
        hooks = {"progress": host.progress_bar(), "check": host.check_stopped}
        if mode == "textured mesh":
            if source is None:
                raise ValueError("Mode textured mesh needs a mesh at textured_mesh; connect one or choose video.")
            made = texture_from_mesh(meshes, source, settings, **hooks)
        else:
            if clip is None or camera is None:
                raise ValueError(
                    f"Mode {mode} needs the clip and the camera of Register Pose; connect both or choose the mode "
                    "textured mesh."
                )
            made = texture_from_video(meshes, clip, camera, settings, source, **hooks)
        image = torch.from_numpy(made.meshes.texture[..., :3]).float()[None] / 255
        return io.NodeOutput(made.meshes, image, torch.from_numpy(made.confidence)[None], made.report.text())


def _source(given: Any) -> Any:
    """The textured mesh of a core MESH (the first of its batch) or of a GLB file."""
    from ..shapegen4d_core.texturing import source_from, source_from_arrays

    if hasattr(given, "get_source"):
        return _from_file(given.get_source(), source_from)
    if getattr(given, "vertices", None) is None or getattr(given, "faces", None) is None:
        raise ValueError(f"textured_mesh is a {type(given).__name__}; connect a MESH or a GLB file.")
    first = core_mesh.arrays(given, 0)
    return source_from_arrays(**{key: first[key] for key in ("vertices", "faces", "uv", "colours", "texture")})


def _from_file(source: Any, load: Any) -> Any:
    """Load a GLB from its path, or from memory by way of a file that is removed again."""
    import tempfile
    from pathlib import Path

    if isinstance(source, str):
        return load(source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "textured_mesh.glb"
        path.write_bytes(source.read())
        return load(path)
