"""Many people in the studio at once: `python -m bench.load_studio WORKSPACE [--users 50] [--seconds 30] [--pause 1.0]`.

Works on a copy of the workspace, with a server in a process of its own and people of every role, who open one page after the other and look
at each for a while. The pages are those of the studio's route table, and previews of an edited rule. Prints how long each took.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from bench.borrowed import borrowed
from bench.measured import percentile
from kohort.adapters.passwords import Argon2Passwords
from kohort.bootstrap import Kohort, open_kohort
from kohort.parent.catalog_codec import catalog_from_document
from kohort.ports.users import ROLES
from kohort.services.definitions.stored import require_parent
from kohort.services.users import Actor, add_user, sign_in
from kohort.testing.server import running_server
from kohort.web.api.app import guarded_routes
from kohort.web.api.guard import COOKIE, PUBLIC, action_of
from kohort.web.studio.app import _PAGES as PAGES

BAR_MS = 500.0
PREVIEW = "preview of an edited rule"
_PASSWORD = "a long password for the bench"
_PREVIEWS_EVERY = 8


@dataclass
class Taken:
    """What was measured. milliseconds: by page."""

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)

    def show(self, cpu_seconds: float, seconds: float) -> bool:
        """The table; whether the bar is held."""
        everything = sorted(value for values in self.milliseconds.values() for value in values)
        names = sorted(self.milliseconds, key=lambda name: -percentile(self.milliseconds[name], 0.95))
        width = max(map(len, names), default=10)
        print(f"{'page':<{width}}  requests    p50 ms    p95 ms    max ms  errors")
        for name in names:
            values = self.milliseconds[name]
            print(
                f"{name:<{width}}  {len(values):>8}  {percentile(values, 0.5):>8.0f}  {percentile(values, 0.95):>8.0f}  {max(values):>8.0f}"
                f"  {self.errors[name]:>6}"
            )
        p50, p95, errors = percentile(everything, 0.5), percentile(everything, 0.95), sum(self.errors.values())
        print(f"{'all':<{width}}  {len(everything):>8}  {p50:>8.0f}  {p95:>8.0f}  {max(everything):>8.0f}  {errors:>6}")
        rate, work = len(everything) / seconds, 1000 * cpu_seconds / len(everything)
        print(f"{rate:.0f} requests a second; the server took {work:.1f} ms of CPU a request, {cpu_seconds / seconds:.2f} cores")
        if errors:
            print(f"statuses: {dict(self.statuses)}")
        held = p95 <= BAR_MS and not errors
        print(f"p95 {p95:.0f} ms against {BAR_MS:.0f} ms, {errors} errors: {'held' if held else 'NOT held'}")
        return held


def sessions_of(kohort: Kohort, users: int) -> dict[str, list[str]]:
    """Signed-in people by role."""
    passwords = Argon2Passwords(memory_kib=64, rounds=1)
    found: dict[str, list[str]] = {role: [] for role in ROLES}
    for number in range(users):
        role = ROLES[number % len(ROLES)]
        name = f"bench-{role}-{number}"
        add_user(kohort.store, passwords, name, role, _PASSWORD, actor=Actor("bench"), clock=kohort.clock)
        found[role].append(sign_in(kohort.store, passwords, name, _PASSWORD, address="", clock=kohort.clock).secret)
    return found


def places_of(kohort: Kohort) -> dict[str, list[str]]:
    """What there is, by the names of path parameters."""
    store = kohort.store
    parent = next(record for record in store.parents() if store.last_refresh(record.id))
    refreshes = store.refreshes(parent.id, 5)
    return {
        "parent": [parent.slug],
        "segment": [str(segment.id) for segment in store.segments(parent.id)][:6],
        "number": [str(refresh.number) for refresh in refreshes],
        "run": [str(run.id) for run in store.runs(limit=5)],
        "source": [source.slug for source in store.sources()][:5],
        "user": [str(user.id) for user in store.users()][:5],
    }


@dataclass(frozen=True)
class Edited:
    """What previews are asked of: a parent segment and its attributes that are numbers."""

    parent: str
    numbers: tuple[str, ...]


def edited_in(kohort: Kohort, parent: str) -> Edited:
    """Those of a parent segment."""
    done = kohort.store.last_refresh(require_parent(kohort.store, parent).id)
    assert done is not None
    fields = catalog_from_document(done.catalog).attributes
    return Edited(parent, tuple(f.name for f in fields if f.type == "number" and f.name.isidentifier()))


def addresses(places: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Page of the route table -> its addresses; pages of which there is nothing are left out."""
    found: dict[str, list[str]] = {}
    for route in (route for module in PAGES for route in guarded_routes(module.routes)):
        if action_of(route) == PUBLIC or "GET" not in route.methods:
            continue
        filled = [route.path]
        for name in re.findall(r"\{(\w+)", route.path):
            filled = [re.sub(rf"\{{{name}(:\w+)?\}}", value, path) for path in filled for value in places.get(name, [])]
        if filled:
            found[route.path] = filled
    return found


