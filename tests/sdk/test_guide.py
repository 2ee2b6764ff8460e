"""The examples of the guide work as printed: each sends one call to a source of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohort.testing.server import RunningServer, make_sources, running_server
from tests.sdk.clients import installed_node_clients
from tools.transcripts import GUIDES, Block, blocks_of

ADDRESS = "http://127.0.0.1:8040"
EXAMPLES = [
    block
    for block in blocks_of((GUIDES / "sources.md").read_text(encoding="utf-8"))
    if block.language in ("python", "js", "sh") and ADDRESS in block.body
]
NAMES = tuple(f"Example {number}" for number in range(len(EXAMPLES)))
NODE = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("guide") / "w"
    with running_server(folder, make_sources(folder, NAMES)) as running:
        yield running


def command(block: Block, code: str) -> tuple[list[str], dict[str, str]]:
    """How a reader runs an example."""
    match block.language:
        case "python":
            return [sys.executable, "-c", code], {}
        case "js":
            modules = installed_node_clients()
            return ["node", "-e", f"(async () => {{ {code} }})()"], {"NODE_PATH": str(modules)}
        case _:
            if shutil.which("curl") is None:
                pytest.skip("curl is not here")
            return ["sh", "-c", code], {}


@pytest.mark.parametrize(
    "number",
    [pytest.param(n, id=f"{b.language}-{n}", marks=[NODE] if b.language == "js" else []) for n, b in enumerate(EXAMPLES)],
)
def test_an_example_sends_its_call(server: RunningServer, number: int, tmp_path: Path) -> None:
    block, name = EXAMPLES[number], NAMES[number]
    code = block.body.replace(ADDRESS, server.url).replace("YOUR_WRITE_KEY", server.write_keys[name])
    words, environment = command(block, code)
    ended = subprocess.run(words, cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    [received] = [request for request in server.received() if request.source == f"example_{number}"]
    for part in (b"Order Completed", b"39.9", b'"u1"'):
        assert part in received.body


def test_every_language_has_an_example() -> None:
    assert [block.language for block in EXAMPLES] == ["python", "python", "js", "js", "sh"]
