"""Pass HTTP requests on to another port of this machine: the base of the front and the router."""

import http.client
import json
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from devtools.loopback_server import LoopbackServer

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
LONGEST = 960  # seconds; a management command of the deploy may take 900
# Of one connection, not of the request (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True)
class Destination:
    """The destination of a request: port, path with query, headers that replace its own."""

    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """An answer in JSON that the proxy gives itself."""

    status: int
    content: object


type Choose = Callable[[str], Destination | Answer]


class Proxy(LoopbackServer):
    """Listen on a port of 127.0.0.1, 0 for a free one, and send each request where it belongs.

    ``choose`` gets the request's path with its query. With ``tls`` requests come encrypted.
    """

    def __init__(
        self,
        port: int,
        choose: Callable[[str], Destination | Answer],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(Handler, port=port)
        self.choose = choose
        if tls is not None:
            # The handshake is made by the thread of the connection, so that nobody waits for it.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Log who left: a browser does, until its user trusts the certificate."""
        logger.debug("A connection of %s ended", client_address)


class Handler(BaseHTTPRequestHandler):
    """Pass one request on, whatever its method, and its answer back."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *args: object) -> None:
        """Stay quiet: the parts behind have logs of their own."""

    def pass_on(self) -> None:
        body = self._body()
        to = self.server.choose(self.path)
        if isinstance(to, Answer):
            self._say(to)
            return
        replaced = {name.lower() for name in to.headers}
        connection = http.client.HTTPConnection(HOST, to.port, timeout=LONGEST)
        try:
            connection.putrequest(self.command, to.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP | replaced | {"content-length"}:
                    connection.putheader(name, value)
            for name, value in to.headers.items():
                connection.putheader(name, value)
            if body or self.command in {"POST", "PUT", "PATCH"}:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            self._answer(answer, answer.read())
        except (OSError, http.client.HTTPException) as error:
            logger.warning("%s %s was not answered: %s", self.command, to.path, error)
            self.send_error(502, "The part behind does not answer.")
        finally:
            connection.close()

    # The base class looks for the method of a request by these names.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = pass_on  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # the trailer
            continue
        return b"".join(chunks)

    def _say(self, answer: Answer) -> None:
        content = json.dumps(answer.content).encode()
        self.send_response_only(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        # Without a body the length that was named stays: boto3's client of the engine looks for it.
        has_none = self.command == "HEAD" or answer.status in {204, 304}
        length = answer.getheader("Content-Length") if has_none else str(len(body))
        if length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)
