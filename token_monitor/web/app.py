"""The paths of the daemon's HTTP."""

from collections.abc import Callable, Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from token_monitor import __version__
from token_monitor.core.number import to_json
from token_monitor.core.view import Snapshot
from token_monitor.web.access import Access, Guard
from token_monitor.web.metrics import CONTENT_TYPE
from token_monitor.web.status import health, readiness, status

_INDEX: Final = f"""token-monitor {__version__}

GET  /api/v1/status                 accounts, states, readings, open episodes, channels
POST /api/v1/accounts/{{name}}/poll   poll an account now
GET  /metrics                       for Prometheus
GET  /healthz                       whether the daemon does its work, and if not, why
GET  /readyz                        whether every account was tried once
"""


def make_app(
    snapshot: Callable[[], Snapshot], metrics: Callable[[], bytes], poll: Callable[[str], bool], access: Access
) -> ASGIApp:
    """The ASGI application.

    metrics: the Prometheus text. poll: has an account polled soon; False if there is none of that name.
    All three are called on the server's event loop, so they must not wait for anything slow.
    """
    views = _Views(snapshot, metrics, poll)
    app = Starlette(
        routes=[
            Route("/", views.index),
            Route("/metrics", views.metrics),
            Route("/healthz", views.healthz),
            Route("/readyz", views.readyz),
            Route("/api/v1/status", views.status),
            Route("/api/v1/accounts/{name:path}/poll", views.poll, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return Guard(app, access)


class _Views:
    def __init__(
        self, snapshot: Callable[[], Snapshot], metrics: Callable[[], bytes], poll: Callable[[str], bool]
    ) -> None:
        self._snapshot = snapshot
        self._metrics = metrics
        self._poll = poll

    async def index(self, _request: Request) -> Response:
        return PlainTextResponse(_INDEX)

    async def metrics(self, _request: Request) -> Response:
        return Response(self._metrics(), headers={"content-type": CONTENT_TYPE})

    async def healthz(self, _request: Request) -> Response:
        well, body = health(self._snapshot())
        return _json(body, 200 if well else 503)

    async def readyz(self, _request: Request) -> Response:
        ready, body = readiness(self._snapshot())
        return _json(body, 200 if ready else 503)

    async def status(self, _request: Request) -> Response:
        return _json(status(self._snapshot(), __version__))

    async def poll(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not self._poll(name):
            return _json({"error": f"there is no account {name!r}"}, 404)
        return _json({"account": name, "status": "queued"}, 202)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = {404: "there is nothing at this path", 405: "this path does not take that method"}.get(error.status_code)
    return _json({"error": text or error.detail}, error.status_code, error.headers)


async def _failed(_request: Request, _error: Exception) -> Response:
    return _json({"error": "an internal error; its cause is in the log"}, 500)


def _json(content: Mapping[str, object], status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json(content), status_code, headers, media_type="application/json")
