"""What a workflow needs to know of every node it uses, in the form of the host's /object_info, one node per line.

    WRITE_DESCRIPTION=1 python -m pytest -n 0 tests/nodes/test_description.py    # writes our nodes anew
    WRITE_DESCRIPTION=1 python -m pytest -n 0 tests/host/test_description.py     # the core's, from a real host
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "tests" / "data" / "object_info.json"
OURS = "ShapeGen4D_"
PAGE_ONLY = {"MarkdownNote"}  # nodes that the host knows nothing of
KEPT = ("default", "min", "max", "options", "control_after_generate", "multiline", "template", "widgetType")
FROM_DISK = {  # lists of files: what they offer is different everywhere, so they are left out
    f"{OURS}LoadShapeGen4DModel.model",
    f"{OURS}LoadModelFiles.denoiser",
    f"{OURS}LoadModelFiles.vae",
    f"{OURS}LoadModelFiles.image_encoder",
    f"{OURS}LoadModelFiles.adapter",
    f"{OURS}LoadModelFiles.label_encoder",
    f"{OURS}LoadImageSequence.folder",
    f"{OURS}LoadMeshSequence.file",
    f"{OURS}LoadLatents.file",
    f"{OURS}RegisterPose.dreamsim",
    f"{OURS}RegisterPose.vggt",
    "LoadVideo.file",
    "LoadBackgroundRemovalModel.bg_removal_name",
    "UNETLoader.unet_name",
    "CLIPLoader.clip_name",
    "VAELoader.vae_name",
}


def committed() -> dict[str, Any]:
    """The description that is kept with the sources."""
    return json.loads(FILE.read_text(encoding="ascii")) if FILE.exists() else {}


def used_core_nodes() -> set[str]:
    """Kinds of the core's nodes that bundled workflows use and the host knows."""
    pages = [json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "workflows").glob("*.json")]
    kinds = {entry["type"] for page in pages for entry in page["nodes"]} - PAGE_ONLY
    return {kind for kind in kinds if not kind.startswith(OURS)}


def of_host(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Inputs and outputs of one entry of /object_info."""
    groups = {group: entry["input"].get(group, {}) for group in ("required", "optional")}
    inputs = {
        group: {key: _of_host_input(f"{name}.{key}", given) for key, given in members.items()}
        for group, members in groups.items()
    }
    return _node(inputs, entry["output"], entry["output_name"], entry.get("output_matchtypes"), entry["output_node"])


def core_node(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The same of a node of the core, with no more of its lists than bundled workflows choose."""
    node, chosen = of_host(name, entry), _choices(name)
    for members in node["input"].values():
        for key, (_, *options) in members.items():
            for given in options:
                if "options" in given:
                    wanted = chosen.get(key, set())
                    given["options"] = [choice for choice in given["options"] if _key(choice) in wanted]
    return node


def _key(choice: Any) -> Any:
    return choice["key"] if isinstance(choice, dict) else choice


def _choices(kind: str) -> dict[str, set[str]]:
    """Texts that the API copies give to the inputs of a kind of node."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests" / "data").glob("*_api.json"):
        for entry in json.loads(path.read_text(encoding="utf-8")).values():
            if entry["class_type"] == kind:
                for key, value in entry["inputs"].items():
                    found.setdefault(key, set()).update({value} if isinstance(value, str) else set())
    return found


def of_schema(schema: Any) -> dict[str, Any]:
    """The same of a schema as the stub keeps it."""
    inputs: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
    for given in schema.inputs:
        place = f"{schema.node_id}.{given.id}"
        inputs["optional" if given.optional else "required"][given.id] = _of_input(place, given)
    kinds = [output.io_type for output in schema.outputs]
    names = [output.display_name or output.id for output in schema.outputs]
    matched = [getattr(getattr(output, "template", None), "template_id", None) for output in schema.outputs]
    return _node(inputs, kinds, names, matched, schema.is_output_node)


def _node(inputs: dict, kinds: list, names: list, matched: list | None, saves: bool) -> dict[str, Any]:
    filled = {group: members for group, members in inputs.items() if members}
    order = {group: list(members) for group, members in filled.items()}
    node = {"input": filled, "input_order": order, "output": list(kinds), "output_name": list(names)}
    if any(matched or ()):
        node["output_matchtypes"] = matched
    return node | ({"output_node": True} if saves else {})


def _of_host_input(place: str, given: list[Any]) -> list[Any]:
    kind, options = given[0], dict(given[1]) if len(given) > 1 else {}
    if isinstance(kind, list):  # how the core's older nodes give a list
        kind, options["options"] = "COMBO", kind
    if kind == "COMFY_DYNAMICCOMBO_V3":
        options["options"] = [
            {"key": option["key"], "inputs": {
                group: {key: _of_host_input(f"{place}.{key}", child) for key, child in members.items()}
                for group, members in option["inputs"].items() if members
            }}
            for option in options["options"]
        ]  # fmt: skip
    if kind == "COMFY_AUTOGROW_V3":
        ((group, members),) = [(group, found) for group, found in options["template"]["input"].items() if found]
        inner = {key: _of_host_input(f"{place}.{key}", child) for key, child in members.items()}
        options["template"] = {**options["template"], "input": {group: inner}}
    return _input(place, kind, options)


def _of_input(place: str, given: Any) -> list[Any]:
    kind, options = given.get_io_type(), dict(given.options)
    if kind == "COMFY_DYNAMICCOMBO_V3":
        options["options"] = [
            {"key": option.key, "inputs": {
                "required": {child.id: _of_input(f"{place}.{child.id}", child) for child in option.inputs}
            } if option.inputs else {}}
            for option in given.options["options"]
        ]  # fmt: skip
    if kind == "COMFY_MATCHTYPE_V3":
        options["template"] = _matched(given.template)
    if kind == "COMFY_AUTOGROW_V3":
        template, one = given.template, given.template.input
        inner = {one.id: _of_input(f"{place}.{one.id}", one)}
        options["template"] = {
            "input": {"required": inner}, "prefix": template.prefix, "min": template.min, "max": template.max
        }  # fmt: skip
    return _input(place, kind, options)


def _matched(template: Any) -> dict[str, Any]:
    kinds = ",".join(kind.io_type for kind in template.allowed_types)
    return {"template_id": template.template_id, "allowed_types": kinds}


def _input(place: str, kind: str, options: dict[str, Any]) -> list[Any]:
    """Type and what a value must obey; what is said or shown on the page is left out, like what is not set."""
    kept = {key: options[key] for key in KEPT if options.get(key) is not None}
    kept = {key: value for key, value in kept.items() if value is not False or key == "default"}
    if place in FROM_DISK:
        kept = {key: value for key, value in kept.items() if key not in ("options", "default")}
    return [kind, kept] if kept else [kind]


def write(nodes: dict[str, Any], ours: bool) -> None:
    """Put these in the place of all of ours, or of all of the core's."""
    kept = {name: entry for name, entry in committed().items() if name.startswith(OURS) != ours}
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted((kept | nodes).items())]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")
