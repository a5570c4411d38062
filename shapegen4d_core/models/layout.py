"""Where the parts of a model lie in its folder, and what to say when some are missing (spec 9)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import published
from ..errors import InputError
from .parts import PARTS, Part
from .weights import UNSAFE_SUFFIXES, read_json

SETTINGS_FILE = "shapegen4d.json"
INDEX_FILE = "model_index.json"
TINY_FOLDER = Path(__file__).resolve().parent.parent / "assets" / "tiny"


def model_folder(folder: str | os.PathLike) -> Path:
    """The folder a name or path means; raises InputError saying what was looked for."""
    root = TINY_FOLDER if folder == "tiny" else Path(folder).expanduser()
    if root.is_file():
        raise InputError(f"{root} is a file; give the model folder, which holds transformer/ and vae/.")
    if not root.is_dir():
        raise InputError(
            f"There is no model {str(folder)!r}: looked for a folder at {root.absolute()}; "
            "give a model folder, or tiny for the bundled model."
        )
    if published_model(root) or any(part_path(root, PARTS[key]) for key in PARTS):
        return root
    inside = [child.name for child in sorted(root.iterdir()) if (child / INDEX_FILE).is_file()]
    hint = f"; it has models in {', '.join(inside)}, give one of those" if inside else ""
    looked = ", ".join(f"{part.folder}/" for part in PARTS.values() if part.folder)
    raise InputError(
        f"{root} is not a model folder: it has none of {looked}, spatiotemporal.safetensors{hint}."
    )


def part_path(root: Path, part: Part) -> Path | None:
    """Where a part lies: its sub-folder, or its file or shard index in the model folder; None if absent."""
    if part.folder is not None:
        return root / part.folder if (root / part.folder).is_dir() else None
    files = (root / part.weights_file, root / f"{part.weights_file}.index.json")
    return next((file for file in files if file.is_file()), None)


def part_paths(root: Path, wanted: Sequence[str], explicit: bool) -> dict[str, Path]:
    """Where the ``wanted`` parts lie; those that no model needs may be absent unless ``explicit`` asks for them.

    Raises InputError naming the absent ones, their folders, and where they are published if the model is a published
    one.
    """
    found = {key: part_path(root, PARTS[key]) for key in wanted}
    check_complete(root, found)
    missing = [key for key in wanted if found[key] is None and (explicit or PARTS[key].required)]
    if missing:
        looked = ", ".join(f"{key} ({PARTS[key].folder or PARTS[key].weights_file})" for key in missing)
        raise InputError(f"The model folder {root} lacks {looked}; complete it, or ask for other parts.")
    return {key: path for key, path in found.items() if path is not None}


def published_model(root: Path) -> str | None:
    """Which published model a folder holds, or some files of, told by its index file or else by its name."""
    index = root / INDEX_FILE
    values = read_json(index) if index.is_file() else {}
    if values.get("_class_name") == published.INDEX_CLASS:
        labels = values.get("label_encoder")
        return published.LABEL if isinstance(labels, list) and any(labels) else published.BASE
    return root.name if not values and published.files_of(root.name) else None


def settings_of(root: Path) -> dict[str, Any]:
    """What the settings file of a model folder says, nothing where there is none."""
    path = root / SETTINGS_FILE
    return read_json(path) if path.is_file() else {}


def check_complete(root: Path, found: Mapping[str, Path | None]) -> None:
    """Raise InputError when parts of a published model lack their weights; ``found``: where each wanted part lies."""
    model = published_model(root)
    files = published.files_of(model) if model else {}
    missing = [files[key] for key, path in found.items() if key in files and (path is None or _is_empty(path))]
    if missing:
        lacking = ", ".join(f"{file.place} ({file.readable_size})" for file in missing)
        raise InputError(
            f"The model folder {root} lacks {lacking}; download what is missing from the folder {model} of "
            f"{published.PAGE} and keep its place."
        )


def _is_empty(folder: Path) -> bool:
    """Whether a part's folder holds no weights, not even in a format that is refused."""
    return not any(path.suffix in (".safetensors", *UNSAFE_SUFFIXES) for path in folder.iterdir())
