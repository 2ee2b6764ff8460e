"""A page with nothing but a rule builder on it, on the studio's own origin and under its own policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route

from kohort.testing.studio import RunningStudio
from kohort.web.studio.static_files import static_files
from tests.studio.conftest import OpenPage

PARENT = "all-customers"
_ADDRESS = "/rule-builder-alone"
_START = """async ({rule, slug, readonly}) => {
  const builder = document.querySelector("rule-builder");
  await customElements.whenDefined("rule-builder");
  window.changes = [];
  builder.addEventListener("rule-change", event => window.changes.push(event.detail));
  builder.addEventListener("edit-as-yaml", event => window.changes.push(event.detail));
  const answer = await fetch(`/api/v1/parents/${slug}/fields`);
  Object.assign(builder, {fields: await answer.json(), parentSlug: slug, readonly, rule});
  builder.segments = [{path: "Value/High value", id: 1}, {path: "Lifecycle/Active", id: 2}];
  await builder.updateComplete;
}"""


def open_builder(
    opened: OpenPage,
    studio: RunningStudio,
    rule: object = None,
    *,
    theme: str = "light",
    readonly: bool = False,
    width: int = 1100,
    height: int = 900,
    slug: str = PARENT,
) -> Page:
    """The page with a builder that shows `rule`."""
    page = opened(studio, "/login", theme=theme, width=width, height=height)
    answer = page.request.get("/login", max_redirects=0)
    policy = {name: value for name, value in answer.headers.items() if name == "content-security-policy"}
    page.route(f"**{_ADDRESS}", _answers(theme, policy))
    page.goto(_ADDRESS)
    page.evaluate(_START, {"rule": rule, "slug": slug, "readonly": readonly})
    page.wait_for_load_state("networkidle")
    return page


def _answers(theme: str, headers: dict[str, str]) -> Callable[[Route], None]:
    files = static_files()
    html = (
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Rule</title>'
        f'<link rel="stylesheet" href="{files.url("studio.css")}"><script type="module" src="{files.url("js/studio.js")}"></script></head>'
        '<body><main class="content"><h1>Rules</h1><h2>Who is in</h2><rule-builder></rule-builder></main></body></html>'
    )

    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body=html, headers=headers)

    return answer


def rule_of(page: Page) -> Any:
    """The document the builder shows now."""
    return json.loads(page.evaluate("JSON.stringify(document.querySelector('rule-builder').rule)"))


def preview(page: Page, slug: str = PARENT) -> Any:
    """Ask the server for a preview of what the builder shows, and give it to the builder."""
    script = """async slug => {
      const builder = document.querySelector("rule-builder");
      const headers = {"Content-Type": "application/json"};
      const body = JSON.stringify({definition: {name: "Draft", rule: builder.rule}, sample: 0, overlaps: 0});
      const answer = await fetch(`/api/v1/parents/${slug}/preview`, {method: "POST", headers, body});
      builder.preview = await answer.json();
      await builder.updateComplete;
      return builder.preview;
    }"""
    return page.evaluate(script, slug)
