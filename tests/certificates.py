"""An authority of our own and certificates that it signed, for servers on the loopback."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIVE = "live.example"


def authority(folder: Path) -> dict[str, str]:
    """Paths of PEM files by name: ``ca``, and what it has signed; ``self-signed`` is a stranger's."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _named("our authority")
    root = _certificate(ca, ca_key, ca_key, name="our authority", days=30, authority=True)
    paths = {"ca": _kept(folder / "ca.pem", root, ca_key)}
    for file, name, days in (
        ("good", "127.0.0.1", 30),
        ("live", LIVE, 30),
        ("expired", "127.0.0.1", -1),
        ("other", "other.example", 30),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(ca, ca_key, key, name=name, days=days)
        paths[file] = _kept(folder / f"{file}.pem", made, key)
    own = ec.generate_private_key(ec.SECP256R1())
    alone = _certificate(_named("127.0.0.1"), own, own, name="127.0.0.1", days=30)
    return {**paths, "self-signed": _kept(folder / "alone.pem", alone, own)}


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    *,
    name: str,
    days: int,
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    address = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if name == "127.0.0.1" else []
    names = x509.SubjectAlternativeName(address or [x509.DNSName(name)])
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name)).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30)).not_valid_after(now + timedelta(days=days))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )  # fmt: skip


def _kept(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> str:
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    return str(path)
