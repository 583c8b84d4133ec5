from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest


@dataclass
class Certificate:
    """A certificate for 127.0.0.1 and localhost, which is its own authority."""

    path: Path

    def for_server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


def _certificate(path: Path, names: list[str]) -> Certificate:
    x509 = pytest.importorskip("cryptography.x509", reason="a certificate for the test is made with cryptography")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Likeness test")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(n) for n in names]
                + [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] * ("localhost" in names)
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return Certificate(path=path)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return _certificate(tmp_path_factory.mktemp("certificate") / "server.pem", ["localhost"])


@pytest.fixture(scope="session")
def wrong_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Sound, but for another machine."""
    return _certificate(tmp_path_factory.mktemp("certificate") / "wrong.pem", ["mail.example.org"])


@dataclass
class Mailbox:
    """An SMTP server's memory: what it took, and what it is to answer.

    ``replies`` holds answers for RCPT and DATA by address, given one after the other; None accepts.
    """

    port: int = 0
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    rcpt: dict[str, list[str | None]] = field(default_factory=dict)
    data: dict[str, list[str | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    peers_with_tls: list[bool] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    on_data: Callable[[], None] = lambda: None

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: ARG002, N802
        self.asked.append(address)
        reply = self.rcpt[address].pop(0) if self.rcpt.get(address) else None
        if reply is not None:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: ARG002, N802
        self.on_data()
        address = envelope.rcpt_tos[0]
        reply = self.data[address].pop(0) if self.data.get(address) else None
        if reply is not None:
            return reply
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append((address, message))
        self.raw.append(envelope.content)
        self.peers_with_tls.append(session.ssl is not None)
        return "250 taken"


def _free_port() -> int:
    with socket.socket() as probe:  # aiosmtpd calls its own port while it starts, and so cannot choose it itself
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mail_server(certificate: Certificate) -> Generator[Callable[..., Mailbox]]:
    """Starts real SMTP servers on this machine: plain, with STARTTLS demanded, or with TLS from the first byte."""
    controllers = pytest.importorskip("aiosmtpd.controller", reason="aiosmtpd is the SMTP server of these tests")
    from aiosmtpd.smtp import AuthResult, LoginPassword

    running = []

    def start(security: str = "none", *, password: str = "", shown: Certificate | None = None) -> Mailbox:
        box = Mailbox(port=_free_port())

        def check(server, session, envelope, mechanism, data):  # noqa: ARG001
            assert isinstance(data, LoginPassword)
            box.users.append(data.login.decode())
            return AuthResult(success=data.password.decode() == password, handled=False)

        context = (shown or certificate).for_server()
        options = {"authenticator": check, "auth_required": True} if password else {}
        if security == "tls":
            server = controllers.Controller(
                box, hostname="127.0.0.1", port=box.port, ssl_context=context, auth_require_tls=False, **options
            )
        elif security == "starttls":
            server = controllers.Controller(
                box, hostname="127.0.0.1", port=box.port, tls_context=context, require_starttls=True, **options
            )
        else:
            server = controllers.Controller(box, hostname="127.0.0.1", port=box.port)
        server.start()
        running.append(server)
        return box

    yield start
    for server in running:
        server.stop()
