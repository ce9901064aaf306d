"""A door to the real PostgreSQL that a test can shut: TCP on loopback, to its Unix socket."""

import socket
import threading
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

CHUNK = 65536


class DatabaseProxy:
    """Passes bytes on. ``shut`` drops every connection and takes no new one until ``open``."""

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        folder = parse_qs(parts.query).get("host", [""])[0]
        self.backend: str | tuple[str, int] = (
            f"{folder}/.s.PGSQL.{parts.port or 5432}"
            if folder
            else (parts.hostname or "127.0.0.1", parts.port or 5432)
        )
        self.lock = threading.Lock()
        self.pipes: set[socket.socket] = set()
        self.listener: socket.socket | None = None
        self.port = 0
        self.open()
        user = f"{parts.username}:{parts.password or ''}@" if parts.username else ""
        self.url = f"postgresql://{user}127.0.0.1:{self.port}{parts.path}"

    def open(self) -> None:
        """Let connections in, always at the same port."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self.listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """As when the server dies: what is connected is cut off, what comes is refused."""
        with self.lock:
            listener, self.listener = self.listener, None
            pipes, self.pipes = self.pipes, set()
        if listener is not None:
            # Wakes the thread that waits in accept(), which would otherwise take one more.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for pipe in pipes:
            with suppress(OSError):
                pipe.shutdown(socket.SHUT_RDWR)
            pipe.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = self._connect()
            with self.lock:
                shut = self.listener is not listener
                if not shut:
                    self.pipes |= {client, server}
            if shut:
                client.close()
                server.close()
                return
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self.backend, str):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.backend)
            return server
        return socket.create_connection(self.backend)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
