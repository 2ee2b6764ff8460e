"""The one door: every route has an action, and nobody gets past it who may not do that. Pages, fragments and the API alike."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, ClassVar, assert_never
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from kohort.adapters.server_link import USER_HEADER
from kohort.foundation.errors import UserError
from kohort.ports.users import UserRecord
from kohort.services.access import ACTIONS, Access
from kohort.services.tokens import caller_of_token
from kohort.services.users import Actor, Caller, Way, caller_of_session
from kohort.web.api.answers import Json
from kohort.web.api.contract import ANSWERS, MORE_ANSWERS
from kohort.web.api.heads import headers_alone, is_head
from kohort.web.api.parameters import parameters_of, require_known_parameters
from kohort.web.api.refusals import codes_of, refusal
from kohort.web.api.unseen import Unseen
from kohort.web.packing import made_small

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort

COOKIE = "kohort_session"
PUBLIC = "public"
JSON_MEDIA = "application/json"
ACTION_KEY = "x-action"
_SAFE = ("GET", "HEAD", "OPTIONS")
COMMANDS = "warehouse.use"
_OF_USERS = ("me.change", "tokens.own")


class GuardedRoute(APIRoute):
    """A route that first asks who is there and whether they may; what was sent is looked at only after that."""

    is_strict: ClassVar[bool] = False
    """Whether parameters that it does not have are refused. Pages are tolerant: links to them come from anywhere."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        action, takes_body, parameters = action_of(self), self.body_field is not None, parameters_of(self)

        async def guarded(request: Request) -> Response:
            store = request.app.state.kohort.store
            store.begin_request()
            if action != PUBLIC:
                known = store.at_once(lambda: admitted(request, action))
                request.state.caller = known or await run_in_threadpool(admitted, request, action)
            elif request.method not in _SAFE:
                _refuse_cross_site(request)
            if self.is_strict:
                require_known_parameters(request.query_params, parameters)
            if takes_body:
                _require_json(request)
            try:
                answer = await handle(request)
            except UserError as error:
                raise await run_in_threadpool(_without_unseen, request, error) from error
            if is_head(request) and isinstance(answer, StreamingResponse):
                answer = headers_alone(answer)
            return made_small(request, as_private(_or_unchanged(request, answer)))

        return guarded


class ApiRoute(GuardedRoute):
    """A route of the API."""

    is_strict = True


def _require_json(request: Request) -> None:
    """Bodies are JSON and say so. Raises UserError MEDIA_TYPE_UNSUPPORTED."""
    headers = request.headers
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    if not is_empty and media != JSON_MEDIA and not (media.startswith("application/") and media.endswith("+json")):
        said = f'a body of the type "{media}" is not read' if media else "the body does not say what it is"
        raise UserError("MEDIA_TYPE_UNSUPPORTED", said, hint=f"send JSON, and the header Content-Type: {JSON_MEDIA}")


def _without_unseen(request: Request, error: UserError) -> UserError:
    """The same refusal, which names nothing outside of the grants of the one who asks."""
    caller: Caller | None = getattr(request.state, "caller", None)
    return Unseen.of(request.app.state.kohort.store, caller.access).error(error) if caller is not None else error


def as_private(answer: Response) -> Response:
    """The answer, which nobody between here and the reader keeps, and which is taken for nothing else than it says it is."""
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    return answer


def _or_unchanged(request: Request, answer: Response) -> Response:
    """The answer, or that it is the one the caller has (304)."""
    revision, known = answer.headers.get("etag"), request.headers.get("if-none-match", "")
    if request.method != "GET" or answer.status_code != 200 or not revision or not known:
        return answer
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return Response(status_code=304, headers={"ETag": revision}) if tags & {revision, "*"} else answer


def action_of(route: APIRoute) -> str:
    """What the route does; PUBLIC: anybody may. Raises ValueError for a route that does not say."""
    action = (route.openapi_extra or {}).get(ACTION_KEY)
    if action != PUBLIC and action not in ACTIONS:
        raise ValueError(f"{route.path} has no action")
    return str(action)


def admitted(request: Request, action: str) -> Caller:
    """Who is there, if they may do that at all. Raises UserError SIGN_IN_FIRST, FORBIDDEN, CROSS_SITE."""
    caller = recognised(request)
    if caller is None:
        hint = "sign in, or send an API token: Authorization: Bearer TOKEN"
        raise UserError("SIGN_IN_FIRST", "this is for people and programs that Kohort knows", hint=hint)
    if caller.actor.way == "session" and request.method not in _SAFE:
        _refuse_cross_site(request)
    caller.access.require(action)
    if not fits_way(action, caller.actor.way):
        raise UserError("FORBIDDEN", "this is not for those who came in this way", hint="sign in, or use the command line")
    return caller


