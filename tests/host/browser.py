"""Chromium without a window, led over its DevTools: one page that is shown, asked, clicked and photographed."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.clients.three import SOFTWARE
from tests.host.websocket import WebSocket

QUIET = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--mute-audio", "--hide-scrollbars",
)  # fmt: skip
SIZE = (1600, 1000)


class Page:
    """The only page of a browser of its own; ``close`` ends both. ``said`` is what it complained about."""

    def __init__(self, program: str, folder: Path) -> None:
        profile = folder / "profile"
        self._log = open(folder / "browser.log", "wb")
        command = [program, *SOFTWARE, *QUIET, f"--window-size={SIZE[0]},{SIZE[1]}", f"--user-data-dir={profile}"]
        command += ["--remote-debugging-port=0", "about:blank"]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        self._number, self._answers, self._news = 0, {}, threading.Condition()
        self.said: list[str] = []
        try:
            self._socket = WebSocket(self._address(profile / "DevToolsActivePort"))
        except BaseException:
            self._process.kill()
            raise
        threading.Thread(target=self._listen, daemon=True).start()
        for part in ("Page", "Runtime", "Log"):
            self.call(f"{part}.enable")

    def _address(self, note: Path) -> str:
        """Where the page's DevTools listen, from the note that the browser leaves in its profile."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if note.is_file() and len(lines := note.read_text(encoding="ascii").split()) == 2:
                with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list", timeout=30) as answer:
                    pages = [entry for entry in json.loads(answer.read()) if entry["type"] == "page"]
                if pages:
                    return pages[0]["webSocketDebuggerUrl"]
            time.sleep(0.1)
        raise RuntimeError(f"The browser does not start; see {self._log.name}")

    def call(self, method: str, *, seconds: float = 60, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools and its result."""
        with self._news:
            self._number += 1
            number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        with self._news:
            assert self._news.wait_for(lambda: number in self._answers, seconds), f"{method}: no answer in {seconds} s"
            answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def ask(self, expression: str, *, seconds: float = 60) -> Any:
        """Value of a JavaScript expression, a promise awaited; AssertionError with its words when it throws."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, seconds=seconds
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> Any:
        """The value of an expression as soon as it is true; AssertionError when it stays false."""
        end = time.monotonic() + seconds
        while not (value := self.ask(expression)):
            assert time.monotonic() < end, f"{expression} is not true after {seconds} s"
            time.sleep(0.2)
        return value

    def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.wait("document.readyState == 'complete'")

    def press(self, key: str) -> None:
        """Press a key such as Escape."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def photograph(self, path: Path, box: tuple[float, float, float, float] | None = None) -> bytes:
        """A picture of the page, or of a ``box`` x, y, width, height of it, as PNG; also kept at ``path``."""
        parameters: dict[str, Any] = {"format": "png"}
        if box is not None:
            parameters["clip"] = dict(zip(("x", "y", "width", "height"), box), scale=1)
        content = base64.b64decode(self.call("Page.captureScreenshot", **parameters)["data"])
        path.write_bytes(content)
        return content

    def close(self) -> None:
        """End the browser."""
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._log.close()

    def _listen(self) -> None:
        while True:
            try:
                message = json.loads(self._socket.receive())
            except ConnectionError:
                return
            with self._news:
                if "id" in message:
                    self._answers[message["id"]] = message
                else:
                    self.said += _complaints(message["method"], message["params"])
                self._news.notify_all()


def _complaints(method: str, given: dict[str, Any]) -> list[str]:
    """What an event of the DevTools says of errors and warnings, with where it comes from."""
    if method == "Runtime.exceptionThrown":
        return [json.dumps(given["exceptionDetails"])]
    if method == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning", "assert"):
        words = [str(entry.get("value", entry.get("description", ""))) for entry in given["args"]]
        return [f"console.{given['type']}: {' '.join(words)}"]
    if method == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
        return [f"{given['entry']['text']} {given['entry'].get('url', '')}"]
    return []
