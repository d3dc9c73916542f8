"""What every answer tells the browser to refuse."""

import hashlib
import re
from base64 import b64encode
from importlib.resources import files

from core.config import settings

_INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_YEAR = 365 * 24 * 3600


def policy(page: str) -> str:
    """The Content-Security-Policy under which the scripts of this page run, and no others."""
    hashes = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in _INLINE_SCRIPT.findall(page)]
    return "; ".join(
        (
            "default-src 'self'",
            # Streamlit imports a component's script, which comes with the page's data, as a blob.
            " ".join(("script-src 'self' blob:", *(f"'sha256-{digest}'" for digest in hashes))),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    )


def defaults() -> dict[bytes, bytes]:
    """The headers of every answer that does not set them itself."""
    headers = {
        "content-security-policy": policy(files("streamlit").joinpath("static/index.html").read_text("utf-8")),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "x-frame-options": "SAMEORIGIN",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }
    if settings().home.startswith("https:"):
        headers["strict-transport-security"] = f"max-age={_YEAR}"
    return {name.encode(): text.encode() for name, text in headers.items()}
