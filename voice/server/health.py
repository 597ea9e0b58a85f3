"""Is the process alive, may it be sent calls, and its figures."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from voice.server.switchboard import Switchboard

READING = ["GET", "HEAD"]
"""Load balancers often ask with HEAD."""


def health_router(switchboard: Switchboard) -> APIRouter:
    """`/healthz`, `/readyz`, `/metrics`."""
    router = APIRouter()

    @router.api_route("/healthz", methods=READING)
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.api_route("/readyz", methods=READING)
    async def readyz(response: Response) -> dict[str, str]:
        refusal = switchboard.admission.refusal()
        if switchboard.ready and refusal is None:
            return {"status": "ready"}
        response.status_code = 503
        return {"status": refusal.value if refusal else "warming up"}

    @router.api_route("/metrics", methods=READING)
    async def metrics() -> Response:
        return Response(
            generate_latest(switchboard.metrics.registry), media_type=CONTENT_TYPE_LATEST
        )

    return router
