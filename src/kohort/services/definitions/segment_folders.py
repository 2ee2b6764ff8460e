"""Whether files of segments are where those of their parent segment belong; if not, what to rename."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from shlex import quote

from kohort.foundation.errors import UserError
from kohort.parent.definition import slug
from kohort.ports.definitions import DefinitionStore, ParentRecord
from kohort.workspace.reading import definition_files, within
from kohort.workspace.workspace import Workspace


def require_own_folder(store: DefinitionStore, workspace: Workspace, parent: ParentRecord, paths: Sequence[Path], *, delete: bool) -> None:
    """Raises UserError OTHER_PARENT, FOLDER_OF_NO_PARENT, NO_SEGMENTS_FOLDER.

    paths: what is to be read; none: everything of the parent segment. delete: stored segments without a file go, and a workspace that
    lost its folder is no wish to delete everything.
    """
    root = workspace.segments_folder(parent.slug)
    others = {other.slug: other.name for other in store.parents() if other.id != parent.id}
    if not root.is_dir() and (not paths or root in within(root, paths)):
        _require_none_meant(workspace, parent, others)
        if delete:
            message = f"there is no folder {workspace.shown(root)}: every stored segment would be deleted"
            raise UserError("NO_SEGMENTS_FOLDER", message, hint="make the folder if that is what you want, or pull the segments first")
    for path in definition_files((path for path in within(root, paths) if path.exists()), required=False):
        place = workspace.parent_slug_of(path)
        if place in others:
            message = f'{workspace.shown(path)} belongs to the parent segment "{others[place]}", not to "{parent.name}"'
            raise UserError("OTHER_PARENT", message, hint=f"name it: --parent {quote(others[place])}")
        if place not in ("", parent.slug):
            raise _misplaced(workspace, parent, place)


def _require_none_meant(workspace: Workspace, parent: ParentRecord, others: Iterable[str]) -> None:
    """There is no folder of the parent segment: another one of nobody may be meant."""
    segments = workspace.segments_folder(parent.slug).parent
    strays = [folder.name for folder in sorted(segments.glob("[!.]*")) if folder.is_dir() and folder.name not in set(others)]
    strays = [name for name in strays if next(definition_files([segments / name], required=False), None) is not None]
    near = get_close_matches(parent.slug, [slug(name) for name in strays], n=1)
    meant = next((name for name in strays if slug(name) in near), strays[0] if len(strays) == 1 else "")
    if meant:
        raise _misplaced(workspace, parent, meant)


def _misplaced(workspace: Workspace, parent: ParentRecord, place: str) -> UserError:
    """place: the name right below the folder of all segments: a folder of no parent segment, or a file."""
    own = workspace.segments_folder(parent.slug)
    found, wanted = own.parent / place, workspace.shown(own)
    message = f'{workspace.shown(found)} belongs to no parent segment; the segments of "{parent.name}" are in {wanted}'
    verb = "move" if found.is_file() or own.is_dir() else "rename"
    target = f"{wanted}/" if verb == "move" else wanted
    hint = f"{verb} it: mv {quote(workspace.shown(found))} {quote(target)}" + ("" if own.is_dir() or verb == "rename" else ", after mkdir")
    return UserError("FOLDER_OF_NO_PARENT", message, hint=hint)
