"""Runs commands in a workspace made of small tables."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

from kohort.cli.main import main as kohort

AS_OF = "2024-01-01"


class Commands:
    """One workspace; files are written into it and commands run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ok("init", str(root))

    def write(self, name: str, text: str) -> Path:
        """A file of the workspace."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def table(self, name: str, text: str, *types: str) -> None:
        """A table from CSV text."""
        lines = "".join(f"{line.strip()}\n" for line in text.strip().splitlines())
        path = self.write(f"data/{name}.csv", lines)
        self.ok("tables", "import", name, str(path), *(part for pair in types for part in ("--type", pair)))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output, remarks."""
        output, remarks = BytesIO(), StringIO()
        stream = TextIOWrapper(output, encoding="utf-8", write_through=True)
        with redirect_stdout(stream), redirect_stderr(remarks):
            code = kohort(["-w", str(self.root), *arguments])
        stream.detach()
        return code, output.getvalue().decode(), remarks.getvalue()

    def ok(self, *arguments: str) -> str:
        """The output of a command that must succeed."""
        code, output, remarks = self.run(*arguments)
        assert code == 0, f"kohort {' '.join(arguments)}\n{output}{remarks}"
        return output

    def count(self, rule: str, as_of: str = AS_OF) -> int:
        """How many a typed rule counts."""
        return int(json.loads(self.ok("sg", "count", "-e", rule, "--as-of", as_of, "--json"))["count"])

    def members(self, segment: str, column: str) -> list[str]:
        """The values of a column for the members of a saved segment, sorted."""
        text = self.ok("sg", "export", segment, "--columns", column, "--format", "jsonl")
        return sorted(str(json.loads(line)[column]) for line in text.splitlines())

    def listed(self) -> dict[str, dict[str, Any]]:
        """Every segment by path, as `sg list` gives it."""
        return {item["path"]: item for item in json.loads(self.ok("sg", "list", "-r", "--json"))}
