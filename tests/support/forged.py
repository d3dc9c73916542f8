"""Cookies that somebody made up: whatever they look like, nobody is known by them."""

import base64
import json
import time
from uuid import UUID

from itsdangerous import URLSafeSerializer
from joserfc import jwt
from joserfc.jwk import OctKey

_SALT = "taskdeck.cookie"


def cookies(good: str, key: str) -> list[str]:
    """Values like ``good``, a session's own cookie; also by somebody who knows the ``key`` that signed it."""
    named, _, signature = good.partition(".")
    session_id = str(json.loads(base64.urlsafe_b64decode(named + "=" * (-len(named) % 4))))
    end = int(time.time()) + 3600
    claims, octets = {"sub": session_id, "sid": session_id, "username": "ada", "exp": end}, OctKey.import_key(key)
    tampered = signature[:5] + ("A" if signature[5] != "A" else "B") + signature[6:]
    return [
        f"{_segment({'alg': 'none'})}.{_segment(claims)}.",
        f"{_segment({'alg': 'RS256'})}.{_segment(claims)}.{_segment(key)}",
        *(jwt.encode({"alg": name}, claims, octets, algorithms=[name]) for name in ("HS256", "HS512")),
        jwt.encode({"alg": "HS256"}, {"username": "ada", "exp_date": end}, octets),  # the sign-in package's own
        URLSafeSerializer("another key of at least 32 bytes", salt=_SALT).dumps(session_id),
        URLSafeSerializer(key[:-1], salt=_SALT).dumps(session_id),
        *(URLSafeSerializer(key, salt=salt).dumps(session_id) for salt in ("taskdeck.farewell", "another")),
        *(URLSafeSerializer(key, salt=_SALT).dumps(said) for said in (5, None, "x", UUID(int=0).hex, [session_id])),
        *(f"{named}.{tampered}", named, session_id, f'"{session_id}"', f"{named}.", f".{signature}", good[:-1]),
        *(good + "x", f"{_segment('x')}.{signature}", "", "..", "null", "x" * 5_000),
    ]


def _segment(said: object) -> str:
    """A part of a JWT, or of our own cookie."""
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
