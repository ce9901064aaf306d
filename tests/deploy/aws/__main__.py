"""``python -m tests.deploy.aws FOLDER``: stands for AWS on loopback until it is ended.

Says ``ready port=N`` when it can be asked. ``FOLDER`` is for unpacked packages.
"""

import sys
from pathlib import Path

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from tests.deploy.aws.endpoint import Endpoint


class Handler(MotoRequestHandler):
    def log_request(self, *args: object) -> None:
        """Quiet: the endpoint notes what comes."""


def main() -> None:
    endpoint = Endpoint(Path(sys.argv[1]))
    server = make_server("127.0.0.1", 0, endpoint, threaded=True, request_handler=Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    sys.stdout.write(f"ready port={server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
