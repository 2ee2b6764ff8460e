"""What every store must do when several write at once."""

from __future__ import annotations

import threading

import pytest

from kohort.ports.definitions import DefinitionStore, ParentRecord
from kohort.testing.store_contract import T0, OpenStore, StoreContract, save


class TransactionContract(StoreContract):
    """Run on every adapter."""

    def test_a_transaction_keeps_all_or_nothing(self, store: DefinitionStore, open_store: OpenStore, parent: ParentRecord) -> None:
        other = open_store()
        with store.transaction():
            first = save(store, parent, "", "one", "f")
            with store.transaction():
                second = save(store, parent, "", "two", "f")
            assert list(other.segments(parent.id)) == []
            assert list(store.segments(parent.id)) == [first, second]
        assert list(other.segments(parent.id)) == [first, second]

        def fail_halfway() -> None:
            with store.transaction():
                save(store, parent, "", "three", "f")
                store.delete_segment(first.id)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail_halfway()
        assert list(store.segments(parent.id)) == [first, second]
        other.close()

    def test_two_who_save_the_same_name_at_once_make_one_segment(self, open_store: OpenStore, parent: ParentRecord) -> None:
        stores = [open_store() for _ in range(4)]
        barrier = threading.Barrier(len(stores))
        failures: list[BaseException] = []

        def work(number: int, store: DefinitionStore) -> None:
            try:
                barrier.wait(30)
                for round_number in range(5):
                    save(store, parent, "F", f"S{round_number}", f"f{number}")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=pair) for pair in enumerate(stores)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        records = stores[0].segments(parent.id)
        assert [(r.name, r.version) for r in records] == [(f"S{n}", 4) for n in range(5)]
        assert all([v.number for v in stores[0].versions(r.id)] == [1, 2, 3, 4] for r in records)
        for store in stores:
            store.close()

    def test_threads_share_a_store(self, store: DefinitionStore, parent: ParentRecord) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                with store.transaction():
                    save(store, parent, "", f"a{number}", "f")
                    save(store, parent, "", f"b{number}", "f")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(store.segments(parent.id)) == 8

    def test_first_openings_at_once_agree(self, open_store: OpenStore) -> None:
        opened: list[DefinitionStore] = []
        failures: list[BaseException] = []
        barrier = threading.Barrier(4)

        def work() -> None:
            try:
                barrier.wait(30)
                store = open_store()
                opened.append(store)
                store.save_parent("Shop", "shop", {}, by="ann", at=T0)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert [record.version for record in opened[0].parents()] == [1]
        for store in opened:
            store.close()
