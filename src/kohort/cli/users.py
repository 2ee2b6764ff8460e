"""`kohort user ...` and `kohort token ...`: who may sign in, and with which tokens programs use the API."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from kohort.cli.context import JSON
from kohort.cli.output import instant_text, note, show, show_json, show_table, styled
from kohort.cli.session import open_session
from kohort.cli.usage import UsageError

if TYPE_CHECKING:
    from kohort.ports.definitions import ParentRecord
    from kohort.ports.users import Grant, TokenRecord, UserRecord
    from kohort.services.users import Actor

user_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
token_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="The user: the name, or the id.")]
RoleName = Literal["viewer", "marketer", "engineer", "admin"]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@user_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="An e-mail address, or a name.")],
    role: Annotated[RoleName, typer.Option("--role", help="What they may do.")] = "viewer",
    password_stdin: PasswordStdin = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Set none: only API tokens can be used.")] = False,
    as_json: JSON = False,
) -> None:
    """Add a user. The password is asked for, or read from standard input."""
    from kohort.services.users import add_user

    session = open_session()
    password = "" if no_password else _password(password_stdin)
    user = add_user(session.store, session.passwords, name, role, password, actor=_actor(), clock=session.clock)
    _show_user(user, as_json, f"is added as {user.role}")


@user_app.command("list")
def list_users(as_json: JSON = False) -> None:
    """List users with their roles and what these are limited to."""
    store = open_session().store
    parents = {parent.id: parent for parent in store.parents()}
    listed = [(user, [_grant_text(grant, parents) for grant in store.grants(user.id)]) for user in store.users()]
    if as_json:
        show_json([user_document(user) | {"grants": grants} for user, grants in listed])
        return
    rows = [
        (
            user.id,
            user.name,
            user.role,
            "disabled" if user.disabled else "enabled",
            ", ".join(grants) or "everything",
            _gmt(user.created_at),
        )
        for user, grants in listed
    ]
    show_table(("id", "user", "role", "state", "limited to", "since (GMT)"), rows, right=(0,), empty="no users yet: kohort user add NAME")


@user_app.command("role")
def role_of(name: Name, role: Annotated[RoleName, typer.Argument(help="The new role.")], as_json: JSON = False) -> None:
    """Give a user another role, from their next request on."""
    from kohort.services.users import change_user

    session = open_session()
    user = change_user(session.store, name, role=role, actor=_actor(), clock=session.clock)
    _show_user(user, as_json, f"is {user.role}")


@user_app.command("disable")
def disable(name: Name, as_json: JSON = False) -> None:
    """Sign a user out and let them in no more. What they made stays."""
    _set_disabled(name, True, as_json)


@user_app.command("enable")
def enable(name: Name, as_json: JSON = False) -> None:
    """Let a disabled user in again."""
    _set_disabled(name, False, as_json)


def _set_disabled(name: str, disabled: bool, as_json: bool) -> None:
    from kohort.services.users import change_user

    session = open_session()
    user = change_user(session.store, name, disabled=disabled, actor=_actor(), clock=session.clock)
    _show_user(user, as_json, "is disabled" if user.disabled else "is enabled")


@user_app.command("passwd")
def passwd(name: Name, password_stdin: PasswordStdin = False, as_json: JSON = False) -> None:
    """Set a user's password. They are signed out everywhere."""
    from kohort.services.users import require_user, set_password

    session = open_session()
    require_user(session.store, name)
    password = _password(password_stdin)
    user = set_password(session.store, session.passwords, name, password, actor=_actor(), clock=session.clock)
    _show_user(user, as_json, "has a new password")


@user_app.command("grant")
def grant(
    name: Name,
    places: Annotated[
        list[str] | None, typer.Option("--to", metavar="PARENT[:FOLDER]=ROLE", help="Where they may do what; repeat it.")
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Take all limits away.")] = False,
    as_json: JSON = False,
) -> None:
    """Limit a user to parent segments and folders. Replaces what was granted before."""
    from kohort.services.users import require_user, set_grants

    if bool(places) == everything or not all(place.rpartition("=")[0] for place in places or []):
        raise UsageError("give --to PARENT[:FOLDER]=ROLE once or more, or --everything")
    session = open_session()
    require_user(session.store, name)
    wanted = [_grant(text) for text in places or []]
    set_grants(session.store, name, wanted, actor=_actor(), clock=session.clock)
    _show_user(require_user(session.store, name), as_json, f"is limited to {', '.join(places)}" if places else "has no limits")


def _grant(text: str) -> Grant:
    from kohort.ports.users import Grant
    from kohort.services.definitions.stored import require_parent
    from kohort.services.users import checked_role

    place, _, role = text.rpartition("=")
    parent, _, folder = place.partition(":")
    return Grant(require_parent(open_session().store, parent).id, folder.strip("/"), checked_role(role))


def _grant_text(grant: Grant, parents: dict[int, ParentRecord]) -> str:
    parent = parents.get(grant.parent_id)
    place = f"{parent.slug if parent else grant.parent_id}{f':{grant.folder}' if grant.folder else ''}"
    return f"{place}={grant.role}"


def _password(from_stdin: bool) -> str:
    """A password that is nowhere to be seen. Raises UserError NO_PASSWORD."""
    from kohort.foundation.errors import UserError

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UserError("NO_PASSWORD", "nobody can be asked for a password", hint="add --password-stdin and write it to standard input")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _actor() -> Actor:
    from kohort.services.users import Actor

    return Actor(open_session().settings.user_name)


def _show_user(user: UserRecord, as_json: bool, what: str) -> None:
    if as_json:
        show_json(user_document(user))
    else:
        styled(f"[bold]{escape(user.name)}[/bold] {escape(what)}.")


def user_document(user: UserRecord) -> dict[str, Any]:
    """A user as JSON."""
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "disabled": user.disabled,
        "has_password": bool(user.password_hash),
        "created_at": instant_text(user.created_at),
        "created_by": user.created_by,
        "updated_at": instant_text(user.updated_at),
        "updated_by": user.updated_by,
    }


