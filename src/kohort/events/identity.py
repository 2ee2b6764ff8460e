"""Who a call is from: external ids on calls become profiles, and profiles that share ids become one.

A call that carries ids of several profiles shows that they are the same person; nothing else does (an alias call does not). What
would bring more ids of one kind together than a person has is not believed: the least trusted id of the call is left aside and the
rest tried again.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

from kohort.events.model import Call
from kohort.foundation.instants import DAY, WEEK, Micros

ExternalId = tuple[str, str]
"""(type, value), e.g. ("email", "jane@example.com")."""

Reason = Literal["created", "shared_ids", "merged_onwards"]
Obstacle = Literal["limit", "merge_ceiling", "mapping_ceiling"]

_TWO_NUMBERS: Final = struct.Struct("<QQ").unpack
REMEMBERED_VALUES: Final = 100_000
"""Values of ids that the readers of all sources know again, together."""
PROFILE_ID: Final = "_profile_id"
"""Column of tables of calls: the profile a call was of when it came. No key of a call becomes a column of this name."""
WITH_PROFILE: Final = "_with_profile"
"""How the view ends that shows a table of calls with the profile of each call as it is by now."""

MONTH: Final = 30 * DAY
YEAR: Final = 365 * DAY
PERIODS: Final[Mapping[str, Micros]] = {"weekly": WEEK, "monthly": MONTH, "yearly": YEAR}
_WITH_IDS: Final = frozenset({"traits", "device", "integrations", "externalIds"})
"""Members of a context that may hold ids."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many ids of one kind a profile may gather, ever or within a period (microseconds back from the call's timestamp)."""

    count: int
    period: Micros | None = None


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """Which ids count and how far they are believed.

    limits: by type; other types have `limit`. first: the most trusted types in order, the others follow by name. blocked: values that are
    nobody's, exactly or as a pattern of the whole value. custom: type -> key of a trait or property (camelCase or snake_case).
    left_out: types that are not of one person. Past the ceilings a profile still takes calls, but merges and grows no more.
    """

    limits: Mapping[str, Limit] = field(default_factory=lambda: {"user_id": Limit(1)})
    limit: Limit = Limit(5)
    first: tuple[str, ...] = ("user_id", "email")
    blocked: frozenset[str] = frozenset({"-1", "null", "anonymous"})
    blocked_pattern: str = r"[0-]*|\s*"
    custom: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset({"group_id"})
    max_merges: int = 100
    max_mappings: int = 1_000

    def limit_of(self, kind: str) -> Limit:
        return self.limits.get(kind, self.limit)

    def rank(self, kind: str) -> tuple[int, str]:
        """Sorts types, the most trusted first."""
        return (self.first.index(kind) if kind in self.first else len(self.first), kind)


DEFAULT_IDENTITY: Final = IdentityRules()


def external_ids(call: Call, rules: IdentityRules = DEFAULT_IDENTITY) -> tuple[ExternalId, ...]:
    """The ids a call carries, the most trusted first; the second id an alias call names is not among them."""
    payload = call.payload
    found: list[tuple[str, Any]] = []
    if call.user_id is not None:
        found.append(("user_id", call.user_id))
    if call.type == "identify" and type(traits := payload.get("traits")) is dict and "email" in traits:
        found.append(("email", traits["email"]))
    if call.anonymous_id is not None:
        found.append(("anonymous_id", call.anonymous_id))
    usual = len(found)
    if type(context := payload.get("context")) is dict and not _WITH_IDS.isdisjoint(context):
        found.extend(_context_ids(context))
    if call.type == "group":
        found.append(("group_id", payload.get("groupId")))
    if rules.custom:
        found.extend(_custom_ids(call, rules.custom))
    blocked, nobodys, left_out = rules.blocked, _pattern(rules.blocked_pattern).fullmatch, rules.left_out
    kept = [each for each in found if type(each[1]) is str and each[1] not in blocked and not nobodys(each[1]) and each[0] not in left_out]
    if len(found) > usual or rules.first != DEFAULT_IDENTITY.first:
        kept = sorted(set(kept), key=lambda each: (rules.rank(each[0]), each[1]))
    return tuple(kept)


