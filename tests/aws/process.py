"""The stand-in for AWS as a process of its own, and what a test says to it."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from tests.aws.endpoint import CONTROL, SECRET_ACCESS_KEY

REPOSITORY = Path(__file__).parents[2]
REGION = "ca-central-1"


class Aws:
    """An account on loopback."""

    def __init__(self, url: str) -> None:
        self.url = url
        # What a function that shall speak to it has in its environment.
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )

    def make_bucket(self, name: str) -> None:
        where = {"LocationConstraint": REGION}
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=where)

    def keys(self, bucket: str) -> list[str]:
        """The names of all that is in a bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def set_clock_ahead(self, seconds: int) -> None:
        """Let links be as old as they would be then."""
        self._say("ahead", seconds)

    def requests(self, method: str = "", path: str = "") -> list[dict[str, Any]]:
        """Return the requests: ``method``, ``path``, ``target``, lower-case ``headers``."""
        return [
            each
            for each in self._say("requests", None)
            if method in {"", each["method"]} and each["path"].startswith(path)
        ]

    def reset(self) -> None:
        """A fresh account."""
        urllib.request.urlopen(f"{self.url}/moto-api/reset", data=b"", timeout=30).close()
        self._say("reset", None)

    def _say(self, what: str, told: object) -> list[dict[str, Any]]:
        data = json.dumps(told).encode()
        with urllib.request.urlopen(f"{self.url}{CONTROL}{what}", data=data, timeout=30) as answer:
            said: list[dict[str, Any]] = json.load(answer)
        return said


@contextmanager
def standing_in(log: Path) -> Iterator[Aws]:
    """The stand-in, until the block ends."""
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "tests.aws"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONWARNINGS": "default"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready port="), log.read_text()
        try:
            yield Aws(f"http://127.0.0.1:{line.strip().rpartition('=')[2]}")
        finally:
            process.terminate()
