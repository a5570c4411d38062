"""What a page does with the host: queue a workflow, listen, upload, interrupt, look at what came out."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.host.websocket import WebSocket

PATIENCE_SECONDS = 600
LAST = ("execution_success", "execution_error", "execution_interrupted")


class Refused(Exception):
    """The host did not take a workflow; ``args[0]`` is its answer."""


@dataclass(frozen=True)
class Event:
    """One message of the host: its kind and data, or ``binary`` and bytes; seconds of time.monotonic."""

    seconds: float
    kind: str
    data: Any


@dataclass
class Run:
    """One workflow from queueing to its end, as the host told it."""

    job: str
    events: list[Event] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    status: str = ""

    def told(self, kind: str) -> list[Event]:
        """Its events of one kind."""
        return [event for event in self.events if event.kind == kind]

    @property
    def ran(self) -> list[str]:
        """Ids of the nodes that were executed, in their order."""
        return [event.data["node"] for event in self.told("executing") if event.data["node"] is not None]

    @property
    def error(self) -> dict[str, Any] | None:
        """What the host said about the node that failed; None where none did."""
        found = self.told("execution_error")
        return found[0].data if found else None

    def progress(self, node: str) -> list[tuple[float, float]]:
        """Value and maximum of each step that a node reported, those of its start and end not among them."""
        states = [event.data["nodes"].get(node) for event in self.told("progress_state")]
        return [(state["value"], state["max"]) for state in states if state and state["state"] == "running"][1:]


class Client:
    """One page: its own client id and its own stream of events."""

    def __init__(self, url: str) -> None:
        self.url, self.id = url, uuid.uuid4().hex
        self._events: list[Event] = []
        self._news = threading.Condition()
        self._socket = WebSocket(f"ws{url.removeprefix('http')}/ws?clientId={self.id}")
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self.wait_for(lambda event: event.kind == "status", 30)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self._thread.join(10)

    def ask(self, path: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """What the host answers, from JSON; ``body`` (bytes, or anything for JSON) is posted."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        text = self.fetch(path, data, kind)
        return json.loads(text) if text else None

    def fetch(self, path: str, data: bytes | None = None, kind: str = "application/json") -> bytes:
        """What the host answers, as it is."""
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers={"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def upload(self, path: Path, subfolder: str = "", name: str = "") -> str:
        """Put a file into the host's input folder, in place of one of its name; its name there."""
        mark = uuid.uuid4().hex
        parts = {f'name="image"; filename="{name or path.name}"': path.read_bytes(), 'name="overwrite"': b"true"}
        parts['name="subfolder"'] = subfolder.encode()
        body = b""
        for head, content in parts.items():
            body += f"--{mark}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        body += f"--{mark}--\r\n".encode()
        return self.ask("/upload/image", body, kind=f"multipart/form-data; boundary={mark}")["name"]

    def download(self, saved: dict[str, str]) -> bytes:
        """A file that a node reports as filename, subfolder and type."""
        return self.fetch(f"/view?{urllib.parse.urlencode(saved)}")

    def queue(self, workflow: dict[str, Any]) -> Run:
        """Hand over a workflow in API form. Raises Refused when the host finds a mistake in it."""
        try:
            answer = self.ask("/prompt", {"prompt": workflow, "client_id": self.id})
        except urllib.error.HTTPError as error:
            raise Refused(json.loads(error.read())) from error
        if answer["node_errors"]:  # it would run the rest alone
            self.ask("/queue", {"delete": [answer["prompt_id"]]})
            self.interrupt()
            raise Refused(answer)
        return Run(answer["prompt_id"])

    def finish(self, run: Run, seconds: float = PATIENCE_SECONDS) -> Run:
        """Wait for the end of what was queued; fills in events, outputs and status."""
        self.wait_for(lambda event: event.kind == "executing" and _is_end(event, run.job), seconds)
        with self._news:
            run.events = [event for event in self._events if event.kind == "binary" or _job(event) == run.job]
        history = self.ask(f"/history/{run.job}")[run.job]
        run.outputs = history["outputs"]
        run.status = next(event.kind for event in reversed(run.events) if event.kind in LAST)
        return run

    def start(self, workflow: dict[str, Any]) -> Run:
        """Queue, forgetting what was heard before."""
        with self._news:
            self._events.clear()
        return self.queue(workflow)

    def run(self, workflow: dict[str, Any], seconds: float = PATIENCE_SECONDS) -> Run:
        """Queue and wait, forgetting what was heard before."""
        return self.finish(self.start(workflow), seconds)

    def wait_for(self, wanted: Callable[[Event], bool], seconds: float) -> Event:
        """The first event that is wanted, of those heard already or to come; AssertionError when none comes."""
        end, seen = time.monotonic() + seconds, 0
        with self._news:
            while True:
                for event in self._events[seen:]:
                    if wanted(event):
                        return event
                seen = len(self._events)
                left = end - time.monotonic()
                heard = {event.kind for event in self._events[-20:]}
                assert left > 0, f"nothing of the kind in {seconds} s; lately {sorted(heard)}"
                assert self._thread.is_alive(), "the host closed the connection"
                self._news.wait(min(left, 1))

    def interrupt(self) -> float:
        """Press the stop button; when that was, in seconds of time.monotonic."""
        pressed = time.monotonic()
        self.ask("/interrupt", {})
        return pressed

    def free(self) -> None:
        """What the buttons for unloading models and emptying the cache do; the host does it when it is idle."""
        self.ask("/free", {"unload_models": True, "free_memory": True})

    def _listen(self) -> None:
        while True:
            try:
                message = self._socket.receive()
            except ConnectionError:
                return
            if isinstance(message, bytes):
                event = Event(time.monotonic(), "binary", message)
            else:
                content = json.loads(message)
                event = Event(time.monotonic(), content["type"], content["data"])
            with self._news:
                self._events.append(event)
                self._news.notify_all()


def _job(event: Event) -> str | None:
    return event.data.get("prompt_id") if isinstance(event.data, dict) else None


def _is_end(event: Event, job: str) -> bool:
    return event.data.get("node", "") is None and event.data.get("prompt_id") == job