# --- tokens -------------------------------------------------------------------------------------------------------


@token_app.command("add")
def add_token(
    user: Annotated[str, typer.Argument(help="Whose token it is.")],
    name: Annotated[str, typer.Argument(help="What it is for.")],
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="What it may at most (default: what the user may).")] = "",
    days: Annotated[int, typer.Option("--days", min=0, help="How long it is valid; 0 = until it is revoked.")] = 90,
    as_json: JSON = False,
) -> None:
    """Make an API token and show it, this once."""
    from kohort.services.tokens import add_token as issue
    from kohort.services.users import require_user

    session = open_session()
    owner = require_user(session.store, user)
    issued = issue(session.store, owner, name, role=role, days=days or None, actor=_actor(), clock=session.clock)
    if as_json:
        show_json(token_document(issued.record, owner, session.clock.now()) | {"token": issued.token})
        return
    styled(f"A token of [bold]{escape(owner.name)}[/bold], as {issued.record.role}, valid {_until(issued.record)}:")
    show(issued.token)
    note("It is not shown again. Send it as: Authorization: Bearer TOKEN")


@token_app.command("list")
def list_tokens(as_json: JSON = False) -> None:
    """List API tokens by their last four characters."""
    from kohort.services.tokens import state_of

    session = open_session()
    owners = {user.id: user for user in session.store.users()}
    now = session.clock.now()
    found = session.store.tokens()
    if as_json:
        show_json([token_document(token, owners.get(token.user_id), now) for token in found])
        return
    rows = [
        (
            t.id,
            owners[t.user_id].name if t.user_id in owners else "",
            t.name,
            f"****{t.last_four}",
            t.role,
            state_of(t, owners.get(t.user_id), now),
            t.expires_at and _gmt(t.expires_at),
            t.made_with,
        )
        for t in found
    ]
    columns = ("id", "user", "for", "token", "role", "state", "until (GMT)", "made with")
    show_table(columns, rows, right=(0, 7), empty="no tokens yet: kohort token add USER NAME")


@token_app.command("revoke")
def revoke(token: Annotated[int, typer.Argument(help="Its id: see kohort token list.")], as_json: JSON = False) -> None:
    """Refuse a token from now on, and those that were made with it."""
    from kohort.services.tokens import revoke_token

    session = open_session()
    done = revoke_token(session.store, token, actor=_actor(), clock=session.clock)
    if as_json:
        owners = {user.id: user for user in session.store.users()}
        document = token_document(done.token, owners.get(done.token.user_id), session.clock.now())
        show_json({**document, "revoked_with_it": [other.id for other in done.with_it]})
        return
    for record, why in ((done.token, ""), *((other, f", since it was made with token {other.made_with}") for other in done.with_it)):
        styled(f"The token [bold]{escape(record.name)}[/bold] (****{record.last_four}) is refused from now on{why}.")


def token_document(token: TokenRecord, owner: UserRecord | None, now: datetime) -> dict[str, Any]:
    """A token as JSON; of the token itself only the last four characters."""
    from kohort.services.tokens import state_of

    return {
        "id": token.id,
        "user": owner.name if owner else "",
        "name": token.name,
        "last_four": token.last_four,
        "role": token.role,
        "state": state_of(token, owner, now),
        "created_at": instant_text(token.created_at),
        "expires_at": instant_text(token.expires_at) if token.expires_at else None,
        "revoked_at": instant_text(token.revoked_at) if token.revoked_at else None,
        "made_with": token.made_with,
    }


def _until(token: TokenRecord) -> str:
    return f"until {_gmt(token.expires_at)} GMT" if token.expires_at else "until it is revoked"


def _gmt(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"
