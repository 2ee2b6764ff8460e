"""The examples on help pages: short, of commands there are, and each does what it is there for."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer

from kohort.cli.examples import EXAMPLES, commands_of
from kohort.cli.main import app
from tests.cli.workspaces import Desk, run

ASKING = ("serve", "user add")
"""These go on until somebody stops them, or ask for a password: what they are given is read, and no more."""
ALL = [(command, line) for command, lines in EXAMPLES.items() for line in lines]


def test_they_are_of_commands_there_are_and_fit_a_terminal() -> None:
    commands = {path for path, _ in commands_of(typer.main.get_command(app))}
    assert set(EXAMPLES) <= commands
    assert len(EXAMPLES) >= 20
    for command, line in ALL:
        words = [word for word in shlex.split(line) if not word.startswith(("-w", "/srv"))]
        assert words[: 1 + len(command.split())] == ["kohort", *command.split()], line
        assert len(line) <= 76, line


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_help_page_ends_with_them(command: str) -> None:
    page = run(*command.split(), "--help")
    assert page.code == 0
    assert page.out.rstrip().endswith("\n".join(f"    {line}" for line in EXAMPLES[command]))


@pytest.mark.parametrize(("command", "line"), ALL, ids=[line for _, line in ALL])
def test_what_they_are_given_can_be_read(command: str, line: str) -> None:
    _, *arguments = shlex.split(line)
    if arguments[0] == "-w":
        arguments = arguments[2:]
    leaf = dict(commands_of(typer.main.get_command(app)))[command]
    context = leaf.make_context(command, arguments[len(command.split()) :])
    assert context.params is not None


def test_in_this_order_they_do_what_they_are_there_for(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new").mkdir()
    for command, line in ALL:
        monkeypatch.chdir(tmp_path / "new" if command == "init" else desk.folder)
        if command in ASKING and "--no-password" not in line:
            continue
        ran = run(*shlex.split(line)[1:])
        assert ran.code == 0, (line, ran.err)
        assert ran.out or ran.err, line
