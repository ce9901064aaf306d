"""An HTTP server on loopback that runs in a thread: the base of proxies and of tests' stand-ins."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# ``shutdown`` waits for the next look; the standard library looks every half second.
LOOK_PAUSE = 0.01


class LoopbackServer(ThreadingHTTPServer):
    """Listens on a port, 0 for a free one, once it is made; serves from ``start`` to ``stop``."""

    daemon_threads = True
    # The standard library's 5 drop a connection of more clients at once, who try again a second
    # later.
    request_queue_size = 128

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], *, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": LOOK_PAUSE}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Answer nobody any more; requests in hand are not waited for."""
        self.shutdown()
        self.server_close()
        self._thread.join()
