"""The bundled example videos, for the demo and for the first run of a workflow."""

from __future__ import annotations

from pathlib import Path

from .errors import InputError

_FOLDER = Path(__file__).parent / "assets" / "examples"
_SUFFIX = ".webm"


def example_names() -> list[str]:
    """Names of the bundled clips, sorted."""
    return sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))


def example_path(name: str) -> Path:
    """The video file of one clip (one object before nothing: it has alpha); InputError for a name that is not there."""
    if name not in example_names():
        raise InputError(f"There is no example clip {name!r}; choose one of {', '.join(example_names())}.")
    return _FOLDER / (name + _SUFFIX)
