"""Snapshots give back what was put in, whole or not at all, and say when they are damaged."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohort.evaluation.bitmap import Bitmap
from kohort.foundation.errors import UserError
from kohort.membership.changes import Change, count, count_changes, first_ordinals, members_since, within, without
from kohort.membership.packed import CHUNK_WORDS, PROFILES_PER_CHUNK, Damaged, Words, count_common, has_bit, pack, unpack, unpack_chunk
from kohort.membership.snapshots import SegmentKey, Snapshot, SnapshotManifest, SnapshotSegment, SnapshotStore, variant_name

A, B = SegmentKey(1), SegmentKey(2, "A")


def words(*ordinals: int, size: int = 200) -> Words:
    return Bitmap.of(ordinals, size).words


def save(store: SnapshotStore, number: int, members: dict[SegmentKey, Words], keep: int = 30) -> None:
    size = max((len(found) for found in members.values()), default=1)
    segments = tuple(SnapshotSegment(key, f"S/{key.segment_id}{key.variant}", 1, count(found)) for key, found in members.items())
    manifest = SnapshotManifest(7, number, number + 10, number * 1000, size * 64, segments)
    live = np.full(size, 2**64 - 1, dtype=np.uint64)
    store.save(manifest, {segment.path: members[segment.key] for segment in segments}, live, keep)


def opened(store: SnapshotStore, number: int) -> Snapshot:
    snapshot = store.open(7, number)
    assert snapshot is not None
    return snapshot


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "membership")


def random_words(seed: int, size: int, share: float) -> Words:
    generator = np.random.default_rng(seed)
    return np.packbits(generator.random(size * 64) < share, bitorder="little").view(np.uint64)


@pytest.mark.parametrize("size", [0, 1, CHUNK_WORDS - 1, CHUNK_WORDS, CHUNK_WORDS + 1, 2 * CHUNK_WORDS + 77])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.5, 1.0])
def test_packed_words_come_back(size: int, share: float) -> None:
    made = random_words(size, size, share)
    packed = memoryview(pack(made))
    assert np.array_equal(unpack(packed, size), made)
    parts = [unpack_chunk(packed, size, number) for number in range(-(-size // CHUNK_WORDS) + 1)]
    assert np.array_equal(np.concatenate(parts), made)
    bitmap = Bitmap(made, size * 64)
    for ordinal in (-1, 0, 63, PROFILES_PER_CHUNK - 1, PROFILES_PER_CHUNK, size * 64 - 1, size * 64, 10**12):
        assert has_bit(packed, size, ordinal) == (ordinal in bitmap)


@pytest.mark.parametrize(
    ("left", "right"), [(CHUNK_WORDS + 5, 2 * CHUNK_WORDS + 9), (3, CHUNK_WORDS * 2), (0, 5), (CHUNK_WORDS, CHUNK_WORDS)]
)
def test_common_members_are_counted_whatever_the_sizes(left: int, right: int) -> None:
    ours, theirs = random_words(1, left, 0.3), random_words(2, right, 0.02)
    shared = min(left, right)
    expected = count(ours[:shared] & theirs[:shared])
    packed = memoryview(pack(ours)), memoryview(pack(theirs))
    assert count_common(packed[0], left, packed[1], right) == count_common(packed[1], right, packed[0], left) == expected
    assert count_common(packed[0], left, packed[0], left) == count(ours)
    assert count(without(theirs, ours)) == count(theirs) - expected
    assert count(within(theirs, ours)) == count(within(ours, theirs)) == expected


def test_every_damaged_byte_is_noticed() -> None:
    made = random_words(3, 300, 0.03)
    packed = bytearray(pack(made))
    for place in range(0, len(packed), 7):
        changed = bytearray(packed)
        changed[place] ^= 0x10
        with pytest.raises(Damaged):
            unpack(memoryview(bytes(changed)), 300)
    for length in (0, 4, len(packed) - 1):
        with pytest.raises(Damaged):
            unpack(memoryview(bytes(packed[:length])), 300)


def test_the_first_members_come_in_order() -> None:
    chosen = [0, 5, 63, 64, 130, 199]
    for limit in range(8):
        assert first_ordinals(words(*chosen), limit) == chosen[:limit]


def test_a_snapshot_gives_back_what_was_saved(store: SnapshotStore) -> None:
    save(store, 1, {A: words(1, 70, 199), B: words()})
    snapshot = opened(store, 1)
    assert (snapshot.manifest.refresh_number, snapshot.manifest.as_of, snapshot.manifest.parent_id) == (11, 1000, 7)
    assert np.array_equal(snapshot.members(A), words(1, 70, 199))
    assert count(snapshot.members(B)) == 0
    assert [segment.key for segment in snapshot.segments_of(70)] == [A]
    assert store.segments_of(7, 1, 70) == ("S/1",)
    assert snapshot.is_live(3)
    assert not snapshot.is_live(4000)
    assert snapshot.find(SegmentKey(9)) is None
    assert store.open(7, 2) is None
    assert store.open(8, 1) is None
    assert store.kept(8) == ()
    assert store.segments_of(8, 1, 0) == ()


def test_an_evaluation_without_segments_is_kept_too(store: SnapshotStore) -> None:
    save(store, 1, {})
    assert opened(store, 1).segments_of(0) == ()


def test_the_newest_stay_and_what_was_saved_last_always(store: SnapshotStore) -> None:
    for number in (1, 2, 3, 4):
        save(store, number, {A: words(number)}, keep=3)
    assert store.kept(7) == (2, 3, 4)
    old = opened(store, 2)
    save(store, 5, {A: words(5)}, keep=1)
    assert store.kept(7) == (5,)
    assert np.array_equal(old.members(A), words(2))
    save(store, 6, {A: words(6)}, keep=0)
    assert store.kept(7) == (6,)
    save(store, 6, {A: words(1)}, keep=2)
    assert np.array_equal(opened(store, 6).members(A), words(1))


def test_nothing_half_written_stays(store: SnapshotStore, tmp_path: Path) -> None:
    save(store, 1, {A: words(1)})
    with pytest.raises(KeyError):
        store.save(SnapshotManifest(7, 2, 1, 1, 1, (SnapshotSegment(A, "S", 1, 1),)), {}, words(), 1)
    assert store.kept(7) == (1,)
    left = tmp_path / "membership" / "7" / ".writing-killed"
    left.mkdir()
    save(store, 3, {A: words(1)})
    assert sorted(entry.name for entry in left.parent.iterdir()) == ["1", "3"]


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "manifest", "manifest value", "format", "no format"])
def test_damage_is_told(store: SnapshotStore, tmp_path: Path, damage: str) -> None:
    save(store, 1, {A: random_words(1, 500, 0.1)})
    save(store, 2, {A: random_words(2, 500, 0.1)})
    folder = tmp_path / "membership" / "7" / "1"
    data, manifest = (folder / "members.bin").read_bytes(), (folder / "manifest.json").read_bytes()
    match damage:
        case "flip":
            (folder / "members.bin").write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
        case "cut":
            (folder / "members.bin").write_bytes(data[:-1])
        case "gone":
            (folder / "members.bin").unlink()
        case "manifest":
            (folder / "manifest.json").write_bytes(manifest[: len(manifest) // 2])
        case "manifest value":
            (folder / "manifest.json").write_bytes(manifest.replace(b'"as_of": 1000', b'"as_of": 1001'))
        case "no format":
            (folder / "manifest.json").write_bytes(b'{"parent_id": 7, "evaluation_id": 1}')
        case _:
            (folder / "manifest.json").write_bytes(manifest.replace(b'"format": 1', b'"format": 99'))

    def read() -> None:
        snapshot = opened(store, 1)
        count_changes(snapshot, opened(store, 2))
        snapshot.members(A)

    with pytest.raises(UserError) as failure:
        read()
    assert failure.value.code == "SNAPSHOT_DAMAGED"
    assert "evaluation 1 " in failure.value.message
    assert ("not known to this version" in failure.value.message) == ("format" in damage)
    assert str(folder) in failure.value.hint
    opened(store, 2).members(A)


def test_variants_keep_their_name_when_the_segment_moves() -> None:
    assert variant_name("Tests/Offer", "Tests/Offer") == ""
    assert variant_name("Tests/Offer/A-Offer", "Tests/Offer") == variant_name("New/Deal/A-Deal", "New/Deal") == "A"
    assert variant_name("Offer/B-x-Offer", "Offer") == "B-x"


sets = st.sets(st.integers(0, 319), max_size=40)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(sets, st.integers(2, 5)), min_size=2, max_size=5))
def test_entered_left_and_since_are_those_of_sets(made: list[tuple[set[int], int]]) -> None:
    rounds = [({n for n in chosen if n < size * 64}, size) for chosen, size in made]
    with tempfile.TemporaryDirectory() as folder:
        store = SnapshotStore(Path(folder))
        for number, (chosen, size) in enumerate(rounds, 1):
            save(store, number, {A: words(*chosen, size=size * 64)})
        snapshots = [opened(store, number) for number in range(1, len(rounds) + 1)]
        for (old, _), first in zip(rounds, snapshots, strict=True):
            for (new, _), second in zip(rounds, snapshots, strict=True):
                assert count_changes(first, second) == {A: Change(len(old), len(new), len(new - old), len(old - new))}
        since: dict[int, int] = {}
        for number, (chosen, _) in enumerate(rounds, 1):
            since = {ordinal: since.get(ordinal, number) for ordinal in chosen}
        found = members_since(list(reversed(snapshots)), A)
        assert {n: group.evaluation_id for group in found for n in first_ordinals(group.members, 10**6)} == since
        assert [group.is_oldest for group in found] == [group.evaluation_id == 1 for group in found]
        assert sum(count(group.members) for group in found) == len(rounds[-1][0])


def test_a_segment_begins_with_the_first_evaluation_that_counted_it(store: SnapshotStore) -> None:
    save(store, 1, {B: words(1)})
    save(store, 2, {A: words(1, 2), B: words()})
    save(store, 3, {A: words(1, 3)})
    newest_first = [opened(store, number) for number in (3, 2, 1)]
    groups = members_since(newest_first, A)
    assert [(g.evaluation_id, g.is_oldest, first_ordinals(g.members, 9)) for g in groups] == [(3, False, [3]), (2, False, [1])]
    assert members_since(newest_first, B) == []
    assert members_since([], A) == []
    assert count_changes(newest_first[1], newest_first[0]) == {A: Change(2, 2, 1, 1)}
    assert count_changes(newest_first[2], newest_first[1]) == {B: Change(1, 0, 0, 1)}
