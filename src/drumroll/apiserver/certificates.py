"""The cluster's own CA, and what it signs: the server's certificate and clients'. Kept in files, made when needed."""

import ipaddress
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from drumroll.objects.clock import now

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

log = logging.getLogger("drumroll.apiserver")

_CA_LIFE = timedelta(days=3650)
_LEAF_LIFE = timedelta(days=365)
_RENEW_BEFORE = timedelta(days=30)
_BACKDATE = timedelta(minutes=5)  # for clients whose clock is a little behind


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Everything that a cluster serves and is administered with: PEM files."""

    authority: Path
    server: Path
    server_key: Path
    admin: Path
    admin_key: Path


def ensure_certificates(folder: Path, hosts: Sequence[str], moment: datetime | None = None) -> Certificates:
    """The cluster's certificates in `folder` (mode 0700, files 0600): reused while valid for `hosts`, else made anew.

    `hosts` are the DNS names and addresses under which clients reach the server. Raises OSError.
    """
    at = moment or now()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca, server, admin = (Pair(folder / f"{name}.crt", folder / f"{name}.key") for name in ("ca", "server", "admin"))
    made_ca = not _is_usable(ca, at, ())
    if made_ca:
        _make_ca(ca, at)
    if made_ca or not _is_usable(server, at, hosts):
        _make_leaf(server, ca, at, "drumroll-apiserver", (), hosts)
    if made_ca or not _is_usable(admin, at, ()):
        _make_leaf(admin, ca, at, "kubernetes-admin", ("system:masters",), ())
    return Certificates(ca.certificate, server.certificate, server.key, admin.certificate, admin.key)


def _is_usable(pair: Pair, at: datetime, names: Sequence[str]) -> bool:
    if not pair.certificate.exists() or not pair.key.exists():
        return False
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        _load_key(pair.key)
    except ValueError as error:
        log.warning("certificate_unreadable path=%s error=%s", pair.certificate, error)
        return False
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc - _RENEW_BEFORE:
        return False
    return set(names) <= _names_of(certificate)


def _names_of(certificate: "x509.Certificate") -> set[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in found}


def _load_key(path: Path) -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ValueError(f"{path} holds no elliptic-curve key")  # noqa: TRY004 - the file's fault, not the caller's
    return key


def _make_ca(pair: Pair, at: datetime) -> None:
    from cryptography import x509

    key = new_key()
    name = _name("drumroll-ca", ())
    builder = (
        _builder(name, name, at, _CA_LIFE)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    _sign_and_write(builder, key, key, pair)


def _make_leaf(
    pair: Pair, ca: Pair, at: datetime, common_name: str, organizations: Sequence[str], names: Sequence[str]
) -> None:
    """A server's certificate when it has names, else a client's."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    issuer = x509.load_pem_x509_certificate(ca.certificate.read_bytes())
    ca_key, key = _load_key(ca.key), new_key()
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_name(common_name, organizations), issuer.subject, at, _LEAF_LIFE)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    _sign_and_write(builder, ca_key, key, pair)


def new_key() -> "EllipticCurvePrivateKey":
    """A private key of the kind that everything here is signed with."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str, organizations: Sequence[str]) -> "x509.Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, value) for value in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general(name: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(subject: "x509.Name", issuer: "x509.Name", at: datetime, life: timedelta) -> "x509.CertificateBuilder":
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _BACKDATE)
        .not_valid_after(at + life)
    )


def _usage(*, ca: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _sign_and_write(
    builder: "x509.CertificateBuilder", signer: "EllipticCurvePrivateKey", key: "EllipticCurvePrivateKey", pair: Pair
) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    certificate = builder.sign(signer, hashes.SHA256())
    _write(pair.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _write(pair.certificate, certificate.public_bytes(Encoding.PEM))


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    draft.replace(path)
