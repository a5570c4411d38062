"""The bundled workflows as the page stores them, and what they mean to the host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.nodes import description
from tests.nodes.host_run import DYNAMIC, WIDGETS

PAGES = sorted((description.ROOT / "workflows").glob("*.json"))
API = description.ROOT / "tests" / "data"
TITLE, SOCKET, WIDGET, EDGE = 30, 20, 24, 14  # pixels of the page: bar, row of a socket, row of a widget, the rest
UPLOAD_OR_VIEWER = {"LoadVideo": 1, "Preview3D": 1, "SaveGLB": 1}  # widgets that only the page has, behind the others
NOT_RUN = (2, 4)  # muted and bypassed


def read(path: Path) -> dict[str, Any]:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def api_copy(name: str) -> dict[str, Any]:
    """The API form of a bundled workflow, by its name, that is kept with the tests."""
    return read(API / f"{name}_api.json")


def widget_values(entry: dict[str, Any]) -> dict[str, Any]:
    """Values by widget name; pages store them by position, with one more entry after a seed."""
    values = entry.get("widgets_values", [])
    names: list[str] = []
    for members in description.committed()[entry["type"]]["input"].values():
        for name, (kind, *options) in members.items():
            given = dict(*options)
            if kind in WIDGETS or "widgetType" in given:
                chosen = values[len(names)]
                names += [name] + ["after generate"] * given.get("control_after_generate", False)
                if kind == DYNAMIC:
                    inputs = next(option["inputs"] for option in given["options"] if option["key"] == chosen)
                    names += [f"{name}.{child}" for children in inputs.values() for child in children]
    assert len(values) == len(names) + UPLOAD_OR_VIEWER.get(entry["type"], 0), entry["type"]
    found = dict(zip(names, values))
    found.pop("after generate", None)
    return found


def to_api(page: dict[str, Any]) -> dict[str, Any]:
    """The API form of a page's workflow, without titles."""
    links = {link[0]: [str(link[1]), link[2]] for link in page["links"]}
    result = {}
    for entry in page["nodes"]:
        if entry["type"] in description.PAGE_ONLY or entry["mode"] in NOT_RUN:
            continue
        linked = {slot["name"]: links[slot["link"]] for slot in entry["inputs"] if slot["link"] is not None}
        result[str(entry["id"])] = {"class_type": entry["type"], "inputs": {**widget_values(entry), **linked}}
    return result


def box(entry: dict[str, Any]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a node with its bar."""
    (x, y), (width, height) = entry["pos"], entry["size"]
    return x, y - TITLE, x + width, y + height


def least_height(entry: dict[str, Any]) -> int:
    """What the page gives a node at least."""
    sockets = [slot for slot in entry["inputs"] if "widget" not in slot]
    rows = max(len(sockets), len(entry["outputs"]))
    return SOCKET * rows + WIDGET * len(entry.get("widgets_values", ())) + EDGE if entry["inputs"] else 0
