"""The pack in a host that has just started: quick, silent, and with the nodes that the stub says it has."""

from __future__ import annotations

import json
import re

import pytest

from tests.host.server import PACK
from tests.nodes.host_run import DYNAMIC

pytestmark = pytest.mark.host
IMPORT_SECONDS = 1.5


def test_host_sees_what_the_stub_sees(client, nodes):
    known = client.ask("/object_info")
    for name, node in nodes.items():
        schema, seen = node.define_schema(), known[name]
        assert seen["display_name"] == schema.display_name and seen["category"] == schema.category
        assert seen["output_node"] == schema.is_output_node
        assert seen["search_aliases"] == schema.search_aliases
        assert seen["output"] == [entry.io_type for entry in schema.outputs]
        for entry in schema.inputs:
            kind, options = seen["input"]["optional" if entry.optional else "required"][entry.id]
            assert kind == entry.get_io_type() and options["tooltip"] == entry.tooltip
            for key in ("default", "min", "max", "step", "advanced"):
                assert options.get(key) == entry.options.get(key), (name, entry.id, key)
            if kind == DYNAMIC:
                entries = [option["key"] for option in options["options"]]
                assert entries == [option.key for option in entry.options["options"]]
    assert {name for name in known if name.startswith("ShapeGen4D_")} == set(nodes)


def test_import_is_quick_and_nothing_is_said(own_server):
    """The only line with the pack's name is the host's own, about how long its import took."""
    start = own_server.log.split("Starting server")[0]
    lines = [line for line in start.splitlines() if PACK in line or "shapegen4d" in line.lower()]
    assert len(lines) == 1, lines
    seconds = re.search(r"([\d.]+) seconds", lines[0])
    assert "IMPORT FAILED" not in lines[0] and float(seconds.group(1)) < IMPORT_SECONDS


def test_templates_are_offered_with_their_pictures(client):
    offered = client.ask("/workflow_templates")[PACK]
    assert offered
    for name in offered:
        page = json.loads(client.fetch(f"/api/workflow_templates/{PACK}/{name}.json"))
        assert page["nodes"]
        assert client.fetch(f"/api/workflow_templates/{PACK}/{name}.jpg").startswith(b"\xff\xd8")


def test_every_node_has_its_help_page(client, nodes):
    for name in nodes:
        text = client.fetch(f"/extensions/{PACK}/docs/{name}.md").decode("utf-8")
        assert nodes[name].define_schema().display_name in text
