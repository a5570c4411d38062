"""Which split an asset's shards go to, and which files a data folder already holds, under whatever name."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ...errors import InputError
from ..shard_file import SPLITS, asset_name, read_asset

HELD_OUT = "test"
NAME_TAKEN, TWICE = "name taken", "same file twice"


def check_held_out(share: float, split: str) -> None:
    """Raises InputError unless ``share`` is 0, or below 1 with the split "train"."""
    if not 0 <= share < 1:
        raise InputError(f"The share held out is {share}, accepted is from 0 to below 1 (--held-out).")
    if share and split != "train":
        raise InputError(f"Assets are held out of split train, not {split}; leave out --held-out or --split.")


def place_of(name: str) -> float:
    """A number in [0, 1) that only depends on an asset's name: those below the share are held out."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def allot(
    names: Iterable[str], share: float, bound: Mapping[str, str], filled: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """The split of every asset, and those of "train" to hold out in turn while no held-out asset gives a shard.

    Assets in ``bound`` stay in the split given there. ``filled`` are the splits that have assets already: while it
    lacks "train", one asset is left to train on; once it has "test", none is held out but by its share. Raises
    InputError when nothing is held out and two or more assets are all bound to "train".
    """
    free = sorted(set(names) - set(bound), key=place_of)
    if len(bound) > 1 and not free and HELD_OUT not in filled:
        raise InputError(
            "All of these assets have shards in split train, so none can be held out; remove the shards of some, "
            "leave out --held-out or give another folder."
        )
    most = len(free) if "train" in filled else max(len(free) - 1, 0)
    held = [name for name in free if place_of(name) < share][:most]
    spare = [] if HELD_OUT in filled else free[len(held) : most]
    return {**dict.fromkeys(free, "train"), **bound, **dict.fromkeys(held, HELD_OUT)}, spare


class Shelf:
    """The finished shards of a data folder, all splits, by the name and by the content of the file they came from.

    Raises InputError when one is damaged.
    """

    def __init__(self, data: str | Path) -> None:
        self.made_of: dict[tuple[str, str], set[str]] = {}
        self.holders: dict[str, set[tuple[str, str]]] = {}
        for split in SPLITS:
            for path in sorted(Path(data, split).glob("*.safetensors")):
                asset = read_asset(path)
                name = asset_name(path.stem, asset["frame"])
                digest = str(asset.get("sha256"))
                self.made_of.setdefault((split, name), set()).add(digest)
                if digest != "None":  # which procedural shapes have
                    self.holders.setdefault(digest, set()).add((split, name))

    @property
    def filled(self) -> set[str]:
        """The splits that hold curated shards."""
        return {split for places in self.holders.values() for split, _ in places}

    def home(self, name: str) -> str | None:
        """The one of "train" and "test" that holds shards of this name, the former if both do."""
        return next((split for split in ("train", HELD_OUT) if (split, name) in self.made_of), None)

    def objection(self, name: str, digest: str, split: str) -> tuple[str, str] | None:
        """Why the file ``digest`` may not become ``name`` in ``split``: reason and detail."""
        made_of = self.made_of.get((split, name), {digest})
        if made_of != {digest}:
            return NAME_TAKEN, f"its shard in split {split} was made from another file; rename it or remove the shard"
        for other_split, other in sorted(self.holders.get(digest, ())):
            if other_split != split:
                return f"already in split {other_split}", f"the same file as {other}; remove its shard to move it"
            if other != name and ((split, name) not in self.made_of or other < name):
                return TWICE, f"split {split} holds it as {other}"
        return None
