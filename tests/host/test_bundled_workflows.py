"""Every bundled workflow that needs no download, queued as its API copy says: results, progress, pictures, caching."""

from __future__ import annotations

import io
import json
import os

import pytest
import trimesh

from shapegen4d_core.manifest import MANIFEST
from tests.host import reopen
from tests.host.client import Refused, Run
from tests.host.workflows import OURS, downloads, of_kind, ready, smaller
from tests.nodes.pages import PAGES, api_copy

pytestmark = pytest.mark.host
FULL = os.environ.get("HOST_TESTS") == "full"  # with the settings of the files: minutes instead of seconds
QUIET = {  # nothing to count
    "LoadShapeGen4DModel",
    "ExampleVideo",
    "SaveLatents",
    "LoadLatents",
    "PickFrames",
    "JoinSequences",
    "MeshSequenceToMesh",
    "MeshToMeshSequence",
}
NAMES = [page.stem for page in PAGES if not downloads(page)]


class Runs:
    """Each workflow is run once, whichever test asks for it first."""

    def __init__(self, client, folder):
        self.client, self.folder, self.done = client, folder, {}

    def __call__(self, name: str) -> tuple[dict, Run]:
        if name not in self.done:
            workflow = ready(name, self.client, self.folder)
            workflow = workflow if FULL else smaller(workflow)
            self.done[name] = workflow, self._run(workflow)
        return self.done[name]

    def _run(self, workflow: dict) -> Run:
        try:
            return self.client.run(workflow)
        except Refused as refused:
            said = str(refused)
            if "pip install" in said:  # a format whose library the host does not have
                pytest.skip(said)
            raise


@pytest.fixture(scope="module")
def runs(client, tmp_path_factory):
    return Runs(client, tmp_path_factory.mktemp("chosen"))


def test_there_are_some():
    assert "video_to_4d" in NAMES and "quick_start_tiny" in NAMES and "text_to_video_to_4d" not in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_finishes_and_its_files_open_elsewhere(runs, client, name, tmp_path):
    workflow, run = runs(name)
    assert run.status == "execution_success", run.error
    saved = [
        (node, entry)
        for node, output in run.outputs.items()
        for key in ("3d", "images")
        for entry in output.get(key, ())
    ]
    assert saved and len({entry["filename"] for _, entry in saved}) == len(saved)
    for node, entry in saved:
        content = client.download({key: entry[key] for key in ("filename", "subfolder", "type")})
        if not workflow[node]["class_type"].startswith(OURS) and entry["filename"].endswith(".glb"):
            assert len(trimesh.load(io.BytesIO(content), file_type="glb", force="mesh").faces) > 100  # a still
        elif entry["filename"].endswith(".glb"):
            check_model(reopen.model(content), workflow)
        else:
            assert reopen.picture_count(entry["filename"], content) >= 1
    for node in of_kind(workflow, "SaveMeshSequence"):
        check_text(run.outputs.get(node, {}), client, tmp_path)
    for output in run.outputs.values():
        if "result" in output:  # what Preview 3D plays
            shown = client.download({"filename": output["result"][0], "subfolder": "", "type": "output"})
            assert reopen.model(shown).seconds > 0


def check_model(model, workflow):
    """Morph targets share one mesh, a flip book has one per frame; either plays for as long as the frames last."""
    assert model.meshes in (1, model.frames) and model.triangles > 100 and model.frames > 1
    assert model.seconds == pytest.approx(model.frames / model.fps, abs=1.01 / model.fps)
    kept = json.loads(model.extras["prompt"])  # so that a dropped file opens its workflow
    for entry in kept.values():
        entry.pop("is_changed", None)  # a note of the host
    assert kept == workflow


def check_text(output, client, folder):
    """A file that is no GLB, or a folder, is only named in the node's text: name, frames and size."""
    for text in output.get("text", ()):
        name, frames = text.split(": ")[0], int(text.split(": ")[1].split()[0])
        place, _, file = (name if "." in name else f"{name}/{MANIFEST}").rpartition("/")
        content = client.download({"filename": file, "subfolder": place, "type": "output"})
        assert not file.endswith("usdz") or reopen.points(file, content, folder) == frames


@pytest.mark.parametrize("name", NAMES)
def test_progress_of_every_long_node(runs, name):
    """Each reports steps between nothing and all, never back."""
    workflow, run = runs(name)
    ours = [node for node in run.ran if workflow[node]["class_type"].startswith(OURS)]
    assert ours
    for node in ours:
        kind = workflow[node]["class_type"].removeprefix(OURS)
        if kind not in QUIET:
            parts = [value / most for value, most in run.progress(node)]
            assert parts and parts == sorted(parts), (kind, parts)
            assert 0 <= parts[0] and 0.5 <= parts[-1] <= 1, (kind, parts)


@pytest.mark.parametrize("name", [name for name in NAMES if of_kind(api_copy(name), "Sample4DLatents")])
def test_pictures_while_sampling(runs, name):
    """JPEGs of the sequence come while the sampler runs, and from no other node."""
    workflow, run = runs(name)
    (sampler,) = of_kind(workflow, "Sample4DLatents")
    starts = [event for event in run.told("executing")]
    number = next(index for index, event in enumerate(starts) if event.data["node"] == sampler)
    began, ended = starts[number].seconds, starts[number + 1].seconds
    pictures = run.told("binary")
    assert pictures
    for event in pictures:
        assert began <= event.seconds <= ended
        assert event.data[:8] == b"\0\0\0\1\0\0\0\1"  # a preview, as JPEG
        assert reopen.picture_count("preview.jpg", event.data[8:]) == 1
