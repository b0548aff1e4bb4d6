"""TLS certificates for the Ingress: those that Secrets hold, checked, and a self-signed one for everybody else."""

import base64
import binascii
from datetime import datetime, timedelta
from pathlib import Path

from drumroll.domain.envoy.listeners import Certificate
from drumroll.objects.meta import Obj

_DAYS = 3650
_MINIMUM_RSA_BITS = 2048


def certificate_of(secret: Obj) -> Certificate | None:
    """The pair in a Secret's tls.crt and tls.key, or None when Envoy would refuse it.

    One bad certificate would make Envoy refuse the whole TLS listener.
    """
    data = secret.get("data") or {}
    try:
        chain, key = (base64.b64decode(data.get(name) or "", validate=True) for name in ("tls.crt", "tls.key"))
    except binascii.Error:
        return None
    return Certificate("", chain.decode(), key.decode()) if _is_pair(chain, key) else None


def _is_pair(chain: bytes, key: bytes) -> bool:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    if isinstance(private, RSAPrivateKey) and private.key_size < _MINIMUM_RSA_BITS:
        return False
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return leaf.public_key().public_bytes(*form) == private.public_key().public_bytes(*form)


def self_signed(folder: Path, now: datetime) -> Certificate:
    """The certificate of last resort; made once and kept in `folder`, the key readable by the owner only."""
    chain, key = folder / "default.crt", folder / "default.key"
    if not (chain.exists() and key.exists() and _is_pair(chain.read_bytes(), key.read_bytes())):
        folder.mkdir(parents=True, exist_ok=True)
        made_chain, made_key = _make(now)
        key.touch(mode=0o600)
        key.write_bytes(made_key)
        chain.write_bytes(made_chain)
    return Certificate("", chain.read_text(), key.read_text())


def _make(now: datetime) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Drumroll Ingress Self-Signed Certificate")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ingress.local")]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM), pem