class IdReader:
    """Reads the ids of calls under some rules. Of values it remembers, it gives the same object each time, and which are nobody's."""

    def __init__(self, rules: IdentityRules = DEFAULT_IDENTITY, remembered_values: int = REMEMBERED_VALUES) -> None:
        usual = ("user_id", "email", "anonymous_id")
        self._rules = rules
        self.remembered_values = remembered_values
        self._remembered = 0
        self._users: dict[str, ExternalId | None] = {}
        self._emails: dict[str, ExternalId | None] = {}
        self._visitors: dict[str, ExternalId | None] = {}
        self._nobodys = _pattern(rules.blocked_pattern).fullmatch
        ranked = sorted(usual, key=rules.rank)
        self.is_usual = not rules.custom and rules.left_out.isdisjoint(usual) and tuple(ranked) == usual
        """Whether `usual` knows the ids of a call whose context has none and that is of no group."""

    def of(self, call: Call) -> tuple[ExternalId, ...]:
        """The ids any call carries, the most trusted first."""
        return external_ids(call, self._rules)

    def usual(self, user_id: str | None, traits: Mapping[str, Any] | None, anonymous_id: str | None) -> tuple[ExternalId, ...]:
        """The same for what most calls have. traits: of an identify call."""
        users, visitors = self._users, self._visitors
        user = visitor = address = None
        if user_id is not None:
            user = users[user_id] if user_id in users else self._judge(users, "user_id", user_id)
        if traits and type(email := traits.get("email")) is str:
            address = self._emails[email] if email in self._emails else self._judge(self._emails, "email", email)
        if anonymous_id is not None:
            visitor = visitors[anonymous_id] if anonymous_id in visitors else self._judge(visitors, "anonymous_id", anonymous_id)
        if user is not None and visitor is not None and address is None:
            return (user, visitor)
        return tuple([each for each in (user, address, visitor) if each is not None])

    def _judge(self, remembered: dict[str, ExternalId | None], kind: str, value: str) -> ExternalId | None:
        if self._remembered >= self.remembered_values:
            for each in (self._users, self._emails, self._visitors):
                each.clear()
            self._remembered = 0
        self._remembered += 1
        counts = value not in self._rules.blocked and not self._nobodys(value)
        found = remembered[value] = (kind, value) if counts else None
        return found


