"""Names of files that are downloaded: of what is in them, safe on every disk and in every header."""

from __future__ import annotations

import re
from datetime import date
from urllib.parse import unquote

import pytest

from kohort.web.api.file_names import as_attachment, file_name
from tests.web.api.conftest import Api

DAY = date(2026, 11, 23)
PARENT = "/parents/all-customers"


@pytest.mark.parametrize(
    ("segment", "name", "plain"),
    [
        ("VIP", "all-customers-vip-2026-11-23.csv", "all-customers-vip-2026-11-23.csv"),
        ("Größe & Preis", "all-customers-größe-preis-2026-11-23.csv", "all-customers-grosse-preis-2026-11-23.csv"),
        ("優良顧客", "all-customers-優良顧客-2026-11-23.csv", "all-customers-2026-11-23.csv"),
        ("💎", "all-customers-2026-11-23.csv", "all-customers-2026-11-23.csv"),
        ('..\\"x"; a=b\u202egpj.exe', "all-customers-x-a-b-gpj-exe-2026-11-23.csv", "all-customers-x-a-b-gpj-exe-2026-11-23.csv"),
        ("x" * 200, f"all-customers-{'x' * 60}-2026-11-23.csv", f"all-customers-{'x' * 60}-2026-11-23.csv"),
    ],
)
def test_names_are_of_words(segment: str, name: str, plain: str) -> None:
    assert file_name("all-customers", segment, "", day=DAY, ending="csv") == name
    header = as_attachment(name)
    assert header.isascii()
    assert re.fullmatch(r"""attachment; filename="[A-Za-z0-9._-]+"(; filename\*=UTF-8''[A-Za-z0-9._~%-]+)?""", header)
    assert f'filename="{plain}"' in header
    if "filename*" in header:
        assert unquote(header.partition("UTF-8''")[2]) == name
    else:
        assert plain == name


def test_a_name_without_a_single_ascii_sign_is_still_one() -> None:
    assert as_attachment("優良").startswith('attachment; filename="download"')


def test_a_download_is_called_after_parent_segment_variant_and_day(own: Api) -> None:
    def called(path: str) -> str:
        return own.call("GET", path, "marketer").headers["content-disposition"]

    day = own.ok("GET", PARENT)["as_of"][:10]
    assert called(f"{own.at('Value/VIP')}/members.csv") == f'attachment; filename="all-customers-vip-{day}.csv"'
    offer = own.at("Experiments/Offer")
    assert called(f"{offer}/members.csv?variant=A-Offer").endswith(f'"all-customers-offer-a-offer-{day}.csv"')
    assert "2024-01-31" in called(f"{own.at('Value/VIP')}/members.csv?as_of=2024-01-31T10:00Z")
    own.ok("POST", f"{PARENT}/segments", json={"definition": {"name": "Große Körbe", "rule": "lifetime_value > 10"}})
    plain, encoded = f"all-customers-grosse-korbe-{day}.csv", f"all-customers-gro%C3%9Fe-k%C3%B6rbe-{day}.csv"
    assert called(f"{own.at('Große Körbe')}/members.csv") == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
