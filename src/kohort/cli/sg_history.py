"""`kohort sg history`, `sg members`, `sg diff --between` and `profile history`: how memberships developed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kohort.cli.audit import record_done
from kohort.cli.charts import sparkline, thinned
from kohort.cli.context import JSON, ParentOption, current_parent
from kohort.cli.output import count_text, counted, instant_text, note, share_text, show, show_json, show_table, styled
from kohort.cli.session import open_session
from kohort.cli.usage import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kohort.membership.statistics import Growth
    from kohort.ports.definitions import EvaluationSummary
    from kohort.services.membership.changes import AllChanges, PeopleChanged, SegmentChange
    from kohort.services.membership.history import HistoryPoint, ProfileHistory, SegmentHistory
    from kohort.services.membership.member_list import MemberList
    from kohort.services.profiles.customers import Customer

Name = Annotated[str, typer.Argument(help="A saved segment: path, name or id.")]
EVALUATION = "last, previous, an id, a day or an instant"


def register(app: typer.Typer) -> None:
    """Add the commands to `kohort sg`."""
    app.command("history")(history)
    app.command("members")(members)


def register_profile(app: typer.Typer) -> None:
    """Add the command to `kohort profile`."""
    app.command("history")(profile_history)


def history(
    name: Name,
    days: Annotated[int, typer.Option("--days", min=1, max=36_500, help="How many days until the last evaluation.")] = 30,
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show how the population of a segment developed. Day by day, with growth, and how many entered and left."""
    from kohort.services.membership.history import segment_history

    session = open_session()
    found = segment_history(session.store, session.snapshots, current_parent(parent), name, days=days)
    _remark(found.unreadable)
    if as_json:
        show_json(_history_document(found))
        return
    styled(f"[bold]{escape(found.path)}[/bold]  {sparkline(thinned([day.population for day in found.days]))}")
    show(f"Growth: {', '.join(_growth_text(item) for item in found.growth)}")
    show()
    rows = [(day.day.isoformat(), count_text(day.population), "" if day.has_run else "carried over") for day in found.days]
    show_table((f"day ({found.timezone})", "profiles", ""), rows, right=(1,))
    show()
    columns = ("evaluation", "as of (GMT)", "version", "profiles", "share", "entered", "left")
    show_table(columns, [_point_row(point) for point in found.points], right=(0, 2, 3, 4, 5, 6), empty="no evaluations in these days")


def _point_row(point: HistoryPoint) -> tuple[Any, ...]:
    share = share_text(point.population, point.base_count)
    moves = [_count_or_dash(number) for number in (point.entered, point.left)]
    return (point.evaluation.id, _gmt(point.evaluation.as_of), point.version, count_text(point.population), share, *moves)


def _count_or_dash(number: int | None) -> str:
    return "-" if number is None else count_text(number)


