"""What every route answers with: one table, by the name of its function. The OpenAPI document is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kohort.web.api import shapes as s
from kohort.web.api import shapes_insights as i
from kohort.web.api import shapes_rules as r

ANSWERS: Mapping[str, Any] = {
    # parent segments
    "list_parents": s.ParentPage,
    "add_parent": s.ParentWithDefinition,
    "get_parent": s.ParentWithDefinition,
    "put_parent": s.ParentWithDefinition,
    "check_new_parent": s.CheckedParent,
    "check_parent": s.CheckedParent,
    "begin_parent": s.ParentYaml,
    "list_fields": s.Fields,
    "get_field": s.FieldStatistics,
    "suggest": s.Values,
    # runs
    "refresh_parent": s.Run,
    "evaluate_parent": s.Evaluation,
    "list_refreshes": s.RefreshPage,
    "get_refresh": s.RefreshWithReport,
    "list_runs": s.RunPage,
    "get_run": s.Run,
    "cancel_run": s.Run,
    # segments
    "list_all_segments": s.SegmentPage,
    "list_folders": s.Folders,
    "add_segment": s.SegmentWithDefinition,
    "get_segment": s.SegmentWithDefinition,
    "put_segment": s.SegmentWithDefinition,
    "remove_segment": s.Deleted,
    "move_segment": s.MoveResult,
    "list_segment_versions": s.VersionPage,
    "diff_segment": s.Diff,
    "revert": s.SegmentWithDefinition,
    "history_of_segment": s.History,
    "list_members": s.MemberPage,
    # folders, insights
    "get_folder": i.FolderContents,
    "move_whole_folder": s.MoveResult,
    "remove_folder": i.DeletedFolder,
    "forecast_of_segment": i.Forecast,
    "forecast_of_rule": i.Forecast,
    "backtest_of_segment": i.Backtest,
    "backtest_of_rule": i.Backtest,
    "lint_segment": i.LintReport,
    "lint_parent": i.LintReport,
    "dependents_of_segment": i.Relations,
    # rules
    "preview_rule": r.Preview,
    "count_rule": r.Count,
    "explain_unsaved": r.Explanation,
    "explain_saved": r.Explanation,
    "overlap": r.OverlapMatrix,
    "parse_written": r.Forms,
    "split_written": r.SplitSizes,
    # profiles
    "list_profiles": s.ProfilePage,
    "get_profile": r.Profile,
    "history_of_profile": r.ProfileHistory,
    # sources
    "list_sources": r.SourcePage,
    "add": r.SourceWithKey,
    "get_source": r.Source,
    "change": r.Source,
    "rotate": r.SourceWithKey,
    "status_of_source": r.SourceState,
    "end_key": r.Source,
    "rename": r.Source,
    "get_identity": r.SourceIdentity,
    "put_identity": r.SourceIdentity,
    "drop_source": r.RemovedSource,
    "list_rejects": r.Misfits,
    "list_discards": r.Misfits,
    # users and access
    "sign_in": r.SignedIn,
    "set_up": r.SignedIn,
    "sign_out": r.SignedOut,
    "get_me": r.Me,
    "change_my_password": r.Done,
    "list_users": r.UserPage,
    "add_user": r.User,
    "get_user": r.User,
    "change_user": r.User,
    "set_password": r.Done,
    "put_grants": r.User,
    "list_tokens": r.TokenPage,
    "add_token": r.NewToken,
    "revoke_token": r.Token,
    "read_audit": r.AuditPage,
    "openapi": dict[str, Any],
}
"""Function of the route -> the shape of its good answer in JSON."""

MORE_ANSWERS: Mapping[str, Mapping[int, Any]] = {"evaluate_parent": {202: s.Run}}
"""The same of further good statuses."""
