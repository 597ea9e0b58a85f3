"""The kiosk's page and its files, with what a browser may do on it."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

_PAGES = Path(__file__).parent / "pages" / "kiosk"
_FILES = {
    "index.html": "text/html; charset=utf-8",
    "kiosk.css": "text/css; charset=utf-8",
    "kiosk.js": "text/javascript; charset=utf-8",
    "sound.js": "text/javascript; charset=utf-8",
    "worklet.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def add_page(router: APIRouter) -> None:
    """`/kiosk` and the files that it loads; after every other route under `/kiosk/`. Whoever names
    no page comes here."""
    files = {name: (_PAGES / name).read_bytes() for name in _FILES}

    @router.get("/")
    async def home() -> Response:
        return RedirectResponse("/kiosk")

    @router.get("/kiosk")
    async def page() -> Response:
        return Response(files["index.html"], media_type=_FILES["index.html"], headers=PAGE_HEADERS)

    @router.get("/kiosk/{name}")
    async def file(name: str) -> Response:
        if name not in files:
            return Response("No such page.\n", 404)
        return Response(files[name], media_type=_FILES[name], headers=PAGE_HEADERS)
