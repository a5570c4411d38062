"""A WebSocket client of a few lines (RFC 6455, no extensions), for the host's events and for the browser's DevTools."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
import threading
from urllib.parse import urlsplit

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class WebSocket:
    """One connection; messages are str or bytes. ``receive`` raises ConnectionError once it is closed."""

    def __init__(self, url: str, timeout: float = 30) -> None:
        place = urlsplit(url)
        self._socket = socket.create_connection((place.hostname, place.port or 80), timeout)
        self._rest, self._sending = b"", threading.Lock()
        key = base64.b64encode(os.urandom(16))
        lines = [
            f"GET {place.path}{'?' + place.query if place.query else ''} HTTP/1.1",
            f"Host: {place.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key.decode()}",
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._rest:
            self._fill()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        accepted = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
        if b" 101 " not in head.split(b"\r\n")[0] or accepted not in head:
            raise ConnectionError(f"{url} is no WebSocket: {head[:200]!r}")
        self._socket.settimeout(None)

    def send(self, text: str) -> None:
        """Send one text message."""
        self._frame(TEXT, text.encode("utf-8"))

    def receive(self) -> str | bytes:
        """The next message, waiting for it."""
        whole, kind = b"", TEXT
        while True:
            first, second = self._take(2)
            size = second & 127
            if size > 125:
                size = struct.unpack(">H", self._take(2))[0] if size == 126 else struct.unpack(">Q", self._take(8))[0]
            code, data = first & 15, self._take(size)
            if code == CLOSE:
                raise ConnectionError("The other side closed the connection.")
            if code == PING:
                self._frame(PONG, data)
            elif code in (CONTINUE, TEXT, BINARY):
                kind = code or kind
                whole += data
                if first & 128:
                    return whole.decode("utf-8") if kind == TEXT else whole

    def close(self) -> None:
        """Break the connection; a thread that waits in ``receive`` gets a ConnectionError."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side was quicker
            pass
        self._socket.close()

    def _frame(self, code: int, data: bytes) -> None:
        size = len(data)
        length = bytes([size]) if size < 126 else struct.pack(">BH", 126, size) if size < 65536 else b""
        length = length or struct.pack(">BQ", 127, size)
        mask = os.urandom(4)
        key = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
        with self._sending:
            self._socket.sendall(bytes([128 | code, 128 | length[0]]) + length[1:] + mask + masked)

    def _take(self, size: int) -> bytes:
        parts, missing = [], size
        while missing > len(self._rest):
            parts.append(self._rest)
            missing -= len(self._rest)
            self._rest = b""
            self._fill()
        parts.append(self._rest[:missing])
        self._rest = self._rest[missing:]
        return b"".join(parts)

    def _fill(self) -> None:
        try:
            more = self._socket.recv(1 << 20)
        except OSError as error:
            raise ConnectionError(str(error)) from error
        if not more:
            raise ConnectionError("The connection ended.")
        self._rest += more
