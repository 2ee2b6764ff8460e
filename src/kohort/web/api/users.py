"""Signing in, users with roles and grants, API tokens, the audit log."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from kohort.foundation.errors import UserError
from kohort.ports.users import Grant, UserRecord
from kohort.services import tokens, users
from kohort.services.access import ACTIONS
from kohort.services.definitions.stored import require_parent
from kohort.services.users import SESSION, SignedIn
from kohort.web.api.answers import Json
from kohort.web.api.bodies import AddedToken, AddedUser, ChangedUser, Grants, Login, NewPassword, OwnPassword, SetUp
from kohort.web.api.desk import AtDesk, Desk, IfMatch, etag, held
from kohort.web.api.documents import audit_document, grant_document, token_document, user_document
from kohort.web.api.guard import COOKIE, PUBLIC, Routes, address_of, fits_way
from kohort.web.api.pages import Cursor, Limit, page_of, read_number, write_cursor

routes = Routes("Users and access")
UserId = Annotated[int, Path(ge=1, lt=2**31, description="The id of a user.")]
TokenId = Annotated[int, Path(ge=1, lt=2**31, description="The id of an API token.")]
_USER = {
    "id": 1,
    "name": "ann@example.com",
    "role": "admin",
    "disabled": False,
    "has_password": True,
    "grants": [],
    "revision": "1a2b3c4d5e6f7081",
}
_ETAG = {"ETag": "The revision: send it as If-Match when you change role, state or grants."}
_TOKEN = {
    "id": 3,
    "user": "ann@example.com",
    "name": "nightly job",
    "last_four": "9xQz",
    "role": "marketer",
    "state": "valid",
    "made_with": None,
}


@routes.on("POST", "/login", PUBLIC, problems=("WRONG_PASSWORD", "LOCKED_OUT"), example={"name": "ann@example.com", "role": "admin"})
def sign_in(request: Request, body: Login) -> Json:
    """Sign in with name and password; the session comes as a cookie and lasts 12 hours."""
    kohort = request.app.state.kohort
    found = users.sign_in(kohort.store, kohort.passwords, body.name, body.password, address=address_of(request), clock=kohort.clock)
    return _with_cookie(request, found)


@routes.on(
    "POST", "/setup", PUBLIC, status=201, problems=("LINK_INVALID", "NAME_TAKEN"), example={"name": "ann@example.com", "role": "admin"}
)
def set_up(request: Request, body: SetUp) -> Json:
    """Make the first admin with the one-time link that the server printed, and sign in."""
    kohort = request.app.state.kohort
    address = address_of(request)
    found = users.set_up(kohort.store, kohort.passwords, body.secret, body.name, body.password, address=address, clock=kohort.clock)
    return _with_cookie(request, found, 201)


def _with_cookie(request: Request, found: SignedIn, status: int = 200) -> Json:
    answer = Json({"name": found.user.name, "role": found.user.role, "expires_at": found.expires_at}, status)
    answer.set_cookie(
        COOKIE,
        found.secret,
        max_age=int(SESSION.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https" or request.app.state.kohort.settings.api_secure_cookies == "always",
    )
    return answer


@routes.on("POST", "/logout", "me.read", example={"signed_out": True})
def sign_out(desk: AtDesk) -> Json:
    """End this session."""
    if desk.actor.way != "session":
        raise UserError("FORBIDDEN", "there is no session to end", hint="to end a token, revoke it")
    users.sign_out(desk.kohort.store, desk.caller, clock=desk.kohort.clock)
    answer = Json({"signed_out": True})
    answer.delete_cookie(COOKIE)
    return answer


@routes.on("GET", "/me", "me.read", example={**_USER, "way": "session", "actions": ["segments.read"]})
def get_me(desk: AtDesk) -> Json:
    """Who one is, and what one may do at all."""
    actions = [action for action in ACTIONS if desk.access.may(action) and fits_way(action, desk.actor.way)]
    document = {**_user(desk, desk.caller.user), "role": desk.access.role}
    return Json({**document, "way": desk.actor.way, "actions": actions})


@routes.on("PUT", "/me/password", "me.change", problems=(429,), example={"changed": True})
def change_my_password(desk: AtDesk, body: OwnPassword) -> Json:
    """Change one's own password. Every session ends, this one, too."""
    kohort = desk.kohort
    users.change_own_password(kohort.store, kohort.passwords, desk.caller, body.old, body.new, clock=kohort.clock)
    return Json({"changed": True})


