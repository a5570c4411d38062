"""Running nodes as the host does: in inference mode, with the schema's defaults for what is not given."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import torch

DYNAMIC = "COMFY_DYNAMICCOMBO_V3"
GROWING = "COMFY_AUTOGROW_V3"
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", DYNAMIC)


def children(entry, key):
    """Inputs that the chosen entry of a dynamic list brings."""
    return next(option.inputs for option in entry.options["options"] if option.key == key)


def every_input(schema):
    """Inputs by the name a workflow gives them, those of all entries of dynamic lists included."""
    named = {}
    for entry in schema.inputs:
        named[entry.id] = entry
        if entry.get_io_type() == DYNAMIC:
            for option in entry.options["options"]:
                named.update({f"{entry.id}.{option.key}.{child.id}": child for child in option.inputs})
        if entry.get_io_type() == GROWING:
            named[f"{entry.id}.{entry.template.prefix}"] = entry.template.input
    return named


def run_node(node, **given):
    """NodeOutput of one node class."""
    values = {}
    for entry in node.define_schema().inputs:
        if entry.get_io_type() == GROWING:
            slots = {f"{entry.id}.{name}": name for name in entry.template.names}
            values[entry.id] = {slots[key]: given.pop(key) for key in [*given] if key in slots}
            continue
        chosen = given.pop(entry.id, entry.default)
        if entry.get_io_type() == DYNAMIC:
            nested = {child.id: given.pop(f"{entry.id}.{child.id}", child.default) for child in children(entry, chosen)}
            values[entry.id] = {entry.id: chosen, **nested}
        elif chosen is not None:
            values[entry.id] = chosen
    assert not given, f"{node.__name__} has no inputs {sorted(given)}"
    before = contents(values)
    with torch.inference_mode():
        output = node.execute(**values)
    assert contents(values) == before, f"{node.__name__} changed its inputs, which the host caches and shares"
    return output


def contents(value):
    """What a value holds, comparable: bytes of tensors and arrays, and whatever lies in collections and dataclasses."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().contiguous().view(torch.uint8).numpy() if value.numel() else value.numpy()
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, hashlib.sha256(np.ascontiguousarray(value)).hexdigest()
    if isinstance(value, dict):
        return {key: contents(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [contents(part) for part in value]
    if dataclasses.is_dataclass(value) and not hasattr(value, "parts"):  # a model's networks are the host's to move
        return {field.name: contents(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__


def run_workflow(workflow, nodes, core_nodes):
    """Outputs of an API-format workflow by node id; ``core_nodes`` stand in for the host's own."""
    done = {}

    def value(given):
        if not isinstance(given, list):
            return given
        source, slot = given
        return finish(source)[slot]

    def finish(name):
        if name not in done:
            entry = workflow[name]
            inputs = {key: value(given) for key, given in entry["inputs"].items()}
            if entry["class_type"] in core_nodes:
                done[name] = core_nodes[entry["class_type"]](**inputs)
            else:
                done[name] = run_node(nodes[entry["class_type"]], **inputs).result
        return done[name]

    for name in workflow:
        finish(name)
    return done
