"""A PostgreSQL server that lives as long as the tests that need it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

_SERVER_USER = "postgres"
_START_SECONDS = 60
_INSTALL_SECONDS = 240


class _Identity(TypedDict, total=False):
    user: str
    group: str
    extra_groups: list[str]


class Unavailable(Exception):
    """There is no PostgreSQL here and it could not be had; the text says why."""


def server_folder() -> Path | None:
    """Where `initdb` and `postgres` are: on the path, or where Debian keeps them (the newest version)."""
    found = shutil.which("initdb")
    if found and (Path(found).resolve().parent / "postgres").exists():
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0]))
    return versions[-1].parent if versions else None


def install_server() -> Path:
    """Install Debian's package where we may. Raises Unavailable with the reason."""
    if os.geteuid() != 0:
        raise Unavailable("PostgreSQL is not installed (as an administrator: apt-get install postgresql)")
    if shutil.which("apt-get") is None:
        raise Unavailable("PostgreSQL is not installed and there is no apt-get to install it with")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]
    try:
        subprocess.run(["apt-get", "update"], env=environment, capture_output=True, timeout=_INSTALL_SECONDS, check=False)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"PostgreSQL could not be installed: {error}") from error
    folder = server_folder()
    if done.returncode != 0 or folder is None:
        reason = (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]
        raise Unavailable(f"PostgreSQL could not be installed: {reason}")
    return folder


@contextmanager
def throwaway_server() -> Iterator[str]:
    """The URL of the database `postgres` on a fresh server, reached by a Unix socket; afterwards nothing is left of it.

    As root the server runs as the user `postgres`, because it refuses to run as root. Raises Unavailable.
    """
    programs = server_folder() or install_server()
    home = Path(tempfile.mkdtemp(prefix="kohort-pg-"))
    try:
        if os.geteuid() == 0:
            _give_to_server_user(home)
        _run_as_server(
            [str(programs / "initdb"), "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "postgres", str(home / "data")]
        )
        with _running(programs, home):
            yield f"postgresql+psycopg://postgres@/postgres?host={quote(str(home), safe='')}"
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _running(programs: Path, home: Path) -> Iterator[None]:
    settings = {
        "listen_addresses": "",
        "fsync": "off",
        "shared_buffers": "16MB",
        "max_connections": "40",
        "unix_socket_directories": str(home),
    }
    command = [str(programs / "postgres"), "-D", str(home / "data")]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log = home / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd="/", **_server_identity())
    try:
        _wait_until_ready(programs, home, server, log)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(programs: Path, home: Path, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        ready = [str(programs / "pg_isready"), "-q", "-h", str(home), "-U", "postgres"]
        if subprocess.run(ready, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise Unavailable(f"PostgreSQL did not start: {log.read_text(errors='replace').strip()[-400:]}")


def _run_as_server(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **_server_identity())
    if done.returncode != 0:
        raise Unavailable(f"{Path(command[0]).name} failed: {done.stderr.strip()[-400:]}")


def _give_to_server_user(home: Path) -> None:
    try:
        shutil.chown(home, _SERVER_USER, _SERVER_USER)
    except LookupError as error:
        raise Unavailable(f'PostgreSQL does not run as root and there is no user "{_SERVER_USER}"') from error


def _server_identity() -> _Identity:
    return {"user": _SERVER_USER, "group": _SERVER_USER, "extra_groups": []} if os.geteuid() == 0 else {}


def main() -> None:
    """Make PostgreSQL ready for the tests, or say plainly why their PostgreSQL half will be skipped."""
    try:
        print(f"PostgreSQL for the tests: {server_folder() or install_server()}")
    except Unavailable as error:
        print(f"The tests of the store on PostgreSQL will be skipped: {error}")


if __name__ == "__main__":
    main()