# --- users --------------------------------------------------------------------------------------------------------


@routes.on("GET", "/users", "users.read", example={"items": [_USER], "next": "WyJWSVAiLCA1XQ"})
def list_users(desk: AtDesk, cursor: Cursor = "", limit: Limit = 100) -> Json:
    """Users by name, disabled ones too."""
    return Json(page_of(desk.kohort.store.users(), lambda u: [u.name, u.id], lambda u: _user(desk, u), cursor, limit))


@routes.on("POST", "/users", "users.write", status=201, problems=("NAME_TAKEN",), example=_USER, headers=_ETAG)
def add_user(desk: AtDesk, body: AddedUser) -> Json:
    """Add a user."""
    kohort = desk.kohort
    user = users.add_user(kohort.store, kohort.passwords, body.name, body.role, body.password, actor=desk.actor, clock=kohort.clock)
    return _answer(desk, user, 201, {"Location": f"/api/v1/users/{user.id}"})


@routes.on("GET", "/users/{user}", "users.read", example=_USER, headers=_ETAG)
def get_user(desk: AtDesk, user: UserId) -> Json:
    """A user with role and grants."""
    return _answer(desk, _by_id(desk, user))


def _held(desk: AtDesk, user: UserId, if_match: IfMatch = "") -> str | None:
    return held(if_match, partial(users.require_user_revision, desk.kohort.store, _by_id(desk, user)))


HeldRevision = Annotated[str | None, Depends(_held)]


@routes.on("PATCH", "/users/{user}", "users.write", problems=("LAST_ADMIN", 412, 428), example=_USER, headers=_ETAG)
def change_user(desk: AtDesk, user: UserId, body: ChangedUser, revision: HeldRevision) -> Json:
    """Give another role, disable or enable. Who is disabled is signed out at once."""
    kohort, name = desk.kohort, _by_id(desk, user).name
    changed = users.change_user(
        kohort.store, name, role=body.role, disabled=body.disabled, revision=revision, actor=desk.actor, clock=kohort.clock
    )
    return _answer(desk, changed)


@routes.on("PUT", "/users/{user}/password", "users.write", example={"changed": True})
def set_password(desk: AtDesk, user: UserId, body: NewPassword) -> Json:
    """Set a user's password. They are signed out everywhere."""
    kohort = desk.kohort
    users.set_password(kohort.store, kohort.passwords, _by_id(desk, user).name, body.password, actor=desk.actor, clock=kohort.clock)
    return Json({"changed": True})


@routes.on("PUT", "/users/{user}/grants", "users.write", problems=("PARENT_NOT_FOUND", 412, 428), example=_USER, headers=_ETAG)
def put_grants(desk: AtDesk, user: UserId, body: Grants, revision: HeldRevision) -> Json:
    """Limit a user to parent segments and folders; replaces what was granted before."""
    kohort, found = desk.kohort, _by_id(desk, user)
    wanted = [Grant(require_parent(kohort.store, grant.parent).id, grant.folder, grant.role) for grant in body.grants]
    users.set_grants(kohort.store, found.name, wanted, revision=revision, actor=desk.actor, clock=kohort.clock)
    return _answer(desk, found)


def _answer(desk: Desk, user: UserRecord, status: int = 200, headers: dict[str, str] | None = None) -> Json:
    document = _user(desk, user)
    return Json(document, status, {**(headers or {}), **etag(document["revision"])})


