"""An HTTP server on loopback, for what is outside of the office."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from workflows.providers.http import POOL

# Status, headers and JSON body; ``None`` hangs up without an answer.
type Reply = tuple[int, dict[str, str], Any] | None
type Answer = Callable[[str, str, Mapping[str, str], Any], Reply]


class Loopback:
    """Serves until the block ends. ``answer`` gets method, path, headers and JSON body."""

    def __init__(self, answer: Answer) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size) or b"null")
                reply = answer(self.command, self.path, self.headers, body)
                if reply is None:
                    self.close_connection = True
                    return
                status, headers, said = reply
                content = json.dumps(said).encode()
                try:
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(content))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # whoever asked was killed meanwhile

            do_GET = do_POST  # noqa: N815

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        POOL.clear()  # the product keeps its connections to those who are gone now
