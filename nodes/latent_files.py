"""Which files Load Latents offers, and where the chosen one lies."""

from __future__ import annotations

from pathlib import Path

from . import listed_files
from .listed_files import NONE

FOLDER = "latents"  # below input and output, as the core has it for its own
SUFFIX = ".safetensors"


def choices() -> list[str]:
    """Names for the list: what lies below input/latents, and below output/latents, marked, newest first."""
    return listed_files.choices(
        lambda base: [path for path in listed_files.walk(base / FOLDER) if path.suffix.lower() == SUFFIX]
    )


def resolve(name: str) -> Path:
    """The file that a name of :func:`choices` means; ValueError when it is not there or lies elsewhere."""
    return listed_files.resolve(name, FOLDER)


def fingerprint(name: str) -> str:
    """A value that changes when the file changes."""
    return NONE if name == NONE else listed_files.stamp([resolve(name)])
