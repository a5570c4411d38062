"""What the tables of a help page must say of a node, in each language; and what a page says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.nodes.host_run import DYNAMIC, GROWING

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "nodes" / "web" / "docs"
WORDS = json.loads((Path(__file__).parent / "doc_words.json").read_text(encoding="utf-8"))
LINE = "<br>"
MATCHING, OWN = "COMFY_MATCHTYPE_V3", "SHAPEGEN4D_"
ALWAYS = ("none", "tiny (bundled)")  # entries of such lists that are there without a file
LISTED = {  # lists whose entries are files of the user
    ("ShapeGen4D_LoadShapeGen4DModel", "model"),
    *(("ShapeGen4D_LoadModelFiles", part) for part in ("denoiser", "vae", "image_encoder", "adapter", "label_encoder")),
    ("ShapeGen4D_LoadImageSequence", "folder"),
    ("ShapeGen4D_LoadLatents", "file"),
    ("ShapeGen4D_LoadMeshSequence", "file"),
    ("ShapeGen4D_RegisterPose", "dreamsim"),
    ("ShapeGen4D_RegisterPose", "vggt"),
}


def texts(language: str) -> dict[str, Any]:
    """Names and tooltips of a language by node id."""
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def page(node_id: str, language: str) -> Path:
    """Where the host looks for the help of a node; English is what it takes when a language has none."""
    return DOCS / f"{node_id}.md" if language == "en" else DOCS / node_id / f"{language}.md"


def section(text: str, heading: str) -> str:
    """What stands under ``## heading``; empty when there is no such heading."""
    return "".join(re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))


def table(text: str, head: str) -> list[tuple[str, ...]]:
    """Cells of the rows below the line ``head``; empty when there is no such table."""
    lines = text.split("\n")
    if head not in lines:
        return []
    rows = []
    for line in lines[lines.index(head) + 2 :]:
        if not line.startswith("| "):
            break
        rows.append(tuple(cell.strip() for cell in line[2:].removesuffix(" |").split(" | ")))
    return rows


@dataclass(frozen=True)
class Row:
    """The first cell of a row and the input it describes; ``options`` are the entries of a list that bring it."""

    cell: str
    entry: Any
    options: tuple[str, ...] = ()


def input_rows(schema: Any, language: str) -> list[Row]:
    """Name, type, default and range of each input, in one cell: the panel that shows the page is narrow."""
    shown = texts(language)[schema.node_id]["inputs"]
    rows = []
    for entry in schema.inputs:
        name = _name(entry.id, shown[entry.id]["name"], language, entry.advanced)
        rows.append(Row(LINE.join([name, *_facts(entry, language, (schema.node_id, entry.id) in LISTED)]), entry))
    return rows


def child_rows(schema: Any, language: str) -> list[Row]:
    """The same for what entries of a dynamic list bring, and for which entries; equal inputs of several are one row."""
    shown = texts(language)[schema.node_id]["inputs"]
    rows: dict[tuple, Row] = {}
    for parent in (entry for entry in schema.inputs if entry.get_io_type() == DYNAMIC):
        for option in parent.options["options"]:
            for child in option.inputs:
                name = _name(child.id, shown[f"{parent.id}_{child.id}"]["name"], language, child.advanced)
                facts = tuple(_facts(child, language))
                options = rows[name, facts, child.tooltip].options if (name, facts, child.tooltip) in rows else ()
                options = (*options, option.key)
                where = WORDS[language]["for"].format(", ".join(options))
                rows[name, facts, child.tooltip] = Row(LINE.join([name, where, *facts]), child, options)
    return list(rows.values())


def output_rows(schema: Any, language: str) -> list[str]:
    """Name and type of each output."""
    shown = texts(language)[schema.node_id]["outputs"] if schema.outputs else {}
    return [
        _name(entry.display_name or entry.id, shown[str(number)]["name"], language) + LINE + _type(entry, language)
        for number, entry in enumerate(schema.outputs)
    ]


def _name(name: str, shown: str, language: str, advanced: bool = False) -> str:
    return (f"`{name}`" if language == "en" else f"{shown} `{name}`") + (" *" if advanced else "")


def _facts(entry: Any, language: str, listed: bool = False) -> list[str]:
    """A line with type and default, and one with the range where there is one."""
    default = "" if listed and entry.default not in ALWAYS else _default(entry, language)
    first = WORDS[language]["comma"].join(filter(None, [_type(entry, language), default]))
    return [line for line in (first, _range(entry, listed, language)) if line]


def _type(entry: Any, language: str) -> str:
    """Types of ComfyUI in capitals, ours in words."""
    kind = entry.get_io_type() if hasattr(entry, "get_io_type") else entry.io_type
    if kind == DYNAMIC:
        kind = "COMBO"
    if kind in (MATCHING, GROWING):
        template = entry.template if kind == MATCHING else entry.template.input.template
        kind = ",".join(allowed.io_type for allowed in template.allowed_types)
    return ", ".join(_word(name, language) for name in kind.split(","))


def _word(name: str, language: str) -> str:
    if not name.startswith(OWN):
        return name
    word = name.removeprefix(OWN).lower().replace("_", " ")
    return WORDS[language].get(word, word)


def _default(entry: Any, language: str) -> str:
    if entry.default is None:
        return WORDS[language]["optional"] if entry.optional else ""
    if entry.get_io_type() in ("INT", "FLOAT"):
        value = _number(entry.default)
    else:
        value = f"`{str(entry.default).lower() if entry.get_io_type() == 'BOOLEAN' else entry.default}`"
    return WORDS[language]["default"].format(value)


def _range(entry: Any, listed: bool, language: str) -> str:
    kind, words = entry.get_io_type(), WORDS[language]
    if listed:
        return words["files"]
    if kind in ("INT", "FLOAT"):
        return words["to"].format(_number(entry.min), _number(entry.max))
    if kind == GROWING:
        return words["to"].format(entry.template.min, len(entry.template.names))
    if kind == DYNAMIC:
        return ", ".join(f"`{option.key}`" for option in entry.options["options"])
    return ", ".join(f"`{option}`" for option in entry.options["options"]) if kind == "COMBO" else ""


def _number(value: float) -> str:
    powers = {2**bits - 1: f"2^{bits} - 1" for bits in (32, 64)}
    written = f"{value:.9f}".rstrip("0").removesuffix(".") if isinstance(value, float) else str(value)
    return powers.get(value, written)
