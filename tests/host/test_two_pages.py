"""Two pages that queue at the same time: both get their own results and their own events."""

from __future__ import annotations

import threading

import pytest

from tests.host.client import Client
from tests.host.workflows import example_meshes, ours, shown

pytestmark = pytest.mark.host


def workflow(nodes, seed):
    return {
        **example_meshes(nodes, {"count": 3}, steps=5, resolution=24, seed=seed),
        "saved": ours(nodes, "SaveMeshSequence", meshes=["meshes", 0], filename_prefix="3d/page"),
        "path": shown(["saved", 1]),
    }


def test_two_pages_at_once(server, nodes):
    pages = [Client(server.url), Client(server.url)]
    runs = [None, None]

    def work(number):
        runs[number] = pages[number].run(workflow(nodes, 100 + number), 120)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert [run.status for run in runs] == ["execution_success"] * 2
        assert runs[0].job != runs[1].job and all("latents" in run.ran for run in runs)
        names = {run.outputs["path"]["text"][0] for run in runs}
        assert len(names) == 2
        contents = [pages[0].download({**run.outputs["saved"]["3d"][0]}) for run in runs]
        assert contents[0] != contents[1]  # another seed, another shape
        for run, other in (runs, runs[::-1]):
            assert all(event.data.get("prompt_id") != other.job for event in run.events if event.kind != "binary")
    finally:
        for page in pages:
            page.close()
