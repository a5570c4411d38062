"""Starts a ComfyUI with this pack on the CPU, in folders of its own, and stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACK = "ComfyUI-ShapeGen4D"  # the folder's name below custom_nodes
START_SECONDS = 180
FOLDERS = ("custom_nodes", "input/3d", "models/shapegen4d", "output", "temp", "user")


@dataclass
class Server:
    """A ComfyUI that answers at ``url``; without a process and a base folder it is one that somebody else runs."""

    url: str
    base: Path | None = None
    process: subprocess.Popen | None = None

    @property
    def log(self) -> str:
        """All that it has said so far."""
        return (self.base / "log.txt").read_text(encoding="utf-8", errors="replace")

    def alive(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/prompt", timeout=30) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def rss(self) -> int:
        """Bytes of memory that the process holds now."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self) -> float:
        """Seconds of processor time that it has used, over all its threads."""
        values = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")

    def files(self) -> set[str]:
        """Everything below output and temp."""
        found = (path for name in ("output", "temp") for path in (self.base / name).rglob("*") if path.is_file())
        return {path.relative_to(self.base).as_posix() for path in found}

    def stop(self) -> None:
        """End the process and all it started."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(20)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(comfyui: Path, base: Path, *arguments: str) -> Server:
    """Start ComfyUI with ``base`` for its folders and wait until it answers."""
    for name in FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)
    (base / "custom_nodes" / PACK).symlink_to(ROOT, target_is_directory=True)
    (base / "custom_nodes" / "spoiled.py").symlink_to(Path(__file__).with_name("spoiled.py"))
    port = free_port()
    python = os.environ.get("COMFYUI_PYTHON") or sys.executable
    command = [python, "-u", str(comfyui / "main.py"), "--cpu", "--listen", "127.0.0.1", "--port", str(port)]
    command += ["--disable-auto-launch", "--disable-api-nodes", "--base-directory", str(base)]
    command += ["--database-url", "sqlite:///:memory:", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment.setdefault("OMP_NUM_THREADS", "1")  # threads that wait for each other stand still beside a busy browser
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    with open(base / "log.txt", "wb") as log:
        process = subprocess.Popen(
            command,
            cwd=comfyui,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", base, process)
    end = time.monotonic() + START_SECONDS
    while not server.alive():
        if process.poll() is not None or time.monotonic() > end:
            server.stop()
            raise RuntimeError(f"ComfyUI does not start with {python}:\n{server.log[-4000:]}")
        time.sleep(0.3)
    return server
