"""What programs that others wrote show of our files: the table of the README, printed as Markdown.

Every case of tests/clients is written, opened in Blender and in three.js, and compared at three times of the animation.
A program that is absent is named with what to install. "error" is the largest distance of any corner along one axis
over the longest side of the box; "length" is what the program makes of the clip.

BLENDER_PYTHON=... THREE_MODULES=... python benchmarks/clients.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.clients.blender import ABSENT, ask_blender, blender_command  # noqa: E402
from tests.clients.cases import Written, cases, write_all  # noqa: E402
from tests.clients.seen import Seen, largest_error  # noqa: E402
from tests.clients.three import CHROMIUM_ABSENT, THREE_ABSENT, ask_three, chromium, three_folder  # noqa: E402

COLUMNS = ("file", "program", "largest error", "frames", "fps", "length", "texture")
Ask = Callable[[list[Written], Path], list[Seen]]


def row(entry: Written, seen: Seen) -> list[str]:
    """One line of the table."""
    facts, count = seen.facts, entry.sequence.frame_count
    if "error" in facts:
        return [entry.case.name, "", "not opened: " + facts["error"].strip().splitlines()[-1], "", "", "", ""]
    error, texture = f"{largest_error(entry, seen):.1e}", "-"
    if entry.sequence.texture is not None and seen.texture is not None:
        same = (seen.texture[..., :3] == entry.sequence.texture[..., :3]).all()
        texture = "same pixels" if same else "differs"
    return [entry.case.name, facts["program"], error, str(count), *timing(entry, facts), texture]


def timing(entry: Written, facts: dict) -> tuple[str, str]:
    """Frame rate and length as the program has them."""
    if "durations" in facts:
        return "-", f"{max(facts['durations'], default=0):.4g} s"
    if entry.case.opens == "glb":
        low, high = facts["action_range"]
        return "-", f"{(high - low) / facts['fps']:.4g} s"
    read = facts["rate_found"] == entry.sequence.fps
    return f"{facts['fps']:g}" if read else "by hand", "frames {} to {}".format(*facts["scene_range"])


def programs() -> dict[str, Ask | str]:
    """How each program is asked, or what to install when it is absent."""
    command, folder, browser = blender_command(), three_folder(), chromium()
    three: Ask | str = CHROMIUM_ABSENT if folder else THREE_ABSENT
    if folder and browser:
        three = partial(ask_three, folder, browser)
    return {"Blender": partial(ask_blender, command) if command else ABSENT, "three.js": three}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="only the rows whose name has these letters in it")
    only = parser.parse_args().only.lower()

    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for program, ask in programs().items():
        if isinstance(ask, str):
            print(f"| (not run) | {program} | {ask} |" + " |" * (len(COLUMNS) - 3))
            continue
        wanted = [case for case in cases() if program in case.programs and only in case.name.lower()]
        with tempfile.TemporaryDirectory() as folder:
            written = write_all(Path(folder), wanted)
            for entry, seen in zip(written, ask(written, Path(folder))):
                print("| " + " | ".join(row(entry, seen)) + " |")


if __name__ == "__main__":
    main()
