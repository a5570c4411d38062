"""Where models come from: the bundled one, and folders under ``models/shapegen4d``."""

from __future__ import annotations

import os
from pathlib import Path

KIND = "shapegen4d"
BUNDLED = "tiny (bundled)"
DEEPEST = 3  # folder levels below a models/shapegen4d that are looked at
MARKER = "model_index.json"  # what makes a folder a model, in published folders and in ours


def register() -> None:
    """Add ``models/shapegen4d`` to the host's model folders; extra_model_paths.yaml may add more."""
    import folder_paths

    folder_paths.add_model_folder_path(KIND, os.path.join(folder_paths.models_dir, KIND))


def model_folders() -> dict[str, Path]:
    """Name shown in the list -> folder; a folder found in two places is taken from the first."""
    import folder_paths

    found: dict[str, Path] = {}
    for root in folder_paths.get_folder_paths(KIND):
        for folder in _marked(Path(root), 0):
            name = folder.relative_to(root).as_posix()
            if name != ".":
                found.setdefault(name, folder)
    return dict(sorted(found.items()))


def model_names() -> list[str]:
    """What the model list offers: the bundled model first."""
    return [BUNDLED, *model_folders()]


def resolve(name: str) -> Path | str:
    """What shapegen4d_core.models.load takes for a name of :func:`model_names`; ValueError for any other."""
    if name == BUNDLED:
        return "tiny"
    folders = model_folders()
    if name not in folders:
        raise ValueError(
            f"There is no model named {name!r} under models/{KIND}; choose one of {', '.join(model_names())}."
        )
    return folders[name]


def fingerprint(name: str) -> str:
    """A value that changes when a file of the model changes."""
    folder = resolve(name)
    if isinstance(folder, str):
        return folder
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors"))
    return ";".join(f"{path.name}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in files)


def _marked(folder: Path, depth: int) -> list[Path]:
    if not folder.is_dir():
        return []
    if (folder / MARKER).is_file():
        return [folder]
    if depth == DEEPEST:
        return []
    return [found for child in sorted(folder.iterdir()) for found in _marked(child, depth + 1)]
