"""The committed description of all nodes that bundled workflows use says of ours what the schemas say."""

from __future__ import annotations

import os

from tests.nodes import description


def test_our_nodes_are_described_as_their_schemas_are(nodes):
    expected = {name: description.of_schema(node.define_schema()) for name, node in nodes.items()}
    if os.environ.get("WRITE_DESCRIPTION"):
        description.write(expected, ours=True)
    found = {name: entry for name, entry in description.committed().items() if name.startswith(description.OURS)}
    assert found == expected, "write it anew with WRITE_DESCRIPTION=1 and look at what changed"


def test_exactly_the_used_nodes_of_the_core_are_described():
    found = {name for name in description.committed() if not name.startswith(description.OURS)}
    assert found == description.used_core_nodes(), "write them anew on a host: tests/host/test_description.py"
