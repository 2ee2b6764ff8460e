"""Users in the store, on SQLite and on PostgreSQL; passwords."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohort.adapters.passwords import Argon2Passwords
from kohort.adapters.sqlalchemy import SQLAlchemyStore
from kohort.testing.store_contract import OpenStore
from kohort.testing.user_store_contract import UserStoreContract


class TestSQLite(UserStoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda: SQLAlchemyStore(tmp_path / "kohort.db")


@pytest.mark.postgres
class TestPostgreSQL(UserStoreContract):
    @pytest.fixture
    def open_store(self, postgres_url: str) -> OpenStore:
        return lambda: SQLAlchemyStore(postgres_url)


class TestPasswords:
    def test_the_right_password_and_no_other(self) -> None:
        passwords = Argon2Passwords(memory_kib=64, rounds=1)
        kept = passwords.hash("correct horse")
        assert kept.startswith("$argon2id$")
        assert kept != passwords.hash("correct horse")
        assert passwords.verify(kept, "correct horse")
        assert not passwords.verify(kept, "correct horsf")
        assert not passwords.verify("", "")
        assert not passwords.verify("no hash at all", "x")

    def test_a_hash_of_weaker_settings_is_to_be_made_again(self) -> None:
        weak = Argon2Passwords(memory_kib=64, rounds=1).hash("correct horse")
        usual = Argon2Passwords()
        assert usual.is_outdated(weak)
        assert usual.verify(weak, "correct horse")
        assert not usual.is_outdated(usual.hash("correct horse"))
