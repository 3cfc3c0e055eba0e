"""A WebSocket client on Python's own sockets, for what no library allows: to read as slowly as a bad line does."""

import base64
import json
import os
import socket
import struct
import time


class Closed(Exception):
    """The other end has closed the socket."""


class Client:
    """Opens `path` of the page at `host:port`; `rate` is the most that is read, in bytes a second."""

    def __init__(self, host, port, path, cookie="", rate=None):
        self.rate, self.left, self.at = rate, 0.0, time.monotonic()
        self.socket = socket.socket()
        if rate:
            # Else the system reads for us, megabytes ahead.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect((host, port))
        self.socket.settimeout(60)
        key = base64.b64encode(os.urandom(16)).decode()
        head = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", f"Origin: http://{host}:{port}", "Upgrade: websocket",
                "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        if cookie:
            head.append(f"Cookie: {cookie}")
        self.socket.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        answer, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise Closed(answer.split(b"\r\n")[0].decode())

    def _more(self):
        size = 65536
        if self.rate:
            now = time.monotonic()
            self.left = min(self.left + (now - self.at) * self.rate, self.rate / 5)
            self.at = now
            if self.left < 256:
                time.sleep(256 / self.rate)
                return
            size = int(self.left)
        piece = self.socket.recv(size)
        if not piece:
            raise Closed("end")
        self.left -= len(piece)
        self.buffer += piece

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _send(self, opcode, data):
        mask = os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + struct.pack(">H", len(data))
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def say(self, **message):
        """Sends a message of the protocol."""
        self._send(1, json.dumps(message).encode())

    def hear(self):
        """The next message: a dictionary for text, bytes for the rest."""
        while True:
            first, second = self._take(2)
            length = second & 127
            if length == 126:
                length = struct.unpack(">H", self._take(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self._take(8))[0]
            data, opcode = self._take(length), first & 15
            if opcode == 1:
                return json.loads(data)
            if opcode == 2:
                return data
            if opcode == 8:
                raise Closed(str(struct.unpack(">H", data[:2])[0]) if data else "")
            if opcode == 9:
                self._send(10, data)


class Fragments:
    """Takes a byte stream of fragmented MP4 apart: feeds give (key, hash of the picture, its bytes) of what is whole."""

    def __init__(self):
        self.buffer, self.key = b"", False

    def feed(self, data):
        self.buffer += data
        while len(self.buffer) >= 8:
            size = struct.unpack(">I", self.buffer[:4])[0]
            if len(self.buffer) < size:
                return
            kind, box, self.buffer = self.buffer[4:8], self.buffer[:size], self.buffer[size:]
            if kind == b"moof":
                trun = box.index(b"trun")
                self.key = struct.unpack(">I", box[trun + 24:trun + 28])[0] & 0x10000 == 0
            elif kind == b"mdat":
                yield self.key, hash(box), size
