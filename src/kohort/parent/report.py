"""What a refresh took in, what came out, and everything that did not join or fit. Nothing is dropped without being counted here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Misfit:
    """Values of `column` that could not be read as `type` and became null; the most frequent are the samples."""

    column: str
    type: str
    count: int
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MasterReport:
    """rows_in = filtered_out + null_keys + extra_rows + customers. new_customers got their ordinal in this refresh."""

    source: str
    rows_in: int
    filtered_out: int
    null_keys: int
    customers: int
    duplicate_keys: int = 0
    extra_rows: int = 0
    duplicate_samples: tuple[str, ...] = ()
    new_customers: int = 0
    misfits: tuple[Misfit, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributeReport:
    """rows_in = null_keys + keys + extra_rows. Of a duplicate key the smallest row is taken, the extra rows are not."""

    name: str
    source: str
    rows_in: int
    null_keys: int
    keys: int
    duplicate_keys: int
    extra_rows: int
    unmatched_keys: int
    customers: int
    customers_matched: int
    duplicate_samples: tuple[str, ...] = ()
    unmatched_samples: tuple[str, ...] = ()
    misfits: tuple[Misfit, ...] = ()

    @property
    def match_rate(self) -> float:
        """The share of customers that have a row (1.0 when there are no customers)."""
        return self.customers_matched / self.customers if self.customers else 1.0


@dataclass(frozen=True, slots=True)
class BehaviorReport:
    """rows_in = null_keys + no_time + unmatched_rows + rows_matched. rows_out is larger than rows_matched when customers share a key."""

    name: str
    source: str
    rows_in: int
    null_keys: int
    no_time: int
    unmatched_rows: int
    rows_out: int
    customers: int
    customers_matched: int
    unmatched_samples: tuple[str, ...] = ()
    misfits: tuple[Misfit, ...] = ()

    @property
    def rows_matched(self) -> int:
        return self.rows_in - self.null_keys - self.no_time - self.unmatched_rows

    @property
    def match_rate(self) -> float:
        """The share of rows that found a customer (1.0 when there are no rows)."""
        return self.rows_matched / self.rows_in if self.rows_in else 1.0


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """The figures of every table of one refresh. `warnings` are sentences about the definition, not about values."""

    master: MasterReport
    attributes: tuple[AttributeReport, ...] = ()
    behaviors: tuple[BehaviorReport, ...] = ()
    warnings: tuple[str, ...] = ()


def report_to_document(report: RefreshReport) -> dict[str, Any]:
    """A JSON-able dict."""
    plain: dict[str, Any] = _plain(asdict(report))
    return plain


def report_from_document(document: Mapping[str, Any]) -> RefreshReport:
    """The report that `report_to_document` wrote."""
    return RefreshReport(
        MasterReport(**_figures(document["master"])),
        tuple(AttributeReport(**_figures(item)) for item in document["attributes"]),
        tuple(BehaviorReport(**_figures(item)) for item in document["behaviors"]),
        tuple(document["warnings"]),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _figures(item: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
    values["misfits"] = tuple(Misfit(m["column"], m["type"], m["count"], tuple(m["samples"])) for m in item["misfits"])
    return values
