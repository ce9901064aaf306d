"""``python -m tests.deploy.aws FOLDER``: stands for AWS on loopback until it is ended.

Says ``ready port=N`` when it can be asked. ``FOLDER`` is for unpacked packages.
"""

import sys
from pathlib import Path

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from tests.deploy.aws.door import Door


class Handler(MotoRequestHandler):
    def log_request(self, *args: object) -> None:
        """Quiet: the door notes what comes."""


def main() -> None:
    door = Door(Path(sys.argv[1]))
    server = make_server("127.0.0.1", 0, door, threaded=True, request_handler=Handler)
    door.url = f"http://127.0.0.1:{server.server_port}"
    sys.stdout.write(f"ready port={server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
