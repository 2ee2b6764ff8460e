"""`kohort sg explain|backtest|forecast` on the small shop."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.cli.workspaces import AS_OF, CUSTOMERS, Desk, active, key, purchases, vips


class TestExplain:
    @pytest.mark.parametrize(("segment", "members"), [("Value/VIP", vips), ("Lifecycle/Active", active)])
    def test_the_verdict_is_that_of_the_evaluation(self, shop: Desk, segment: str, members: object) -> None:
        expected = set(members())  # type: ignore[operator]
        for number in (1, 3, 21, 36, 40, 60):
            found = shop.json("sg", "explain", segment, "--profile", key(number))
            assert found["member"] == (key(number) in expected)
            assert found["profile"]["key"] == key(number)

    def test_values_and_what_is_missing(self, shop: Desk) -> None:
        found = shop.json("sg", "explain", "Value/VIP", "--profile", "c021")
        value, tier = found["explanation"]["rule"]["parts"]
        assert (value["holds"], value["observed"]["value"]) == (True, 1060.5)
        assert value["observed"]["missing"] == {"direction": "less", "amount": "60.5", "strict": False, "until": None}
        assert (tier["holds"], tier["observed"]["value"]) == (False, "Silver")
        assert [turn["text"] for turn in found["smallest_change"]] == ["loyalty_tier = 'Gold'"]
        assert found["next_change"] == {"at": None, "unchanged_until": None}

    def test_evidence_newest_first_and_the_day_the_last_row_leaves(self, shop: Desk) -> None:
        found = shop.json("sg", "explain", "-e", "purchase in last 30 days", "--profile", "c003")
        node = found["explanation"]["rule"]["parts"][0]
        days = [at for at, _ in purchases(3)]
        assert [row["at"] for row in node["observed"]["evidence"]] == [f"{day:%Y-%m-%dT%H:%M:%SZ}" for day in days]
        assert node["observed"]["windows"][0]["low_included"] is False
        assert found["next_change"]["at"] == f"{days[0] + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
        assert found["smallest_change"][0]["missing"]["amount"] == "3"

    def test_how_much_is_missing_and_until_when(self, shop: Desk) -> None:
        spent = sum(amount for _, amount in purchases(4))
        text = shop.ok("sg", "explain", "-e", f"purchase sum(amount) >= {spent + 12.5} in last 30 days", "--profile", "c004")
        assert "12.5 more in the next 5 days" in text  # the oldest of its rows is 25 days old
        assert "c004 is not in this rule" in text

    def test_limits_say_rank_and_cut(self, shop: Desk) -> None:
        rule = "purchase sum(amount) > 0 limit 3 by value desc"
        totals = {key(n): sum(amount for _, amount in purchases(n)) for n in range(1, CUSTOMERS + 1) if purchases(n)}
        ranked = sorted(totals, key=lambda one: (-totals[one], one))
        for place in (0, 2, 3, 10):
            found = shop.json("sg", "explain", "-e", rule, "--profile", ranked[place])
            limit = found["explanation"]["rule"]["parts"][0]["limit"]
            assert limit == {"candidates": len(ranked), "kept": 3, "rank": place + 1, "member": place < 3}
            assert found["member"] == (place < 3)
            assert found["next_change"] == {"at": None, "unchanged_until": None}

    def test_what_depends_on_others_changes_at_the_latest_then(self, shop: Desk) -> None:
        rule = "purchase sum(amount) > 0 in last 30 days limit 3 by value desc"
        since = AS_OF - timedelta(days=30)
        totals = {n: sum(amount for at, amount in purchases(n) if since < at <= AS_OF) for n in range(1, CUSTOMERS + 1)}
        chosen = sorted((n for n in totals if totals[n]), key=lambda n: (-totals[n], key(n)))[:3]
        for number in (chosen[0], chosen[2], 4):
            found = shop.json("sg", "explain", "-e", rule, "--profile", key(number))
            change = found["next_change"]
            assert (change["at"], change["unchanged_until"], change["depends_on_others"]) == (None, None, True)
            if change["at_latest"] is None:
                assert change["looked_until"] is not None
                continue
            at = datetime.fromisoformat(change["at_latest"])
            before = (at - timedelta(microseconds=1)).isoformat()
            then = [
                shop.json("sg", "explain", "-e", rule, "--profile", key(number), "--as-of", moment)["member"]
                for moment in (before, at.isoformat())
            ]
            assert then == [number in chosen, number not in chosen]
        text = shop.ok("sg", "explain", "-e", rule, "--profile", key(min(chosen)))
        assert "at the latest" in text
        assert "Depends on other customers" in text

    def test_bases_references_and_variants_are_opened_up(self, shop: Desk) -> None:
        found = shop.json("sg", "explain", "Active VIP", "--profile", "c021")
        assert found["explanation"]["base"]["member"] is False
        assert found["explanation"]["rule"]["parts"][0]["reference"]["path"] == "Lifecycle/Active"
        offer = shop.json("sg", "explain", "Offer", "--profile", "c003")
        variant = offer["explanation"]["variant"]["found"]
        suffix = f"Experiments/Offer/{variant}-Offer"
        assert shop.json("sg", "explain", suffix, "--profile", "c003")["member"] is True
        others = [name for name in ("A", "B", "Control") if name != variant]
        assert shop.json("sg", "explain", f"Experiments/Offer/{others[0]}-Offer", "--profile", "c003")["member"] is False

    def test_refusals(self, shop: Desk) -> None:
        assert "PROFILE_NOT_FOUND" in shop.refused("sg", "explain", "VIP", "--profile", "nobody")
        assert "SEGMENT_NOT_FOUND" in shop.refused("sg", "explain", "VIPP", "--profile", "c001")
        assert "UNKNOWN_ATTRIBUTE" in shop.refused("sg", "explain", "-e", "lifetme_value > 1", "--profile", "c001")
        shop.refused("sg", "explain", "VIP", code=2)
        shop.refused("sg", "explain", "--profile", "c001", code=2)


class TestPastAndFuture:
    def test_backtest_counts_each_day(self, shop: Desk) -> None:
        found = shop.json("sg", "backtest", "Active", "--days", "7")
        for back, day in zip(range(7, -1, -1), found["days"], strict=True):
            as_of = AS_OF - timedelta(days=back)
            expected = sum(
                any(as_of - timedelta(days=30) < at <= as_of for at, _ in purchases(number)) for number in range(1, CUSTOMERS + 1)
            )
            assert (day["as_of"], day["population"]) == (f"{as_of:%Y-%m-%dT%H:%M:%SZ}", expected)
        assert found["undated_attributes"] == []

    def test_backtest_says_what_attributes_cannot_tell(self, shop: Desk) -> None:
        ran = shop.run("sg", "backtest", "Active VIP", "--days", "2")
        assert ran.code == 0
        assert "lifetime_value, loyalty_tier" in ran.err
        assert shop.json("sg", "backtest", "-e", "country = 'JP'", "--days", "1")["undated_attributes"] == ["country"]

    def test_forecast_counts_who_leaves(self, shop: Desk) -> None:
        found = shop.json("sg", "forecast", "Active", "--days", "5")
        now = set(active())
        for ahead, day in enumerate(found["days"]):
            as_of = AS_OF + timedelta(days=ahead)
            still = {one for one in now if any(as_of - timedelta(days=30) < at for at, _ in purchases(int(one[1:])))}
            assert (day["population"], day["left"], day["entered"]) == (len(still), len(now) - len(still), 0)
        assert found["leaving"] == found["days"][-1]["left"] > 0

    def test_forecast_names_what_is_already_known_of_later_days(self, shop: Desk) -> None:
        now = shop.run("sg", "forecast", "Active", "--days", "2")
        assert "Already known" not in now.err
        past = shop.run("sg", "forecast", "Active VIP", "--days", "2", "--as-of", "2024-02-01")
        assert "Already known events of later days were counted as their time comes: purchase." in past.err
        assert shop.json("sg", "forecast", "Active", "--days", "2", "--as-of", "2024-02-01")["dated_later"] == ["purchase"]
        assert shop.json("sg", "forecast", "VIP", "--days", "2", "--as-of", "2024-02-01")["dated_later"] == []

    @pytest.mark.parametrize(
        ("command", "as_of", "words"),
        [
            ("forecast", "9999-12-31", "the 3 days after 9999-12-31T00:00:00Z are not all in the years 1 to 9999"),
            ("backtest", "0001-01-02", "the 3 days before 0001-01-02T00:00:00Z are not all in the years 1 to 9999"),
        ],
    )
    def test_days_that_no_calendar_names(self, shop: Desk, command: str, as_of: str, words: str) -> None:
        message = shop.refused("sg", command, "Active", "--days", "3", "--as-of", as_of)
        assert f"[INVALID_INSTANT] {words}" in message
        assert "ask for fewer days" in message

    def test_people_see_a_line_of_blocks(self, shop: Desk) -> None:
        assert "▁" in shop.ok("sg", "forecast", "Active", "--days", "5")
        assert "█" in shop.ok("sg", "backtest", "-e", "purchase in last 30 days", "--days", "3")
        shop.refused("sg", "backtest", code=2)


class TestLint:
    def test_what_the_data_says(self, shop: Desk) -> None:
        ran = shop.run("sg", "lint", "--json")
        assert ran.code == 1
        found = {segment["path"]: [finding["code"] for finding in segment["findings"]] for segment in ran.json["segments"]}
        assert found["Engagement/Openers"] == ["LINT_EMPTY"]
        [openers] = next(segment["findings"] for segment in ran.json["segments"] if segment["path"] == "Engagement/Openers")
        assert openers["hint"] == 'the last event of "email_open" is of 2024-02-29, before the window begins'
        assert found["Everybody"] == found["Value/VIP"] == []
        assert ran.json["findings"] == sum(map(len, found.values()))

    def test_segments_without_findings(self, shop: Desk) -> None:
        ran = shop.run("sg", "lint", "VIP", "Everybody")
        assert (ran.code, ran.out) == (0, "")
        assert "2 segments looked at: 0 findings" in ran.err

    def test_odd_segments(self, desk: Desk) -> None:
        desk.segment("odd.yml", "name: Odd\nrule: lifetime_value > 1000 and lifetime_value < 500\n")
        desk.segment("twin.yml", "name: Twin\nrule: purchase in last 720 hours\n")
        desk.segment("all.yml", "name: All\nrule: customer_id is not null\n")
        desk.segment("trap.yml", "name: Trap\nrule: loyalty_tier != 'Gold' and country != 'US'\n")
        desk.ok("sg", "push", "-y")
        ran = desk.run("sg", "lint", "--json")
        found = {segment["path"]: [finding["code"] for finding in segment["findings"]] for segment in ran.json["segments"]}
        assert found["Odd"] == ["LINT_CONTRADICTION", "LINT_EMPTY"]
        assert found["Trap"] == ["LINT_NULLS_LEFT_OUT"]  # of the country everybody's is known
        assert found["All"] == ["LINT_EVERYBODY"]
        assert found["Twin"] == ["LINT_SAME_MEMBERS"]
        text = desk.run("sg", "lint", "Odd").out
        assert "LINT_CONTRADICTION" in text
        assert "odd.yml:2:1" in text
        desk.segment("odd.yml", "name: Odd\nrule: lifetime_value > 1000\n")
        assert "rule.conditions[1]" in desk.run("sg", "lint", "Odd").out  # the file says something else by now

    def test_findings_that_are_meant_so_are_silenced(self, desk: Desk) -> None:
        rule = "rule: lifetime_value > 1000 and lifetime_value > 500"
        desk.segment("odd.yml", f"name: Odd\n{rule}\nlint: {{ ignore: [LINT_SUBSUMED, LINT_EMPTY] }}\n")
        desk.segment("late.yml", f"name: Late\n{rule.replace('500', '2000')}\nlint: {{ ignore: [LINT_DUPLICATE] }}\n")
        desk.ok("sg", "push", "-y")
        ran = desk.run("sg", "lint", "Odd", "--json")
        assert ran.code == 0
        [odd] = ran.json["segments"]
        assert (odd["findings"], [finding["code"] for finding in odd["silenced"]]) == ([], ["LINT_SUBSUMED"])
        text = desk.run("sg", "lint", "Odd")
        assert "LINT_SUBSUMED silenced" in text.out
        assert "1 segment looked at: 0 findings; 1 silenced" in text.err
        late = desk.run("sg", "lint", "Late", "--json").json["segments"][0]
        assert [(f["code"], f["path"]) for f in late["findings"]][-1] == ("LINT_UNUSED_IGNORE", "lint.ignore[0]")
        preview = desk.json("sg", "preview", "Odd")
        assert preview["issues"] == []
