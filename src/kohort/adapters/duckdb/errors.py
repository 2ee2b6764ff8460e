"""What the engine says, in words that lead somewhere: every engine error becomes a UserError with a code and a way out."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from kohort.adapters.duckdb.missing import Known, engine_names, missing_column, missing_table
from kohort.foundation.errors import UserError

_CAUSE = re.compile(r"^[A-Za-z ]*(?:Error|ERROR): ")
_CARET = re.compile(r"^LINE (?P<line>\d+): (?P<source>.*)\n(?P<pad> *)(?P<caret>\^+)", re.MULTILINE)
_ENGINE_HINT = re.compile(r'Did you mean "(?P<name>[^"]+)"')
_LOCK_HOLDER = re.compile(r"\(PID (?P<pid>\d+)\)")
_NO_FILES = re.compile(r'No files found that match the pattern "(?P<pattern>[^"]*)"')
_NOT_PARQUET = (
    re.compile(r"No magic bytes found at end of file '(?P<file>[^']*)'"),
    re.compile(r"File '(?P<file>[^']*)' too small to be a Parquet file"),
)
_BROKEN_PARQUET = re.compile(r"(?i)parquet|thrift|metadata|TProtocol|decompress")
_JSON_PLACE = re.compile(r'in file "(?P<file>[^"]+)",(?: at byte \d+)? in line (?P<line>\d+): (?P<what>[^\n]*)')
_CSV_LINE = re.compile(r"CSV Error on Line: (?P<line>\d+)")
_CSV_FILE = re.compile(r"^\s*file = (?P<file>.+)$", re.MULTILINE)
_CSV_SNIFF = re.compile(r'Error when sniffing file "(?P<file>[^"]+)"')
_CSV_COLUMNS = re.compile(r"Expected Number of Columns: (?P<expected>\d+) Found: (?P<found>\d+)")
_CSV_CAST = re.compile(r'Error when converting column "(?P<column>[^"]*)"\. (?P<what>[^\n]*)')
_NOT_GZIP = re.compile(r"Input is not a GZIP stream: (?P<file>[^\n]*)")
_DISK_WORDS = ("No space left", "File too large", "Disk quota exceeded", "max_temp_directory_size")


def opening_error(error: Exception, path: Path) -> UserError:
    """Why a warehouse file could not be opened."""
    text = str(error)
    holder = _LOCK_HOLDER.search(text)
    if "Could not set lock" in text or "lock is held" in text:
        who = f"process {holder['pid']}" if holder else "another process"
        return UserError(
            "WAREHOUSE_LOCKED", f"the warehouse {path} is in use by {who}", hint="wait until it is done, or end it, then run this again"
        )
    if "different configuration" in text:
        return UserError(
            "WAREHOUSE_LOCKED", f"the warehouse {path} is already open in this process with other options", hint="close it first"
        )
    if "not a valid DuckDB database" in text or isinstance(error, duckdb.SerializationException):
        return UserError("WAREHOUSE_CORRUPT", f"{path} is not a DuckDB file", hint="move it away; a new warehouse is made in its place")
    if "database does not exist" in text:
        return UserError("WAREHOUSE_NOT_FOUND", f"there is no warehouse at {path}", hint="import a table first")
    if (problem := resource_error(error)) is not None:
        return problem
    return UserError("WAREHOUSE_UNUSABLE", f"the warehouse {path} cannot be opened: {cause(text)}")


def statement_error(error: Exception, known: Known, sql: str = "", skipped_lines: int | None = 0) -> UserError:
    """Why a statement failed. skipped_lines: lines before the user's own text; None: the user wrote it otherwise."""
    problem = resource_error(error) or file_error(error)
    if problem is not None:
        return problem
    text = str(error)
    problem = missing_table(text, _near(text), known) if isinstance(error, duckdb.CatalogException) else None
    problem = problem or missing_column(text, _position(text, skipped_lines), sql, known)
    if problem is not None:
        return problem
    if "read-only mode" in text:
        return UserError("WAREHOUSE_READ_ONLY", "the warehouse is open for reading only")
    return UserError("SQL_ERROR", cause(text) + _position(text, skipped_lines), hint=engine_names(text) or _engine_hint(text))


def resource_error(error: Exception) -> UserError | None:
    """The machine ran out of something: disk or memory."""
    text = str(error)
    if any(words in text for words in _DISK_WORDS):
        return UserError(
            "DISK_FULL", "there is no space left on the disk; nothing was changed", hint="free some space, then run this again"
        )
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError) or text.startswith("Out of Memory Error"):
        return UserError(
            "OUT_OF_MEMORY",
            "the query needs more memory than it may use; nothing was changed",
            hint="raise the memory limit, or use fewer threads",
        )
    return None


