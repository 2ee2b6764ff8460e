"""Text files read and written so that a crash leaves the old file or the new one, never half of either."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from kohort.documents.document import Document
from kohort.documents.yaml import read_yaml
from kohort.foundation.errors import UserError
from kohort.foundation.folders import flush_folder
from kohort.foundation.issues import Issue, Issues


def read_document(path: Path, shown: str) -> tuple[Document | None, Issues]:
    """The YAML document in a file, or None and issues: FILE_UNREADABLE, FILE_NOT_TEXT, FILE_EMPTY, or those of the YAML.

    shown: what issues call the file.
    """
    issues = Issues()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        issues.add(
            Issue("FILE_UNREADABLE", f"the file cannot be read: {error.strerror}", hint="check its path and permissions", file=shown)
        )
        return None, issues
    except UnicodeDecodeError:
        issues.add(Issue("FILE_NOT_TEXT", "the file is not UTF-8 text", hint="save it as UTF-8", file=shown))
        return None, issues
    document, problems = read_yaml(text, shown)
    if problems.ok and document.value is None:
        problems.add(Issue("FILE_EMPTY", "the file holds nothing", hint="write a definition into it or delete it", file=shown, line=1))
    return (document if problems.ok else None), problems


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step; folders are made. Raises UserError DISK_FULL, FILE_NOT_WRITABLE."""
    target = path.resolve() if path.is_symlink() else path
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        number, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=target.parent)
        with os.fdopen(number, "wb") as stream:
            stream.write(text.encode("utf-8", "surrogatepass"))
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
        temporary = ""
        _flush_folder(target.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def move_file(source: Path, target: Path, root: Path) -> None:
    """Move a file inside `root` and remove the folders it leaves empty. Raises UserError FILE_NOT_WRITABLE."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
        _flush_folder(target.parent)
    except OSError as error:
        raise _explained(error, source) from error
    remove_empty_folders(source.parent, root)


def remove_empty_folders(folder: Path, root: Path) -> None:
    """Remove `folder` and those above it, up to but without `root`, while they are empty."""
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _mode(target: Path) -> int:
    if target.exists():
        return target.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _flush_folder(folder: Path) -> None:
    """Make the new name durable, where the system lets folders be flushed."""
    with suppress(OSError):
        flush_folder(folder)


def _explained(error: OSError, path: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError("DISK_FULL", f"there is no space left to write {path}", hint="free some disk space and try again")
    reason = error.strerror or str(error)
    return UserError("FILE_NOT_WRITABLE", f"{path} cannot be written: {reason}", hint="check the permissions of the file and its folder")
