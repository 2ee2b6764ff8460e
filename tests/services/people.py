"""What tests of users, tokens and access share: who does something, a good password, the code of a refusal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kohort.adapters.passwords import Argon2Passwords
from kohort.foundation.errors import UserError
from kohort.services.users import Actor

CLI = Actor("ops")
PASSWORDS = Argon2Passwords(memory_kib=64, rounds=1)
RIGHT = "correct horse battery"


def code(call: Callable[[], object]) -> str:
    """Of the refusal that a call must be."""
    with pytest.raises(UserError) as caught:
        call()
    return caught.value.code
