"""Names of tables and columns: the published examples, and what holds for any text."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kohort.events.columns import SOURCE_TABLES
from kohort.events.model import Naming
from kohort.events.naming import MAX_NAME, RESERVED, column_name, event_slug, key_name, snake_case, table_name
from tests.events.messages import ANY

PUBLISHED = [
    ("Order Completed Last 30days", "order_completed_last_30days", "order_completed_last_30days"),
    ("accountType", "account_type", "account_type"),
    ("total billed", "total_billed", "total_billed"),
    ("product.sku", "product_sku", "product_sku"),
    ("Signed Up!", "signed_up", "signed_up"),
    ("omega v2", "omega_v2", "omega_v2"),
    ("v2", "v2", "v2"),
    ("CamelCase123Key", "camel_case123_key", "camel_case123_key"),
    ("abc123def456", "abc123def456", "abc123_def456"),
    ("HTTPServer", "httpserver", "http_server"),
    ("XMLHttpRequest2", "xmlhttp_request2", "xml_http_request2"),
    ("productIDs", "product_ids", "product_i_ds"),
    ("AB1c", "ab1c", "ab1_c"),
    ("_private", "private", "_private"),
    ("__x", "x", "__x"),
    ("2FA Enabled", "2fa_enabled", "_2fa_enabled"),
    ("30days", "30days", "_30days"),
    ("Café Visité", "caf_visit", "caf_visit"),
    ("iOS Version", "i_os_version", "i_os_version"),
    ("eCommerce", "e_commerce", "e_commerce"),
    ("pageURL", "page_url", "page_url"),
    ("userID", "user_id", "user_id"),
    ("日本語", "", ""),
    ("@#$%", "", ""),
]
SEGMENT_ONLY = [
    ("sample text", "sample_text"),
    ("sample-text", "sample_text"),
    ("sample___text", "sample_text"),
    ("inviteYourCustomersAddInvites", "invite_your_customers_add_invites"),
    ("sample 2 Text", "sample_2_text"),
    ("   $#$sample   2    Text   ", "sample_2_text"),
    ("SAMPLE 2 TEXT", "sample_2_text"),
    ("___$$Base64Encode", "base64_encode"),
    ("FOO:BAR$BAZ", "foo_bar_baz"),
    ("$something%", "something"),
    ("•¶§ƒ˚foo˙∆˚¬", "foo"),
    ("CStringRef", "cstring_ref"),
    ("a_2B", "a_2b"),
    ("ab2B", "ab2_b"),
    ("trailing_", "trailing"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "segment", "rudderstack"), PUBLISHED)
def test_published_names(text: str, segment: str, rudderstack: str) -> None:
    assert snake_case(text) == segment
    assert snake_case(text, "rudderstack") == rudderstack


@pytest.mark.parametrize(("text", "name"), SEGMENT_ONLY)
def test_segment_names(text: str, name: str) -> None:
    assert snake_case(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("&4yasdfa(84224_fs9##_____*3q", "_4yasdfa_84224_fs9_3q"),
        ("path to $1,00,000", "path_to_1_00_000"),
        ("Cízǔ", "c_z"),
        ("_2FA", "_2fa"),
        ("it's", "it_s"),
    ],
)
def test_rudderstack_names(text: str, name: str) -> None:
    assert snake_case(text, "rudderstack") == name


def test_the_example_of_the_seed_document() -> None:
    assert column_name("order_completed_last_30days") == "order_completed_last_30days"


def test_a_name_of_no_letters_gets_a_stable_one() -> None:
    assert table_name("日本語") == "event_77710aedc7" == event_slug("日本語") == table_name("日本語", "rudderstack")
    assert table_name("") == "event_e3b0c44298"
    assert column_name("日本語") == "column_hhhbakonmh"
    assert column_name("日本") != column_name("日本語")


def test_a_key_of_no_letters_keeps_its_place_in_a_path() -> None:
    assert (key_name("住所"), key_name("_"), key_name("a_住所")) == ("column_phbahnldcj", "column_ncocknphbh", "a_住所")
    assert column_name(f"context_{key_name('住所')}") == "context_column_phbahnldcj"
    assert column_name("_", "rudderstack") == "column_ncocknphbh"


def test_events_do_not_take_the_tables_of_a_source() -> None:
    assert [table_name(name) for name in ("Users", "tracks", "Discards", "Id Graph")] == ["_users", "_tracks", "_discards", "_id_graph"]
    assert event_slug("Users") == "users"


def test_reserved_words_get_an_underscore() -> None:
    assert [column_name(key) for key in ("order", "Order", "From", "overflow", "orders")] == [
        "_order",
        "_order",
        "_from",
        "_overflow",
        "orders",
    ]
    assert table_name("Table") == "_table"


@pytest.mark.parametrize("naming", ["segment", "rudderstack"])
def test_events_do_not_take_the_views_of_tables(naming: Naming) -> None:
    assert table_name("Bought With Profile", naming) == "bought_with_profile_event"
    assert table_name("Users With Profile", naming) == "users_with_profile_event"
    assert table_name("With Profile", naming) == "with_profile"


@pytest.mark.parametrize("key", ["_profile_id", "_profileId", "_Profile.ID", "profile_id"])
def test_no_key_of_a_call_is_taken_for_the_profile_of_a_call(key: str) -> None:
    assert column_name(key) == "profile_id"
    assert column_name(key, "rudderstack") == ("__profile_id" if key.startswith("_") else "profile_id")


def test_long_names_end_in_a_mark_of_the_whole_text() -> None:
    one, other = column_name("k" * 200 + "a"), column_name("k" * 200 + "b")
    assert len(one) == len(other) == MAX_NAME
    assert one[:116] == other[:116] == "k" * 116
    assert one != other
    assert column_name("k" * 127) == "k" * 127


def _bytewise(text: str) -> str:
    """The published rule as a walk over bytes."""
    words: list[str] = []
    word, lower = "", False
    for byte in text.encode("utf-8", "surrogatepass"):
        letter = chr(byte)
        if not (letter.isascii() and letter.isalnum()):
            words, word, lower = [*words, word], "", False
        elif letter.isupper() and lower:
            words, word, lower = [*words, word], letter, False
        else:
            word, lower = word + letter, lower or letter.islower()
    return "_".join(found.lower() for found in [*words, word] if found)


@ANY
@given(st.text() | st.text("aB2_ é", max_size=12))
@example("a_B")
@example("aB2c3D")
def test_segment_names_follow_the_bytewise_rule(text: str) -> None:
    assert snake_case(text) == _bytewise(text)


@ANY
@given(st.text() | st.text("aBC12_ é", max_size=12), st.sampled_from(["segment", "rudderstack"]))
def test_any_text_has_a_name_that_is_its_own_name(text: str, naming: str) -> None:
    for name in (table_name(text, naming), column_name(text, naming)):  # type: ignore[arg-type]
        assert name
        assert name.isascii()
        assert name == name.lower()
        assert name.replace("_", "a").isalnum()
        assert len(name) <= MAX_NAME + 1
    assert table_name(text, naming) not in SOURCE_TABLES | RESERVED  # type: ignore[arg-type]


def test_every_word_the_warehouse_reserves_is_known() -> None:
    duckdb = pytest.importorskip("duckdb")
    words = duckdb.sql("select keyword_name from duckdb_keywords() where keyword_category = 'reserved'").fetchall()
    assert {word for (word,) in words} <= RESERVED
