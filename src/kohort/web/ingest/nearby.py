"""Whether a request comes from this machine: what a server tells about itself is for its operator."""

from __future__ import annotations

from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")


def is_from_this_machine(scope: MutableMapping[str, Any]) -> bool:
    """True for a client at this machine's own address. What a proxy passed on comes from elsewhere, whatever it says.

    >>> at = {"server": ("10.0.0.5", 8040), "headers": []}
    >>> [is_from_this_machine({**at, "client": (ip, 5000)}) for ip in ("127.0.0.1", "::1", "10.0.0.5", "10.0.0.6", "")]
    [True, True, True, False, False]
    >>> is_from_this_machine({**at, "client": ("127.0.0.1", 5000), "headers": [(b"x-forwarded-for", b"127.0.0.1")]})
    False
    """
    client, server = scope.get("client"), scope.get("server")
    if client is None or any(name in _FORWARDED for name, _ in scope["headers"]):
        return False
    try:
        address = ip_address(client[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or (server is not None and client[0] == server[0])
