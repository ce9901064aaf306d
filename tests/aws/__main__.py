"""``python -m tests.aws``: moto's S3, Parameter Store and Secrets Manager until it is ended.

Says ``ready port=N`` when it can be asked.
"""

import sys

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from tests.aws.endpoint import Endpoint


class Handler(MotoRequestHandler):
    def log_request(self, *args: object) -> None:
        """Quiet: the endpoint notes what comes."""


def main() -> None:
    server = make_server("127.0.0.1", 0, Endpoint(), threaded=True, request_handler=Handler)
    sys.stdout.write(f"ready port={server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
