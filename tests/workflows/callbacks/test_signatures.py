"""Signatures: ours against one made by hand and against the specification's own library."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from tests.workflows.callbacks.vendor import KEY, OLD_KEY, OLD_SECRET, SECRET, sign
from workflows.callbacks.signatures import (
    SignatureRefused,
    headers_of,
    secret_of,
    signature,
    verify,
)

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
BODY = '{"type": "answer", "verdict": "passed", "reasons": ["Zoë"]}'.encode()


def signed(at: datetime = NOW, key: bytes = KEY, identifier: str = "msg_1") -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    return {
        "webhook-id": identifier,
        "webhook-timestamp": timestamp,
        "webhook-signature": sign(identifier, timestamp, BODY, key),
    }


def check(
    headers: dict[str, str], *, body: bytes = BODY, secrets: tuple[bytes, ...] = (KEY,)
) -> str:
    return verify(secrets, headers=headers, body=body, now=NOW)


def test_example_of_the_specification_is_signed_as_it_says() -> None:
    """Standard Webhooks 1.0, "Signature scheme"."""
    secret = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    found = signature(
        secret,
        identifier="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp="1614265330",
        body=b'{"test": 2432232314}',
    )

    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_we_send_is_verified_by_the_library() -> None:
    now = datetime.now(UTC)

    sent = headers_of([KEY], identifier="msg_1", at=now, body=BODY)

    assert Webhook(SECRET).verify(BODY, sent)["verdict"] == "passed"


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_signature_within_the_window_is_taken(minutes: int) -> None:
    assert check(signed(NOW + timedelta(minutes=minutes))) == "msg_1"


@pytest.mark.parametrize("seconds", [-301, 301])
def test_timestamp_outside_of_the_window_is_refused_and_our_clock_told(seconds: int) -> None:
    with pytest.raises(SignatureRefused, match=f"five minutes.*{int(NOW.timestamp())}"):
        check(signed(NOW + timedelta(seconds=seconds)))


def test_clock_is_not_told_to_somebody_who_cannot_sign() -> None:
    with pytest.raises(SignatureRefused, match="No signature"):
        check(signed(NOW + timedelta(hours=1), key=OLD_KEY))


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": sign("msg_1", int(NOW.timestamp()), BODY).replace("v1,", "v1a,")},
        {"webhook-signature": sign("msg_1", int(NOW.timestamp()), BODY).replace("v1,", "")},
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-timestamp": ""},
    ],
)
def test_anything_changed_after_signing_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused, match="No signature"):
        check({**signed(), **changed})


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_missing_header_is_refused(name: str) -> None:
    headers = signed()
    del headers[name]

    with pytest.raises(SignatureRefused):
        check(headers)


def test_changed_body_is_refused() -> None:
    with pytest.raises(SignatureRefused):
        check(signed(), body=BODY.replace(b"passed", b"flagged"))


@pytest.mark.parametrize("timestamp", ["1.5", "-1", "٣", "1e9", "9" * 13, " 1", "NaN"])
def test_timestamp_that_is_no_whole_second_is_refused_although_signed(timestamp: str) -> None:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": timestamp,
        "webhook-signature": sign("msg_1", timestamp, BODY),
    }

    with pytest.raises(SignatureRefused, match="whole seconds"):
        check(headers)


@pytest.mark.parametrize("identifier", ["msg.1", "", "msg 1", "m" * 256, "é"])
def test_identifier_that_could_be_read_in_two_ways_is_refused_although_signed(
    identifier: str,
) -> None:
    with pytest.raises(SignatureRefused, match="no full stop"):
        check(signed(identifier=identifier))


def test_each_live_secret_is_taken_and_no_other() -> None:
    both = (KEY, OLD_KEY)

    assert check(signed(key=KEY), secrets=both) == "msg_1"
    assert check(signed(key=OLD_KEY), secrets=both) == "msg_1"
    with pytest.raises(SignatureRefused):
        check(signed(key=OLD_KEY), secrets=(KEY,))
    with pytest.raises(SignatureRefused):
        check(signed(), secrets=())


def test_one_right_signature_among_several_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1,AAAA v2,x {headers['webhook-signature']}"

    assert check(headers) == "msg_1"


def test_signatures_beyond_the_eighth_are_not_read() -> None:
    headers = signed()
    headers["webhook-signature"] = " ".join(["v1,AAAA"] * 8 + [headers["webhook-signature"]])

    with pytest.raises(SignatureRefused):
        check(headers)


def test_secret_is_read_with_and_without_its_prefix() -> None:
    assert secret_of(OLD_SECRET) == OLD_KEY
    assert secret_of(OLD_SECRET.removeprefix("whsec_")) == OLD_KEY


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "not base64!", "é", base64.b64encode(b"x" * 23).decode(), "A" * 88],
)
def test_secret_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|bytes"):
        secret_of(text)
