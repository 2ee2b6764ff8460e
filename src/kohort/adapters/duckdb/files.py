"""Which files an import means: files, folders and globs, all of one format."""

from __future__ import annotations

import csv
import glob
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from kohort.foundation.errors import UserError
from kohort.ports.warehouse import FileFormat

SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".csv.gz": "csv",
    ".tsv.gz": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson.gz": "jsonl",
    ".parquet": "parquet",
}
DELIMITERS = (",", "\t", ";", "|")
_HEADER_BYTES = 1 << 20
_GLOB_MARKS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The files of one import, absolute and sorted, and their format. `patterns`: what a view keeps (globs stay globs)."""

    files: tuple[str, ...]
    format: FileFormat
    patterns: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Size on disk, compressed text counted as five times its size."""
        return sum(Path(file).stat().st_size * (5 if file.endswith(".gz") else 1) for file in self.files)


def find_files(paths: Sequence[str], format: FileFormat | None) -> SourceFiles:
    """Every file that `paths` mean. Raises FILE_NOT_FOUND, FORMAT_UNKNOWN, FORMATS_DIFFER."""
    if not paths:
        raise UserError("FILE_NOT_FOUND", "no file was named")
    files: dict[str, None] = {}
    patterns: list[str] = []
    for path in paths:
        found, pattern = _expand(str(Path(path).expanduser().absolute()), path, format)
        files.update(dict.fromkeys(found))
        patterns.append(pattern)
    formats = {file: format or _format_of(file) for file in files}
    kinds = sorted(set(formats.values()))
    if len(kinds) > 1:
        raise UserError(
            "FORMATS_DIFFER", f"the files are of several formats: {', '.join(kinds)}", hint="import one format at a time, or name it"
        )
    return SourceFiles(tuple(files), kinds[0], tuple(patterns))


def _expand(path: str, written: str, format: FileFormat | None) -> tuple[list[str], str]:
    if Path(path).is_dir():
        found = [str(file) for file in sorted(Path(path).rglob("*")) if _is_data(file, Path(path), format)]
        if not found:
            known = f"no {format} file" if format else f"no file of a known format ({', '.join(SUFFIXES)})"
            raise UserError("FILE_NOT_FOUND", f"the folder {written} holds {known}")
        return found, f"{path}/**/*.parquet"
    if Path(path).is_file():
        return [path], path
    if _GLOB_MARKS & set(path):
        found = [file for file in sorted(glob.glob(path, recursive=True)) if Path(file).is_file()]
        if found:
            return found, path
        raise UserError("FILE_NOT_FOUND", f"no file matches {written}")
    raise UserError("FILE_NOT_FOUND", f"there is no file {written}", hint="check the path; it counts from the current folder")


def _is_data(file: Path, root: Path, format: FileFormat | None) -> bool:
    parts = file.relative_to(root).parts
    if any(part.startswith((".", "_")) for part in parts) or not file.is_file():
        return False
    known = _suffix_format(file.name)
    return known is not None and (format is None or known == format)


def _suffix_format(name: str) -> FileFormat | None:
    lowered = name.lower()
    for suffix, format in SUFFIXES.items():
        if lowered.endswith(suffix):
            return format
    return None


def _format_of(file: str) -> FileFormat:
    found = _suffix_format(file)
    if found is None:
        raise UserError(
            "FORMAT_UNKNOWN",
            f"the format of {Path(file).name} is not known from its name",
            hint="say it with --format: csv, jsonl or parquet",
        )
    return found


@dataclass(frozen=True, slots=True)
class CsvShape:
    """How a CSV file is written: its delimiter and the column names of its first line."""

    delimiter: str
    columns: tuple[str, ...]


def csv_shape(file: str) -> CsvShape:
    """Read from the first line. Raises FILE_NOT_READABLE when there is none, or when names repeat."""
    first = _first_lines(file)
    line = first.split("\n", 1)[0].strip("\r")
    if not line.strip():
        where = "is empty" if not first.strip() else "begins with an empty line"
        raise UserError("FILE_NOT_READABLE", f"{file} {where}", hint="the first line must hold the column names")
    delimiter = "\t" if ".tsv" in Path(file).name.lower() else _delimiter(line)
    columns = tuple(next(csv.reader(io.StringIO(first), delimiter=delimiter)))
    lowered = [name.strip().lower() for name in columns if name.strip()]
    twice = sorted({name for name in lowered if lowered.count(name) > 1})
    if twice:
        raise UserError(
            "FILE_NOT_READABLE", f"{file}:1: the column {twice[0]} occurs twice", hint="capital letters do not tell columns apart"
        )
    return CsvShape(delimiter, columns)


def _delimiter(line: str) -> str:
    outside = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _first_lines(file: str) -> str:
    with open_bytes(file) as stream:
        try:
            head = stream.read(_HEADER_BYTES)
        except (gzip.BadGzipFile, EOFError) as error:
            raise UserError("FILE_NOT_READABLE", f"{file} is not a gzip file, although its name ends with .gz") from error
    if b"\0" in head:
        raise UserError("FILE_NOT_READABLE", f"{file} is not text", hint="say its format if its name misleads")
    return head.decode("utf-8-sig", errors="replace")


def open_bytes(file: str) -> BinaryIO:
    """The file's bytes, decompressed. Raises FILE_NOT_READABLE when it may not be read."""
    try:
        return cast(BinaryIO, gzip.open(file, "rb")) if file.endswith(".gz") else open(file, "rb")
    except OSError as error:
        raise UserError("FILE_NOT_READABLE", f"{file} cannot be read: {error.strerror}") from error


def odd_json_line(files: Sequence[str]) -> str:
    """ "file:line" of the first line that is not a JSON object, or ""."""
    for file in files:
        for number, line in _numbered(file):
            if line.strip() and not line.lstrip().startswith(b"{"):
                return f"{file}:{number}"
    return ""


def _numbered(file: str) -> Iterator[tuple[int, bytes]]:
    with open_bytes(file) as stream:
        yield from enumerate(stream, start=1)
