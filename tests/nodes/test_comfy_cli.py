"""The bundled workflows and the pack, through the checks of comfy-cli and comfy-test where they are installed.

COMFY_CLI names the folder that holds their programs, such as the bin folder of a virtual environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from tests.nodes import description

ROOT = description.ROOT
FILES = sorted((ROOT / "workflows").glob("*.json")) + sorted((ROOT / "tests" / "data").glob("*_api.json"))


def program(name):
    found = shutil.which(name, path=os.environ.get("COMFY_CLI") or None)
    if found is None:
        pytest.skip(f"{name} is not installed (COMFY_CLI names the folder of comfy and comfy-test)")
    return found


@pytest.fixture
def run(tmp_path):
    """Run a program that reads no settings of the user and tells nobody; return code and what it wrote."""

    def run(name, *arguments):
        environment = {**os.environ, "HOME": str(tmp_path), "DO_NOT_TRACK": "1", "NO_COLOR": "1"}
        command = [program(name), *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def validate(run):
    def validate(path):
        files = ["--workflow", path, "--input", description.FILE]
        code, text = run("comfy", "--skip-prompt", "workflow", "validate", *files)
        told = next(json.loads(line) for line in text.splitlines() if line.startswith('{"schema"'))
        found = [entry["code"] for kind in ("errors", "warnings") for entry in told["data"][kind]]
        assert (code == 0) == told["data"]["valid"]
        return told["data"], found

    return validate


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_workflows_fit_the_described_nodes(validate, path):
    told, found = validate(path)
    assert told["valid"] and not found, told
    if "nodes" in (page := json.loads(path.read_text(encoding="utf-8"))):
        running = [entry for entry in page["nodes"] if entry["mode"] == 0]  # others are muted
        known = [entry for entry in running if entry["type"] in description.committed()]
        assert told["converted_node_count"] == len(known)


def changed(path, folder, change):
    workflow = json.loads(path.read_text(encoding="utf-8"))
    change(next(entry for entry in workflow.values() if entry["class_type"] == "ShapeGen4D_SaveMeshSequence")["inputs"])
    (folder / "changed.json").write_text(json.dumps(workflow), encoding="ascii")
    return folder / "changed.json"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format": "alembic"}, "unknown_enum_value"),
        ({"meshes": ["1", 0]}, "edge_type_mismatch"),
        ({"meshes": ["1", 7]}, "output_index_out_of_range"),
    ],
)
def test_mistakes_are_found(validate, tmp_path, change, code):
    path = ROOT / "tests" / "data" / "video_to_4d_api.json"
    told, found = validate(changed(path, tmp_path, lambda inputs: inputs.update(change)))
    assert not told["valid"] and code in found


def test_the_registrys_rules(run):
    code, text = run("comfy", "--skip-prompt", "node", "validate")
    assert code == 0 and "passed" in text, text


def test_the_static_lints_of_comfy_test(run):
    code, text = run("comfy-test", "lint", ROOT, "--strict")
    assert code == 0 and "[SYNTAX] PASSED" in text and "[JAVASCRIPT] PASSED" in text, text
