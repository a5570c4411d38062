"""Tensors of a safetensors file read into memory of their own, block by block.

The library that checks these files maps them into memory, so that a copy of each tensor lies beside the pages of the
file, and it reads a tensor in one go. Here each tensor is read straight to where it stays, and a long read can be
followed and cancelled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError

BLOCK_BYTES = 1 << 22
_LENGTH_BYTES = 8
_TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
Advance = Callable[[int], None]


def stream_tensors(
    path: Path, wanted: Mapping[str, torch.dtype] | None = None, advance: Advance | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor of each tensor of a file whose header is known to be sound, in file order.

    wanted: the types to give tensors in, by name, others are skipped; None: all as they are stored. advance: called
    with the bytes of each block, those of the header and of skipped tensors included, so that they add up to the size
    of the file; it may raise to cancel. Raises InputError when the file cannot be read or has a tensor type that torch
    lacks.
    """
    advance = advance or _ignore
    try:
        with open(path, "rb", buffering=0) as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            entries = json.loads(file.read(length))
            entries.pop("__metadata__", None)
            advance(_LENGTH_BYTES + length)
            block = torch.empty(BLOCK_BYTES, dtype=torch.uint8)  # one for all, so that memory does not get holes
            for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
                start, end = entry["data_offsets"]
                if wanted is not None and name not in wanted:
                    advance(end - start)
                    continue
                stored = _type(path, name, entry["dtype"])
                tensor = torch.empty(entry["shape"], dtype=stored if wanted is None else wanted[name])
                file.seek(_LENGTH_BYTES + length + start)
                _read_into(file, tensor, block.view(stored), advance)
                yield name, tensor
    except InputError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} could not be read to its end; check the disk or save it again.") from error


def _type(path: Path, name: str, stored: str) -> torch.dtype:
    if stored not in _TYPES:
        raise InputError(f"{path} stores {name} as {stored}; read are {', '.join(_TYPES)}.")
    return _TYPES[stored]


def _read_into(file: Any, tensor: Tensor, block: Tensor, advance: Advance) -> None:
    """Fill a tensor with values stored in the type of ``block``, through that where the tensor has another type."""
    values = tensor.reshape(-1)
    for part in values.split(len(block)) if len(values) else ():
        read = part if part.dtype == block.dtype else block[: len(part)]
        place = memoryview(read.view(torch.uint8).numpy())
        done = 0
        while done < len(place):
            count = file.readinto(place[done:])
            if not count:
                raise OSError("the file ends early")
            done += count
        if read is not part:
            part.copy_(read)
        advance(done)


def _ignore(count: int) -> None:
    """Nobody asked to follow."""
