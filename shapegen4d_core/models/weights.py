"""Reading weights: safetensors files, whole or in shards, or tensors a host has loaded.

Only safetensors is read, because every other weight format runs code when it is opened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import InputError
from ..progress import Check, Meter
from .tensor_reader import Advance, stream_tensors

UNSAFE_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".msgpack", ".h5")
FLOAT_TYPES = ("F64", "F32", "F16", "BF16")
SHOWN_PROBLEMS = 6
LOOKS = (
    ("a pickled file under another name", (b"PK\x03\x04", *(bytes([0x80, version]) for version in range(2, 6)))),
    ("a web page that was saved in its place", (b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML")),
    ("the pointer that git leaves when large files are not fetched", (b"version https://git-lfs",)),
    ("a GGUF file", (b"GGUF",)),
)
PREFERRED_STEMS = ("diffusion_pytorch_model", "model", "weights")


@dataclass(frozen=True)
class Weights:
    """Named tensors not read yet.

    shapes and dtypes: of every tensor, by stored name; read: takes the types wanted by
    name (None: all tensors as they are) and a callback for the bytes read, and yields (name, tensor) pairs one
    at a time; files: where they come from
    (empty for tensors in memory); metadata: of the file header.
    """

    label: str
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    read: Callable[..., Iterator[tuple[str, Tensor]]]
    files: tuple[Path, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)


def open_weights(source: str | os.PathLike | Mapping[str, Tensor]) -> Weights:
    """Weights of a .safetensors file, an .index.json of shards, a folder holding either, or a state dict.

    Only headers are read here. Raises InputError for anything else, pickled formats in particular.
    """
    if isinstance(source, Mapping):
        return _from_state_dict(source)
    path = Path(source)
    if path.is_dir():
        path = find_weights(path)
    if path.suffix.lower() in UNSAFE_SUFFIXES:
        raise InputError(_refusal(path))
    if not path.is_file():
        raise InputError(f"There is no weight file {path}; give the path of a .safetensors file.")
    if path.name.endswith(".index.json"):
        return _from_shards(path)
    return _from_files(path, [path])


def find_weights(folder: Path) -> Path:
    """The weight file of a folder: a shard index, its only .safetensors, or the one of a usual name.

    Raises InputError when there is none, or several that could be meant.
    """
    for pattern in ("*.safetensors.index.json", "*.safetensors"):
        found = sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
        usual = [path for stem in PREFERRED_STEMS for path in found if path.name.startswith(f"{stem}.safetensors")]
        if len(found) == 1 or usual:
            return (usual or found)[0]
        if found:
            names = ", ".join(path.name for path in found)
            raise InputError(f"{folder} holds several weight files ({names}); give the path of one of them.")
    unsafe = sorted(path for path in folder.iterdir() if path.suffix.lower() in UNSAFE_SUFFIXES)
    if unsafe:
        raise InputError(_refusal(unsafe[0]))
    raise InputError(f"{folder} holds no .safetensors file; put the weights there.")


def _refusal(path: Path) -> str:
    return (
        f"{path} is a {path.suffix} file, which can run code when opened; convert it to .safetensors "
        "(safetensors.torch.save_file of its tensors) and give that."
    )


def _from_state_dict(state: Mapping[str, Tensor]) -> Weights:
    wrong = [str(name) for name, tensor in state.items() if not isinstance(tensor, Tensor)]
    if wrong:
        raise InputError(f"The state dict holds values that are not tensors: {', '.join(wrong[:5])}; remove them.")
    kinds = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
    return Weights(
        label="The state dict",
        shapes={name: tuple(tensor.shape) for name, tensor in state.items()},
        dtypes={name: kinds.get(tensor.dtype, str(tensor.dtype)) for name, tensor in state.items()},
        read=lambda wanted=None, advance=None: iter(state.items()),
    )


def _from_shards(index: Path) -> Weights:
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InputError(f"{index} has no weight_map of tensor names to files; it is not a shard index.")
    files = sorted(set(names.values()))
    odd = [name for name in files if Path(name).name != name or not name.endswith(".safetensors")]
    if odd:
        raise InputError(f"{index} refers to {odd[0]!r}; shards must be .safetensors files beside the index.")
    missing = [name for name in files if not (index.parent / name).is_file()]
    if missing:
        raise InputError(f"{index.parent} lacks the shards {', '.join(missing)}; download them again.")
    return _from_files(index, [index.parent / name for name in files])


def _from_files(label: Path, files: list[Path]) -> Weights:
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for path in files:
        with _opened(path) as file:
            metadata.update(file.metadata() or {})
            for name in file.keys():  # noqa: SIM118 (not a dict)
                view = file.get_slice(name)
                shapes[name], dtypes[name] = tuple(view.get_shape()), view.get_dtype()
    return Weights(str(label), shapes, dtypes, partial(_stream, files), tuple(files), metadata)


def _stream(
    files: list[Path], wanted: Mapping[str, torch.dtype] | None = None, advance: Advance | None = None
) -> Iterator[tuple[str, Tensor]]:
    for path in files:
        yield from stream_tensors(path, wanted, advance)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        what = f"not a readable safetensors file{_guess(path)}"
        raise InputError(f"{path} is {what}; download or save it again.") from error


def _guess(path: Path) -> str:
    """What a file that is no safetensors file seems to be, in words to be put in a sentence, or nothing."""
    try:
        with open(path, "rb") as file:
            start = file.read(64)
    except OSError:
        return ""
    return next((f" but seems to be {what}" for what, signs in LOOKS if start.startswith(signs)), "")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; raises InputError when it is missing, damaged or not an object."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is missing or not a JSON file; download or save it again.") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold a JSON object.")
    return values


_INITIALISERS = (nn.init.normal_, Tensor.normal_, Tensor.uniform_, Tensor.mul, Tensor.mul_, Tensor.__rmul__)


class WithoutInit(TorchFunctionMode):
    """Inside this context networks are built on the meta device without drawing initial values.

    Drawing and scaling have no native meta kernels: the first use imports torch's compiler, which takes
    seconds.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _INITIALISERS:
            values = (*args, *(kwargs or {}).values())
            return next(value for value in values if isinstance(value, Tensor))
        return (torch.empty if func is torch.randn else func)(*args, **(kwargs or {}))


