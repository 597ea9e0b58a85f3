"""How the desk answers: pages and problems, each with the headers that keep a page to itself."""

from __future__ import annotations

from importlib import resources

from fastapi.responses import HTMLResponse, JSONResponse

_PAGES = resources.files("voice.server") / "pages" / "desk"
ASSETS = {
    "desk.css": "text/css",
    "desk.js": "text/javascript",
    "call.js": "text/javascript",
    "mood.js": "text/javascript",
    "supervisor.js": "text/javascript",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def page(name: str) -> str:
    """A page of the desk as it stands in its folder."""
    return (_PAGES / name).read_text(encoding="utf-8")


def html(text: str, status: int = 200) -> HTMLResponse:
    """A page."""
    return HTMLResponse(text, status, headers=HEADERS)


def problem(status: int, text: str) -> JSONResponse:
    """One sentence that says what is wrong."""
    return JSONResponse({"problem": text}, status, headers=HEADERS)
