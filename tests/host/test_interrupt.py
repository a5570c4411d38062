"""The stop button during every long node: soon obeyed, nothing half-written, and the next run works."""

from __future__ import annotations

import time

import pytest

from tests.host.long_runs import MANY, PANDA, chain, film, long_nodes
from tests.host.workflows import shown

pytestmark = pytest.mark.host
AT_MOST_SECONDS = 1.0
PRESSED_AFTER = (0.2, 1.5)  # seconds since the node began
QUICK = {"LoadMeshSequence": (0.1,)}  # done within a second
KINDS = (
    "LoadVideoFrames", "Sample4DLatents", "DecodeSDFSequence", "RegisterPose", "TrackTopology", "PropagateTexture",
    "RenderMeshSequence", "LoadMeshSequence", "SaveMeshSequence", "SaveAnimation",
)  # fmt: skip


@pytest.fixture(scope="module")
def before(client, own_server, nodes, tmp_path_factory):
    """What stands before the long nodes, done and kept by the host."""
    client.upload(PANDA, "3d")
    name = client.upload(film(tmp_path_factory.mktemp("film") / "long.mp4", MANY))
    workflow = chain(nodes, name)
    assert client.run(workflow).status == "execution_success"
    return workflow, name


@pytest.mark.parametrize("kind", KINDS)
def test_interrupt(client, own_server, nodes, before, figures, kind):
    """Wall time from the button to the host's word; on a busy machine, the time that the host really computed."""
    workflow, name = before
    files = own_server.files()
    longer = {**workflow, "long": long_nodes(nodes, name)[kind], "look": shown(["long", 0])}
    for seconds in QUICK.get(kind, PRESSED_AFTER):
        run = client.start(longer)
        client.wait_for(lambda event: event.kind == "executing" and event.data["node"] == "long", 60)
        time.sleep(seconds)
        computed = own_server.cpu()
        pressed = client.interrupt()
        word = client.wait_for(lambda event: event.kind in ("execution_interrupted", "execution_success"), 60)
        computed = own_server.cpu() - computed
        client.finish(run, 60)
        assert run.status == "execution_interrupted", f"{kind} was done {seconds} s after it began"
        assert word.data["node_id"] == "long"
        took = word.seconds - pressed
        figures.append(f"{kind} interrupted after {seconds} s: {took:.2f} s, {computed:.2f} s of computing")
        assert min(took, computed) < AT_MOST_SECONDS, figures[-1]
        assert own_server.files() == files
    again = client.run(workflow)
    assert again.status == "execution_success" and again.ran == []
