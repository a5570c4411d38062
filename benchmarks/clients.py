"""What programs that others wrote show of our files: the table of the README, printed as Markdown.

Every case of tests/clients is written, opened in Blender, three.js (in headless Chromium) and trimesh, and compared at
three times of the animation. An error is the largest distance of any corner of a triangle, along one axis, over the
longest side of the box; of a skin it is that to the rig's own shapes. "length" is what the program makes of the clip:
keys or frames in Blender, seconds in three.js. A program that is absent is named with what to install.

BLENDER_PYTHON=... THREE_MODULES=... python benchmarks/clients.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.clients.blender import ABSENT, ask_blender, blender_command  # noqa: E402
from tests.clients.cases import Written, cases, write_all  # noqa: E402
from tests.clients.seen import Seen, largest_error  # noqa: E402
from tests.clients.statics import ask_trimesh  # noqa: E402
from tests.clients.three import CHROMIUM_ABSENT, THREE_ABSENT, ask_three, chromium, three_folder  # noqa: E402

STILL = (0.0,)  # the time, in frames, at which a program without motion is asked
Ask = Callable[[list[Written], Path], list[Seen]]


def programs() -> dict[str, Ask | str]:
    """How each program is asked, or what to install when it is absent."""
    command, folder, browser = blender_command(), three_folder(), chromium()
    three: Ask | str = CHROMIUM_ABSENT if folder else THREE_ABSENT
    if folder and browser:
        three = partial(ask_three, folder, browser)
    return {"Blender": partial(ask_blender, command) if command else ABSENT, "three.js": three, "trimesh": ask_trimesh}


def error_of(entry: Written, seen: Seen | None) -> str:
    """The cell of one program: its largest error, or why there is none."""
    if seen is None:
        return ""
    if "error" in seen.facts:
        return "not opened: " + seen.facts["error"].strip().splitlines()[-1]
    return f"{largest_error(entry, seen):.0e}{' (frame 1)' if entry.case.places == STILL else ''}"


def length_of(entry: Written, seen: Seen | None) -> str:
    """Length of the clip as one program has it."""
    facts = {} if seen is None else seen.facts
    if facts.get("durations"):
        return f"{max(facts['durations']):.4g} s"
    if entry.case.opens == "glb" and facts.get("action_range"):
        return "keys {:g} to {:g} at {:g} fps".format(*facts["action_range"], facts["fps"])
    if entry.case.opens == "usd" and "scene_range" in facts:
        return "frames {} to {}".format(*facts["scene_range"])
    return ""


def texture_of(entry: Written, found: dict[str, Seen]) -> str:
    """Which programs show the texture, and whether it has the same pixels."""
    wanted = entry.sequence.texture
    if wanted is None or not found:
        return ""
    shown = {name: seen.texture for name, seen in found.items() if seen.texture is not None}
    differing = [name for name, texture in shown.items() if (texture[..., :3] != wanted[..., :3]).any()]
    return ("same pixels" if shown else "not read") if not differing else f"differs in {', '.join(differing)}"


def asked(entry: Written, program: str) -> Written | None:
    """What a program is asked of a file: itself, the first frame alone, or nothing."""
    if f"{program}, frame 1" in entry.case.programs:
        return replace(entry, case=replace(entry.case, places=STILL))
    return entry if program in entry.case.programs else None


def ask_all(written: list[Written], folder: Path) -> tuple[dict[str, str], list[dict[str, tuple[Written, Seen]]]]:
    """A heading per program (its version, or what to install) and what each was asked and shows of every file."""
    headings, found = {}, [{} for _ in written]
    for program, ask in programs().items():
        mine = {number: wanted for number, entry in enumerate(written) if (wanted := asked(entry, program))}
        headings[program] = ask if isinstance(ask, str) else program
        if not mine or isinstance(ask, str):
            continue
        for (number, entry), seen in zip(mine.items(), ask(list(mine.values()), folder)):
            found[number][program] = entry, seen
            headings[program] = seen.facts.get("program", headings[program])
    return headings, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="only the rows whose name has these letters in it")
    only = parser.parse_args().only.lower()
    wanted = [case for case in cases() if only in case.name.lower()]
    for case in wanted:
        if case.missing:
            print(f"{case.name} is left out: {case.missing}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        written = write_all(Path(folder), wanted)
        headings, found = ask_all(written, Path(folder))
    columns = ["file", *headings.values(), "length in Blender", "in three.js", "texture"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for entry, shown in zip(written, found):
        errors = [error_of(*shown.get(program, (entry, None))) for program in headings]
        lengths = [length_of(*shown.get(program, (entry, None))) for program in ("Blender", "three.js")]
        texture = texture_of(entry, {program: seen for program, (_, seen) in shown.items()})
        print(f"| {' | '.join([entry.case.name, *errors, *lengths, texture])} |")


if __name__ == "__main__":
    main()
