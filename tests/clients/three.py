"""Finds three.js and Chromium, serves a page that plays files, and collects what the page posts back."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shapegen4d_core.camera import Camera
from tests.clients.cases import Written
from tests.clients.seen import Seen

HERE = Path(__file__).parent
VIEW = Camera(25, 15, 3.6, (0.1, 0.0, 0.1), 35, 160, 160)
THREE_ABSENT = "three.js not found; npm install three, and set THREE_MODULES to the folder it was run in"
CHROMIUM_ABSENT = "Chromium not found; install it, or set CHROMIUM to the program"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SOFTWARE = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
TYPES = {".html": "text/html", ".js": "text/javascript", ".glb": "model/gltf-binary", ".json": "application/json"}
TYPES |= {suffix: "model/vnd.usd" for suffix in (".usda", ".usdc", ".usdz")}


def three_folder() -> Path | None:
    """The folder of the npm package three, below THREE_MODULES or .venv/node of the checkout; None without one."""
    for folder in (os.environ.get("THREE_MODULES"), HERE.parents[1] / ".venv" / "node"):
        if folder and (Path(folder) / "node_modules" / "three" / "build" / "three.module.js").is_file():
            return Path(folder) / "node_modules" / "three"
    return None


def chromium() -> str | None:
    """The browser, from CHROMIUM or the PATH; None when there is none."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in BROWSERS if (found := shutil.which(name))), None)


class _Server(ThreadingHTTPServer):
    """Serves the page, three.js and the files; keeps the answers."""

    def __init__(self, folder: Path, written: list[Written]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.files = folder, [entry.path for entry in written]
        self.answers: dict[int, dict[str, Any]] = {}
        self.done, self.failure = threading.Event(), ""
        jobs = [
            {"url": f"/files/{number}/{entry.path.name}", "answer": f"/answers/{number}", "seconds": entry.seconds}
            for number, entry in enumerate(written)
        ]
        view = {"eye": VIEW.eye().tolist(), "look_at": VIEW.look_at, "fov_degrees": VIEW.fov_degrees}
        self.jobs = {"jobs": jobs, "view": {**view, "width": VIEW.width, "height": VIEW.height}}

    def content(self, path: str) -> tuple[bytes, str] | None:
        """What a path stands for and its type; None for anything that is not of this test."""
        if path == "/jobs":
            return json.dumps(self.jobs).encode(), TYPES[".json"]
        kind, _, rest = path[1:].partition("/")
        if kind == "files":
            number, _, name = rest.partition("/")
            file = self.files[int(number)].with_name(name)  # the file itself or a texture beside it
            return (file.read_bytes(), TYPES.get(file.suffix, "image/png")) if file.is_file() else None
        if kind == "three":
            file = (self.folder / rest).resolve()
            if not file.is_relative_to(self.folder.resolve()) or not file.is_file():
                return None
            return file.read_bytes(), TYPES[".js"]
        if path in ("/three_page.html", "/three_player.js"):
            return (HERE / path[1:]).read_bytes(), TYPES[Path(path).suffix]
        return None


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        found = self.server.content(self.path)
        self._reply(404 if found is None else 200, *(found or (b"", "text/plain")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/done":
            self.server.failure = body.decode("utf-8")
            self.server.done.set()
        else:
            self.server.answers[int(self.path.rpartition("/")[2])] = json.loads(body)
        self._reply(200, b"", "text/plain")

    def _reply(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Requests are not reported."""


def ask_three(folder: Path, browser: str, written: list[Written], scratch: Path, timeout: float = 180) -> list[Seen]:
    """Play every file in one headless browser and return what it shows. Raises AssertionError with its words."""
    server = _Server(folder, written)
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.05), daemon=True)
    thread.start()
    page = f"http://127.0.0.1:{server.server_address[1]}/three_page.html"
    options = [*SOFTWARE, "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run"]
    log = scratch / "browser.log"
    with open(log, "wb") as output:
        command = [browser, *options, f"--user-data-dir={scratch / 'profile'}", page]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            finished = server.done.wait(timeout)
        finally:
            process.terminate()
            process.wait(30)
            server.shutdown()
            server.server_close()
            thread.join()
    words = log.read_text(encoding="utf-8", errors="replace")[-4000:]
    assert finished, f"{len(server.answers)} of {len(written)} files were played in {timeout:.0f} s\n{words}"
    assert not server.failure, server.failure
    return [_seen(server.answers[number]) for number in range(len(written))]


def _array(text: str, kind: type, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind).reshape(-1, *shape)


def _screenshot(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA"))


def _seen(answer: dict[str, Any]) -> Seen:
    if "error" in answer["facts"]:
        return Seen([], [], [], answer["facts"])
    times, texture = answer["times"], answer["texture"]
    corners = [_array(time["corners"], np.int32, 3) for time in times]
    uv = [_array(time["uv"], np.float64, 2) for time in times]
    if texture is not None:
        texture = _array(texture["pixels"], np.uint8).reshape(texture["height"], texture["width"], 4)
    return Seen(
        positions=[_array(time["positions"], np.float64, 3) for time in times],
        corners=corners,
        uv=[values[faces] if len(values) else np.zeros((0, 3, 2)) for values, faces in zip(uv, corners)],
        facts={**answer["facts"], "cameras": [time["camera"] for time in times]},
        texture=texture,
        screenshots=[_screenshot(time["screenshot"]) for time in times],
        normals=[_screenshot(time["normals"]) for time in times],
    )
