"""JSON Web Tokens signed here, for the login of a CI job or a service account."""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key):
    """Return the public half of a key, as configured in a server."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def signed(key, **claims):
    """Return a token with these claims, issued now (default: valid for ten minutes)."""
    now = int(time.time())
    body = {"iss": "ci.example", "aud": ["envkit"], "iat": now, "exp": now + 600, **claims}
    text = b".".join(_part(json.dumps(one)) for one in ({"alg": "RS256", "typ": "JWT"}, body))
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return b".".join([text, _part(signature)]).decode()


def _part(raw):
    raw = raw.encode() if isinstance(raw, str) else raw
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
