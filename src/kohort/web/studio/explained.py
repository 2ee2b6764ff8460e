"""The words of an explanation: what conditions saw, what would turn them, when they change by themselves.

Works on the explanation's document, as the API sends it: what is hidden from somebody is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kohort.web.studio.formats import count_text
from kohort.web.studio.values import Values, number_text

Json = Mapping[str, Any]
_GROUPS = {"all": "All of these", "any": "Any of these", "expr": "Match logic"}
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, slots=True)
class Words:
    """Writes the parts of one explanation."""

    document: Json
    values: Values

    @property
    def member(self) -> bool:
        """Whether the profile is in the segment."""
        return bool(self.document["member"])

    @property
    def as_of(self) -> datetime:
        """The instant of the explanation."""
        return datetime.fromisoformat(self.document["as_of"])

    # --- the tree -------------------------------------------------------------------------------------------------

    def title(self, node: Json) -> str:
        """What a node of the rule says."""
        if node["kind"] not in _GROUPS:
            return str(node["text"])
        logic = f" {node['text']}" if node["text"] else ""
        return f"{'Not: ' if node['exclude'] else ''}{_GROUPS[node['kind']]}{logic}"

    def saw(self, node: Json) -> str:
        """The value that a condition compared; "" where there is none to show."""
        observed = node.get("observed")
        if observed is None or observed.get("masked") or node["kind"] == "sequence":
            return ""
        return self.shown(observed["value"])

    def shown(self, value: Any) -> str:
        """A value of an explanation's document: exact numbers come as text there."""
        match value:
            case None:
                return "no value"
            case bool():
                return "true" if value else "false"
            case int():
                return count_text(value)
            case float():
                return number_text(value)
            case list():
                return ", ".join(self.shown(item) for item in value) or "nothing"
            case str() if _is_instant(value):
                return self.values.at(value)
            case str() if _is_decimal(value):
                return number_text(value)
            case _:
                return str(value)

    def facts(self, node: Json) -> list[str]:
        """What else there is to say of a condition, each a few words."""
        observed: Json = node.get("observed") or {}
        facts = []
        if node["kind"] == "behavior" and observed.get("rows") is not None and observed["value"] != observed["rows"]:
            facts.append(rows_text(observed["rows"]))
        if observed.get("steps"):
            facts.append(f"rows of each step: {', '.join(count_text(step) for step in observed['steps'])}")
        if observed.get("missing"):
            facts.append(f"{missing_text(observed['missing'])} would turn it")
        facts += [self.window(window) for window in observed.get("windows", ())]
        if node.get("limit"):
            facts.append(limit_text(node["limit"]))
        following = node.get("next_change") or {}
        if following.get("at"):
            facts.append(f"until {self.values.at(following['at'])}")
        return facts

    def window(self, window: Json) -> str:
        """A window as it lies at the instant of the explanation."""
        low, high = window["low"], window["high"]
        if low is None and high is None:
            return "at any time"
        if low is None:
            return f"{'up to' if window['high_included'] else 'before'} {self.values.at(high)}"
        start = f"{'from' if window['low_included'] else 'after'} {self.values.at(low)}"
        return start if high is None else f"{start} {'to' if window['high_included'] else 'until before'} {self.values.at(high)}"

    def variant(self, place: Json) -> str:
        """Where the profile stands on the line of an A/B test."""
        if place["place"] is None:
            return f"{place['key_column']} has no value, so there is no variant"
        found = f"in {place['found']} ({place['low']}% to {place['high']}%)" if place["found"] else "in no variant"
        return f"{place['key']} stands at {float(place['place']):.4f}%, {found}"

    # --- what would change it -------------------------------------------------------------------------------------

    @property
    def turns(self) -> list[tuple[str, str]] | None:
        """The smallest change, condition by condition: its text, and what has to be; None: nothing turns the verdict round."""
        change = self.document["smallest_change"]
        return None if change is None else [self._turn(turn) for turn in change]

    def _turn(self, turn: Json) -> tuple[str, str]:
        wanted = "must hold" if turn["to_hold"] else "must not hold"
        if not turn["missing"]:
            return turn["text"], wanted
        until = f" in the next {length_text(datetime.fromisoformat(turn['until']) - self.as_of)}" if turn["until"] else ""
        return turn["text"], f"{wanted}: {missing_text(turn['missing'])}{until}"

    @property
    def next(self) -> tuple[str, str]:
        """When the verdict changes if nothing new happens, and what to know about that."""
        change = self.document["next_change"]
        if change is None:
            return "Depends on other customers", "A limit takes part."
        if change.get("masked"):
            return "Not shown", "It follows from personal data."
        others = "It depends on other customers, because a limit takes part: it may also change before, and change back."
        if change.get("at_latest"):
            return f"{self._by(change['at_latest'])} at the latest", others
        if change.get("looked_until"):
            return f"Not seen until {self.values.at(change['looked_until'])}", others
        if change["at"]:
            return self._by(change["at"]), "Nothing new has to happen: a window moves past an event."
        if change["unchanged_until"]:
            return f"Not before {self.values.at(change['unchanged_until'])}", ""
        return "Never, unless something new happens", ""

    def _by(self, instant: str) -> str:
        return f"{self.values.at(instant)}, in {length_text(datetime.fromisoformat(instant) - self.as_of)}"


def missing_text(missing: Json) -> str:
    """How far a number is from the other verdict.

    >>> missing_text({"direction": "more", "amount": "1250.5", "strict": True})
    'more than 1,250.5 more'
    """
    return f"{'more than ' if missing['strict'] else ''}{number_text(missing['amount'])} {missing['direction']}"


def limit_text(limit: Json) -> str:
    """What a limit did."""
    kept = f"the first {count_text(limit['kept'])} of {count_text(limit['candidates'])} are kept"
    if limit["rank"] is None:
        return kept if limit["member"] else f"{kept}, not among them"
    return f"rank {count_text(limit['rank'])}, {kept}"


def rows_text(rows: int) -> str:
    """How many rows.

    >>> rows_text(1), rows_text(1200)
    ('1 row', '1,200 rows')
    """
    return f"{count_text(rows)} row{'' if rows == 1 else 's'}"


def length_text(length: timedelta) -> str:
    """A length of time in its largest two units.

    >>> length_text(timedelta(days=3, hours=2, minutes=5))
    '3 days 2 hours'
    """
    seconds = max(1, int(length.total_seconds()))
    parts = []
    for unit, size in _UNITS:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{count_text(number)} {unit}{'' if number == 1 else 's'}")
    return " ".join(parts[:2])


def _is_instant(text: str) -> bool:
    return len(text) >= 20 and text[4:5] == "-" and text[10:11] == "T" and text.endswith("Z")


def _is_decimal(text: str) -> bool:
    return "." in text and text.replace("-", "", 1).replace(".", "", 1).isdecimal()
