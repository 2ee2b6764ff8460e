"""Routes of pages: behind the same door as the API's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from kohort.services.access import ACTIONS
from kohort.web.api.guard import ACTION_KEY, PUBLIC, GuardedRoute


class PageRoutes(APIRouter):
    """Pages and fragments that each say what they show."""

    def __init__(self) -> None:
        super().__init__(route_class=GuardedRoute, include_in_schema=False)

    def page(self, path: str, action: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Add a page (GET). action: of `kohort.services.access.ACTIONS`, or PUBLIC."""
        if action != PUBLIC and action not in ACTIONS:
            raise ValueError(f"{path} has no action")

        def add(endpoint: Callable[..., Any]) -> Callable[..., Any]:
            self.add_api_route(
                path,
                endpoint,
                methods=["GET"],
                response_model=None,
                response_class=HTMLResponse,
                openapi_extra={ACTION_KEY: action},
            )
            return endpoint

        return add
