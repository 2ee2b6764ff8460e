"""What every route answers with: one table, by the name of its function. The OpenAPI document is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kohort.web.api.shapes import explanations, fields, insights, parents, profiles, rules, runs, segments, sources, users

ANSWERS: Mapping[str, Any] = {
    # parent segments
    "list_parents": parents.ParentPage,
    "add_parent": parents.ParentWithDefinition,
    "get_parent": parents.ParentWithDefinition,
    "put_parent": parents.ParentWithDefinition,
    "check_new_parent": parents.CheckedParent,
    "check_parent": parents.CheckedParent,
    "begin_parent": parents.ParentYaml,
    "list_fields": fields.Fields,
    "get_field": fields.FieldStatistics,
    "suggest_values": fields.Values,
    # runs
    "refresh_parent": runs.Run,
    "evaluate_parent": runs.Evaluation,
    "list_refreshes": runs.RefreshPage,
    "get_refresh": runs.RefreshWithReport,
    "list_runs": runs.RunPage,
    "get_run": runs.Run,
    "cancel_run": runs.Run,
    # segments
    "list_all_segments": segments.SegmentPage,
    "list_folders": segments.Folders,
    "add_segment": segments.SegmentWithDefinition,
    "get_segment": segments.SegmentWithDefinition,
    "put_segment": segments.SegmentWithDefinition,
    "remove_segment": segments.Deleted,
    "move_segment": segments.MoveResult,
    "list_segment_versions": segments.VersionPage,
    "diff_segment": segments.Diff,
    "revert_segment": segments.SegmentWithDefinition,
    "history_of_segment": segments.History,
    "list_members": profiles.MemberPage,
    # folders, insights
    "get_folder": insights.FolderContents,
    "move_whole_folder": segments.MoveResult,
    "remove_folder": insights.DeletedFolder,
    "forecast_of_segment": insights.Forecast,
    "forecast_of_rule": insights.Forecast,
    "backtest_of_segment": insights.Backtest,
    "backtest_of_rule": insights.Backtest,
    "lint_segment": insights.LintReport,
    "lint_parent": insights.LintReport,
    "dependents_of_segment": insights.Relations,
    # rules
    "preview_rule": rules.Preview,
    "count_rule": rules.Count,
    "explain_unsaved": explanations.Explanation,
    "explain_saved": explanations.Explanation,
    "overlap_of_segments": rules.OverlapMatrix,
    "parse_written": rules.Forms,
    "split_written": rules.SplitSizes,
    # profiles
    "list_profiles": profiles.ProfilePage,
    "get_profile": profiles.Profile,
    "history_of_profile": profiles.ProfileHistory,
    # sources
    "list_sources": sources.SourcePage,
    "add_source": sources.SourceWithKey,
    "get_source": sources.Source,
    "change_source": sources.Source,
    "rotate_source_key": sources.SourceWithKey,
    "status_of_source": sources.SourceState,
    "revoke_source_key": sources.Source,
    "rename_source": sources.Source,
    "get_identity": sources.SourceIdentity,
    "put_identity": sources.SourceIdentity,
    "drop_source": sources.RemovedSource,
    "list_rejects": sources.Misfits,
    "list_discards": sources.Misfits,
    # users and access
    "sign_in": users.SignedIn,
    "set_up": users.SignedIn,
    "sign_out": users.SignedOut,
    "get_me": users.Me,
    "change_my_password": users.Done,
    "list_users": users.UserPage,
    "add_user": users.User,
    "get_user": users.User,
    "change_user": users.User,
    "set_password": users.Done,
    "put_grants": users.User,
    "list_tokens": users.TokenPage,
    "add_token": users.NewToken,
    "revoke_token": users.RevokedToken,
    "read_audit": users.AuditPage,
    "openapi": dict[str, Any],
}
"""Function of the route -> the shape of its good answer in JSON."""

MORE_ANSWERS: Mapping[str, Mapping[int, Any]] = {"evaluate_parent": {202: runs.Run}}
"""The same of further good statuses."""
