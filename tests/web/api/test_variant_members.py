"""Members of one variant of an A/B test, and searches that must not tell keys."""

from __future__ import annotations

from kohort.services.profiles.pages import search_profiles
from tests.web.api.conftest import Api


def test_a_variant_is_a_part_of_its_segment(api: Api) -> None:
    at = api.at("Experiments/Offer")
    total = api.ok("GET", f"{at}/members")["total"]
    parts = [api.ok("GET", f"{at}/members?variant={name}-Offer")["total"] for name in ("A", "B", "Control")]
    assert sum(parts) == total
    assert all(parts)
    api.refused(404, "GET", f"{at}/members?variant=C-Offer")
    api.refused(404, "GET", f"{at}/members?variant=../VIP")


def test_a_variant_is_downloaded_alone(api: Api) -> None:
    at = api.at("Experiments/Offer")
    rows = api.call("GET", f"{at}/members.csv?variant=A-Offer&columns=country", "marketer").text.strip().splitlines()
    assert len(rows) - 1 == api.ok("GET", f"{at}/members?variant=A-Offer")["total"]


def test_who_may_not_see_keys_finds_whole_ones_only(api: Api) -> None:
    from kohort.services.evaluation.evaluate import open_engine

    kohort = api.kohort
    with kohort.shared_warehouse.use() as warehouse:
        engine = open_engine(warehouse, kohort.store, kohort.store.parents()[0], 1_000)
        assert len(search_profiles(engine, "c00").rows) == 9
        assert search_profiles(engine, "c00", by_key=False).rows == ()
        assert len(search_profiles(engine, "c004", by_key=False).rows) == 1
