"""The address of the office: TLS, and what CloudFront does in front of API Gateway and a bucket."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from devtools.aws.names import DOMAIN, STATIC, STATIC_PATH
from devtools.aws.proxy import Destination, Proxy

LIFE = datetime.timedelta(days=30)
CERTIFICATE = "front.pem"


def front(port: int, *, emulator: int, folder: Path) -> Proxy:
    """Return the front on a port, 0 for a free one; its certificate is made in ``folder``.

    The emulator finds the API by the name of the site in ``Host``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(folder))

    def choose(path: str) -> Destination:
        if path.startswith(STATIC_PATH):
            key = path.removeprefix(STATIC_PATH)
            return Destination(emulator, f"/{STATIC}/{key}", {"Host": f"127.0.0.1:{emulator}"})
        forwarded = {
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Port": str(server.server_port),
            "X-Forwarded-Proto": "https",
        }
        return Destination(emulator, path, forwarded)

    server = Proxy(port, choose, tls=context)
    return server


def make_certificate(folder: Path) -> Path:
    """Make a self-signed certificate with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, DOMAIN)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(DOMAIN), x509.DNSName("localhost")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFE)
        .add_extension(
            x509.SubjectAlternativeName(
                [*names, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / CERTIFICATE
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
