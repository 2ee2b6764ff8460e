"""HEAD: what GET would answer, without its content."""

from __future__ import annotations

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ASKED = "kohort.is_head"


class HeadAsGet:
    """Has every route that takes GET take HEAD, too: the same status, the same headers, no content.

    Routes see a GET. Those whose content is work of its own, or has no end, ask `is_head` and leave it out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_content(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET", _ASKED: True}, receive, without_content)


def is_head(request: Request) -> bool:
    """Whether only the headers are wanted."""
    return bool(request.scope.get(_ASKED))


def method_of(request: Request) -> str:
    """What was asked for, as the caller said it."""
    return "HEAD" if is_head(request) else request.method


def headers_alone(answer: Response) -> Response:
    """The headers of an answer whose content is not made; how long it would be is not said."""
    found = Response(status_code=answer.status_code)
    found.raw_headers = [(name, value) for name, value in answer.raw_headers if name != b"content-length"]
    return found
