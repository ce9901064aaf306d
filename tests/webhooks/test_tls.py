"""Over TLS: the address is pinned, and the certificate still has to be that of the name."""

import datetime
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from partners.models import Partner
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver, receiving, verified
from tests.webhooks.test_url_safety import resolve
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookAttempt

pytestmark = pytest.mark.django_db
NAME = "hooks.example.com"


def certificate(folder: Path, name: str) -> Path:
    """A file with a key and the certificate that it signed itself, for this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Receiver, list[str]]]:
    """A receiver with a certificate of ``NAME``, and the server names that it was asked for."""
    file = certificate(tmp_path, NAME)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    asked: list[str] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    with receiving() as receiver:
        receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
        yield receiver, asked


def port(receiver: Receiver) -> int:
    return int(receiver.server.server_address[1])


def test_pinned_address_is_called_under_its_name(
    secure: tuple[Receiver, list[str]], partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, asked = secure
    resolve(monkeypatch, ["127.0.0.1"])
    _, secret = endpoint_create(partner=partner, url=f"https://{NAME}:{port(receiver)}/in")
    submit(partner)

    assert sweep_webhooks() == 1

    (received,) = receiver.received
    verified(received, secret, now=time.time())
    assert received.headers["host"] == f"{NAME}:{port(receiver)}"
    assert asked == [NAME]


def test_name_that_turns_private_between_the_look_and_the_call_gains_nothing(
    secure: tuple[Receiver, list[str]], partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, _ = secure
    endpoint_create(partner=partner, url=f"https://{NAME}:{port(receiver)}/in")
    submit(partner)
    asked = resolve(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])

    assert sweep_webhooks() == 1

    assert asked == [NAME]
    assert WebhookAttempt.objects.get().address == "127.0.0.1"
    # The next one is looked up anew, and refused.
    submit(partner)
    assert sweep_webhooks() == 0
    assert asked == [NAME, NAME]
    assert "10.0.0.1" in WebhookAttempt.objects.latest("pk").error
    assert len(receiver.received) == 1


def test_certificate_of_another_name_is_refused_and_nothing_is_sent(
    secure: tuple[Receiver, list[str]], partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, _ = secure
    resolve(monkeypatch, ["127.0.0.1"])
    endpoint_create(partner=partner, url=f"https://other.example.com:{port(receiver)}/in")
    submit(partner)

    assert sweep_webhooks() == 0

    assert receiver.received == []
    assert "CERTIFICATE_VERIFY_FAILED" in WebhookAttempt.objects.get().error
