"""Every setting: name, type, default, help. Read from `kohort.toml` ([settings]) and the environment (KOHORT_<NAME>), which wins."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from kohort.foundation.issues import Issues, did_you_mean

_SIZE = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B|%)?", re.IGNORECASE)
_ABOVE_ZERO = ("range_size", "keep_indexes", "keep_evaluations", "ingest_request_bytes", "ingest_pending_bytes", "api_request_bytes")


def _setting(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one workspace."""

    store_url: str = _setting("", "definition store: empty = SQLite in .kohort/kohort.db, or a postgresql:// URL")
    warehouse: str = _setting("", "file of the embedded warehouse: empty = .kohort/warehouse.duckdb")
    memory_limit: str = _setting("", "memory the warehouse may use, e.g. 4GB; empty = 60 % of the machine's")
    threads: int = _setting(0, "threads of the warehouse; 0 = all cores")
    range_size: int = _setting(250_000, "profiles evaluated at a time; smaller needs less memory, but more time")
    user: str = _setting("", "who created or updated a definition; empty = the login name")
    keep_indexes: int = _setting(2, "profile indexes kept per parent segment")
    refresh_table_bytes: int = _setting(
        4_294_967_296, "memory the rows of one table may take in a refresh; a larger table is sorted by the warehouse, which is slower"
    )
    leaf_cache_bytes: int = _setting(268_435_456, "memory for the members of conditions evaluated before; 0 = remember none")
    keep_evaluations: int = _setting(30, "membership snapshots kept per parent segment")

    serve_host: str = _setting("127.0.0.1", "address that `kohort serve` listens on; 0.0.0.0 = all of the machine's")
    serve_port: int = _setting(8040, "port that `kohort serve` listens on; 0 = any that is free")
    serve_grace_seconds: int = _setting(10, "how long open requests may take to finish when the server is stopped")
    serve_drain_seconds: int = _setting(30, "how long a server that is stopped goes on loading what it has received into tables")
    serve_tables_memory: str = _setting(
        "64MB", "memory of the warehouse while a server only writes tables of sources, doubled when it does not do; empty = memory_limit"
    )
    ingest_log: str = _setting("", "folder of the event log: empty = .kohort/log")
    ingest_request_bytes: int = _setting(512_000, "largest request that is taken, unpacked")
    ingest_rate_limit: int = _setting(1_000, "requests a second taken from each source without a limit of its own; 0 = no limit")
    ingest_pending_bytes: int = _setting(67_108_864, "memory for requests that wait for the disk; what does not fit is answered with 429")
    ingest_unknown_keys: str = _setting("refuse", "calls under unknown write keys: refuse (401), or accept (200 as Segment does, and drop)")
    ingest_metrics: str = _setting("local", "who may read /metrics and /version on the port for calls: local (this machine), or everybody")
    ingest_trusted_proxies: str = _setting("", "addresses of proxies whose X-Forwarded-For is believed, comma-separated; empty = none")

    api_host: str = _setting("127.0.0.1", "address that the API of `kohort serve` listens on; 0.0.0.0 = all of the machine's")
    api_port: int = _setting(8300, "port that the API of `kohort serve` listens on; 0 = any that is free")
    api_request_bytes: int = _setting(1_000_000, "largest request that the API takes")
    api_secure_cookies: str = _setting("auto", "whether browsers may send sessions over TLS only: auto (when they came over TLS), always")
    api_trusted_proxies: str = _setting("", "addresses of proxies whose X-Forwarded-For and -Proto the API believes, comma-separated")

    @property
    def user_name(self) -> str:
        """The name written beside every change."""
        if self.user:
            return self.user
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError):
            return "unknown"


def settings_table() -> list[tuple[str, str, str, str]]:
    """(name, type, default, help) of every setting: for the reference page."""
    return [(f.name, str(f.type), str(f.default), f.metadata["help"]) for f in fields(Settings)]


def load_settings(written: Mapping[str, Any], file: str, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the `[settings]` table of `file` and the environment. Raises InvalidInput with every problem."""
    environment = os.environ if environment is None else environment
    issues, values = Issues(), {}
    known = {f.name: f for f in fields(Settings)}
    for name, value in written.items():
        if name not in known:
            issues.error("UNKNOWN_SETTING", f'{file}: there is no setting "{name}"', ("settings", name), did_you_mean(name, known))
        else:
            values[name] = value
    for name in known:
        text = environment.get(f"KOHORT_{name.upper()}")
        if text is not None:
            values[name] = text
    checked = {name: _checked(name, value, known[name].default, issues) for name, value in values.items()}
    issues.raise_if_errors()
    return Settings(**checked)


def _checked(name: str, value: Any, default: Any, issues: Issues) -> Any:
    if isinstance(default, int):
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = -1
        if isinstance(value, bool) or number < 0 or (name in _ABOVE_ZERO and number == 0):
            issues.error("INVALID_SETTING", f"{name} must be a whole number, not {value!r}", ("settings", name))
        return number
    if not isinstance(value, str):
        issues.error("INVALID_SETTING", f"{name} must be text, not {value!r}", ("settings", name))
    elif name in ("memory_limit", "serve_tables_memory") and value and not _SIZE.fullmatch(value.strip()):
        issues.error("INVALID_SETTING", f"{name} must be a size such as 4GB, not {value!r}", ("settings", name))
    elif name == "api_secure_cookies" and value not in ("auto", "always"):
        issues.error("INVALID_SETTING", f'api_secure_cookies must be "auto" or "always", not {value!r}', ("settings", name))
    elif name == "ingest_unknown_keys" and value not in ("refuse", "accept"):
        issues.error("INVALID_SETTING", f'ingest_unknown_keys must be "refuse" or "accept", not {value!r}', ("settings", name))
    elif name == "ingest_metrics" and value not in ("local", "everybody"):
        issues.error("INVALID_SETTING", f'ingest_metrics must be "local" or "everybody", not {value!r}', ("settings", name))
    return value
