"""Where models come from: the bundled one, folders under ``models/shapegen4d``, and single files in the host's folders.

All lists are the host's own, which knows every folder of ``extra_model_paths.yaml`` and remembers what it has seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from . import listed_files

KIND = "shapegen4d"
BUNDLED = "tiny (bundled)"
DEEPEST = 3  # folder levels below a models/shapegen4d that are looked at
MARKER = "model_index.json"  # makes a folder a model, in published folders and in ours
PART = "transformer"  # so does a folder of this name inside, when the index was not downloaded
SUFFIX = ".safetensors"


def register() -> None:
    """Add ``models/shapegen4d`` to the host's model folders; extra_model_paths.yaml may add more."""
    import folder_paths

    folder_paths.add_model_folder_path(KIND, os.path.join(folder_paths.models_dir, KIND))


def weight_names(kind: str) -> list[str]:
    """Names of the .safetensors files in all folders of a kind of the host's models, as the host lists them."""
    import folder_paths

    return [name for name in folder_paths.get_filename_list(kind) if name.lower().endswith(SUFFIX)]


def weight_path(kind: str, name: str) -> Path | None:
    """The file of a name of :func:`weight_names`, None for any other; of two files of one name, the host's first."""
    import folder_paths

    found = folder_paths.get_full_path(kind, name) if name in weight_names(kind) else None
    return None if found is None else Path(found)


def model_folders() -> dict[str, Path]:
    """Name shown in the list -> folder; a folder found in two places is taken from the first."""
    import folder_paths

    found = {}
    for folder, (sign, above) in _outermost(_signs(folder_paths.get_filename_list(KIND))).items():
        path = folder_paths.get_full_path(KIND, sign)
        if path is not None:
            place = Path(path).parents[above]
            found.setdefault(folder or place.name, place)
    return dict(sorted(found.items()))


def _signs(names: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Folder -> a file by which it is known as a model, and how many folders that lies below it."""
    found: dict[str, tuple[str, int]] = {}
    for name in names:
        *folders, file = name.split(os.sep)
        if file == MARKER:
            found["/".join(folders)] = name, 0
        elif folders and folders[-1] == PART and file.endswith(SUFFIX):
            found.setdefault("/".join(folders[:-1]), (name, 1))
    return found


def _outermost(folders: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
    """Without those that are too deep or lie in another one; "" is the folder of all models and may hold others."""
    kept: dict[str, tuple[str, int]] = {}
    for folder in sorted(folders):
        inside = any(folder.startswith(f"{other}/") for other in kept if other)
        if not inside and folder.count("/") < DEEPEST:
            kept[folder] = folders[folder]
    return kept


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
            f"There is no model named {name!r} under models/{KIND}; {_published(name)}choose one of "
            f"{', '.join([BUNDLED, *folders])}."
        )
    return folders[name]


def _published(name: str) -> str:
    """Words on where a model of this name is published, to go before other advice."""
    from ..shapegen4d_core import published

    model = name.rpartition("/")[2]
    if not published.files_of(model):
        return ""
    return f"download the folder {model} of {published.PAGE} into models/{KIND} and press R, or "


def fingerprint(name: str) -> str:
    """A value that changes when a file of the model changes."""
    folder = resolve(name)
    if isinstance(folder, str):
        return folder
    files = (path for path in folder.rglob("*") if path.suffix in (".json", SUFFIX))
    return listed_files.stamp(sorted(path for path in files if path.exists()))