def _gmt(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


def _growth_text(item: Growth) -> str:
    distance = f"{item.days} day{'s' if item.days != 1 else ''}"
    if item.change is None:
        return f"{distance} -"
    ratio = "" if item.ratio is None else f" ({100 * item.ratio:+.1f}%)"
    return f"{distance} {item.change:+,}{ratio}"


def _history_document(found: SegmentHistory) -> dict[str, Any]:
    points = [
        {
            **_evaluation(point.evaluation),
            "path": point.path,
            "version": point.version,
            "population": point.population,
            "share_of": point.share_of,
            "base_population": point.base_count,
            "entered": point.entered,
            "left": point.left,
        }
        for point in found.points
    ]
    return {
        "path": found.path,
        "timezone": found.timezone,
        "statistics": [list(day.row) for day in found.days],
        "growth": [{"days": g.days, "before": g.before, "change": g.change, "ratio": g.ratio} for g in found.growth],
        "evaluations": points,
    }


def _evaluation(evaluation: EvaluationSummary) -> dict[str, Any]:
    return {"evaluation": evaluation.id, "as_of": instant_text(evaluation.as_of), "refresh": evaluation.refresh_number}


def _remark(unreadable: Iterable[int]) -> None:
    for evaluation_id in unreadable:
        note(f"the members kept of evaluation {evaluation_id} are damaged and left out")


def members(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="A saved segment (with --parquet: any; default all).")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many to show.")] = 10,
    evaluation: Annotated[str, typer.Option("--evaluation", metavar="E", help=f"Which evaluation: {EVALUATION}.")] = "last",
    parquet: Annotated[
        Path | None, typer.Option("--parquet", metavar="FILE", help="Write (segment_id, segment_path, cdp_customer_id) of all members.")
    ] = None,
    parent: ParentOption = "",
    as_json: JSON = False,
) -> None:
    """Show who is in a segment, and since when. As of an evaluation; or write who is in which segment to a Parquet file."""
    from kohort.services.membership.member_list import list_members, write_member_list

    session, record = open_session(), current_parent(parent)
    if parquet is not None:
        rows = write_member_list(
            session.warehouse, session.store, session.snapshots, record, parquet, names=names or (), evaluation=evaluation
        )
        record_done("members.export", "parent", record.slug, detail=f"{rows} rows: {', '.join(names or ()) or 'all segments'}")
        if as_json:
            show_json({"file": str(parquet), "rows": rows})
        else:
            note(f"{counted(rows, 'row')} written to {parquet}")
        return
    if len(names or ()) != 1:
        raise UsageError("give one NAME, or --parquet FILE")
    found = list_members(
        session.warehouse, session.store, session.snapshots, record, (names or [""])[0], evaluation=evaluation, limit=limit
    )
    _remark(found.unreadable)
    if as_json:
        show_json(_members_document(found))
    else:
        _show_members(found)


def _members_document(found: MemberList) -> dict[str, Any]:
    return {
        **_evaluation(found.evaluation),
        "path": found.path,
        "population": found.count,
        "since": [{"since": instant_text(g.since), "or_earlier": g.or_earlier, "profiles": g.count} for g in found.generations],
        "members": [
            {**_customer(member.customer), "since": instant_text(member.since), "or_earlier": member.or_earlier} for member in found.members
        ],
    }


def _customer(customer: Customer) -> dict[str, str]:
    return {"key": customer.key, "cdp_customer_id": customer.customer_id}


def _show_members(found: MemberList) -> None:
    styled(f"[bold]{escape(found.path)}[/bold]: {counted(found.count, 'profile')} as of {instant_text(found.evaluation.as_of)}")
    rows = [(_since(g.since, g.or_earlier), count_text(g.count), share_text(g.count, found.count)) for g in found.generations]
    show_table(("members since (GMT)", "profiles", "share"), rows, right=(1, 2), empty="nobody is in it")
    if found.members:
        show()
        people = [(m.customer.key, m.customer.customer_id, _since(m.since, m.or_earlier)) for m in found.members]
        show_table(("key", "cdp_customer_id", "since (GMT)"), people)


def _since(instant: datetime, or_earlier: bool) -> str:
    return f"{_gmt(instant)}{' or earlier' if or_earlier else ''}"


def show_all_changes(found: AllChanges, as_json: bool) -> None:
    """Entered and left of every segment."""
    if as_json:
        segments = [_change(segment) for segment in found.segments]
        show_json({"between": _between(found), "segments": segments, "added": list(found.added), "removed": list(found.removed)})
        return
    show(f"{_named(found.before)} -> {_named(found.after)}")
    rows = [(segment.path, *_change_row(segment)) for segment in found.segments]
    show_table(("segment", "before", "after", "entered", "left", ""), rows, right=(1, 2, 3, 4), empty="no segment was counted by both")
    for path in found.added:
        note(f"not counted before: {path}")
    for path in found.removed:
        note(f"not counted any more: {path}")


