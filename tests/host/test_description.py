"""The committed description of nodes, against a real host."""

from __future__ import annotations

import os

import pytest

from tests.nodes import description

pytestmark = pytest.mark.host


def test_our_nodes_are_described_as_the_host_does(client, nodes):
    known, kept = client.ask("/object_info"), description.committed()
    for name in nodes:
        assert kept[name] == description.of_host(name, known[name]), name


def test_nodes_of_the_core_are_described_as_far_as_they_are_used(client):
    """The host may have more inputs, outputs and choices: a workflow names only what it uses."""
    known = client.ask("/object_info")
    if os.environ.get("WRITE_DESCRIPTION"):
        names = description.used_core_nodes()
        description.write({name: description.core_node(name, known[name]) for name in names}, ours=False)
    kept = description.committed()
    for name in description.used_core_nodes():
        host = description.of_host(name, known[name])
        assert kept[name]["output"] == host["output"][: len(kept[name]["output"])], name
        for group, members in kept[name]["input"].items():
            for key, (kind, *options) in members.items():
                assert host["input"][group][key][0] == kind, (name, key)
                theirs = (host["input"][group][key] + [{}])[1]
                for choice in dict(*options).get("options", ()):
                    assert choice in theirs["options"], (name, key, choice)
