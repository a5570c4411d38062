"""Packages that only some features need: one sentence that says which is missing and how it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import InputError


def missing(what: str, package: str, instead: str = "") -> InputError:
    """The error for a package that is not installed: ``what`` is "Plots need", ``instead`` another way out."""
    quoted = f"'{package}'" if "[" in package else package
    return InputError(f"{what} {package}; install it with: pip install {quoted}{instead}.")


@contextmanager
def needed(what: str, package: str, module: str | None = None, instead: str = "") -> Iterator[None]:
    """Turn the failed import of ``module`` (default: ``package``) inside a with block into :func:`missing`.

    Other failures pass: a package that is there and broken should not be installed again.
    """
    module = module or package
    try:
        yield
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != module:
            raise
        raise missing(what, package, instead) from error