def _by_id(desk: Desk, user_id: int) -> UserRecord:
    found = next((user for user in desk.kohort.store.users() if user.id == user_id), None)
    if found is None:
        raise UserError("USER_NOT_FOUND", f"there is no user with id {user_id}", hint="list them first")
    return found


def _user(desk: Desk, user: UserRecord) -> dict[str, Any]:
    store = desk.kohort.store
    parents = {parent.id: parent for parent in store.parents()}
    grants = [grant_document(grant, parents) for grant in store.grants(user.id)]
    return user_document(user, grants, users.user_revision(store, user))


# --- tokens -------------------------------------------------------------------------------------------------------


@routes.on("GET", "/tokens", "tokens.own", example={"items": [_TOKEN], "next": "WyJWSVAiLCA1XQ"})
def list_tokens(
    desk: AtDesk,
    everybody: Annotated[bool, Query(description="Those of all users (admins only).")] = False,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Json:
    """API tokens, newest first."""
    if everybody:
        desk.access.require("tokens.all")
    store = desk.kohort.store
    owners, now = {user.id: user for user in store.users()}, desk.kohort.clock.now()
    found = store.tokens(None if everybody else desk.caller.user.id)
    return Json(page_of(found, lambda t: -t.id, lambda t: token_document(t, owners.get(t.user_id), now), cursor, limit))


@routes.on("POST", "/tokens", "tokens.own", status=201, example={**_TOKEN, "token": "shown this once"})
def add_token(desk: AtDesk, body: AddedToken) -> Json:
    """A new API token of one's own. It is in the answer, this once. One that is made with a token ends no later, and with it."""
    kohort, user = desk.kohort, desk.caller.user
    used = kohort.store.token(desk.caller.secret_hash, kohort.clock.now()) if desk.actor.way == "token" else None
    issued = tokens.add_token(
        kohort.store,
        user,
        body.name,
        role=body.role or "",
        days=body.days,
        most=desk.access.role,
        used=used[0] if used else None,
        actor=desk.actor,
        clock=kohort.clock,
    )
    return Json({**token_document(issued.record, user, kohort.clock.now()), "token": issued.token}, 201)


@routes.on("DELETE", "/tokens/{token}", "tokens.own", example={**_TOKEN, "state": "revoked", "revoked_with_it": [4]})
def revoke_token(desk: AtDesk, token: TokenId) -> Json:
    """Refuse a token from now on, and those that were made with it: one's own; of others only admins may."""
    kohort = desk.kohort
    owner = None if desk.access.may("tokens.all") else desk.caller.user
    most = desk.access.role if desk.actor.way == "token" else None
    revoked = tokens.revoke_token(kohort.store, token, owner=owner, most=most, actor=desk.actor, clock=kohort.clock)
    owners = {user.id: user for user in kohort.store.users()}
    document = token_document(revoked.token, owners.get(revoked.token.user_id), kohort.clock.now())
    return Json({**document, "revoked_with_it": [other.id for other in revoked.with_it]})


# --- the audit log ------------------------------------------------------------------------------------------------


@routes.on(
    "GET",
    "/audit",
    "audit.read",
    example={"items": [{"id": 9, "who": "ann@example.com", "action": "segment.save"}], "next": "WyJWSVAiLCA1XQ"},
)
def read_audit(
    desk: AtDesk,
    who: Annotated[str, Query(max_length=200, description="Only what this user did.")] = "",
    kind: Annotated[str, Query(max_length=50, description="segment, parent, source, user, token, table")] = "",
    object: Annotated[str, Query(max_length=2000, description="Only about this: a name, a path, an id.")] = "",
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Json:
    """What was done, newest first."""
    before = read_number(cursor, 0) or None
    found = list(desk.kohort.store.audit(limit=limit + 1, before_id=before, who=who, kind=kind, object=object))
    following = write_cursor(found[limit - 1].id) if len(found) > limit else None
    return Json({"items": [audit_document(record) for record in found[:limit]], "next": following})
