"""What a spreadsheet would take for a formula is shown as text; everything else stays as it is."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest

from kohort.services.membership.members import _write_csv
from kohort.services.membership.spreadsheet import without_formulas


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_text_that_begins_a_formula_gets_an_apostrophe(sign: str) -> None:
    assert without_formulas(pa.array([f"{sign}cmd|' /C calc'!A0"])).to_pylist() == [f"'{sign}cmd|' /C calc'!A0"]


@pytest.mark.parametrize("text", ["", "a=b", "O'Neill", "-5", "+1.50", "+33 (0)6 12-34", "-", "a;b", "a - b", "\u00fcml\u00e4ut", "1;-"])
def test_other_texts_and_telephone_numbers_stay(text: str) -> None:
    expected = "1;'-" if text == "1;-" else text
    assert without_formulas(pa.array([text, None])).to_pylist() == [expected, None]


@pytest.mark.parametrize("edge", [";", "\t", "\n", "\r"])
def test_a_formula_behind_what_ends_a_cell_elsewhere_is_defused(edge: str) -> None:
    assert without_formulas(pa.array([f"a{edge}=1+1"])).to_pylist() == [f"a{edge}'=1+1"]


def test_large_texts_are_defused_and_numbers_are_left_alone() -> None:
    assert without_formulas(pa.array(["@x"], pa.large_string())).to_pylist() == ["'@x"]
    numbers = pa.array([-5, 7])
    assert without_formulas(numbers) is numbers


def test_programs_get_values_as_they_are_and_people_text() -> None:
    batch = pa.record_batch({"id": [-1], "name": ["=1+1"], "tags": [["=x"]]})
    exact, safe = io.BytesIO(), io.BytesIO()
    _write_csv(pa.RecordBatchReader.from_batches(batch.schema, [batch]), exact)
    _write_csv(pa.RecordBatchReader.from_batches(batch.schema, [batch]), safe, spreadsheet=True)
    assert exact.getvalue().decode().splitlines()[1] == '-1,"=1+1","[""=x""]"'
    assert safe.getvalue().decode().splitlines()[1] == '-1,"\'=1+1","[""=x""]"'