async def seen_by(url: str, secret: str, pages: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The addresses that somebody may see: each is opened once, which also warms the server."""
    found: dict[str, list[str]] = {}
    async with person(url, secret) as client:
        for page, paths in pages.items():
            good = [path for path in paths if (await client.get(path)).status_code == 200]
            if good:
                found[page] = good
    return found


def person(url: str, secret: str) -> httpx.AsyncClient:
    """A browser, as far as it matters here."""
    return httpx.AsyncClient(base_url=url, cookies={COOKIE: secret}, timeout=60, follow_redirects=True, verify=False)


async def use(
    url: str, secret: str, pages: Mapping[str, list[str]], edited: Edited, until: float, pause: float, random: Random, taken: Taken
) -> None:
    """One person, until the time is over."""
    async with person(url, secret) as client:
        await asyncio.sleep(random.random() * pause)
        while time.monotonic() < until:
            page = random.choice(list(pages)) if random.randrange(_PREVIEWS_EVERY) else PREVIEW
            began = time.monotonic()
            try:
                answer = await (preview(client, edited, random) if page == PREVIEW else client.get(random.choice(pages[page])))
                status = answer.status_code
            except httpx.HTTPError:
                status = 0
            taken.milliseconds[page].append(1000 * (time.monotonic() - began))
            taken.statuses[status] += 1
            taken.errors[page] += status != 200
            await asyncio.sleep(random.expovariate(1 / pause) if pause else 0)


async def preview(client: httpx.AsyncClient, edited: Edited, random: Random) -> httpx.Response:
    """What the editor asks while somebody changes a number in it."""
    body = {"text": f"{random.choice(edited.numbers)} > {random.randrange(1, 400)}", "sample": 5, "overlaps": 0}
    return await client.post(f"/api/v1/parents/{edited.parent}/preview", json=body)


async def seen(url: str, sessions: Mapping[str, list[str]], places: Mapping[str, list[str]]) -> dict[str, dict[str, list[str]]]:
    """What each role may open; says what nobody gets."""
    pages = addresses(places)
    by_role = {role: await seen_by(url, secrets[0], pages) for role, secrets in sessions.items() if secrets}
    left_out = set(pages) - set().union(*by_role.values())
    if left_out:
        print(f"not measured, since nobody gets them as they are: {', '.join(sorted(left_out))}")
    return by_role


async def load(
    url: str, sessions: Mapping[str, list[str]], by_role: Mapping[str, dict[str, list[str]]], edited: Edited, seconds: float, pause: float
) -> Taken:
    """Everybody at once."""
    taken, until = Taken(), time.monotonic() + seconds
    people = [(secret, by_role[role]) for role, secrets in sessions.items() for secret in secrets]
    await asyncio.gather(
        *(use(url, secret, pages, edited, until, pause, Random(number), taken) for number, (secret, pages) in enumerate(people))
    )
    return taken


def cpu_seconds_of(process_id: int) -> float:
    """What a process and all threads of it have computed so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> int:
    """Measure and say whether the bar is held."""
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("workspace", type=Path)
    wanted.add_argument("--users", type=int, default=50)
    wanted.add_argument("--seconds", type=float, default=30.0)
    wanted.add_argument("--pause", type=float, default=1.0, help="how long a person looks at a page, on average, in seconds; 0: not at all")
    options = wanted.parse_args()
    with borrowed(options.workspace) as copied:
        kohort = open_kohort(copied)
        sessions, places = sessions_of(kohort, options.users), places_of(kohort)
        edited = edited_in(kohort, places["parent"][0])
        kohort.close()
        with running_server(copied, {}) as server:
            by_role = asyncio.run(seen(server.api_url, sessions, places))
            before, began = cpu_seconds_of(server.process.pid), time.monotonic()
            taken = asyncio.run(load(server.api_url, sessions, by_role, edited, options.seconds, options.pause))
            held = taken.show(cpu_seconds_of(server.process.pid) - before, time.monotonic() - began)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
