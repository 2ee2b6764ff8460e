"""Previews of rules over a small shop, with numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kohort.bootstrap import Kohort, open_kohort
from kohort.documents.document import Document
from kohort.foundation.clock import FixedClock
from kohort.foundation.errors import InvalidInput, UserError
from kohort.foundation.issues import path_text
from kohort.services.definitions.push import push_parents, push_segments
from kohort.services.evaluation.evaluate import Engine, evaluate_all, open_engine
from kohort.services.evaluation.overlap import held_paths, last_snapshot, overlap_matrix
from kohort.services.preview.document import preview_document
from kohort.services.preview.drafts import Draft, draft_of_document, draft_of_file, draft_of_rule, draft_of_saved, draft_of_text
from kohort.services.preview.preview import Preview, preview
from kohort.services.refresh.refresh import refresh
from kohort.workspace.workspace import init_workspace

AS_OF = datetime(2024, 2, 1, tzinfo=UTC)
PARENT = """\
name: Shop
master: {database: shop, table: customers, key_column: id}
behaviors:
  - name: Buy
    source: {database: shop, table: buys}
    join: {parent_key: id, child_key: id}
    time_column: bought_at
    columns: [{column: amount, type: number}]
"""
# id, tier, points; the customer n buys n % 3 times
CUSTOMERS = [(1, "Gold", 10), (2, "Gold", 20), (3, "Silver", 30), (4, None, 40), (5, "Silver", None), (6, "Gold", 60)]
SEGMENTS = {
    "Gold.yml": "name: Gold\nrule: tier = 'Gold'\n",
    "Buyers.yml": "name: Buyers\nrule: buy\n",
    "Gold Buyers.yml": "name: Gold Buyers\nbase: Gold\nrule: in segment 'Buyers'\n",
    "Best.yml": "name: Best\nrule: in segment 'Gold Buyers' and points >= 20\n",
    "Test.yml": "name: Test\nrule: in segment 'Gold'\nab_test: {id: t, variants: [{name: A, ratio: 100}]}\n",
    "Nobody.yml": "name: Nobody\nrule: points > 1000\n",
}


def count(found: Preview) -> dict[str, int | None]:
    return {node.path: node.count for node in found.nodes}


class Shop:
    """An evaluated workspace."""

    def __init__(self, kohort: Kohort) -> None:
        self.kohort = kohort
        self.parent = kohort.store.parents()[0]

    @property
    def engine(self) -> Engine:
        return open_engine(self.kohort.warehouse, self.kohort.store, self.parent, 250_000)

    def preview(self, draft: Draft | str, **options: object) -> Preview:
        engine = self.engine
        found = draft_of_text(draft, engine.catalog) if isinstance(draft, str) else draft
        return preview(engine, self.kohort.store, found, **options)  # type: ignore[arg-type]

    def text(self, text: str, saved: str = "") -> Draft:
        draft = draft_of_text(text, self.engine.catalog)
        return draft.standing_for(saved) if saved else draft


def make(folder: Path) -> Shop:
    workspace = init_workspace(folder)
    (workspace.parents_folder / "shop.yml").write_text(PARENT)
    segments = workspace.segments_folder("shop")
    segments.mkdir(parents=True)
    for name, text in SEGMENTS.items():
        (segments / name).write_text(text)
    kohort = open_kohort(folder, FixedClock(AS_OF))
    rows = ", ".join(str(row).replace("None", "NULL") for row in CUSTOMERS)
    buys = ", ".join(f"({n}, TIMESTAMP '2024-01-0{1 + k}', {n * 10})" for n, _, _ in CUSTOMERS for k in range(n % 3))
    for statement in (
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.customers (id BIGINT, tier VARCHAR, points BIGINT)",
        f"INSERT INTO shop.customers VALUES {rows}",
        "CREATE TABLE shop.buys (id BIGINT, bought_at TIMESTAMP, amount BIGINT)",
        f"INSERT INTO shop.buys VALUES {buys}",
    ):
        kohort.warehouse.execute(statement)
    push_parents(kohort.store, workspace, by="ann", clock=kohort.clock)
    shop = Shop(kohort)
    refresh(kohort.warehouse, kohort.store, shop.parent, clock=kohort.clock)
    push_segments(kohort.store, workspace, shop.parent, by="ann", clock=kohort.clock)
    evaluate_all(shop.engine, kohort.store, kohort.snapshots, kohort.clock)
    return shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = make(tmp_path_factory.mktemp("preview") / "work")
    yield shop
    shop.kohort.close()


def test_every_condition_and_group_is_counted(shop: Shop) -> None:
    found = shop.preview("tier = 'Gold' and (buy count >= 2 or points > 50)")
    assert count(found) == {
        "rule": 2,
        "rule.conditions[0]": 3,
        "rule.conditions[1]": 3,
        "rule.conditions[1].conditions[0]": 2,
        "rule.conditions[1].conditions[1]": 1,
    }
    assert (found.count, found.total, found.base_count, found.share, found.share_of) == (2, 6, 6, 2 / 6, "Shop")
    assert [(step.path, step.kept, step.dropped) for step in found.waterfalls[0].steps] == [
        ("rule.conditions[0]", 3, 3),
        ("rule.conditions[1]", 2, 1),
    ]
    assert [(node.kind, node.match, node.text) for node in found.nodes[:2]] == [
        ("group", "all", found.text),
        ("attribute", "", "tier = 'Gold'"),
    ]
    assert found.text == "tier = 'Gold' and (buy count >= 2 or points > 50)"
    assert found.sentence.startswith("Customers whose tier is Gold")
    assert found.yaml.startswith("type: And\n")
    assert found.saved is None
    assert not found.issues


def test_overlaps_come_most_alike_first(shop: Shop) -> None:
    found = shop.preview("tier = 'Gold' and (buy count >= 2 or points > 50)")
    pairs = [(pair.second, pair.second_count, pair.shared, round(pair.jaccard or 0, 3)) for pair in found.overlaps]
    assert pairs == [("Gold", 3, 2, 0.667), ("Test", 3, 2, 0.667), ("Best", 1, 1, 0.5), ("Gold Buyers", 2, 1, 0.333), ("Buyers", 4, 1, 0.2)]
    assert [pair.second for pair in shop.preview("tier = 'Gold'", overlaps=1).overlaps] == ["Gold"]
    assert shop.preview("tier = 'Gold'", overlaps=0).overlaps == ()


def test_the_sample_shows_the_rules_attributes_first(shop: Shop) -> None:
    found = shop.preview("points > 15 and tier = 'Gold'")
    assert found.sample.columns == ("cdp_customer_id", "points", "tier", "id")
    assert [row[1:] for row in found.sample.rows] == [(20, "Gold", 2), (60, "Gold", 6)]
    chosen = shop.preview("points > 15", columns=("id",), sample=1).sample
    assert (chosen.columns, len(chosen.rows)) == (("cdp_customer_id", "id"), 1)
    with pytest.raises(InvalidInput, match="pointz"):
        shop.preview("points > 15", columns=("pointz",))


def test_saving_changes_the_segment_its_variants_and_those_that_need_it(shop: Shop) -> None:
    saved = shop.preview(shop.text("tier in ('Gold', 'Silver')", "Gold")).saved
    assert saved is not None
    assert (saved.version, saved.same_meaning) == (1, False)
    figures = {c.path: (c.before, c.after, c.entered, c.left) for c in (saved.segment, *saved.dependents)}
    assert figures == {
        "Gold": (3, 5, 2, 0),
        "Gold Buyers": (2, 3, 1, 0),
        "Best": (1, 1, 0, 0),
        "Test": (3, 5, 2, 0),
        "Test/A-Test": (3, 5, 2, 0),
    }


def test_members_that_were_kept_are_not_evaluated_again(shop: Shop) -> None:
    drafts = [
        "points > 15",
        shop.text("tier in ('Gold', 'Silver')", "Gold"),
        draft_of_saved(shop.engine, "Test"),
        shop.text("buy", "Buyers"),
    ]
    for draft in drafts:
        assert shop.preview(draft) == shop.preview(draft, snapshots=shop.kohort.snapshots)


def test_what_changed_since_the_evaluation_is_evaluated_and_the_rest_is_not(tmp_path: Path) -> None:
    shop = make(tmp_path / "changed")
    folder = shop.kohort.workspace.segments_folder("shop")
    (folder / "Buyers.yml").write_text("name: Buyers\nrule: buy count >= 2\n")
    (folder / "Fresh.yml").write_text("name: Fresh\nrule: points < 40\n")
    push_segments(shop.kohort.store, shop.kohort.workspace, shop.parent, by="ann", clock=shop.kohort.clock)
    engine, snapshots = shop.engine, shop.kohort.snapshots
    snapshot = last_snapshot(engine, shop.kohort.store, snapshots, AS_OF)
    assert snapshot is not None
    assert held_paths(engine, snapshot) == {"Gold", "Test", "Test/A-Test", "Nobody"}
    for draft in ("points > 15", shop.text("tier in ('Gold', 'Silver')", "Gold"), shop.text("buy", "Buyers")):
        assert shop.preview(draft) == shop.preview(draft, snapshots=snapshots)
    shop.kohort.close()


def test_a_saved_segment_changes_nothing(shop: Shop) -> None:
    saved = shop.preview(draft_of_saved(shop.engine, "Best")).saved
    assert saved is not None
    assert (saved.same_meaning, saved.segment.entered, saved.segment.left, saved.dependents) == (True, 0, 0, ())


def test_inside_a_base_everything_is_counted_among_its_members(shop: Shop) -> None:
    engine = shop.engine
    rule = draft_of_text("buy and points < 15", engine.catalog).segment.rule
    found = shop.preview(draft_of_rule(rule, base="Gold"))
    assert count(found) == {"rule": 1, "rule.conditions[0]": 2, "rule.conditions[1]": 1}
    assert (found.base_count, found.total, found.share, found.share_of) == (3, 6, 1 / 3, "Gold")
    assert found.waterfalls[0].start == 3
    top = draft_of_text("points >= 10 limit 2 by points desc", engine.catalog).segment.rule
    assert shop.preview(draft_of_rule(top, base="Gold")).count == 2


PARTLY_WRONG = {
    "type": "And",
    "conditions": [
        {"type": "Value", "attribute": "tier", "operator": {"type": "Equal", "value": "Gold"}},
        {"type": "Value", "attribute": "tier", "operator": {"type": "Equl", "value": "Gold"}},
        {"type": "Value", "attribute": "pointz", "operator": {"type": "Greater", "value": 1}},
        {
            "type": "Or",
            "conditions": [
                {"type": "Value", "attribute": "points", "operator": {"type": "Greater", "value": 50}},
                {"type": "include", "segment": "Missing"},
            ],
        },
    ],
}


@pytest.mark.parametrize(
    "value",
    [PARTLY_WRONG, {"name": "Gold", "rule": PARTLY_WRONG}, {"name": "a/b", "rule": PARTLY_WRONG}],
    ids=["rule", "segment", "segment without a usable name"],
)
def test_what_is_right_is_counted_beside_what_is_wrong(shop: Shop, value: object) -> None:
    found = shop.preview(draft_of_document(Document(value)))
    assert count(found) == {
        "rule": None,
        "rule.conditions[0]": 3,
        "rule.conditions[1]": None,
        "rule.conditions[2]": None,
        "rule.conditions[3]": None,
        "rule.conditions[3].conditions[0]": 1,
        "rule.conditions[3].conditions[1]": None,
    }
    assert [(step.kept, step.dropped) for step in found.waterfalls[0].steps] == [(3, 3), (None, None), (None, None), (None, None)]
    paths = {path_text(issue.path): issue.code for issue in found.issues.errors}
    assert paths["rule.conditions[2].attribute"] == "UNKNOWN_ATTRIBUTE"
    assert paths["rule.conditions[3].conditions[1].segment"] == "MISSING_SEGMENT_REFERENCE"
    assert any(path.startswith("rule.conditions[1].operator") for path in paths)
    assert (found.count, found.share, found.sample.rows, found.overlaps, found.saved, found.text) == (None, None, (), (), None, "")


def test_a_segment_without_a_usable_name_is_counted_all_the_same(shop: Shop) -> None:
    found = shop.preview(draft_of_document(Document({"name": "a/b", "base": "Gold", "rule": "points < 15"})))
    assert (found.count, found.base_count, found.issues.codes()) == (1, 3, ["INVALID_NAME"])


def test_what_is_odd_is_told_as_warnings(shop: Shop) -> None:
    found = shop.preview("points > 50 and points < 10")
    assert (found.count, found.issues.ok) == (0, True)
    assert [(issue.code, issue.severity) for issue in found.issues] == [("LINT_CONTRADICTION", "warning")]


def test_what_cannot_be_read_at_all_is_told(shop: Shop) -> None:
    deep: object = "buy"
    for _ in range(500):
        deep = {"type": "And", "conditions": [deep]}
    for value in (deep, {"name": "Deep", "rule": deep}, [1, 2], 7, {"type": "Nor"}):
        found = shop.preview(draft_of_document(Document(value)))
        assert found.count is None
        assert not found.issues.ok
    assert shop.preview(draft_of_document(Document(None))).count == 6


def test_a_typed_rule_names_the_column_of_a_mistake(shop: Shop) -> None:
    found = shop.preview("buy and pointz > 3")
    assert count(found) == {"rule": None, "rule.conditions[0]": 4, "rule.conditions[1]": None}
    [issue] = found.issues
    assert (issue.code, path_text(issue.path), issue.line, issue.column) == ("UNKNOWN_ATTRIBUTE", "rule.conditions[1].attribute", 1, 9)
    [syntax] = shop.preview("buy and points >").issues
    assert (syntax.code, syntax.path) == ("RULE_SYNTAX", ("rule",))


def test_a_rule_that_needs_itself_is_told_and_its_parts_are_counted(shop: Shop) -> None:
    found = shop.preview(shop.text("points > 5 and in segment 'Best'", "Gold"))
    assert found.issues.codes() == ["SEGMENT_CYCLE"]
    assert count(found) == {"rule": None, "rule.conditions[0]": 5, "rule.conditions[1]": 1}


def test_a_file_is_read_in_every_form(shop: Shop, tmp_path: Path) -> None:
    workspace = shop.kohort.workspace
    (tmp_path / "rule.json").write_text(
        '{"type": "And", "conditions": [{"type": "Value", "attribute": "pointz", "operator": {"type": "IsNull"}}]}'
    )
    (tmp_path / "gold.yml").write_text("name: Gold\nrule: tier = 'Silver'\n")
    broken = shop.preview(draft_of_file(tmp_path / "rule.json", workspace, "shop"))
    assert [issue.code for issue in broken.issues] == ["UNKNOWN_ATTRIBUTE"]
    found = shop.preview(draft_of_file(tmp_path / "gold.yml", workspace, "shop"))
    assert found.saved is not None
    assert (found.count, found.saved.segment.entered, found.saved.segment.left) == (2, 2, 3)
    with pytest.raises(UserError):
        draft_of_file(tmp_path / "nothing.json", workspace, "shop")


def test_groups_excludes_and_match_logic(shop: Shop) -> None:
    found = shop.preview("not (buy and tier = 'Gold') and expr('A or B', points = 10, points = 20)")
    assert found.count == 0
    assert count(found)["rule.conditions[0]"] == 4
    assert count(found)["rule.conditions[0].conditions[1]"] == 3
    assert count(found)["rule.conditions[1]"] == 2
    everybody = shop.preview("everybody")
    assert (everybody.count, everybody.share, everybody.waterfalls) == (6, 1.0, ())


def test_the_document_holds_plain_values(shop: Shop) -> None:
    document = preview_document(shop.preview(shop.text("tier = 'Silver'", "Gold")))
    assert document["conditions"]["rule.conditions[0]"] == {
        "kind": "attribute",
        "match": None,
        "text": "tier = 'Silver'",
        "count": 2,
        "share": 2 / 6,
    }
    assert document["saved"]["segment"] == "Gold"
    assert document["saved"]["left"] == 3
    assert document["overlaps"][0] == {
        "segment": "Buyers",
        "count": 4,
        "shared": 1,
        "share": 0.5,
        "share_of_segment": 0.25,
        "jaccard": 0.2,
    }


def test_overlap_of_all_segments(shop: Shop) -> None:
    kohort = shop.kohort
    found = overlap_matrix(shop.engine, kohort.store, kohort.snapshots)
    assert (found.source, found.total) == ("snapshot", 6)
    assert found.paths == ("Best", "Buyers", "Gold", "Gold Buyers", "Nobody", "Test")
    assert found.shared.tolist() == [
        [1, 1, 1, 1, 0, 1],
        [1, 4, 2, 2, 0, 2],
        [1, 2, 3, 2, 0, 3],
        [1, 2, 2, 2, 0, 2],
        [0, 0, 0, 0, 0, 0],
        [1, 2, 3, 2, 0, 3],
    ]
    [first, *_] = found.pairs()
    assert (first.first, first.second, first.jaccard) == ("Gold", "Test", 1.0)
    later = overlap_matrix(
        shop.engine, kohort.store, kohort.snapshots, ["Buyers", "Test/A-Test"], as_of=datetime(2024, 1, 1, 12, tzinfo=UTC)
    )
    assert (later.source, later.shared.tolist()) == ("run", [[4, 2], [2, 3]])
    nobody = overlap_matrix(shop.engine, kohort.store, kohort.snapshots, ["Nobody", "Gold"]).pair(0, 1)
    assert (nobody.share_of_first, nobody.share_of_second, nobody.jaccard) == (None, 0.0, 0.0)
    with pytest.raises(UserError, match="Gould"):
        overlap_matrix(shop.engine, kohort.store, kohort.snapshots, ["Gould"])
