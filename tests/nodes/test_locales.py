"""Languages of the page: English is what the schemas say, the others say the same of everything.

    WRITE_LOCALES=1 python -m pytest -n 0 tests/nodes/test_locales.py     # writes locales/en anew
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.nodes.locale_entries import entries

LOCALES = Path(__file__).resolve().parent.parent.parent / "locales"
LANGUAGES = sorted(path.name for path in LOCALES.iterdir())
HAN = re.compile(r"[\u4e00-\u9fff]")
MARKS = re.compile(r"[{}|@]")  # the page's translator reads these as instructions
KEPT = re.compile(r"\d+(?:\.\d+)?|GLB|USD|OBJ|PLY|DINO|VGGT|ComfyUI|safetensors")


def read(language):
    return json.loads((LOCALES / language / "nodeDefs.json").read_text(encoding="utf-8"))


def texts(tree, path=()):
    """(path, text) of every string in nested dictionaries."""
    for key, value in tree.items():
        yield from texts(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]


def test_there_are_english_and_chinese():
    assert LANGUAGES == ["en", "zh"]


def test_english_is_what_the_schemas_say(nodes):
    expected = entries(nodes)
    if os.environ.get("WRITE_LOCALES"):
        content = json.dumps(expected, indent=2, ensure_ascii=False) + "\n"
        (LOCALES / "en" / "nodeDefs.json").write_text(content, encoding="utf-8")
    assert read("en") == expected, "write it anew with WRITE_LOCALES=1 and look at what has to be translated"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything_and_nothing_else(language):
    assert [path for path, _ in texts(read(language))] == [path for path, _ in texts(read("en"))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_hold_nothing_that_the_translator_would_interpret(language):
    assert not [path for path, text in texts(read(language)) if MARKS.search(text) or not text.strip()]


def test_chinese_is_chinese():
    for path, text in texts(read("zh")):
        if path[-1] in ("tooltip", "description"):
            assert len(HAN.findall(text)) >= 4 and text.endswith("\u3002"), (path, text)
        if path[-1] == "display_name":
            assert HAN.search(text), (path, text)


def test_figures_and_names_are_the_same_in_chinese():
    """A number that a translation leaves out, or an old default in it, misleads."""
    english, chinese = dict(texts(read("en"))), dict(texts(read("zh")))
    for path, text in english.items():
        if path[-1] != "tooltip":
            continue
        wanted = set(KEPT.findall(text))
        missing = wanted - set(KEPT.findall(chinese[path]))
        assert not missing, (path, missing)
