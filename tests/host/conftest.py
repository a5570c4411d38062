"""A ComfyUI that the tests start themselves: COMFYUI_DIR names its checkout, COMFYUI_PYTHON the Python it runs with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.host.client import Client
from tests.host.server import Server, start

DIRECTORY, URL = os.environ.get("COMFYUI_DIR", ""), os.environ.get("COMFYUI_URL", "").rstrip("/")
ABSENT = "COMFYUI_DIR does not name a checkout of ComfyUI (and COMFYUI_URL no running one with this pack)"


_LONGEST = 700  # characters of a sentence
_figures: list[str] = []


@pytest.fixture
def figures():
    """Lines for the end of the report: what was measured."""
    return _figures


def pytest_terminal_summary(terminalreporter):
    if _figures:
        terminalreporter.section("measured on the host")
        for line in _figures:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def comfyui():
    """The checkout of ComfyUI."""
    if not DIRECTORY or not (Path(DIRECTORY) / "main.py").is_file():
        pytest.skip(ABSENT)
    return Path(DIRECTORY)


@pytest.fixture(scope="session")
def server(request, tmp_path_factory):
    """A running host: our own, or the one at COMFYUI_URL, whose process and folders are out of reach."""
    if URL:
        yield Server(URL)
        return
    running = start(request.getfixturevalue("comfyui"), tmp_path_factory.mktemp("comfyui"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def own_server(server):
    """The host, whose log, memory and folders can be looked at."""
    if server.process is None:
        pytest.skip("The host at COMFYUI_URL is somebody else's; set COMFYUI_DIR instead")
    return server


@pytest.fixture(scope="session")
def client(server):
    """A page on the host."""
    page = Client(server.url)
    yield page
    page.close()


@pytest.fixture
def fails(client, own_server, figures):
    """Run a workflow that must fail at one of our nodes; what the user reads."""

    def run(workflow):
        files = own_server.files()
        done = client.run(workflow, 120)
        assert done.status == "execution_error", f"{done.status}: {done.outputs}"
        told = done.error["exception_message"].strip()
        figures.append(f"{done.error['node_type'].removeprefix('ShapeGen4D_')}: {told}")
        assert done.error["node_type"].startswith("ShapeGen4D_"), told
        assert "\n" not in told and told[-1] == "." and len(told) < _LONGEST and "Traceback" not in told, told
        assert own_server.files() == files and own_server.alive()
        return told

    return run
