"""Lambda's list of executions on loopback."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from devtools.loopback_server import LoopbackServer

FUNCTION = "arn:aws:lambda:ca-central-1:123456789012:function:loan-approval"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Listing:
    """Lambda's list of executions on loopback, in pages of three."""

    def __init__(self) -> None:
        self.executions: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.error: tuple[int, str] | None = None
        listing = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                split = urlsplit(self.path)
                query = parse_qs(split.query)
                listing.asked.append((split.path, query))
                status, error = listing.error or (200, "")
                content = json.dumps({} if error else listing.page(query)).encode()
                self.send_response(status)
                if error:
                    self.send_header("x-amzn-ErrorType", error)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = LoopbackServer(Handler)
        self.server.start()

    @property
    def url(self) -> str:
        return self.server.url

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        start = int(query.get("Marker", ["0"])[0])
        page: dict[str, Any] = {"DurableExecutions": self.executions[start : start + 3]}
        if start + 3 < len(self.executions):
            page["NextMarker"] = str(start + 3)
        return page

    def add(self, version: str, name: str, *, minutes: int = 0, status: str = "RUNNING") -> None:
        self.executions.append(
            {
                "DurableExecutionArn": f"{FUNCTION}:{version}/durable-execution/{name}/1",
                "DurableExecutionName": name,
                "FunctionArn": f"{FUNCTION}:{version}",
                "Status": status,
                "StartTimestamp": (NOON + timedelta(minutes=minutes)).timestamp(),
            }
        )
