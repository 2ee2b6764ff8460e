"""What is said about saved segments over HTTP: who leaves next, how it would have been, what is odd, who refers to it."""

from __future__ import annotations

from kohort.ports.users import Grant
from tests.web.api.conftest import Api


def test_who_leaves_next(api: Api) -> None:
    found = api.ok("GET", f"{api.at('Lifecycle/Active')}/forecast", "viewer", params={"days": 30})
    first, *ahead = found["days"]
    assert len(ahead) == 30
    assert ahead[-1]["population"] == first["population"] + ahead[-1]["entered"] - ahead[-1]["left"] == 0
    assert sum(day["leaving"] - day["joining"] for day in ahead) == first["population"]
    assert found["leaving"] == first["population"]


def test_how_it_would_have_been(api: Api) -> None:
    found = api.ok("GET", f"{api.at('Lifecycle/Active')}/backtest", "viewer", params={"days": 7})
    assert len(found["days"]) == 8
    assert found["undated"] == []
    assert api.ok("GET", f"{api.at('Value/VIP')}/backtest")["undated"] == ["lifetime_value", "loyalty_tier"]


def test_rules_that_are_not_saved(api: Api) -> None:
    rule = api.ok("GET", api.at("Lifecycle/Active"))["text"]
    for way in ("forecast", "backtest"):
        saved = api.ok("GET", f"{api.at('Lifecycle/Active')}/{way}", params={"days": 5})
        typed = api.ok("POST", f"/parents/all-customers/{way}", "viewer", json={"text": rule, "days": 5})
        assert typed == {**saved, "path": ""}
        problem = api.refused(422, "POST", f"/parents/all-customers/{way}", json={"text": "lifetme_value > 1"})
        assert problem["code"] == "UNKNOWN_ATTRIBUTE"


def test_what_is_odd(own: Api) -> None:
    body = {"definition": {"name": "Nobody", "rule": "country = 'US' and country = 'JP'"}}
    own.ok("POST", "/parents/all-customers/segments", json=body)
    [segment] = own.ok("GET", f"{own.at('Nobody')}/lint", "viewer")["segments"]
    assert "LINT_CONTRADICTION" in {issue["code"] for issue in segment["issues"]}
    listed = own.ok("GET", "/parents/all-customers/lint", "viewer")["segments"]
    assert len(listed) == len(own.ok("GET", "/parents/all-customers/segments")["items"])


def test_who_refers_to_a_segment(api: Api) -> None:
    found = api.ok("GET", f"{api.at('Lifecycle/Active')}/dependents", "viewer")
    assert [item["path"] for item in found["dependents"]] == ["Experiments/Offer", "Lifecycle/Deep/Active VIP", "Lifecycle/Lapsing"]
    assert found["needs"] == []
    assert api.ok("GET", f"{api.at('Lifecycle/Deep/Active VIP')}/dependents")["needs"] == ["Lifecycle/Active", "Value/VIP"]


def test_what_may_not_be_seen_is_only_counted(own: Api) -> None:
    user = own.kohort.store.user("viewer")
    assert user is not None
    address = own.at("Lifecycle/Active")
    own.kohort.store.set_grants(user.id, [Grant(own.kohort.store.parents()[0].id, "Lifecycle", "viewer")])
    found = own.ok("GET", f"{address}/dependents", "viewer")
    assert (len(found["dependents"]), found["hidden"]) == (2, 1)
