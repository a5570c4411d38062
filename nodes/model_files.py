"""Lists of the single files a model may be put together from, and what to say where one is missing."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

from . import folders, weight_files

ADAPTER_KINDS = (folders.KIND, "diffusion_models")
OPTIONAL = {"adapter": "spatiotemporal", "label_encoder": "label_encoder"}  # part -> word in its path


def required_names(part: str) -> list[str]:
    """What the list of a part offers: the files of its folder, or one entry that says where to put one."""
    return folders.weight_names(_kind(part)) or [_placeholder(part)]


def preferred(part: str, names: list[str]) -> str:
    """The default of a list: a published file, else one that is named like it, else the first that is no adapter."""
    wanted = _published().files_of(_published().BASE)[part].name
    likely = [name for name in names if os.path.basename(name) == wanted]
    likely += [name for name in names if "step1x" in name.lower()]
    likely += [name for name in names if not any(word in name.lower() for word in OPTIONAL.values())]
    return (likely or names)[0]


def optional_names(part: str) -> list[str]:
    """What the list of a part that may be absent offers: none first."""
    return weight_files.choices(OPTIONAL[part], ADAPTER_KINDS)


def find(chosen: dict[str, str]) -> dict[str, Path]:
    """The files of the names chosen, by part; ValueError names those that are missing and where each is published."""
    found = {
        part: folders.weight_path(_kind(part), name) for part, name in chosen.items() if part not in OPTIONAL
    }
    missing = [f"{_complaint(part, chosen[part])}; {_advice(part, chosen[part])}." for part in found if not found[part]]
    if missing:
        raise ValueError("\n".join(missing))
    for part, word in OPTIONAL.items():
        path = weight_files.chosen(word, chosen[part], ADAPTER_KINDS)
        if path is not None:
            found[part] = path
    return found


def model_name(denoiser: str) -> str:
    """A name for the model, from that of its denoiser: the file's, or its folder's where the file's says nothing."""
    parts = denoiser.replace(os.sep, "/").removesuffix(folders.SUFFIX).split("/")
    if len(parts) > 1 and parts[-1] == _published().WEIGHTS.removesuffix(folders.SUFFIX):
        parts.pop()
    if len(parts) > 1 and parts[-1] == folders.PART:
        parts.pop()
    return parts[-1]


def _complaint(part: str, name: str) -> str:
    kind = _kind(part)
    if name == _placeholder(part):
        return f"There is no {part} to load: models/{kind} holds no {folders.SUFFIX} file"
    return f"The {part} {name!r} is not in models/{kind} nor in another {kind} folder of extra_model_paths.yaml"


def _advice(part: str, name: str) -> str:
    """What to do about a missing file: which one is published where, and where it goes."""
    published = _published()
    model = next((file.model for file in published.FILES if file.name == os.path.basename(name)), published.BASE)
    file = published.files_of(model)[part]
    return (
        f"that of Step1X-3D is {published.where(part, model)}: put it into models/{_kind(part)}, best as {file.name}, "
        "press R and choose it"
    )


def _placeholder(part: str) -> str:
    return f"(none yet: models/{_kind(part)} is empty)"


def _kind(part: str) -> str:
    return _published().DIRECTORIES[part]


def _published() -> ModuleType:
    """The table of published files; not imported when the host starts."""
    from ..shapegen4d_core import published

    return published
