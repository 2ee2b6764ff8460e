"""Another name for a source, the rules of its identity, and its end, over the API."""

from __future__ import annotations

from tests.web.api.conftest import Api

ANY = {"If-Match": "*"}


def test_a_source_is_renamed(own: Api) -> None:
    own.ok("POST", "/sources", json={"name": "Site"})
    own.ok("POST", "/sources", json={"name": "App"})
    own.refused(428, "POST", "/sources/site/rename", json={"name": "Web Site"})
    found = own.ok("POST", "/sources/site/rename", "engineer", json={"name": "Web Site"}, headers=ANY)
    assert (found["name"], found["schema"]) == ("Web Site", "site")
    own.refused(409, "POST", "/sources/site/rename", json={"name": "App"}, headers=ANY)
    own.refused(403, "POST", "/sources/site/rename", "marketer", json={"name": "Mine"}, headers=ANY)


def test_identity_is_read_and_replaced(own: Api) -> None:
    made = own.call("POST", "/sources", json={"name": "Site"})
    usual = own.ok("GET", "/sources/site/identity", "viewer")
    assert (usual["own"], usual["limits"]) == (False, {"user_id": {"count": 1, "period": "ever"}})
    limits = {"email": {"count": 2, "period": "monthly"}}
    body = {"limits": limits, "custom": {"shop_id": "shopId"}}
    changed = own.call("PUT", "/sources/site/identity", json=body, headers={"If-Match": made.headers["etag"]})
    assert (changed.status_code, changed.json()["own"], changed.json()["limits"]) == (200, True, limits)
    own.refused(412, "PUT", "/sources/site/identity", json={}, headers={"If-Match": made.headers["etag"]})
    refused = own.refused(422, "PUT", "/sources/site/identity", json={"limits": {"email": {"count": 0}}}, headers=ANY)
    assert refused["code"] == "IDENTITY_INVALID"
    assert own.ok("PUT", "/sources/site/identity", json={}, headers=ANY)["own"] is False


def test_a_source_is_removed_once_it_is_disabled(own: Api) -> None:
    own.ok("POST", "/sources", json={"name": "Site"})
    assert own.refused(409, "DELETE", "/sources/site", headers=ANY)["code"] == "SOURCE_ENABLED"
    own.ok("PATCH", "/sources/site", json={"status": "disabled"}, headers=ANY)
    own.refused(428, "DELETE", "/sources/site")
    own.refused(403, "DELETE", "/sources/site", "marketer", headers=ANY)
    assert own.ok("DELETE", "/sources/site?drop_tables=true", "engineer", headers=ANY) == {"removed": "site", "dropped": []}
    own.refused(404, "GET", "/sources/site")
    assert own.ok("GET", "/audit")["items"][0]["action"] == "source.remove"