def _change_row(segment: SegmentChange) -> tuple[str, ...]:
    change = segment.change
    versions = "" if segment.old_version == segment.new_version else f"version {segment.old_version} -> {segment.new_version}"
    return (*(count_text(number) for number in (change.before, change.after, change.entered, change.left)), versions)


def _named(evaluation: EvaluationSummary) -> str:
    return f"evaluation {evaluation.id} as of {instant_text(evaluation.as_of)}"


def _between(found: AllChanges | PeopleChanged) -> dict[str, Any]:
    return {"before": _evaluation(found.before), "after": _evaluation(found.after)}


def _change(segment: SegmentChange) -> dict[str, Any]:
    change = segment.change
    counts = {"before": change.before, "after": change.after, "entered": change.entered, "left": change.left}
    return {"path": segment.path, "old_version": segment.old_version, "new_version": segment.new_version, **counts}


def show_people_changed(found: PeopleChanged, as_json: bool) -> None:
    """Entered and left of one segment, with some of the people."""
    if as_json:
        samples = {"sample_entered": [_customer(c) for c in found.entered], "sample_left": [_customer(c) for c in found.left]}
        numbers = {"new_customers": found.new_customers, "gone_customers": found.gone_customers}
        show_json({"between": _between(found), **_change(found.segment), **numbers, **samples})
        return
    change = found.segment.change
    styled(f"[bold]{escape(found.segment.path)}[/bold]: {_named(found.before)} -> {_named(found.after)}")
    show(f"  before   {count_text(change.before)}")
    show(f"  entered  {count_text(change.entered)}{_of_them(found.new_customers, 'new customers')}")
    show(f"  left     {count_text(change.left)}{_of_them(found.gone_customers, 'not customers any more')}")
    show(f"  after    {count_text(change.after)}")
    if found.segment.old_version != found.segment.new_version:
        show(f"  the rule changed: version {found.segment.old_version} -> {found.segment.new_version}")
    for title, people in (("entered", found.entered), ("left", found.left)):
        if people:
            show()
            show_table((title, "cdp_customer_id"), [(person.key, person.customer_id) for person in people])


def _of_them(number: int, what: str) -> str:
    return f" ({count_text(number)} of them {what})" if number else ""


def profile_history(
    key: Annotated[str, typer.Argument(help="The master key, or a cdp_customer_id.")], parent: ParentOption = "", as_json: JSON = False
) -> None:
    """Show which segments a customer was in, and when. Customers who are gone included."""
    from kohort.services.membership.history import profile_history as run

    session = open_session()
    found = run(session.warehouse, session.store, session.snapshots, current_parent(parent), key)
    _remark(found.unreadable)
    if as_json:
        show_json(_profile_document(found))
        return
    styled(f"[bold]{escape(found.customer.key)}[/bold]  [dim]{found.customer.customer_id}[/dim]")
    if not found.points:
        note("nothing was evaluated yet: run kohort sg eval")
        return
    rows = [
        (
            point.evaluation.id,
            _gmt(point.evaluation.as_of),
            str(len(point.segments)) if point.is_customer else "no customer",
            ", ".join(point.entered),
            ", ".join(point.left),
        )
        for point in found.points
    ]
    show_table(("evaluation", "as of (GMT)", "segments", "entered", "left"), rows, right=(0, 2))
    show()
    memberships = [(item.path, _since(item.since.as_of, item.or_earlier)) for item in found.segments]
    show_table(("in segment", "since (GMT)"), memberships, empty="in no segment")


def _profile_document(found: ProfileHistory) -> dict[str, Any]:
    points = [
        {
            **_evaluation(point.evaluation),
            "customer": point.is_customer,
            "segments": list(point.segments),
            "entered": list(point.entered),
            "left": list(point.left),
        }
        for point in found.points
    ]
    segments = [{"path": s.path, "since": instant_text(s.since.as_of), "or_earlier": s.or_earlier} for s in found.segments]
    return {**_customer(found.customer), "evaluations": points, "segments": segments}
