"""A disk that is full in the middle of a file: one sentence, and the beginning of the file is not left behind.

The system is told to let the host's files grow to a size that what is saved here exceeds, which fails in the same place
as a full disk.
"""

from __future__ import annotations

import numpy as np
import pytest

from shapegen4d_core.sequence import MeshSequence
from tests.host.client import Refused
from tests.host.workflows import ours, shown

resource = pytest.importorskip("resource")
pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no limits of other processes on this system"),
]
ROOM = 600_000  # bytes; the host's own log is smaller, every file that is saved here larger
SIDE = 150  # of a grid of vertices


@pytest.fixture
def full_disk(own_server):
    """Files of the host cannot grow beyond ROOM."""
    assert len(own_server.log) < ROOM - 100_000, "the log would be cut off, too"
    number = own_server.process.pid
    before = resource.prlimit(number, resource.RLIMIT_FSIZE)
    resource.prlimit(number, resource.RLIMIT_FSIZE, (ROOM, before[1]))
    yield
    resource.prlimit(number, resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def large(client, own_server, tmp_path_factory):
    """A waving sheet of many vertices in the host's input folder; its name."""
    y, x = (axis.reshape(-1) / SIDE for axis in np.mgrid[:SIDE, :SIDE])
    frames = [np.float32(np.stack([x, y, 0.1 * np.sin(9 * x + frame)], axis=1)) for frame in range(4)]
    corner = (np.arange(SIDE * (SIDE - 1)).reshape(SIDE - 1, SIDE)[:, :-1]).reshape(-1, 1)
    faces = np.int32(np.concatenate([corner + [0, 1, SIDE], corner + [1, SIDE + 1, SIDE]]))
    path = tmp_path_factory.mktemp("large") / "sheet.safetensors"
    MeshSequence(tuple(frames), (faces,) * 4, 8.0).save(path)
    return f"3d/{client.upload(path, '3d')}"


MESHES = {"meshes": ["sheet", 0], "filename_prefix": "3d/full"}
IMAGES = {"images": ["noise", 0], "filename_prefix": "3d/full"}
SAVES = {"for viewers": ("MeshSequenceToFile3D", {"meshes": ["sheet", 0]})}
FORMATS = ("glb", "glb with bones", "usd", "file per frame", "point cache", "safetensors")
SAVES |= {format: ("SaveMeshSequence", {**MESHES, "format": format}) for format in FORMATS}
FORMATS = ("mp4", "webp", "gif", "contact sheet", "png files")
SAVES |= {format: ("SaveAnimation", {**IMAGES, "format": format}) for format in FORMATS}


@pytest.mark.parametrize("what", SAVES)
def test_nothing_is_left_of_a_file_that_does_not_fit(client, nodes, large, fails, full_disk, what):
    kind, given = SAVES[what]
    workflow = {
        "sheet": ours(nodes, "LoadMeshSequence", file=large),
        "noise": {"class_type": "NoiseImages", "inputs": {"side": 512, "count": 8}},
        "save": ours(nodes, kind, **given),
        "shown": shown(["save", 0]),
    }
    if what == "glb with bones":
        workflow["save"]["inputs"]["format.joints"] = 1
    try:
        told = fails(workflow)
    except Refused as refused:
        assert what == "usd" and "pip install usd-core" in str(refused)
        pytest.skip("The host's Python has no usd-core")
    assert "full" in told or what == "for viewers"
