"""The lab's images and certificate, for clusters in tests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from drumroll.demo.run import demo_images
from tests.e2e.cluster import ROOT, Cluster


def build_samples(cluster: Cluster) -> None:
    """Build the lab's services and give them the lab's own image names, before or after `up`."""
    for source in demo_images(ROOT / "samples"):
        first, *others = source.tags
        arguments = [word for name, value in source.args.items() for word in ("--build-arg", f"{name}={value}")]
        cluster.drumroll("image", "build", str(source.context), "-f", str(source.dockerfile), "-t", first, *arguments)
        for name in others:
            cluster.drumroll("image", "tag", first, name)


def create_tls_secret(cluster: Cluster, namespace: str, host: str = "store.drumroll.test") -> None:
    """The Ingress's certificate, self-signed, as `kubectl create secret tls` makes it."""
    certificate, key = self_signed(cluster.home, host)
    cluster.kubectl(
        "create", "secret", "tls", "tls-store", "-n", namespace, f"--cert={certificate}", f"--key={key}"
    )  # fmt: skip


def self_signed(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate and key for `host`, valid for a day."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    start = datetime.now(UTC) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "tls.crt", folder / "tls.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file
