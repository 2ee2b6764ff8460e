"""Runs the `console` blocks of a page and compares, or writes, what they print.

python -m tools.transcripts           run every page that has such blocks and write its outputs again
python -m tools.transcripts PAGE...   only these

In a page, a block with a title (```yaml title="segments/..."```) is a file that the reader makes, a ```console block holds
`$ kohort ...` lines, each with what it prints below it. `exit=1` after `console` says that the last command refuses.
`kohort serve &` runs until `kill %1` or the end of the page, on free ports that the page calls 8040 and 8300; `python FILE` runs a file of
it, `curl ...` what it says, and `export NAME=VALUE` holds to the end of the page.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from kohort.cli.main import main as kohort
from kohort.foundation.clock import SystemClock
from kohort.services import tokens
from kohort.services.sources import registry as sources

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = ROOT / "docs" / "tutorial.md"
README = ROOT / "README.md"
GUIDES = ROOT / "docs" / "guides"
START = datetime(2024, 4, 1, 9, 0, tzinfo=UTC)
HOME = "/home/ana"
BLOCK = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')
STEP = re.compile(r"  [A-Z].* \.\.\.")
DURATION = re.compile(r"\b\d+\.\d s\b")
ARRIVAL = re.compile(r"^\d\d:\d\d:\d\d\.\d{3}(?=  )", re.MULTILINE)
CALLS_PORT, API_PORT = "8040", "8300"
KOHORT = [sys.executable, "-c", "from kohort.cli.main import entry; entry()"]


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `info` is the word after the fence and what follows it; start and end are those of the body."""

    info: str
    body: str
    start: int
    end: int

    @property
    def language(self) -> str:
        return self.info.split()[0]

    @property
    def title(self) -> str:
        found = TITLE.search(self.info)
        return found[1] if found else ""

    @property
    def exit_code(self) -> int:
        return 1 if "exit=1" in self.info.split() else 0


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page: what the page says it prints, and what it does print."""

    command: str
    expected: str
    printed: str
    exit_code: int
    wanted_exit: int


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(found["info"], found["body"], found.start("body"), found.end("body")) for found in BLOCK.finditer(text)]


def run_page(text: str, root: Path, start: str = ".") -> tuple[list[Step], str]:
    """Follow a page from the folder `start` of `root`: its steps, and the page with the outputs that were printed."""
    steps: list[Step] = []
    pieces: list[str] = []
    position = 0
    with _reader(root / start) as clock, _Desk(root, clock) as desk:
        for block in blocks_of(text):
            if block.title:
                path = Path(block.title)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(desk.with_port(block.body), encoding="utf-8")
            elif block.language == "console":
                done = [desk.run(command, expected) for command, expected in _commands(block.body)]
                done[-1] = replace(done[-1], wanted_exit=block.exit_code)
                steps += done
                pieces += [text[position : block.start], "".join(f"$ {step.command}\n{step.printed}" for step in done)]
                position = block.end
    return steps, "".join([*pieces, text[position:]])


class _Clock:
    """A minute passes before every command."""

    def __init__(self) -> None:
        self.instant = START

    def now(self, _: object = None) -> datetime:
        return self.instant

    def new_secret(self) -> str:
        """Not random here, so that it is the same each time a page is run."""
        return hashlib.sha256(self.instant.isoformat().encode()).hexdigest()[:32]


@contextmanager
def _reader(root: Path) -> Iterator[_Clock]:
    """The reader: a folder, a name, a clock; nothing of the machine's shows."""
    clock, before = _Clock(), Path.cwd()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KOHORT_")}
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        environment.pop(name, None)
    environment["KOHORT_USER"] = "ana"
    os.chdir(root)
    try:
        keys = patch.object(sources, "new_write_key", clock.new_secret)
        new_tokens = patch.object(tokens, "new_secret", clock.new_secret)
        with patch.dict(os.environ, environment, clear=True), patch.object(SystemClock, "now", clock.now), keys, new_tokens:
            yield clock
    finally:
        os.chdir(before)


