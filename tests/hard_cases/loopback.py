"""An HTTP server on loopback, for what is outside of the office."""

import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from devtools.loopback_server import LoopbackServer
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

        self.server = LoopbackServer(Handler)
        self.url = self.server.url

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.stop()
        POOL.clear()  # the product keeps its connections to those who are gone now
