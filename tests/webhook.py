"""A receiver of webhooks that is not of the program's making: http.server and signature.py.

    webhook.py SECRET_FILE OUT [TOKEN_FILE]

It prints its port, and writes a JSON line for each request into OUT. With TOKEN_FILE it is also an ntfy server of one user, at /.
"""

import http.server
import json
import pathlib
import sys

from signature import Verifier


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        header = self.headers.get("Lares-Signature", "")
        answer = b""
        if self.path == "/" and TOKEN:
            status = 200 if self.headers["Authorization"] == f"Bearer {TOKEN}" else 403
            answer = json.dumps({"id": "hwQ2YpKdmg", "event": "message"} if status == 200 else {"http": status}).encode()
        else:
            status = VERIFIER.status(header, body)
        line = {"status": status, "header": header, "type": self.headers["Content-Type"], "path": self.path, "body": body.decode("utf-8", "replace")}
        with OUT.open("a") as out:
            out.write(json.dumps(line) + "\n")
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


VERIFIER = Verifier(pathlib.Path(sys.argv[1]).read_bytes())
OUT = pathlib.Path(sys.argv[2])
TOKEN = pathlib.Path(sys.argv[3]).read_text() if len(sys.argv) > 3 else ""
OUT.touch()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
