"""The formats a mesh sequence can be written in: which name a file has, who writes it, what can be set."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ..errors import InputError
from ..optional_packages import missing
from ..storage import check_folder, check_target, suffix_of


@dataclass(frozen=True)
class Format:
    """One way to write a sequence: ``suffixes`` its files end in (none: a folder) and ``options`` of its writer."""

    name: str
    suffixes: tuple[str, ...]
    what: str
    writer: str  # module below this package, a colon, function
    options: frozenset[str]
    package: str | None = None  # import name of an optional library it needs
    one_topology: bool = False  # whether all frames must share their faces

    def load(self) -> Callable[..., Path]:
        """The writer; formats that nobody asks for import nothing."""
        module, function = self.writer.split(":")
        return getattr(import_module(f".{module}", __package__), function)


def _options(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GLB = "interpolation unlit texture_format camera extras"
FORMATS = (
    Format(
        "glb", (".glb",), "one animated GLB", "glb:write_glb",
        _options(f"{_GLB} encoding loop quantize normals root_motion"),
    ),
    Format("rig", (".glb",), "one skinned GLB", "rigged:write_rigged_glb", _options(f"{_GLB} rig"), None, True),
    Format(
        "usd", (".usdz", ".usdc", ".usda"), "one USD stage with time samples", "usd:write_usd",
        _options("up_axis metres_per_unit camera unlit extras"), "pxr",
    ),
    Format(
        "folder", (), "a folder of OBJ, PLY or GLB files", "mesh_folder:write_mesh_folder",
        _options("kind normals unlit extras"),
    ),
    Format(
        "cache", (".pc2", ".mdd"), "a point cache and its base mesh", "point_cache:write_point_cache",
        _options("unlit extras"), None, True,
    ),
    Format("safetensors", (".safetensors",), "the sequence as it is", "saved:write_saved", _options("")),
)  # fmt: skip
SUFFIXES = tuple(dict.fromkeys(suffix for entry in FORMATS for suffix in entry.suffixes))

_ADVICE = {
    ".abc": "Alembic can only be written by a 3D program: write .usdc, import it in Blender and export Alembic there",
    ".fbx": "FBX has no open writer: programs that read it import .glb (with a rig for bones) or .usdc as well",
    ".blend": "Blender files are written by Blender alone: it imports .glb and .usdc",
    ".gltf": "glTF is written as one .glb file",
    ".obj": "one OBJ holds one frame: give a folder name without suffix, and kind obj",
    ".ply": "one PLY holds one frame: give a folder name without suffix, and kind ply",
    ".stl": "one STL holds one frame without its texture: write a folder of PLY files",
}


def format_of(path: str | os.PathLike, rig: bool = False) -> Format:
    """The format a file name asks for; with ``rig`` the skinned one. Raises InputError for names nobody writes."""
    suffix = suffix_of(path)
    for entry in FORMATS:
        if (entry.name == "rig") == rig and (suffix in entry.suffixes or not (suffix or entry.suffixes)):
            return entry
    if rig:
        raise InputError(f"A rig is written to .glb files, not to {path}; change the name or leave out the rig.")
    known = f"accepted are {', '.join(SUFFIXES)}, or a folder name without suffix"
    raise InputError(f"Cannot write {path}: {_ADVICE.get(suffix, known)}.")


def check_destination(path: str | os.PathLike, options: Collection[str] = ()) -> None:
    """Raise InputError when ``path`` cannot be written: its name, its folder, options that its format does not have, or
    a library that is not installed."""
    path, entry = Path(path), format_of(path, "rig" in options)
    check_options(entry, path, options)
    if entry.package and find_spec(entry.package) is None:
        raise missing(f"Writing {path.suffix} needs", "usd-core")
    if entry.suffixes:
        check_target(path)
    else:
        check_folder(path)


def check_options(entry: Format, path: str | os.PathLike, options: Collection[str]) -> None:
    """Raise InputError naming the first option that the format of ``path`` does not have."""
    for name in options:
        if name not in entry.options:
            holders = [suffix for other in FORMATS if name in other.options for suffix in other.suffixes or ("folder",)]
            where = ", ".join(dict.fromkeys(holders)) or "no format"
            with_rig = " with a rig" if entry.name == "rig" else ""
            raise InputError(f"{name} is a setting of {where}, not of {path}{with_rig}; leave it out.")