def file_error(error: Exception) -> UserError | None:
    """A file that a statement reads is missing, or is not what it should be."""
    text = str(error)
    if match := _NO_FILES.search(text):
        return UserError(
            "FILE_NOT_FOUND", f"there is no file {match['pattern']}", hint="was it moved or deleted after the import as a view?"
        )
    for pattern in _NOT_PARQUET:
        if match := pattern.search(text):
            return not_parquet(match["file"])
    if match := _JSON_PLACE.search(text):
        what = match["what"].strip().rstrip(".")
        message = f"{match['file']}:{match['line']}: not a JSON object per line: {what}"
        return UserError("FILE_NOT_READABLE", message, hint="mend that line or the one before: each line holds one whole object")
    if match := _NOT_GZIP.search(text):
        return UserError(
            "FILE_NOT_READABLE", f"{match['file']} is not a gzip file, although its name ends with .gz", hint="rename it, or compress it"
        )
    if _CSV_LINE.search(text) or _CSV_SNIFF.search(text):
        return _csv_error(text)
    return None


def not_parquet(file: str) -> UserError:
    return UserError(
        "NOT_PARQUET", f"{file} is not a Parquet file", hint="is it complete, and really Parquet? say its format if its name misleads"
    )


def broken_parquet(error: Exception, file: str) -> UserError | None:
    """A file with Parquet's marks whose inside cannot be read."""
    if isinstance(error, duckdb.Error) and _BROKEN_PARQUET.search(str(error)):
        return UserError("FILE_NOT_READABLE", f"{file} is damaged: {cause(str(error))}", hint="write it again")
    return None


def csv_conversion(error: Exception) -> tuple[str, str, str] | None:
    """(column, "file:line", what) of a CSV value that does not fit its column's type, or None."""
    text = str(error)
    match = _CSV_CAST.search(text)
    return (match["column"], _csv_place(text), match["what"].rstrip(".")) if match else None


def json_conversion(error: Exception) -> tuple[str, str] | None:
    """("file:line", what) of a JSON value that does not fit its column's type, or None."""
    match = _JSON_PLACE.search(str(error))
    return (f"{match['file']}:{match['line']}", match["what"]) if match and "transform error" in str(error) else None


def cause(text: str) -> str:
    """The first line of an engine message, without its class and its last dot."""
    return _CAUSE.sub("", text.strip().split("\n", 1)[0]).rstrip(".! ")


def _csv_error(text: str) -> UserError:
    place = _csv_place(text)
    if match := _CSV_CAST.search(text):
        hint = f"give the column a type that fits all its values, e.g. {match['column']}=VARCHAR"
        return UserError("FILE_NOT_READABLE", f"{place}: column {match['column']}: {match['what'].rstrip('.')}", hint=hint)
    if match := _CSV_COLUMNS.search(text):
        hint = "mend that line: put values that hold the separator in quotes"
        return UserError("FILE_NOT_READABLE", f"{place}: expected {match['expected']} columns, found {match['found']}", hint=hint)
    if "unicode" in text or "utf-8" in text:
        return UserError("FILE_NOT_READABLE", f"{place}: the text is not UTF-8", hint="convert the file, e.g. with iconv -t UTF-8")
    if "unterminated quote" in text:
        return UserError("FILE_NOT_READABLE", f"{place}: a quote is opened and never closed", hint='close it, or write "" for a quote')
    said = [line for line in text.split("\n") if line and not _CSV_LINE.search(line) and not line.startswith("Original Line")]
    return UserError("FILE_NOT_READABLE", f"{place}: {cause(said[0]) if said else 'not a CSV file'}", hint="mend that line")


def _csv_place(text: str) -> str:
    file = _CSV_FILE.search(text) or _CSV_SNIFF.search(text)
    line = _CSV_LINE.search(text)
    return ":".join(part for part in (file["file"].strip() if file else "", line["line"] if line else "") if part)


def _position(text: str, skipped_lines: int | None) -> str:
    """' (line 2, column 5: near "x")'; the column is left out where the engine shortened the line."""
    match = _CARET.search(text)
    if match is None:
        return ""
    near = _near(text)
    start = len(match["pad"]) - len(f"LINE {match['line']}: ")
    column = "" if match["source"].startswith("...") else f", column {start + 1}"
    shown = near if len(near) <= 60 else near[:57] + "..."
    if skipped_lines is None:
        return f" ({shown})"
    return f" (line {int(match['line']) - skipped_lines}{column}: {shown})"


def _near(text: str) -> str:
    """What the engine points at."""
    match = _CARET.search(text)
    if match is None:
        return ""
    start = len(match["pad"]) - len(f"LINE {match['line']}: ")
    return match["source"][start : start + len(match["caret"])]


def _engine_hint(text: str) -> str:
    match = _ENGINE_HINT.search(text)
    return f'did you mean "{match["name"].removeprefix("main.")}"?' if match else ""
