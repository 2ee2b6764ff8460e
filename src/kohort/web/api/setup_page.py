"""The page behind the one-time link of the first start: it makes the first admin. Once there are users, it is not there."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from kohort.web.api.answers import problem

if TYPE_CHECKING:
    from kohort.bootstrap import Kohort

PATH = "/setup"
_SCRIPT = """
const form = document.querySelector("form"), said = document.querySelector("output");
form.addEventListener("submit", async event => {
  event.preventDefault();
  const body = JSON.stringify({secret: location.hash.slice(1), name: form.name.value, password: form.password.value});
  const answer = await fetch("/api/v1/setup", {method: "POST", headers: {"Content-Type": "application/json"}, body});
  const found = await answer.json();
  said.textContent = answer.ok ? `${found.name} is the first admin and signed in.` : `${found.detail}. ${found.hint}`;
  if (answer.ok) form.hidden = true;
});
"""
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 24rem; margin: 15vh auto; padding: 0 1rem }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
label { margin-top: 1rem } input, button { padding: .5rem; margin-top: .25rem } button { margin-top: 1.5rem }
output { display: block; margin-top: 1rem }
"""
_PAGE = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Set up Kohort</title><style>{_STYLE}</style>
<main><h1>Set up Kohort</h1><p>You are the first here. Choose how you sign in; you will be the admin.</p>
<form><label>E-mail address or name<input name="name" required autocomplete="username" maxlength="200" autofocus></label>
<label>Password<input name="password" type="password" required minlength="10" autocomplete="new-password"></label>
<button>Begin</button></form><output role="status"></output></main><script>{_SCRIPT}</script></html>
"""


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


_POLICY = (
    f"default-src 'none'; script-src 'sha256-{_digest(_SCRIPT)}'; style-src 'sha256-{_digest(_STYLE)}'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def setup_page(request: Request) -> Response:
    """The page; the secret of the link stays in the browser until it is used."""
    kohort: Kohort = request.app.state.kohort
    if kohort.store.users():
        return problem(404, "ROUTE_NOT_FOUND", "Not Found")
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    return HTMLResponse(_PAGE, headers=headers)
