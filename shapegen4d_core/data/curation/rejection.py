"""Why an asset is refused: a fixed set of reasons, so that they can be counted."""

from __future__ import annotations

REASONS = {
    "unreadable file": "the importer refused it",
    "too few frames": "the animation is shorter than the clip, or mostly stands still",
    "no motion": "no part moves noticeably once the body's own travel is taken away",
    "exploding motion": "one pose is many times as large as the others, or points jump",
    "too few faces": "a placeholder rather than a shape",
    "dominating part": "one part, such as a ground or a sky, is many times as large as all others",
    "not watertight": "no closed surface could be made around it",
    "hidden surface": "too little of the animated surface lies on the outside",
    "empty picture": "too few pixels show the object",
    "cropped picture": "the object touches the border of the picture",
}


class Rejected(Exception):
    """Raised for an asset that curation refuses: ``reason`` is one of REASONS, ``detail`` says what was measured."""

    def __init__(self, reason: str, detail: str) -> None:
        assert reason in REASONS
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail
