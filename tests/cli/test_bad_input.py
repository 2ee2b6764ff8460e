"""Whatever is wrong: told with file, line, code and a way out, all at once, and nothing is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.workspaces import PARENT, Desk, run

HERE = "segments/all-customers/T/bad.yml"

SEGMENT_PROBLEMS = {
    "syntax": ("name: X\nrule: [a, b\nfoo: : :\n", ["3:4: error [YAML_SYNTAX]", "check indentation"]),
    "tab": ("name: X\n\trule: a\n", ["2:1: error [YAML_SYNTAX]"]),
    "nul": ("name: X\nrule: \0", ["2:7: error [YAML_SYNTAX]", "U+0000"]),
    "empty": ("", ["1: error [FILE_EMPTY]", "delete it"]),
    "only a comment": ("# nothing\n", ["1: error [FILE_EMPTY]"]),
    "a word": ("hello", ["1:1: error [INVALID_SEGMENT]", "begin with name"]),
    "no name": ("rule: country = 'US'\n", ["1:1: error [MISSING_NAME]", "add name"]),
    "long name": (f"name: {'x' * 201}\n", ["1:1: error [NAME_TOO_LONG]", "shorten it"]),
    "slash": ("name: a/b\n", ["1:1: error [INVALID_NAME]", "write the folder under folder"]),
    "key twice": ("name: X\nname: Y\n", ["2:1: error [YAML_DUPLICATE_KEY]", "remove one"]),
    "nested too deeply": ("name: X\nrule: " + "[" * 5000 + "]" * 5000, ["error [YAML_SYNTAX]", "nested too deeply", "at most 100 levels"]),
    "parentheses": ("name: X\nrule: " + "(" * 500 + "everybody" + ")" * 500, ["2:1: error [RULE_SYNTAX]", "nested more than"]),
    "unknown keys": (
        "name: X\nrules: a > 1\ndescripton: foo\nrule:\n  type: And\n  conditons: []\n",
        [
            '2:1: error [UNKNOWN_KEY] "rules"',
            '3:1: error [UNKNOWN_KEY] "descripton"',
            '6:3: error [UNKNOWN_KEY] "conditons"',
            'did you mean "description"?',
            "4 problems",
        ],
    ),
    "everything in one rule": (
        """\
name: X
rule:
  type: And
  conditions:
    - type: Value
      attribute: last_purchase_date
      operator: { type: TimeWithinPast, value: 30, unit: days }
    - type: Value
      attribute: lifetime_valu
      operator: { type: Greater, value: 30 }
    - type: Value
      attribute: lifetime_value
      operator: { type: Contain, value: [a] }
    - type: Value
      attribute: ""
      source: behavior_purchase
      aggregation: { type: Count }
      operator: { type: Greatr, value: 1 }
      timeWindow: { duration: 3, unit: months }
