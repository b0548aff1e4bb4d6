"""ServiceAccount tokens: JSON Web Tokens signed with the cluster's own key (ES256), bound to what they were made for.

Source: kubernetes pkg/serviceaccount/{claims,jwt,openidmetadata}.go. Unlike the original, a token that a pod mounts
ends when it says: the node replaces it in time, so its life is not stretched to a year.
"""

import base64
import hashlib
import logging
import os
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from drumroll.apiserver.certificates import new_key
from drumroll.objects.meta import Obj

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

log = logging.getLogger("drumroll.apiserver")

ISSUER = "https://kubernetes.default.svc.cluster.local"
OPENID_CONFIGURATION = "/.well-known/openid-configuration"
OPENID_KEYS = "/openid/v1/jwks"
_REMEMBERED = 4096
_HALF = 32  # bytes of each of the two numbers of an ES256 signature


class BadToken(ValueError):
    """No token of this cluster."""


class Signer:
    """Makes and reads tokens. `key_file` (mode 0600) is made when it is not there; None keeps the key in memory."""

    def __init__(self, key_file: Path | None = None) -> None:
        self._key_file = key_file
        self._loaded: EllipticCurvePrivateKey | None = None
        self._name = ""
        self._verified: OrderedDict[str, Obj] = OrderedDict()

    def sign(self, claims: Obj) -> str:
        """The token that states `claims`."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        head = {"alg": "ES256", "kid": self._key_id()}
        signed = f"{_encoded(orjson.dumps(head))}.{_encoded(orjson.dumps(claims))}"
        numbers = decode_dss_signature(self._key().sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_encoded(b''.join(number.to_bytes(_HALF, 'big') for number in numbers))}"

    def verify(self, token: str) -> Obj:
        """The claims of a token that we signed; whether they still hold is the caller's to see. Raises BadToken."""
        known = self._verified.get(token)
        if known is not None:
            self._verified.move_to_end(token)
            return known
        claims = self._verify(token)
        self._verified[token] = claims
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
        return claims

    def keys(self) -> Obj:
        """The public key as a JSON Web Key Set."""
        numbers = self._key().public_key().public_numbers()
        x, y = (_encoded(number.to_bytes(_HALF, "big")) for number in (numbers.x, numbers.y))
        key = {"use": "sig", "kty": "EC", "kid": self._key_id(), "crv": "P-256", "alg": "ES256", "x": x, "y": y}
        return {"keys": [key]}

    def configuration(self) -> Obj:
        """The OpenID provider's description."""
        return {
            "issuer": ISSUER,
            "jwks_uri": f"{ISSUER}{OPENID_KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    def _verify(self, token: str) -> Obj:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        signed, _, signature = token.rpartition(".")
        try:
            head, claims = (orjson.loads(_decoded(part)) for part in signed.split("."))
            raw = _decoded(signature)
            if head.get("alg") != "ES256" or len(raw) != 2 * _HALF or not isinstance(claims, dict):
                raise BadToken("not a token of this cluster")
            numbers = (int.from_bytes(raw[:_HALF], "big"), int.from_bytes(raw[_HALF:], "big"))
            public = self._key().public_key()
            public.verify(encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(hashes.SHA256()))
        except (ValueError, TypeError, AttributeError, InvalidSignature) as error:
            raise BadToken("not a token of this cluster") from error
        return claims

    def _key_id(self) -> str:
        if not self._name:
            self._name = self._thumbprint()
        return self._name

    def _thumbprint(self) -> str:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self._key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return _encoded(hashlib.sha256(public).digest())

    def _key(self) -> "EllipticCurvePrivateKey":
        if self._loaded is None:
            self._loaded = new_key() if self._key_file is None else _stored_key(self._key_file)
        return self._loaded


def _stored_key(path: Path) -> "EllipticCurvePrivateKey":
    """The key in the file, or a new one that is put there. Raises OSError."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    try:
        found = load_pem_private_key(path.read_bytes(), None)
        if isinstance(found, EllipticCurvePrivateKey):
            return found
    except FileNotFoundError:
        pass
    except ValueError as error:
        log.warning("account_key_unreadable path=%s error=%s", path, error)
    key = new_key()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    draft.replace(path)
    return key


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def strings(value: Any) -> list[str]:
    """A claim that is one text or several."""
    return [value] if isinstance(value, str) else [text for text in value or () if isinstance(text, str)]
