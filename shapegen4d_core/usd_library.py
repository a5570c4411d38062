"""The one place that looks for OpenUSD, an optional dependency of some 200 MB that is imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .optional_packages import needed

SUFFIXES = (".usdz", ".usdc", ".usda")


def usd_module(name: str) -> Any:
    """The module ``pxr.name``; raises InputError with the pip command where OpenUSD is not installed."""
    with needed("USD files need", "usd-core", "pxr"):
        return import_module(f"pxr.{name}")
