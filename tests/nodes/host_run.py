"""Running nodes as the host does: in inference mode, with the schema's defaults for what is not given."""

from __future__ import annotations

import torch


def run_node(node, **given):
    """NodeOutput of one node class."""
    values = {}
    for entry in node.define_schema().inputs:
        if entry.id in given:
            values[entry.id] = given.pop(entry.id)
        elif entry.default is not None:
            values[entry.id] = entry.default
    assert not given, f"{node.__name__} has no inputs {sorted(given)}"
    with torch.inference_mode():
        return node.execute(**values)


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