def fits_way(action: str, way: Way) -> bool:
    """Whether an action is for those who came in this way: a password is changed by who signed in, the warehouse lent to commands."""
    match way:
        case "cli":
            return action not in _OF_USERS
        case "token":
            return action not in (COMMANDS, "me.change")
        case "session" | "link":
            return action != COMMANDS
        case _:
            assert_never(way)


def recognised(request: Request) -> Caller | None:
    """Who came with a session or a token; a token that is sent is what counts, valid or not."""
    kohort: Kohort = request.app.state.kohort
    address = address_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return None
        if kohort.link_secret and compare_digest(token.encode("utf-8", "replace"), kohort.link_secret.encode()):
            return _operator(request)
        return caller_of_token(kohort.store, token, address=address, clock=kohort.clock)
    secret = request.cookies.get(COOKIE, "")
    return caller_of_session(kohort.store, secret, address=address, clock=kohort.clock) if secret else None


def _operator(request: Request) -> Caller:
    """Who types a command beside the server: who can read the secret could change everything without the server, too."""
    name = unquote(request.headers.get(USER_HEADER, ""))[:200] or "unknown"
    never = datetime.min.replace(tzinfo=UTC)
    user = UserRecord(0, name, "admin", False, "", never, "", never, "")
    return Caller(user, Access("admin"), Actor(name, "cli"), "")


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def _refuse_cross_site(request: Request) -> None:
    """A page of another site must not act with somebody's session. Browsers say where a request comes from."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = (
        site not in ("same-origin", "none") if site else bool(origin) and (origin or "").partition("://")[2] != request.headers.get("host")
    )
    if foreign:
        raise UserError(
            "CROSS_SITE", "this request comes from a page of another site", hint="use the pages of this server, or an API token"
        )


def caller_of(request: Request) -> Caller:
    """Who was admitted."""
    caller: Caller = request.state.caller
    return caller


class Routes(APIRouter):
    """Routes that each say what they do."""

    def __init__(self, tag: str) -> None:
        super().__init__(route_class=ApiRoute, tags=[tag])

    def on(
        self,
        method: str,
        path: str,
        action: str,
        *,
        problems: tuple[int | str, ...] = (),
        status: int = 200,
        example: Any = None,
        media: str = JSON_MEDIA,
        headers: dict[str, str] | None = None,
        hidden: bool = False,
        name: str = "",
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Add a route. problems: what it may answer beside what every route may, as status or as code; example: of its answer.

        hidden: it is not in the OpenAPI document. name: of the operation there; "": that of the function.
        """
        responses: dict[int | str, dict[str, Any]] = {
            number: refusal(number, codes) for number, codes in codes_of(path, _usual(method, action), problems).items()
        }
        described = {name: {"description": text, "schema": {"type": "string"}} for name, text in (headers or {}).items()}
        extra: dict[str, Any] = {
            ACTION_KEY: action,
            "x-role": ACTIONS[action].role if action != PUBLIC else "",
            "security": [] if action == PUBLIC else _SECURITY,
        }
        if method == "GET" and "ETag" in described:
            extra["parameters"] = [_IF_NONE_MATCH]
            responses[304] = {"description": "It is what you have", "headers": described}

        def add(endpoint: Callable[..., Any]) -> Callable[..., Any]:
            called = name or endpoint.__name__
            responses[status] = _answer(media, ANSWERS.get(called) if media == JSON_MEDIA else None, example, described)
            for number, shape in MORE_ANSWERS.get(called, {}).items():
                responses[number] = _answer(media, shape)
            self.add_api_route(
                path,
                endpoint,
                methods=[method],
                status_code=status,
                responses=responses,
                openapi_extra=extra,
                response_model=None,
                response_class=Json if media == JSON_MEDIA else Response,
                operation_id=called,
                summary=called.replace("_", " ").capitalize(),
                include_in_schema=not hidden,
            )
            return endpoint

        return add


def _answer(media: str, shape: Any, example: Any = None, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """A good answer: its shape, an example, its headers."""
    content: dict[str, Any] = {} if example is None else {"example": example}
    if media != JSON_MEDIA:
        content["schema"] = {"type": "string"}
    return {
        "description": "Done",
        **({"model": shape} if shape is not None else {}),
        "content": {media: content},
        **({"headers": headers} if headers else {}),
    }


_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of what you have; when it is still that, the answer is 304 without a body.",
    "schema": {"type": "string", "maxLength": 2000},
}
_SECURITY: list[dict[str, list[str]]] = [{"session": []}, {"token": []}]


def _usual(method: str, action: str) -> set[int]:
    """Statuses of problems that every such route may answer."""
    found = {422}
    if action != PUBLIC:
        found |= {401, 403}
    if method not in _SAFE:
        found |= {400, 403, 413, 415, 503, 507}
    return found
