"""What the page shows of a node, in the form of ``locales/<language>/nodeDefs.json``."""

from __future__ import annotations

from tests.nodes.host_run import DYNAMIC


def entries(nodes):
    """Names, descriptions and tooltips by node id; the keys are those the page looks up."""
    return {name: entry(node.define_schema()) for name, node in nodes.items()}


def entry(schema):
    """One node: display_name, description, inputs by name, outputs by number."""
    inputs = {}
    for given in schema.inputs:
        inputs[given.id] = {"name": given.display_name or given.id, "tooltip": given.tooltip}
        if given.get_io_type() == DYNAMIC:
            inputs |= children(given)
    outputs = {
        str(number): {"name": given.display_name or given.id, "tooltip": given.tooltip}
        for number, given in enumerate(schema.outputs)
    }
    return {
        "display_name": schema.display_name,
        "description": schema.description,
        "inputs": inputs,
        **({"outputs": outputs} if outputs else {}),
    }


def children(given):
    """Inputs that the entries of a dynamic list bring; the page has one translation for all entries that bring one."""
    found = {}
    for child in (child for option in given.options["options"] for child in option.inputs):
        said = found.setdefault(f"{given.id}_{child.id}", {"name": child.id, "tooltip": child.tooltip})
        assert said["tooltip"] == child.tooltip, f"{child.id} of {given.id} has one tooltip for all entries of the list"
    return found
