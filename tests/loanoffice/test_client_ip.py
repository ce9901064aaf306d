"""The client's address: as our own proxies report it, and nothing that a client forged."""

from typing import Any

import pytest
from django.test import RequestFactory

from loanoffice.client_ip import address_of

REAL, CLOUDFRONT, MADE_UP = "198.51.100.7", "130.176.1.9", "10.9.8.7"


@pytest.mark.parametrize(
    ("trusted", "passed", "expected"),
    [
        pytest.param(0, "", MADE_UP, id="nobody in front: what the server saw"),
        pytest.param(0, f"{REAL}, {CLOUDFRONT}", MADE_UP, id="nobody in front: a header is a lie"),
        pytest.param(1, REAL, REAL, id="regional gateway"),
        pytest.param(1, f"{MADE_UP}, {REAL}", REAL, id="regional gateway, the client lies"),
        pytest.param(2, f"{REAL}, {CLOUDFRONT}", REAL, id="behind CloudFront"),
        pytest.param(
            2, f"{MADE_UP}, {MADE_UP}, {REAL}, {CLOUDFRONT}", REAL, id="CloudFront, client lies"
        ),
        pytest.param(2, CLOUDFRONT, CLOUDFRONT, id="fewer than there should be"),
        pytest.param(1, f"{MADE_UP}, 2001:DB8::1", "2001:db8::1", id="IPv6 in its usual form"),
        pytest.param(1, "<script>", "", id="no address at all"),
        pytest.param(2, "", MADE_UP, id="no header: not through our proxies"),
    ],
)
def test_address_is_the_one_that_the_outermost_trusted_proxy_saw(
    settings: Any, trusted: int, passed: str, expected: str
) -> None:
    settings.LOANOFFICE_TRUSTED_PROXIES = trusted
    # Zappa calls the last but one REMOTE_ADDR, whatever stands in front.
    headers = {"HTTP_X_FORWARDED_FOR": passed} if passed else {}
    request = RequestFactory().get("/", REMOTE_ADDR=MADE_UP, **headers)

    assert address_of(request) == expected
