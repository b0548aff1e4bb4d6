"""What the demo applies: the lab's manifests with quick probes, and a certificate made on the spot."""

import base64
from datetime import datetime, timedelta
from pathlib import Path

from drumroll.client.client import Client
from drumroll.objects.errors import AlreadyExists
from drumroll.objects.kinds import kind_of
from drumroll.objects.meta import Obj

NAMESPACE = "drumroll-demo"
HOST = "store.drumroll.test"
SSL_REDIRECT = "nginx.ingress.kubernetes.io/ssl-redirect"
FILES = (
    "configmaps.yaml",
    "secrets.yaml",
    "services.yaml",
    "ingress.yaml",
    "zipkin-deployment.yaml",
    "demo/stockmanager-deployment.yaml",
    "demo/storefront-deployment.yaml",
)


class NoSamples(Exception):
    """The samples' folder is not where it should be; the message says where that is."""


def demo_objects(folder: Path, now: datetime) -> list[Obj]:
    """Everything to apply, in order, from the samples' `manifests` folder. Raises NoSamples."""
    import yaml

    objects: list[Obj] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}]
    objects.append(tls_secret("tls-store", HOST, now))
    for name in FILES:
        try:
            text = (folder / name).read_text()
        except OSError as error:
            raise NoSamples(f"cannot read {folder / name}: {error.strerror}. The demo runs from a checkout.") from error
        objects += [obj for obj in yaml.safe_load_all(text) if obj]
    for obj in objects[1:]:
        obj["metadata"]["namespace"] = NAMESPACE
        if obj["kind"] == "Ingress":  # part of the load comes without TLS
            obj["metadata"].setdefault("annotations", {})[SSL_REDIRECT] = "false"
    return objects


async def apply(client: Client, obj: Obj) -> Obj:
    """Create an object, or merge it over the one that is there; the object as it is then."""
    try:
        return await client.create(obj)
    except AlreadyExists:
        meta = obj["metadata"]
        return await client.patch(kind_of(obj), meta.get("namespace", ""), meta["name"], obj)


def tls_secret(name: str, host: str, now: datetime) -> Obj:
    """A kubernetes.io/tls Secret with a certificate that `host` signed for itself, valid for thirty days."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name},
        "data": {"tls.crt": base64.b64encode(pem).decode(), "tls.key": base64.b64encode(private).decode()},
    }
