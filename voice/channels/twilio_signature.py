"""Proof that a request comes from Twilio, and that a stream belongs to a call we answered."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

TOKEN_VALID_S = 60
"""Between our TwiML and the stream that it opens."""


def signature(auth_token: str, url: str, fields: Iterable[tuple[str, str]] = ()) -> str:
    """What stands in `X-Twilio-Signature` (Twilio, "Validating requests"): HMAC-SHA1, base64, over
    the full address followed by the sorted form fields, each once."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


def is_signed(
    auth_token: str, url: str, given: str | None, fields: Iterable[tuple[str, str]] = ()
) -> bool:
    """Whether `given` is the signature of this request.

    Twilio may write the address with or without its port, whatever it was given.
    """
    if given is None:
        return False
    fields = list(fields)
    return any(
        hmac.compare_digest(signature(auth_token, each, fields).encode(), given.encode())
        for each in _spellings(url)
    )


def _spellings(url: str) -> tuple[str, ...]:
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError:
        return (url,)
    usual = 443 if place.scheme in ("https", "wss") else 80
    other = place.netloc.removesuffix(f":{port}") if port else f"{place.netloc}:{usual}"
    return url, place._replace(netloc=other).geturl()


def stream_token(auth_token: str, call: str, now_s: float) -> str:
    """A token for the stream of one call, valid for a minute; needs no memory, so any process of
    several may check it."""
    expires = int(now_s) + TOKEN_VALID_S
    return f"{expires}.{_seal(auth_token, call, expires)}"


def is_stream_token(auth_token: str, call: str, token: str, now_s: float) -> bool:
    """Whether `token` was made for this call within the last minute."""
    expires_text, _, seal = token.partition(".")
    if not (expires_text.isascii() and expires_text.isdigit() and len(expires_text) < 12):
        return False
    expires = int(expires_text)
    fresh = now_s <= expires <= now_s + TOKEN_VALID_S
    return fresh and hmac.compare_digest(_seal(auth_token, call, expires).encode(), seal.encode())


def _seal(auth_token: str, call: str, expires: int) -> str:
    text = f"attune stream {call} {expires}"
    return hmac.new(auth_token.encode(), text.encode(), hashlib.sha256).hexdigest()
