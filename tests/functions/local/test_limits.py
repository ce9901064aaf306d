"""AWS's limits, each at its bound and one over it, over HTTP with boto3."""

from typing import Any

from functions.local.engine import HANDLER_THREADS
from tests.functions.local.support import ended, start


def test_results_larger_than_a_batch_of_the_sdk_take_no_threads(client: Any) -> None:
    arns = [
        start(client, "sized", f"large-{number}", result=800 * 1024)
        for number in range(HANDLER_THREADS)
    ]
    small = start(client, "sized", "small")
    assert [ended(client, arn)["Status"] for arn in [small, *arns]] == ["SUCCEEDED"] * 17
