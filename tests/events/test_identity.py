"""Who a call is from: ids on calls, the graph they make, and what keeps it from growing together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohort.events.identity import (
    DEFAULT_IDENTITY,
    WEEK,
    Change,
    Demotion,
    ExternalId,
    GraphUpdate,
    IdentityGraph,
    IdentityRules,
    Limit,
    NewId,
    Trigger,
    external_ids,
)
from kohort.events.model import Call
from tests.events.messages import ANY


def call(kind: str = "track", user: str | None = None, anonymous: str | None = None, **payload: Any) -> Call:
    return Call(0, kind, "m", user, anonymous, 0, None, None, 0, payload)  # type: ignore[arg-type]


class People:
    """A graph and what was said about it; calls are numbered from 1, `at` counts from there."""

    def __init__(self, rules: IdentityRules = DEFAULT_IDENTITY) -> None:
        self.graph = IdentityGraph(rules=rules)
        self.changes: list[Change] = []
        self.calls = 0

    def see(self, *ids: ExternalId, at: int | None = None) -> int | None:
        self.calls += 1
        moment = self.calls if at is None else at
        ordered = sorted(ids, key=lambda each: (self.graph.rules.rank(each[0]), each[1]))
        return self.graph.resolve(ordered, Trigger("track", f"m{self.calls}", moment, moment), self.changes)

    @property
    def merges(self) -> list[tuple[int, int, str]]:
        return [
            (each.number, each.canonical, each.reason) for each in self.changes if type(each) is GraphUpdate and each.reason != "created"
        ]

    @property
    def demotions(self) -> list[tuple[ExternalId, str]]:
        return [(each.external_id, each.obstacle) for each in self.changes if type(each) is Demotion]


def user(value: str) -> ExternalId:
    return ("user_id", value)


def email(value: str) -> ExternalId:
    return ("email", value)


def anonymous(value: str) -> ExternalId:
    return ("anonymous_id", value)


# --- ids on calls ---------------------------------------------------------------------------------------------------

DEVICE = {"id": "d1", "token": "p1", "advertisingId": "ad1"}
ON_CALLS: list[tuple[Call, tuple[ExternalId, ...]]] = [
    (call(user="u", anonymous="a"), (user("u"), anonymous("a"))),
    (call("identify", "u", "a", traits={"email": "j@x.y"}), (user("u"), email("j@x.y"), anonymous("a"))),
    (call("track", "u", context={"traits": {"email": "j@x.y"}}), (user("u"), email("j@x.y"))),
    (call("track", "u", properties={"email": "j@x.y"}), (user("u"),)),
    (call("group", "u", traits={"email": "firm@x.y"}, groupId="g"), (user("u"),)),
    (call("alias", "u", previousId="a"), (user("u"),)),
    (call("identify", None, "a", traits={"email": "j@x.y"}, context={"traits": {"email": "j@x.y"}}), (email("j@x.y"), anonymous("a"))),
    (call("track", "u", context={"device": DEVICE | {"type": "ios"}}), (user("u"), ("ios.id", "d1"), ("ios.push_token", "p1"))),
    (
        call("track", None, "a", context={"device": DEVICE | {"type": "android", "adTrackingEnabled": True}}),
        (("android.id", "d1"), ("android.idfa", "ad1"), ("android.push_token", "p1"), anonymous("a")),
    ),
    (call("track", "u", context={"device": DEVICE | {"type": "toaster"}}), (user("u"),)),
    (call("track", "u", context={"integrations": {"Google Analytics": {"clientId": "c"}}}), (user("u"), ("ga_client_id", "c"))),
    (
        call("track", "u", context={"externalIds": [{"id": "123", "type": "phone", "collection": "users", "encoding": "none"}]}),
        (user("u"), ("phone", "123")),
    ),
    (
        call(
            "track",
            "u",
            context={
                "externalIds": [
                    {"id": "123", "type": "Phone", "collection": "users", "encoding": "none"},
                    {"id": "123", "type": "phone", "collection": "accounts", "encoding": "none"},
                    {"id": "123", "type": "phone", "collection": "users"},
                    {"id": 123, "type": "phone", "collection": "users", "encoding": "none"},
                    "phone",
                ]
            },
        ),
        (user("u"),),
    ),
]


@pytest.mark.parametrize(("made", "ids"), ON_CALLS)
def test_ids_that_calls_carry(made: Call, ids: tuple[ExternalId, ...]) -> None:
    assert external_ids(made) == ids


@pytest.mark.parametrize("value", ["", "0", "000-000", "----", "-1", "null", "anonymous", "  "])
def test_values_that_are_nobodys(value: str) -> None:
    assert external_ids(call("identify", value, value, traits={"email": value})) == ()


@pytest.mark.parametrize("value", ["-10", "1", "NULL", "0x0", "anonymous1"])
def test_values_that_are_somebodys(value: str) -> None:
    assert external_ids(call(user=value)) == (user(value),)


@pytest.mark.parametrize("context", [None, "x", [], {"traits": "x"}, {"device": 1}, {"integrations": []}, {"externalIds": {"id": 1}}])
def test_odd_contexts_carry_nothing(context: Any) -> None:
    assert external_ids(call("identify", "u", traits="odd", context=context)) == (user("u"),)


def test_custom_ids_are_found_in_both_spellings() -> None:
    rules = IdentityRules(custom={"shop_id": "shopId"})
    assert external_ids(call("identify", "u", traits={"shop_id": "s"}), rules) == (user("u"), ("shop_id", "s"))
    assert external_ids(call("track", "u", properties={"shopId": "s"}), rules) == (user("u"), ("shop_id", "s"))
    assert external_ids(call("page", "u", context={"traits": {"shopId": "s"}}), rules) == (user("u"), ("shop_id", "s"))
    assert external_ids(call("group", "u", traits={"shopId": "s"}), rules) == (user("u"),)


# --- the graph ------------------------------------------------------------------------------------------------------


def test_no_ids_are_nobody() -> None:
    people = People()
    assert (people.see(), people.changes) == (None, [])


def test_shared_ids_make_one_profile() -> None:
    people = People()
    assert [people.see(anonymous("a")), people.see(anonymous("a"), user("u")), people.see(user("u"))] == [1, 1, 1]
    assert [each.external_id for each in people.changes if type(each) is NewId] == [anonymous("a"), user("u")]


def test_the_older_profile_goes_on_when_two_merge() -> None:
    people = People()
    people.see(anonymous("a"), email("j"))
    people.see(anonymous("b"))
    assert people.see(anonymous("b"), email("j")) == 1
    assert people.see(anonymous("b")) == 1
    assert people.merges == [(2, 1, "shared_ids")]


def test_profiles_merged_before_are_taken_along() -> None:
    people = People()
    for name in "abcd":
        people.see(anonymous(name))
    people.see(anonymous("c"), anonymous("d"))
    people.see(anonymous("b"), anonymous("c"))
    assert people.see(anonymous("a"), anonymous("d")) == 1
    assert people.merges == [
        (4, 3, "shared_ids"),
        (3, 2, "shared_ids"),
        (4, 2, "merged_onwards"),
        (2, 1, "shared_ids"),
        (3, 1, "merged_onwards"),
        (4, 1, "merged_onwards"),
    ]


def test_the_worked_example_of_priorities() -> None:
    people = People()
    assert people.see(user("abc123"), email("jane@example1.com")) == 1
    assert people.see(user("abc456"), email("jane@example1.com")) == 2
    assert people.demotions == [(email("jane@example1.com"), "limit")]
    assert people.see(email("jane@example1.com")) == 1
    assert people.see(user("abc456")) == 2
    assert people.merges == []


def test_two_known_people_on_one_device_stay_two() -> None:
    people = People()
    people.see(user("u1"), anonymous("shared"))
    assert people.see(user("u2"), anonymous("shared")) == 2
    assert people.see(user("u1"), anonymous("shared")) == 1
    assert people.merges == []


def test_the_sixth_id_of_a_kind_is_left_aside() -> None:
    people = People()
    for number in range(6):
        assert people.see(user("u"), anonymous(f"a{number}")) == 1
    assert people.demotions == [(anonymous("a5"), "limit")]
    assert people.see(anonymous("a5")) == 2
    assert people.see(user("u"), anonymous("a5")) == 1
    assert people.merges == []


def test_a_limit_within_a_period_forgets() -> None:
    people = People(IdentityRules(limits={"user_id": Limit(1), "anonymous_id": Limit(2, WEEK)}))
    people.see(user("u"), anonymous("a1"), at=0)
    people.see(user("u"), anonymous("a2"), at=1)
    people.see(user("u"), anonymous("a3"), at=WEEK - 1)
    people.see(user("u"), anonymous("a4"), at=WEEK)
    assert people.demotions == [(anonymous("a3"), "limit")]


def test_what_is_beyond_a_limit_already_does_not_keep_other_ids_out() -> None:
    people = People()
    for number in range(5):
        people.see(user("u"), anonymous(f"a{number}"))
    people.graph.rules = IdentityRules(limits={"anonymous_id": Limit(1)})
    assert people.see(user("u"), email("j")) == 1
    assert people.demotions == []


def test_ceilings_stop_growth_but_not_calls() -> None:
    people = People(IdentityRules(limit=Limit(10_000), max_merges=2, max_mappings=5))
    for name in "abcd":
        people.see(anonymous(name))
    people.see(anonymous("a"), anonymous("b"))
    people.see(anonymous("a"), anonymous("c"))
    assert people.see(anonymous("a"), anonymous("d")) == 1
    assert people.see(user("u"), anonymous("a")) == 1
    assert people.see(email("j"), anonymous("a")) == 1
    assert people.see(anonymous("a"), anonymous("z")) == 1
    assert people.demotions == [(anonymous("d"), "merge_ceiling"), (anonymous("z"), "mapping_ceiling")]
    assert people.see(anonymous("d")) == 4


def test_the_rules_of_every_source() -> None:
    rules = DEFAULT_IDENTITY
    assert [rules.limit_of(kind) for kind in ("user_id", "email", "anonymous_id", "phone")] == [Limit(1), *[Limit(5)] * 3]
    assert sorted(["zip", "anonymous_id", "email", "android.id", "user_id"], key=rules.rank) == [
        "user_id", "email", "android.id", "anonymous_id", "zip",
    ]  # fmt: skip
    assert (rules.max_merges, rules.max_mappings) == (100, 1_000)


def test_group_ids_do_not_make_colleagues_one_person() -> None:
    assert external_ids(call("group", None, "a", groupId="g")) == (anonymous("a"),)
    rules = IdentityRules(left_out=frozenset())
    assert external_ids(call("group", None, "a", groupId="g"), rules) == (anonymous("a"), ("group_id", "g"))


# --- any calls ------------------------------------------------------------------------------------------------------

some_ids = st.sets(
    st.tuples(st.sampled_from(["user_id", "email", "anonymous_id", "ios.id"]), st.sampled_from("abcdefg")), min_size=1, max_size=4
)


@ANY
@given(st.lists(some_ids, max_size=40))
def test_limits_hold_and_every_id_is_of_one_profile(calls: list[set[ExternalId]]) -> None:
    people = People(IdentityRules(limits={"user_id": Limit(1), "email": Limit(2)}, limit=Limit(3), max_merges=3))
    for ids in calls:
        most_trusted = min(ids, key=lambda each: (people.graph.rules.rank(each[0]), each[1]))
        number = people.see(*ids)
        assert number == people.graph.canonical(people.graph.known[most_trusted])
    counts: dict[tuple[int, str], int] = {}
    for (kind, _), number in people.graph.known.items():
        key = (people.graph.canonical(number), kind)
        counts[key] = counts.get(key, 0) + 1
    assert all(count <= people.graph.rules.limit_of(kind).count for (_, kind), count in counts.items())
    assert counts == {(number, kind): len(seen) for number, profile in people.graph.profiles.items() for kind, seen in profile.ids.items()}
    assert all(profile.merges <= 3 for profile in people.graph.profiles.values())
    told = _canonical_as_told(people.changes)
    assert told == {number: people.graph.canonical(number) for number in range(1, people.graph.next_number)}


def _canonical_as_told(changes: list[Change]) -> Mapping[int, int]:
    """The newest update of each profile says which one it is."""
    return {each.number: each.canonical for each in changes if type(each) is GraphUpdate}
