"""Take webhooks on loopback and acknowledge each: the receiver of a benchmark.

``python -m benchmarks.support.receiver PORT``, a process of its own; every path is taken.
"""

import asyncio
import contextlib
import sys

ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


async def acknowledge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request and answer it."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        _, found, rest = head.partition("content-length:")
        await reader.readexactly(int(rest.split("\r\n")[0]) if found else 0)
        writer.write(ANSWER)
        await writer.drain()
    writer.close()


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(acknowledge, "127.0.0.1", port, backlog=256)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