def fill(
    module: nn.Module,
    weights: Weights,
    what: str,
    rename: Callable[[str], str] = str,
    unused: tuple[str, ...] = (),
    device: Any = "cpu",
    check: Check | None = None,
) -> None:
    """Give a module built on the meta device its tensors, cast to the dtypes it was built with.

    rename: stored name to module name; unused: prefixes of stored tensors that the module does not have and
    may ignore; check: called every few MiB, it may raise to cancel. Raises InputError as :func:`matched_names`.
    """
    names = matched_names(module, weights, what, rename, unused)
    read_into(module, weights, names, device, Meter(0, None, check).advance)


def matched_names(
    module: nn.Module,
    weights: Weights,
    what: str,
    rename: Callable[[str], str] = str,
    unused: tuple[str, ...] = (),
) -> dict[str, str]:
    """Stored name to name in the module, for every tensor of it; no tensor is read.

    Raises InputError listing every mismatch of names, shapes and types, up to half a dozen, at once.
    """
    stored = {name: rename(name) for name in weights.shapes if not name.startswith(unused or ("\0",))}
    expected = module.state_dict()
    problems = _mismatches({new: weights.shapes[old] for old, new in stored.items()}, expected)
    problems += _wrong_types({new: weights.dtypes[old] for old, new in stored.items()}, expected)
    problems += _collisions(stored)
    if len(problems) > SHOWN_PROBLEMS:
        problems[SHOWN_PROBLEMS:] = [f"and {len(problems) - SHOWN_PROBLEMS} more"]
    if problems:
        listed = "; ".join(problems)
        raise InputError(f"{weights.label} does not fit the {what} ({listed}); choose weights made for it.")
    return stored


def read_into(
    module: nn.Module, weights: Weights, names: Mapping[str, str], device: Any = "cpu", advance: Advance | None = None
) -> None:
    """Read the tensors of ``names`` (stored name to name in the module), one at a time, to where the module keeps them.

    advance: called with the bytes read; it may raise to cancel, and the module is then as it was.
    """
    expected = module.state_dict()
    types = {name: expected[names[name]].dtype for name in names}
    tensors = {
        names[name]: tensor.to(device=device, dtype=types[name])
        for name, tensor in weights.read(types, advance)
        if name in names
    }
    module.load_state_dict(tensors, strict=True, assign=True)
    module.eval()


def _mismatches(shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, Tensor]) -> list[str]:
    missing = [f"missing: {name} {list(expected[name].shape)}" for name in expected if name not in shapes]
    extra = [f"not part of the network: {name} {list(shapes[name])}" for name in shapes if name not in expected]
    other = [
        f"other shape: {name} is {list(shapes[name])}, the configuration needs {list(expected[name].shape)}"
        for name in expected
        if name in shapes and shapes[name] != tuple(expected[name].shape)
    ]
    return missing + extra + other


def _wrong_types(dtypes: Mapping[str, str], expected: Mapping[str, Tensor]) -> list[str]:
    wrong = [name for name in dtypes if name in expected and dtypes[name] not in FLOAT_TYPES]
    return [f"not a float type: {name} is {dtypes[name]}, read are {', '.join(FLOAT_TYPES)}" for name in wrong]


def _collisions(stored: Mapping[str, str]) -> list[str]:
    seen: dict[str, str] = {}
    problems = []
    for old, new in stored.items():
        if new in seen:
            problems.append(f"stored twice: {new}, as {seen[new]} and as {old}")
        seen[new] = old
    return problems