""",
        [
            "7:52: error [INVALID_TIME_UNIT]",
            "write day, not days",
            '9:7: error [UNKNOWN_ATTRIBUTE] there is no attribute "lifetime_valu"',
            'did you mean "lifetime_value"?',
            "13:19: error [OPERATOR_TYPE_MISMATCH] Contain does not fit",
            "operators for number: Equal",
            "14:7: error [MISSING_FILTER]",
            "write filter: { type: And, conditions: [] }",
            '18:19: error [INVALID_OPERATOR_TYPE] the text "Greatr"',
            'did you mean "Greater"?',
            "19:34: error [INVALID_TIME_UNIT]",
            "6 problems; nothing was changed.",
        ],
    ),
    "text rule": ("name: X\nrule: purchase in last 30 dayz\n", ["2:1: error [RULE_SYNTAX] column 21:", 'did you mean "day"?']),
    "names in a text rule": (
        "name: X\nrule: lifetime_valu > 100 and purchase sum(amont) > 3\n",
        ["[UNKNOWN_ATTRIBUTE] column 1:", "[UNKNOWN_COLUMN] column 38:", 'did you mean "amount"?', "2 problems"],
    ),
    "no such segment": (
        "name: X\nbase: Nope\nrule: in segment 'Activ'\n",
        ["2:1: error [MISSING_SEGMENT_REFERENCE]", 'did you mean "Active"?'],
    ),
    "itself": ("name: X\nrule: in segment 'T/X'\n", ["error [SEGMENT_CYCLE]", "T/X -> T/X"]),
    "ratios": (
        "name: X\nab_test: { variants: [{ name: A, ratio: 60 }, { name: B, ratio: 60 }] }\n",
        ["2:12: error [INVALID_AB_TEST]", "120, more than 100"],
    ),
}


class TestSegmentFiles:
    def test_every_problem_has_a_place_a_code_and_a_way_out(self, desk: Desk) -> None:
        before = desk.state()
        for name, (text, expected) in SEGMENT_PROBLEMS.items():
            desk.segment("T/bad.yml", text)
            message = desk.refused("sg", "push", "-y")
            for words in expected:
                assert words in message, (name, message)
            assert all(line.startswith((f"{HERE}:", "    ")) for line in message.splitlines()[:-1]), message
            assert message.splitlines()[-1].endswith("nothing was changed.")
            assert desk.refused("sg", "validate").splitlines()[:-1] == message.splitlines()[:-1]
        assert desk.state() == before

    @pytest.mark.parametrize("content", [bytes(range(256)) * 9, "name: Zoë".encode("latin-1"), "name: X".encode("utf-16")])
    def test_bytes_that_are_no_text(self, desk: Desk, content: bytes) -> None:
        desk.segment("T/bad.yml", content)
        assert f"{HERE}: error [FILE_NOT_TEXT]" in desk.refused("sg", "push", "-y")

    def test_a_file_that_unfolds_without_end(self, desk: Desk) -> None:
        lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
        lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
        desk.segment("T/bad.yml", "\n".join([*lines, "name: X"]))
        assert "[YAML_TOO_LARGE]" in desk.refused("sg", "push", "-y")

    def test_names_cannot_steer_the_terminal(self, desk: Desk) -> None:
        desk.segment("T/bad.yml", 'name: "a\\e[31mred"\n')
        message = desk.refused("sg", "push", "-y")
        assert "[INVALID_NAME]" in message
        assert "\x1b" not in message

    def test_all_files_at_once_and_the_path_of_a_cycle(self, desk: Desk) -> None:
        before = desk.state()
        desk.segment("C/a.yml", "name: A\nrule: in segment 'C/B'\n")
        desk.segment("C/b.yml", "name: B\nrule: in segment 'C/C'\n")
        desk.segment("C/c.yml", "name: C\nbase: C/A\n")
        desk.segment("C/twice.yml", "name: C\n")
        desk.segment("D/broken.yml", "name: D\nrulez: 1\n")
        desk.segment("D/refers.yml", "name: Refers\nrule: in segment 'D/D'\n")
        message = desk.refused("sg", "push", "-y")
        assert "C/A -> C/B -> C/C -> C/A" in message
        assert "C/twice.yml:1:1: error [DUPLICATE_NAME]" in message
        assert "C/c.yml, line 1" in message
        assert "D/broken.yml:2:1: error [UNKNOWN_KEY]" in message
        assert "refers.yml" not in message
        assert desk.state() == before

    def test_files_that_are_not_there(self, shop: Desk, tmp_path: Path) -> None:
        for arguments in (["sg", "push"], ["ps", "push"], ["sg", "validate"], ["ps", "validate"], ["sg", "count", "--path"]):
            assert "[FILE_NOT_FOUND]" in shop.refused(*arguments, str(tmp_path / "no.yml"))

    def test_line_ends_and_marks_of_other_systems(self, desk: Desk) -> None:
        desk.segment("T/one.yml", b"\xef\xbb\xbfname: One\r\nrule: country = 'US'\r\n")
        desk.ok("sg", "push", "-y")
        assert desk.json("sg", "count", "One")["count"] == 20


class TestRulesOnTheLine:
    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            ("lifetime_valu > 100 and countr = 'US'", ["1:1: error [UNKNOWN_ATTRIBUTE]", "1:25: error", '"country"', "2 problems"]),
            ("purchase in last 30 dayz", ["1:21: error [RULE_SYNTAX]", 'did you mean "day"?']),
            ("purchas count > 3", ["1:1: error [UNKNOWN_BEHAVIOR]", 'did you mean "purchase"?']),
            ("purchase sum(amont) > 3", ["1:14: error [UNKNOWN_COLUMN]", 'did you mean "amount"?']),
            ("country = 'US", ["1:11: error [RULE_SYNTAX]"]),
            ("country ~ 'U'", ["1:9: error [RULE_SYNTAX]", "matches"]),
            ("((", ["1:3: error [RULE_SYNTAX]"]),
            (" ", ["error [RULE_SYNTAX]", "everybody"]),
            ("country > 5", ["[INVALID_VALUE]", 'write it in quotes: "5"']),
            ("last_purchase_date > 'foo'", ["[INVALID_TIMESTAMP]", "2024-01-31"]),
            ("in segment 'Value/VIPP'", ["[MISSING_SEGMENT_REFERENCE]", 'did you mean "Value/VIP"?']),
            ("in segment 'zzzzzz'", ["[MISSING_SEGMENT_REFERENCE]", "Engagement/Openers"]),
            ("country = \x1b[31m'US'", ["1:11: error [RULE_SYNTAX]"]),
        ],
    )
    def test_problems_have_columns_and_hints(self, shop: Desk, rule: str, expected: list[str]) -> None:
        message = shop.refused("sg", "count", "-e", rule)
        for words in expected:
            assert words in message
        assert "\x1b" not in message


class TestNames:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["sg", "count", "vip"], ["[SEGMENT_NOT_FOUND]", 'did you mean "VIP"?']),
            (["sg", "show", "Nope"], ["[SEGMENT_NOT_FOUND]", "known: "]),
            (["sg", "view", "Vip"], ["[SEGMENT_NOT_FOUND]"]),
            (["sg", "versions", "Nope"], ["[SEGMENT_NOT_FOUND]"]),
            (["sg", "revert", "VIP", "9", "-y"], ["[VERSION_NOT_FOUND]", "version 1 only"]),
            (["sg", "pull", "Nope"], ["[SEGMENT_NOT_FOUND]"]),
            (["sg", "move", "VIP", "--folder", "../.."], ["[INVALID_FOLDER]"]),
            (["sg", "move", "VIP", "--folder", "Lifecycle", "--name", "Active"], ["[NAME_TAKEN]"]),
            (["sg", "list", "-p", "Nope"], ["[PARENT_NOT_FOUND]", "All Customers"]),
            (["ps", "run", "Nope"], ["[PARENT_NOT_FOUND]"]),
            (["ps", "validate", "--behavior", "Purchas"], ["[NAME_NOT_FOUND]", 'did you mean "Purchase"?']),
            (["profile", "show", "nobody"], ["[PROFILE_NOT_FOUND]", "customer_id"]),
            (["profile", "show", ""], ["[PROFILE_NOT_FOUND]"]),
            (["tables", "show", "shop.customer"], ["[TABLE_NOT_FOUND]", "did you mean"]),
            (["tables", "show", "customers"], ["[NAME_INVALID]", "sales.orders"]),
            (["sg", "count", "VIP", "--as-of", "yesterday"], ["[INVALID_INSTANT]", "2024-01-31"]),
            (["sg", "eval", "--as-of", "2024-13-45"], ["[INVALID_INSTANT]"]),
            (["ps", "run", "--as-of", "soon"], ["[INVALID_INSTANT]"]),
        ],
    )
    def test_unknown_ones_are_told_with_near_ones(self, shop: Desk, arguments: list[str], expected: list[str]) -> None:
        message = shop.refused(*arguments)
        for words in expected:
            assert words in message


class TestParentFiles:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"master:": "mastr:", "type: number": "type: numbr"}, ["[MISSING_KEY]", "4:1: error [UNKNOWN_KEY]", '"number"', "5 problems"]),
            (
                {"type: daily": "type: dayly", '"03:00:00"': '"25:00"', "Asia/Tokyo": "Asia/Tokio"},
                ["9:3: error [INVALID_SCHEDULE]", "10:3: error", "11:3: error [INVALID_TIMEZONE]", "3 problems"],
            ),
            ({"name: All Customers": "name: [1"}, ["error [YAML_SYNTAX]"]),
            ({PARENT: "name: X\n"}, ["1:1: error [MISSING_KEY]", "add master"]),
            ({PARENT: "- 1\n"}, ["1:1: error [WRONG_TYPE]"]),
            ({PARENT: ""}, ["1: error [FILE_EMPTY]"]),
        ],
    )
    def test_problems_of_the_file(self, desk: Desk, changes: dict[str, str], expected: list[str]) -> None:
        before = desk.state()
        text = PARENT
        for old, new in changes.items():
            text = text.replace(old, new)
        desk.parent_file.write_text(text)
        message = desk.refused("ps", "push")
        for words in expected:
            assert words in message
        assert all(line.startswith(("parent_segments/all-customers.yml:", "    ")) for line in message.splitlines()[:-1])
        assert desk.state() == before

    def test_tables_and_columns_that_are_not_there(self, desk: Desk) -> None:
        text = PARENT.replace("table: metrics", "table: metric").replace("column: amount", "column: amont")
        desk.parent_file.write_text(text)
        expected = ["14:31: error [TABLE_NOT_FOUND]", '"shop.metrics"', "27:11: error [COLUMN_NOT_FOUND]", '"amount"']
        assert all(words in desk.refused("ps", "validate", str(desk.parent_file)) for words in expected)
        desk.ok("ps", "push")
        for command in (["run"], ["validate"], ["sql"], ["preview"]):
            message = desk.refused("ps", *command)
            assert all(words in message for words in expected), command
            assert "parent_segments/all-customers.yml:14:31" in message
        assert desk.json("sg", "count", "VIP")["count"] == 8
        assert desk.json("ps", "view")["refreshes"][0]["status"] == "error"

    def test_duplicate_master_keys(self, desk: Desk) -> None:
        before = desk.json("sg", "list", "-r")
        file = desk.write("dup.csv", "customer_id,name,country\nc001,a,US\nc001,b,US\nc002,c,US\n,nobody,US\n")
        desk.ok("tables", "import", "shop.customers", str(file))
        message = desk.refused("ps", "run")
        assert "parent_segments/all-customers.yml:7:3: error [DUPLICATE_KEYS]" in message
        assert "c001" in message
        assert "[NULL_KEYS]" in desk.refused("ps", "validate")
        assert desk.json("sg", "count", "Everybody")["count"] == 60
        assert desk.json("sg", "list", "-r") == before


class TestImports:
    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("no.parquet", b"hello", ["[NOT_PARQUET]", "is it complete"]),
            ("short.csv", b"a,b\n1,2\n3\n4,5\n", ["short.csv:3: expected 2 columns, found 1", "mend that line"]),
            ("empty.csv", b"", ["empty.csv is empty", "column names"]),
            ("binary.csv", bytes(range(256)), ["[FILE_NOT_READABLE]", "is not text"]),
            ("bad.jsonl", b'{"a": 1}\n{"a":\n', ["[FILE_NOT_READABLE]", "bad.jsonl:", "mend that line"]),
            ("data.txt", b"a", ["[FORMAT_UNKNOWN]", "csv, jsonl or parquet"]),
            ("typed.csv", b"customer_id\nx\n", ["[TYPE_MISMATCH]", "typed.csv:2"]),
        ],
    )
    def test_files_that_cannot_be_read_leave_the_table(self, desk: Desk, name: str, content: bytes, expected: list[str]) -> None:
        file = desk.write(name, content)
        types = ["--type", "customer_id=BIGINT"] if name == "typed.csv" else []
        message = desk.refused("tables", "import", "shop.customers", str(file), *types)
        for words in expected:
            assert words in message
        assert desk.json("tables", "show", "shop.customers")["rows"] == 60

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["shop.customers", "nope.csv"], "FILE_NOT_FOUND"),
            (["customers", "customers.csv"], "NAME_INVALID"),
            (["shop.customers", "customers.csv", "--type", "nope=INTEGER"], "COLUMN_NOT_FOUND"),
            (["shop.customers", "customers.csv", "--type", "name=FOO"], "TYPE_UNKNOWN"),
            (["shop.customers", "customers.csv", "--view"], "VIEW_NEEDS_PARQUET"),
        ],
    )
    def test_what_cannot_be_asked(self, shop: Desk, arguments: list[str], code: str) -> None:
        table, file, *rest = arguments
        assert f"[{code}]" in shop.refused("tables", "import", table, str(shop.folder / "data" / file), *rest)


class TestWorkspaces:
    def test_settings_that_cannot_be_read(self, desk: Desk) -> None:
        file = desk.folder / "kohort.toml"
        good = file.read_text()
        for text, expected in (
            ("[settings\n", ["kohort.toml:1:", "error ["]),
            (f"{good}\n[settings.x\n", ["kohort.toml:"]),
            (
                '[settings]\nthreds = 2\nrange_size = -1\nmemory_limit = "lots"\n',
                ["threds", 'did you mean "threads"?', "range_size", "memory_limit"],
            ),
        ):
            file.write_text(text)
            message = desk.refused("sg", "list")
            assert all(words in message for words in expected), message
        file.write_bytes(b"\xff\xfe\x00")
        assert "kohort.toml" in desk.refused("sg", "list")
        file.write_text(good)
        desk.ok("sg", "list")

    def test_no_workspace(self, tmp_path: Path) -> None:
        for arguments in (["sg", "list"], ["ps", "run"], ["query", "select 1"], ["profile", "show", "x"], ["tables", "list"]):
            refused = run("-w", str(tmp_path), *arguments)
            assert (refused.code, refused.out) == (1, "")
            assert "[NO_WORKSPACE]" in refused.err
        assert list(tmp_path.iterdir()) == []

    def test_files_where_folders_are_needed(self, desk: Desk, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        refused = run("init", str(tmp_path / "file"))
        assert refused.code == 1
        assert "error [" in refused.err
        shutil.rmtree(desk.folder / ".kohort")
        (desk.folder / ".kohort").write_text("x")
        for arguments in (["sg", "list"], ["tables", "list"]):
            assert "error [" in desk.refused(*arguments)

    @pytest.mark.parametrize(("file", "arguments"), [("warehouse.duckdb", ["tables", "list"]), ("kohort.db", ["sg", "list"])])
    def test_state_that_is_something_else(self, desk: Desk, file: str, arguments: list[str]) -> None:
        path = desk.folder / ".kohort" / file
        path.write_bytes(b"this is not a database, it is a letter\n" * 300)
        before = path.read_bytes()
        assert "error [" in desk.refused(*arguments)
        assert path.read_bytes() == before


def test_a_value_that_is_none_of_those_there_are_is_told_in_plain_words(desk: Desk) -> None:
    told = desk.refused("query", "select 1", "--format", "xlsx", code=2)
    assert "Invalid value for '--format': 'xlsx' is not one of 'table', 'csv', 'json'." in told


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["tables", "create", "a.b", "--file", "no.sql"], 1, ["[FILE_NOT_FOUND] there is no file or folder no.sql", "current folder"]),
        (["ps", "validate", "no.yml"], 1, ["[FILE_NOT_FOUND] there is no file or folder no.yml", "counts from the current folder"]),
        (["tables", "import", "a.b", "kohort.toml"], 1, ["say it with --format: csv, jsonl or parquet"]),
        (["tables", "create", "a.b", "--as", "select nam from shop.customers"], 1, ["no column nam in shop.customers (nam)", '"name"']),
        (["tables", "create", "a.b", "--as", "select name + 1 as x, from shop.customers where 1 < [1]"], 1, ["[SQL_ERROR]"]),
        (["sg", "diff", "--between", "a", "last"], 1, ['"a" names no evaluation', "write last, previous, an evaluation's id"]),
        (["sg", "diff", "--between", "prevous", "last"], 1, ['did you mean "previous"?']),
        (["sg", "members", "VIP", "--evaluation", "999"], 1, ["has no evaluation 999", "kept are: 1"]),
        (["sg", "backtest", "VIP", "--days", "x"], 2, ["Invalid value for '--days': it is no whole number"]),
        (["ps", "preview", "--limit", "0"], 2, ["it must be 1 or more"]),
        (["user", "grant", "nobody", "--to", "x"], 2, ["give --to PARENT[:FOLDER]=ROLE"]),
        (["user", "grant", "nobody", "--to", "x=viewer"], 1, ["[USER_NOT_FOUND]"]),
    ],
)
def test_what_a_newcomer_gets_wrong_is_told_with_the_way_out(
    shop: Desk, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, expected: list[str]
) -> None:
    monkeypatch.chdir(shop.folder)
    told = shop.refused(*arguments, code=code)
    for words in expected:
        assert words in told
    assert "CREATE" not in told