def hash_of(external_id: ExternalId) -> tuple[int, int]:
    """128 bits that stand for an id, as two unsigned 64-bit numbers."""
    digest = hashlib.blake2b(f"{external_id[0]}\0{external_id[1]}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first, second = _TWO_NUMBERS(digest)
    return first, second


def _context_ids(context: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if type(traits := context.get("traits")) is dict and "email" in traits:
        yield "email", traits["email"]
    if type(device := context.get("device")) is dict:
        yield from _device_ids(device)
    if type(integrations := context.get("integrations")) is dict and type(analytics := integrations.get("Google Analytics")) is dict:
        yield "ga_client_id", analytics.get("clientId")
    if type(given := context.get("externalIds")) is list:
        yield from (
            (each["type"], each.get("id"))
            for each in given
            if type(each) is dict and each.get("collection") == "users" and each.get("encoding") == "none" and _is_type(each.get("type"))
        )


def _device_ids(device: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    kind = device.get("type")
    if kind in ("android", "ios"):
        yield f"{kind}.id", device.get("id")
        yield f"{kind}.push_token", device.get("token")
        if device.get("adTrackingEnabled") is True:
            yield f"{kind}.idfa", device.get("advertisingId")


def _custom_ids(call: Call, custom: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    context = call.payload.get("context")
    places: list[Any] = [context.get("traits")] if type(context) is dict else []
    if call.type == "identify":
        places.append(call.payload.get("traits"))
    if call.type in ("track", "page", "screen"):
        places.append(call.payload.get("properties"))
    for kind, key in custom.items():
        for place in places:
            if type(place) is dict:
                yield from ((kind, place[name]) for name in _spellings(key) if name in place)


@lru_cache(maxsize=1000)
def _spellings(key: str) -> tuple[str, ...]:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().split("_")
    return tuple({"_".join(words), words[0] + "".join(word.title() for word in words[1:])})


def _is_type(kind: object) -> bool:
    return type(kind) is str and bool(kind) and kind == kind.lower()


@lru_cache(maxsize=100)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@dataclass(slots=True)
class Profile:
    """What resolution needs to know of one profile.

    number: profiles count from 1 in the order in which they were first seen; the oldest of those that merge goes on. ids: type -> when
    each of its ids was first seen. members: numbers of the profiles that were merged into it. merges: how many of them.
    """

    number: int
    ids: dict[str, list[Micros]] = field(default_factory=dict)
    members: list[int] = field(default_factory=list)

    @property
    def merges(self) -> int:
        return len(self.members)

    @property
    def mappings(self) -> int:
        return sum(map(len, self.ids.values()))


@dataclass(slots=True)
class Trigger:
    """The call that brought something about."""

    type: str
    message_id: str
    timestamp: Micros
    received_at: Micros


@dataclass(slots=True)
class GraphUpdate:
    """From this call on, profile `number` is `canonical`. ids: those on the call that showed it; none when it was taken along."""

    number: int
    canonical: int
    reason: Reason
    ids: tuple[ExternalId, ...]
    trigger: Trigger


@dataclass(slots=True)
class NewId:
    """An external id was seen for the first time, on a call of profile `number`. hashed: its `hash_of`."""

    number: int
    external_id: ExternalId
    hashed: tuple[int, int]
    trigger: Trigger


@dataclass(slots=True)
class Demotion:
    """An id of a call was not believed, because of `obstacle`; the call counts for profile `number`."""

    number: int
    external_id: ExternalId
    obstacle: Obstacle
    trigger: Trigger


Change = GraphUpdate | NewId | Demotion


def profile_name(number: int) -> str:
    """How a profile is called in tables.

    >>> profile_name(12)
    'profile_12'
    """
    return f"profile_{number}"


class IdentityGraph:
    """The part of a graph that is in memory. Before a call is resolved, its ids and, unless it is settled, their profiles must be here.

    hashes: `hash_of` ids that are not known, as far as worked out already.
    """

    def __init__(self, next_number: int = 1, rules: IdentityRules = DEFAULT_IDENTITY) -> None:
        self.next_number = next_number
        self.rules = rules
        self.known: dict[ExternalId, int] = {}
        self.profiles: dict[int, Profile] = {}
        self.hashes: dict[ExternalId, tuple[int, int]] = {}
        self.onwards: dict[int, int] = {}

    def canonical(self, number: int) -> int:
        """Which profile a profile is by now."""
        while (onwards := self.onwards.get(number)) is not None:
            number = onwards
        return number

    def settled(self, ids: Sequence[ExternalId]) -> int | None:
        """The profile that all ids are of already; None when a call with them changes something."""
        known, onwards = self.known, self.onwards
        number: int | None = None
        for each in ids:
            found = known.get(each)
            if found is None:
                return None
            if found in onwards:
                found = self.canonical(found)
            if number is None:
                number = found
            elif number != found:
                return None
        return number

    def resolve(self, ids: Sequence[ExternalId], trigger: Trigger, changes: list[Change]) -> int | None:
        """The profile of a call; what it changes is added to `changes`. None: the call carries no id that counts."""
        if (number := self.settled(ids)) is not None or not ids:
            return number
        left, demoted = list(ids), []
        found, new = self._sorted_out(left)
        while (obstacle := self._obstacle(found, new, trigger.timestamp)) is not None:
            demoted.append((left.pop(), obstacle))
            found, new = self._sorted_out(left)
        number = self._joined(left, found, new, trigger, changes)
        changes.extend(Demotion(number, each, why, trigger) for each, why in demoted)
        return number

    def _sorted_out(self, ids: Sequence[ExternalId]) -> tuple[list[int], list[ExternalId]]:
        """(profiles that have some of the ids, the oldest first; ids that are new)."""
        known = self.known
        new = [each for each in ids if each not in known]
        if len(new) == len(ids):
            return [], new
        return sorted({self.canonical(known[each]) for each in ids if each in known}), new

    def _obstacle(self, found: Sequence[int], new: Sequence[ExternalId], at: Micros) -> Obstacle | None:
        """What forbids that these profiles and new ids become one profile."""
        if len(found) + len(new) < 2:
            return None
        profiles = [self.profiles[number] for number in found]
        if len(profiles) > 1 and sum(each.merges + 1 for each in profiles) - 1 > self.rules.max_merges:
            return "merge_ceiling"
        if profiles and sum(each.mappings for each in profiles) + len(new) > self.rules.max_mappings:
            return "mapping_ceiling"
        kinds = {kind for kind, _ in new}
        if len(profiles) > 1:
            kinds.update(kind for each in profiles for kind in each.ids)
        return "limit" if any(self._too_many(kind, profiles, new, at) for kind in kinds) else None

    def _too_many(self, kind: str, profiles: Sequence[Profile], new: Sequence[ExternalId], at: Micros) -> bool:
        limit = self.rules.limit_of(kind)
        total, most = sum([each[0] == kind for each in new]), 0
        for profile in profiles:
            seen = profile.ids.get(kind, ())
            count = len(seen) if limit.period is None else sum([when > at - limit.period for when in seen])
            total += count
            most = max(most, count)
        return total > limit.count and total > most

    def _joined(
        self, ids: Sequence[ExternalId], found: Sequence[int], new: Sequence[ExternalId], trigger: Trigger, changes: list[Change]
    ) -> int:
        """One profile for all ids: a new one, the one there is, or the oldest of several."""
        if not found:
            profile = self.profiles[self.next_number] = Profile(self.next_number)
            self.next_number += 1
            changes.append(GraphUpdate(profile.number, profile.number, "created", tuple(ids), trigger))
        elif not new and len(found) == 1:
            return found[0]
        else:
            profile = self.profiles[found[0]]
            shared = tuple(each for each in ids if each in self.known)
            for number in found[1:]:
                self._merge(self.profiles[number], profile, shared, trigger, changes)
        for each in new:
            self.known[each] = profile.number
            profile.ids.setdefault(each[0], []).append(trigger.timestamp)
            changes.append(NewId(profile.number, each, self.hashes.get(each) or hash_of(each), trigger))
        return profile.number

    def _merge(self, other: Profile, profile: Profile, shared: tuple[ExternalId, ...], trigger: Trigger, changes: list[Change]) -> None:
        changes.append(GraphUpdate(other.number, profile.number, "shared_ids", shared, trigger))
        changes.extend(GraphUpdate(number, profile.number, "merged_onwards", (), trigger) for number in other.members)
        profile.members += [other.number, *other.members]
        for kind, seen in other.ids.items():
            profile.ids.setdefault(kind, []).extend(seen)
        self.onwards[other.number] = profile.number
        del self.profiles[other.number]
