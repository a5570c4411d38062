"""Against a running ComfyUI that has this pack: what the stub claims, and the bundled workflow end to end."""

from __future__ import annotations

import json
import os
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
URL = os.environ.get("COMFYUI_URL", "").rstrip("/")
pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not URL, reason="COMFYUI_URL does not name a running ComfyUI with this pack"),
]
PATIENCE_SECONDS = 600


def ask(path, data=None, kind="application/json"):
    request = urllib.request.Request(f"{URL}{path}", data=data, headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_host_sees_what_the_stub_sees(nodes):
    known = ask("/object_info")
    for name, node in nodes.items():
        schema, seen = node.define_schema(), known[name]
        assert seen["display_name"] == schema.display_name and seen["category"] == schema.category
        assert seen["output_node"] == schema.is_output_node
        assert seen["output"] == [entry.io_type for entry in schema.outputs]
        for entry in schema.inputs:
            kind, options = seen["input"]["optional" if entry.optional else "required"][entry.id]
            assert kind == entry.get_io_type() and options["tooltip"] == entry.tooltip
            for key in ("default", "min", "max", "step", "advanced"):
                assert options.get(key) == entry.options.get(key), (name, entry.id, key)


def upload(path):
    """Put a file into the host's input folder; its name there."""
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{path.name}"\r\n\r\n'
    body = head.encode() + path.read_bytes() + f"\r\n--{mark}--\r\n".encode()
    return ask("/upload/image", body, f"multipart/form-data; boundary={mark}")["name"]


def test_bundled_workflow_runs():
    workflow = json.loads((ROOT / "tests" / "data" / "video_to_4d_api.json").read_text(encoding="utf-8"))
    workflow["2"]["inputs"]["file"] = upload(ROOT / "workflows" / "creature.webm")
    workflow["6"]["inputs"]["seed"] = uuid.uuid4().int % 2**32  # not cached
    workflow["7"]["inputs"]["resolution"] = 32
    job = ask("/prompt", json.dumps({"prompt": workflow}).encode())["prompt_id"]
    end = time.monotonic() + PATIENCE_SECONDS
    while job not in (history := ask(f"/history/{job}")):
        assert time.monotonic() < end, "the workflow did not finish"
        time.sleep(1)
    done = history[job]
    assert done["status"]["status_str"] == "success", done["status"]
    (saved,) = done["outputs"]["8"]["3d"]
    assert saved["filename"].endswith(".glb") and saved["subfolder"] == "3d"
    assert done["outputs"]["9"]["result"][0].endswith(".glb")
