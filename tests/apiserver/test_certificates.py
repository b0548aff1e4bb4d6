"""The cluster's certificates: private, reused while good, made anew when not."""

import ssl
import subprocess
from datetime import timedelta

import pytest

from drumroll.apiserver.certificates import ensure_certificates
from drumroll.objects.clock import now


def fingerprints(certificates):
    paths = (certificates.authority, certificates.server, certificates.admin)
    return tuple(path.read_bytes() for path in paths)


def test_files_are_for_their_owner_only(tmp_path):
    ensure_certificates(tmp_path / "pki", hosts=("127.0.0.1",))
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "pki").iterdir()} == {0o600}
    assert len(list((tmp_path / "pki").iterdir())) == 6


def test_good_certificates_are_reused(tmp_path):
    first = fingerprints(ensure_certificates(tmp_path, hosts=("127.0.0.1", "localhost")))
    assert fingerprints(ensure_certificates(tmp_path, hosts=("localhost",))) == first


@pytest.mark.parametrize("days", [340, 366], ids=["soon over", "over"])
def test_leaves_are_renewed_in_time_under_the_same_authority(tmp_path, days):
    first = fingerprints(ensure_certificates(tmp_path, hosts=("127.0.0.1",)))
    later = fingerprints(ensure_certificates(tmp_path, hosts=("127.0.0.1",), moment=now() + timedelta(days=days)))
    assert [a == b for a, b in zip(first, later, strict=True)] == [True, False, False]


def test_another_address_needs_another_server_certificate_only(tmp_path):
    first = fingerprints(ensure_certificates(tmp_path, hosts=("127.0.0.1",)))
    later = fingerprints(ensure_certificates(tmp_path, hosts=("127.0.0.1", "192.0.2.7")))
    assert [a == b for a, b in zip(first, later, strict=True)] == [True, False, True]


def test_a_torn_file_is_replaced(tmp_path):
    certificates = ensure_certificates(tmp_path, hosts=("127.0.0.1",))
    certificates.server.write_text("torn")
    ensure_certificates(tmp_path, hosts=("127.0.0.1",))
    assert "BEGIN CERTIFICATE" in certificates.server.read_text()


def test_a_new_authority_signs_everything_anew(tmp_path):
    first = fingerprints(ensure_certificates(tmp_path, hosts=("127.0.0.1",)))
    (tmp_path / "ca.key").unlink()
    later = fingerprints(ensure_certificates(tmp_path, hosts=("127.0.0.1",)))
    assert all(a != b for a, b in zip(first, later, strict=True))


def test_openssl_agrees(tmp_path):
    certificates = ensure_certificates(tmp_path, hosts=("127.0.0.1", "localhost"))
    context = ssl.create_default_context(cafile=str(certificates.authority))
    assert len(context.get_ca_certs()) == 1
    for leaf, purpose in ((certificates.server, "sslserver"), (certificates.admin, "sslclient")):
        argv = ["openssl", "verify", "-purpose", purpose, "-CAfile", certificates.authority, leaf]
        assert subprocess.run(argv, capture_output=True, check=False).returncode == 0
