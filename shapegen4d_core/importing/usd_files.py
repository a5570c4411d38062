"""Opens a stage and the files it is made of, which must all lie in its own folder or below.

A .usd file may name further layers, packages, clips and pictures. Every name is followed to where it leads before it
is opened; a name that leads out of the folder makes the file unreadable, a missing file is warned of.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..progress import Check
from ..usd_library import usd_module
from .usd_probe import COMPOSED, READ

BYTES_LIMIT = 2**31  # of one file
SUFFIXES = (".usd", ".usda", ".usdc", ".usdz")
_PROBE_BYTES = 4 << 30  # address space for the library and one value, beside the file itself
_PROBE_SECONDS, _PROBE_RATE = 20.0, 4e6  # time for any file, and bytes per second beyond


def open_stage(path: Path, check: Check | None = None) -> Any:
    """The composed stage of ``path``; raises InputError (without the file's name) for what cannot be read.

    Layers are first read by another process (see usd_probe); ``check`` may raise to cancel that.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"its name must end in {', '.join(SUFFIXES)}")
    usd, tf = usd_module("Usd"), usd_module("Tf")
    file = _checked(path, "the file")
    try:
        _check_layers(file, check)
        stage = usd.Stage.Open(str(file))
        stage.Reload()  # a layer of that name may still be open from before the file was replaced
    except tf.ErrorException as error:
        raise _damaged() from error
    for layer in stage.GetUsedLayers(includeClipLayers=True):
        if not layer.anonymous:
            _inside(layer.realPath, file.parent)
    return stage


def picture_content(resolved: str, folder: Path) -> bytes:
    """The bytes of a picture file, also of one in a package, named by the ``resolved`` path of an asset.

    Raises InputError when it lies outside ``folder``, is too large or compressed.
    """
    outer, inner = _split(resolved)
    file = _checked(_inside(outer, folder), "a picture")
    if not inner:
        return file.read_bytes()
    try:
        with zipfile.ZipFile(file) as package:
            entry = package.getinfo(inner)
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > BYTES_LIMIT:
                raise InputError(f"{inner!r:.80} in the package is compressed or too large")
            return package.read(entry)
    except (KeyError, OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(f"{inner!r:.80} in the package cannot be read") from error


def _check_layers(file: Path, check: Check | None) -> None:
    """Follow references, payloads and sublayers, without opening anything outside of the folder of ``file``."""
    sdf, resolver = usd_module("Sdf"), usd_module("Ar").GetResolver()
    waiting, seen, composed = [str(file)], {str(file)}, False
    while waiting:
        name = waiting.pop()
        composed = _probe(name, check) or composed
        layer = sdf.Layer.FindOrOpen(name)
        if layer is None:
            raise _damaged()
        layer.Reload()  # it may still be open from before the file was replaced
        for name in filter(None, layer.GetCompositionAssetDependencies()):
            target = str(resolver.Resolve(layer.ComputeAbsolutePath(name)))
            if not target:
                warnings.warn(f"{file} refers to {name[-80:]!r}, which is not there and is left out.", stacklevel=2)
                continue
            _checked(_inside(_split(target)[0], file.parent), f"{name[-80:]!r}")
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    if composed:
        _probe(str(file), check, "compose")


def _probe(name: str, check: Check | None, *words: str) -> bool:
    """Have another process read a layer, and tell whether its prims are composed of others; ``words`` as it has them.

    Raises InputError when it crashes, needs too much memory or no end comes.
    """
    if not sys.executable:
        return False  # a program that has Python inside, but no interpreter to start
    size = os.path.getsize(_split(name)[0])
    command = [sys.executable, str(Path(__file__).with_name("usd_probe.py")), name, str(_PROBE_BYTES + size), *words]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    quiet, no_window = subprocess.DEVNULL, getattr(subprocess, "CREATE_NO_WINDOW", 0)
    files = {"stdin": quiet, "stdout": quiet, "stderr": quiet}
    with subprocess.Popen(command, env=surroundings, creationflags=no_window, **files) as process:
        try:
            end = time.monotonic() + _PROBE_SECONDS + size / _PROBE_RATE
            while process.poll() is None and time.monotonic() < end:
                if check is not None:
                    check()
                time.sleep(0.02)
        finally:
            process.kill()
    if process.returncode not in (READ, COMPOSED):
        raise _damaged()
    return process.returncode == COMPOSED


def _damaged() -> InputError:
    return InputError("it is damaged, too large or no USD file")


def _inside(name: str, folder: Path) -> Path:
    try:
        path = Path(_split(name)[0]).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"it refers to {name[-80:]!r}, which cannot be followed") from error
    if not path.is_relative_to(folder):
        raise InputError(f"it refers to {name[-80:]!r}, accepted are files in its own folder or below")
    return path


def _split(name: str) -> tuple[str, str]:
    """A path, and what it names inside when it is a package: "a.usdz[b.png]" is ("a.usdz", "b.png")."""
    ar = usd_module("Ar")
    return tuple(ar.SplitPackageRelativePathOuter(name)) if ar.IsPackageRelativePath(name) else (name, "")


def _checked(path: Path, where: str) -> Path:
    try:
        if not path.is_file():
            raise InputError(f"{where} does not exist at {path.name!r:.80}")
        if path.stat().st_size > BYTES_LIMIT:
            raise InputError(f"{where} has more than {BYTES_LIMIT >> 30} GiB, the most that is read")
        return path.resolve()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where} cannot be read ({str(error)[:80]})") from error