def _commands(body: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


class _Desk:
    """Runs the commands of a page; at most one server runs beside them."""

    def __init__(self, root: Path, clock: _Clock) -> None:
        self._root = root
        self._clock = clock
        self._ports: dict[str, str] = {}
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> _Desk:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._stop_server()

    def with_port(self, text: str) -> str:
        """The text of a page with the ports that its server really has."""
        for port in (CALLS_PORT, API_PORT):
            if f":{port}" in text:
                text = text.replace(f":{port}", f":{self._real(port)}")
        return text

    def _real(self, port: str) -> str:
        if port not in self._ports:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                self._ports[port] = str(listener.getsockname()[1])
        return self._ports[port]

    def run(self, command: str, expected: str) -> Step:
        """One command, a minute after the one before."""
        self._clock.instant += timedelta(minutes=1)
        code, printed = 0, ""
        match shlex.split(command):
            case ["cd", folder]:
                os.chdir(folder)
            case ["rm", file]:
                Path(file).unlink()
            case ["kohort", "serve", *options, "&"]:
                printed = self.steady(self._start_server(options))
            case ["kill", "%1"]:
                printed = self.steady(self._stop_server())
            case ["export", assignment]:
                name, _, value = assignment.partition("=")
                os.environ[name] = self.with_port(value)
            case ["python", file]:
                code, printed = self._other([sys.executable, file])
            case ["curl", *_]:
                code, printed = self._other(["bash", "-o", "pipefail", "-c", self.with_port(command)])
            case ["kohort", *words]:
                with _printed() as output, patch.object(sys, "stdin", io.StringIO()):
                    code = kohort(words)
                printed = self.steady(output.getvalue().decode())
            case _:
                raise ValueError(f"a console block cannot run {command!r}")
        return Step(command, expected, printed, code, 0)

    def _other(self, command: list[str]) -> tuple[int, str]:
        """The exit code of another program, and what it printed."""
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return ended.returncode, self.steady(ended.stdout)

    def _start_server(self, options: list[str]) -> str:
        command = [*KOHORT, "serve", *options, "--port", self._real(CALLS_PORT), "--api-port", self._real(API_PORT)]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._server.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("  sources"):
            line = self._server.stdout.readline()
            if not line:
                break
            lines.append(line)
        return "".join(lines)

    def _stop_server(self) -> str:
        assert self._server is not None
        self._server.send_signal(signal.SIGTERM)
        printed, _ = self._server.communicate(timeout=120)
        self._server = None
        return printed

    def steady(self, printed: str) -> str:
        """The same text on every machine: no folder of a test, no measured seconds or real time, no spaces at the ends of lines.

        The steps of long work are left out: on a terminal they are a bar that goes away.
        """
        text = DURATION.sub("0.1 s", printed.replace(str(self._root.resolve()), HOME))
        for port, real in self._ports.items():
            text = text.replace(f":{real}", f":{port}")
        if self._ports:
            now = self._clock.instant
            text = re.sub(r"/setup#[\w-]+", "/setup#SECRET", text)
            text = ARRIVAL.sub(f"{now:%H:%M}:00.000", text)
            text = re.sub(rf"{datetime.now(UTC):%Y}-\d\d-\d\d([ T])\d\d:\d\d:\d\d(\.\d+)?", rf"{now:%Y-%m-%d}\g<1>{now:%H:%M:%S}", text)
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines() if not STEP.fullmatch(line))


@contextmanager
def _printed() -> Iterator[io.BytesIO]:
    """What is printed inside, output and remarks in their order."""
    output = io.BytesIO()
    stream = io.TextIOWrapper(output, encoding="utf-8", write_through=True)
    with redirect_stdout(stream), redirect_stderr(stream):
        yield output
    stream.detach()


def follow_tutorial(root: Path) -> list[Step]:
    """The steps of the tutorial; the workspace it leaves is in `root`/shop: there the guides begin."""
    return run_page(TUTORIAL.read_text(encoding="utf-8"), root)[0]


def build_demo(root: Path) -> str:
    """The workspace of `make demo`, in `root`/demo; returns what the demo printed."""
    from examples.complete_journey import demo

    with _reader(root) as clock, _Desk(root, clock) as desk, _printed() as output:
        demo.build(Path("demo"))
    return desk.steady(output.getvalue().decode())


def pages() -> list[Path]:
    """Every page with console blocks, the tutorial first."""
    return [TUTORIAL, README, *sorted(GUIDES.glob("*.md"))]


def main() -> int:
    """Write the outputs of pages again; 1 when a command ended otherwise than its page says."""
    wrong = 0
    for page in [Path(name).resolve() for name in sys.argv[1:]] or pages():
        text = page.read_text(encoding="utf-8")
        if not any(block.language == "console" for block in blocks_of(text)):
            continue
        root = Path(tempfile.mkdtemp(prefix="kohort-page-"))
        try:
            if page == README:
                build_demo(root)
            elif page != TUTORIAL:
                follow_tutorial(root)
            steps, written = run_page(text, root, "shop" if page.parent == GUIDES else ".")
        finally:
            shutil.rmtree(root)
        for step in steps:
            if step.exit_code != step.wanted_exit:
                wrong += 1
                print(f"{page.name}: exit code {step.exit_code}: $ {step.command}\n{step.printed}")
        page.write_text(written, encoding="utf-8")
        print(f"{page.relative_to(ROOT)}: {len(steps)} commands")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
