"""After a run and the buttons that free models and results, the host's process is as small as before."""

from __future__ import annotations

import time

import pytest

from tests.host.workflows import example_meshes, ours, shown

pytestmark = pytest.mark.host
TIMES = 5
GROWTH = 1.1
SETTLED_SECONDS = 0.7  # in which an idle host does what it was told


def workflow(nodes, seed):
    """From the example clip to textured pictures and a file, nothing of it kept from the run before."""
    return {
        **example_meshes(nodes, {"size": 512}, steps=4, resolution=64, seed=seed),
        "images": ours(nodes, "RenderMeshSequence", meshes=["meshes", 0], width=256, height=256),
        "saved": ours(nodes, "SaveMeshSequence", meshes=["meshes", 0], filename_prefix="3d/memory"),
        "shown": shown(["images", 0]),
    }


def freed(client, own_server, number):
    """MiB of the process when the host has let go, and when the C library has, too.

    A word given while the host tidies up is only heard with the next one.
    """
    for _ in range(3):
        client.free()
        time.sleep(SETTLED_SECONDS)
    left = own_server.rss()
    client.run({"back": {"class_type": "GiveBack", "inputs": {"number": number}}})
    return left / 2**20, own_server.rss() / 2**20


def test_memory_returns_five_times_in_a_row(client, own_server, nodes, figures):
    left = []
    freed(client, own_server, -1)  # of what other tests left
    for number in range(1 + TIMES):
        run = client.run(workflow(nodes, number))
        assert run.status == "execution_success" and "model" in run.ran, run.error
        left.append(freed(client, own_server, number))
    figures.append("MiB after a run and freeing: " + ", ".join(f"{size:.0f}" for size, _ in left))
    figures.append("MiB of these in use: " + ", ".join(f"{size:.0f}" for _, size in left))
    first, *others = (size for _, size in left)
    assert max(others) < GROWTH * first, left
