"""Mesh sequence to a file in the output folder, in the form the next program wants, and on to the core's 3D nodes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from comfy_api.latest import Types, io

from . import export_options, host, output_files, temporary_glb
from .types import CATEGORY, Camera, MeshSequence


class SaveMeshSequence(io.ComfyNode):
    """Output node: writes one animated file, or one folder, per run and passes on a GLB that the page can play."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs of the node."""
        return io.Schema(
            node_id="ShapeGen4D_SaveMeshSequence",
            display_name="Save Mesh Sequence",
            category=CATEGORY,
            description="Writes the whole animation into the output folder: one GLB that plays in browsers, Blender "
            "and game engines, a GLB with bones, USD, a file per frame, or a point cache. Connect model_3d to Preview "
            "3D & Animation to play it here, whatever the format.",
            search_aliases=["save glb", "export animation", "usd", "obj sequence", "alembic", "fbx", "point cache"],
            is_output_node=True,
            inputs=[
                MeshSequence.Input("meshes", tooltip="The meshes to save, one per frame."),
                io.String.Input(
                    "filename_prefix",
                    default="3d/ShapeGen4D",
                    tooltip="Folder and beginning of the file name below ComfyUI's output folder; a number "
                    "is added. %year%, %month%, %day% and the like are filled in.",
                ),
                export_options.format_input(),
                Camera.Input(
                    "camera",
                    optional=True,
                    tooltip="A camera to write along, such as that of Register Pose; GLB and USD hold one.",
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            outputs=[
                io.File3DGLB.Output(
                    "model_3d",
                    tooltip="An animated GLB for Preview 3D & Animation: the saved file, or with another format one in "
                    "ComfyUI's temporary folder.",
                ),
                io.String.Output("path", tooltip="What was written, below ComfyUI's output folder."),
                io.String.Output("report", tooltip="Frames, size, how well bones fit and what was lost, as text."),
            ],
        )

    @classmethod
    def validate_inputs(cls, format: Any) -> bool | str:
        """Say before anything runs when the library of the chosen format is not there."""
        return export_options.missing(format)

    @classmethod
    def execute(cls, meshes: Any, filename_prefix: str, format: dict[str, Any], camera: Any = None) -> io.NodeOutput:
        """Write the file; the workflow goes into it unless the host was started without metadata."""
        from ..shapegen4d_core.export import write_sequence
        from ..shapegen4d_core.export.requests import check_drawable

        check_drawable(meshes, unlit=False)  # every format comes with a GLB to show, and bones take long
        suffix, options = export_options.read(format, camera)
        path, subfolder = output_files.place(filename_prefix, suffix)
        hooks = {"progress": host.progress_bar(), "check": host.check_stopped}
        lines = export_options.fit_bones(meshes, options, hooks)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            write_sequence(meshes, path, extras=_workflow(cls.hidden), **options, **hooks)
        lines += [str(warning.message) for warning in caught]
        relative = (Path(subfolder) / path.name).as_posix()
        report = "\n".join([_written(relative, path, meshes), *lines])
        if suffix == ".glb":
            saved = {"filename": path.name, "subfolder": subfolder, "type": "output"}
            return io.NodeOutput(Types.File3D(str(path), "glb"), relative, report, ui={"3d": [saved]})
        name, unlit = Path(filename_prefix).name, options.get("unlit", False)
        preview = temporary_glb.write(meshes, name, unlit=unlit, check=host.check_stopped)
        return io.NodeOutput(preview, relative, report, ui={"text": (report,)})


def _written(name: str, path: Path, meshes: Any) -> str:
    """One line about what was written, with the size of all its files: textures and base meshes share its name."""
    inside = path.is_dir()
    files = [file for file in (path if inside else path.parent).iterdir() if inside or file.name.startswith(path.stem)]
    size = sum(file.stat().st_size for file in files) / 2**20
    return f"{name}: {meshes.frame_count} frames at {meshes.fps:g} per second, {size:.1f} MiB"


def _workflow(hidden: Any) -> dict[str, str]:
    """What lets ComfyUI open the workflow from the file: JSON strings under asset.extras."""
    from comfy.cli_args import args

    if args.disable_metadata:
        return {}
    entries = dict(hidden.extra_pnginfo or {})
    if hidden.prompt is not None:
        entries["prompt"] = hidden.prompt
    return {key: json.dumps(value) for key, value in entries.items()}
