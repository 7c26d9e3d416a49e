"""Open the source of a file. For a path that is not a table, the error states what it is and what to do."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
import weakref
from pathlib import Path, PurePath, PurePosixPath

from ...errors import DataError, nearest, warn
from ...language import Sentence
from ...remote import Remote, is_remote
from .arrow import FeatherSource, ParquetSource
from .content import CODECS, Content, kind_by_content, member_content, members
from .csv import CsvSource
from .dialect import dialect_of
from .document import json_source
from .excel import excel_source
from .jsonlines import JsonLinesSource
from .parquet_folder import EXTENSIONS as PARQUET
from .parquet_folder import ParquetFolderSource, local_listing, parquet_files
from .source import Source

_TEXT = {".csv": "csv", ".txt": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json"}
_TYPED = {".parquet": "parquet", ".pq": "parquet", ".feather": "feather", ".arrow": "feather", ".ipc": "feather", ".xlsx": "excel",
          ".xlsm": "excel"}  # fmt: skip
_KINDS = {**_TEXT, **_TYPED}
_KNOWN = [*_KINDS, ".zip", *(f".csv{extension}" for extension in CODECS)]
_MEDIA = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".wav", ".flac", ".mp3", ".ogg", ".mp4", ".npy", ".dcm")
_SAVE = "save it as .xlsx, .csv or .parquet"
_PICKLE = "a pickle can run code, and is never opened; write the table as Parquet where it was made: frame.to_parquet(...)"
_ADVICE = {
    ".xls": f"an old Excel workbook; open it in Excel or LibreOffice, and {_SAVE}",
    ".xlsb": f"a binary Excel workbook; open it in Excel, and {_SAVE}",
    ".ods": f"an OpenDocument sheet; open it in LibreOffice, and {_SAVE}",
    ".numbers": "a Numbers sheet; export it as .xlsx or .csv",
    ".sas7bdat": "a SAS table; export it as .csv, or convert it: pandas.read_sas(...).to_parquet(...)",
    ".xpt": "a SAS table; export it as .csv, or convert it: pandas.read_sas(...).to_parquet(...)",
    ".sav": "an SPSS table; export it as .csv, or convert it: pandas.read_spss(...).to_parquet(...)",
    ".dta": "a Stata table; export it as .csv, or convert it: pandas.read_stata(...).to_parquet(...)",
    ".rds": "an R object; write it in R: write.csv(table, 'table.csv', row.names = FALSE)",
    ".rdata": "R objects; write one in R: write.csv(table, 'table.csv', row.names = FALSE)",
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), _PICKLE),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), "an HDF5 file; convert it: pandas.read_hdf(...).to_parquet(...)"),
    **dict.fromkeys((".npy", ".npz"), "a numpy array; give it names: pandas.DataFrame(array, columns=[...]).to_parquet(...)"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".duckdb", ".mdb", ".accdb"), "a database; export the table as .csv or .parquet"),
    **dict.fromkeys((".orc", ".avro"), "convert it to .parquet"),
    **dict.fromkeys((".7z", ".rar"), "an archive; unpack it, and name the table in it"),
    **dict.fromkeys((".tar", ".tgz"), "an archive; unpack it, and name the table in it, or, for WebDataset: polymodal table webdataset"),
    **dict.fromkeys((".tfrecord", ".tfrecords", ".tfrec"), "TFRecord; write it as a table: polymodal table tfrecord"),
    ".pdf": f"a document; copy its table into a sheet, and {_SAVE}",
    **dict.fromkeys((".yaml", ".yml"), "settings of a run; name the table, or train it: polymodal train run.yaml"),
    ".html": f"a page; open it in a sheet, and {_SAVE}",
}
_DATA_SETS = (
    ("dataset_dict.json", "huggingface", "a data set of Hugging Face"),
    ("features.json", "tfds", "a data set of TensorFlow Datasets"),
    ("dataset_info.json", "huggingface", "a data set of Hugging Face"),
    ("annotations/captions_*.json", "coco", "a data set with annotations of COCO"),
    ("annotations/instances_*.json", "coco", "a data set with annotations of COCO"),
    ("*.tfrecord*", "tfrecord", "a folder of TFRecord files"),
    ("*.tar", "webdataset", "a folder of tar files"),
)
"""Characteristic files of data sets that ``polymodal table`` converts: a pattern, the format, and a description."""
_SCHEME = re.compile(r"(?:^|/)([A-Za-z][A-Za-z0-9+.-]+):/+")


def path_source(table: str | Path, encoding: str | None, fallback: str | None) -> Source:
    """Return the source of a file.

    :param table: the path, or the URL of a table in an object store. After that of a workbook or an archive, ``#`` and the name of a
        sheet or a member may follow
    :param encoding: the character encoding of a CSV or JSON file; None = detected
    :param fallback: the encoding to try first for a CSV file that is not UTF-8 and has no byte order mark
    :raises DataError: the file is absent, is not a table, or cannot be read
    """
    try:
        if is_remote(table):
            return _of_remote(str(table), encoding, fallback)
        return _open(str(table), encoding, fallback)
    except OSError as error:
        raise DataError(f"{table}: cannot be read ({error.strerror or error}); expected a table") from None
    except ValueError as error:  # a path with a NUL
        raise DataError(f"{str(table)!r}: not a path ({error}); expected a table") from None


def _open(table: str, encoding: str | None, fallback: str | None, shown: str | None = None) -> Source:
    """Return the source of a path, which ``#`` and the name of a sheet or of a member of an archive may follow.

    :param shown: the name of the table, for messages; None = ``table``
    """
    path, part = Path(table), None
    if not path.exists():
        before, sign, name = table.rpartition("#")
        if sign and Path(before).suffix.lower() in (".xlsx", ".xlsm", ".zip") and Path(before).exists():
            path, part = Path(before), name
        else:
            raise _absent(table, path)
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise DataError(f"{path}: not a regular file; expected a table")
    if path.suffix.lower() == ".zip":
        source = _of_archive(path, part, encoding, fallback, shown or str(path))
    else:
        kind, codec = _kind_of(path)
        source = _of_kind(kind, Content(path, codec), shown or table, encoding, fallback, part)
    source.name, source.folder = table, path.resolve().parent
    return source


def _of_folder(path: Path) -> Source:
    """Return the source of a folder of Parquet files, if it contains no other tables."""
    parts, others = parquet_files(str(path), local_listing(path))
    if not parts or any(map(_is_named_as_table, others)):
        kind = _data_set(path)
        if kind is not None:
            command = shlex.join(["polymodal", "table", kind[0], str(path), "-o", "table.csv"])
            raise DataError(f"{path}: {kind[1]}; expected a table; write it as one: {command}")
        raise DataError(f"{path}: a folder; expected a table ({', '.join(sorted(_KINDS))}), or a folder of Parquet files{_tables_in(path)}")
    source = ParquetFolderSource(str(path), {part: path / part for part in parts})
    source.folder = path.resolve()
    return source


def _data_set(path: Path) -> tuple[str, str] | None:
    """Return the format below ``polymodal table`` of a folder that contains the characteristic files of a data set, and a description."""
    for name, kind, words in _DATA_SETS:
        if any(path.glob(name)) and (not name.startswith("*") or not _tables_in(path)):
            return kind, words
    return None


def is_table_folder(path: Path) -> bool:
    """Return whether a folder contains Parquet files, and is not that of a run, into which predictions may have been written."""
    try:
        return not (path / "run.yaml").exists() and bool(parquet_files(str(path), local_listing(path))[0])
    except (OSError, DataError):
        return False


def _of_remote(url: str, encoding: str | None, fallback: str | None) -> Source:
    """Return the source of a table in an object store: a file, or a folder of Parquet files, whose name ends in a slash.

    Parquet files are read in place, column by column. Another file is copied to a temporary folder, which exists as long as the source.
    """
    before, sign, part = url.rpartition("#")
    has_part = bool(sign) and PurePosixPath(before).suffix.lower() in (".xlsx", ".xlsm", ".zip")
    remote = Remote(before if has_part else url)
    try:
        is_folder = remote.size() is None
    except FileNotFoundError:
        raise DataError(f"{url}: no such file or folder in the store; expected a table") from None
    if is_folder:
        return _of_remote_folder(remote)
    if PurePosixPath(remote.name).suffix.lower() in PARQUET:
        source: Source = ParquetSource(remote)
    else:
        folder = tempfile.mkdtemp(prefix="polymodal-")
        local = Path(folder) / remote.name
        try:
            remote.fetch(str(local))
            source = _open(f"{local}#{part}" if has_part else str(local), encoding, fallback, remote.url)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, DataError):  # most of these name the copy
                raise DataError(str(error).replace(str(local), remote.url)) from None
            raise
        weakref.finalize(source, shutil.rmtree, folder, ignore_errors=True)
    source.name, source.folder = f"{remote.url}#{part}" if has_part else remote.url, remote.parent
    return source


def _of_remote_folder(remote: Remote) -> Source:
    """Return the source of a folder of Parquet files in an object store."""

    def at(relative: PurePosixPath) -> Remote:
        place = remote.below(str(relative)) if relative.parts else remote
        if place is None:
            raise DataError(f"{remote.url}: a file named {str(relative)!r}; expected the Parquet files of a table; name a single file")
        return place

    parts, others = parquet_files(remote.url, lambda relative: at(relative).entries())
    tables = [str(one) for one in others if _is_named_as_table(one)]
    if not parts or tables:
        found = f"; it contains {', '.join(map(repr, sorted(tables)[:5]))}" if tables else ""
        kinds = ", ".join(sorted(_KINDS))
        raise DataError(f"{remote.url}: a folder; expected a table ({kinds}), or a folder of Parquet files{found}; name a file")
    source = ParquetFolderSource(f"{remote.url}/", {part: at(part) for part in parts})
    source.folder = remote.url
    return source


def folder_of(table: str) -> str | None:
    """Return the folder that the files of a table are relative to: an absolute path or a URL; None if the table does not exist.

    :param table: an absolute path or a URL; that of a folder of Parquet files ends in a slash
    """
    if is_remote(table):
        return table.rstrip("/") if table.endswith("/") else Remote(table).parent
    path = Path(table)
    if not path.is_absolute():
        return None
    return str(path.parent) if path.is_file() else str(path) if path.is_dir() else None


def _of_kind(kind: str, content: Content, name: str, encoding: str | None, fallback: str | None, sheet: str | None) -> Source:
    """Return the source of content in a format: csv, tsv, jsonl, json, excel, parquet or feather."""
    if kind in ("csv", "tsv"):
        return CsvSource(content, name, "\t" if kind == "tsv" else None, encoding, fallback)
    if kind == "jsonl":
        return JsonLinesSource(content, name, encoding)
    if kind == "json":
        return json_source(content, name, encoding)
    if encoding is not None:
        warn(Sentence("table.no_encoding", place=name, encoding=encoding))
    if kind == "excel":
        if content.buffer is not None:
            return excel_source(content.open(), name, sheet)
        with content.path.open("rb") as file:
            return excel_source(file, name, sheet)
    return (ParquetSource if kind == "parquet" else FeatherSource)(content.path, content.buffer)


def _kind_of(path: Path) -> tuple[str, str | None]:
    """Return the kind of table and the compression of a file by its extension.

    :raises DataError: the extension is not that of a table, or contradicts the content; the message contains advice
    """
    extensions = [extension.lower() for extension in path.suffixes]
    last, before = (["", "", *extensions])[-1], (["", "", *extensions])[-2]
    if before == ".tar":
        raise DataError(f"{path}: {_ADVICE['.tar'].replace('; ', '; expected a table; ', 1)}")
    detected = kind_by_content(path)
    codec = CODECS.get(last)
    if codec is not None:
        if before not in _TEXT:
            inner = (
                f"{before} files are compressed inside"
                if before in _TYPED
                else f"its extension does not state the format, as .csv{last} does"
            )
            fix = (
                "decompress it, or rename it"
                if before
                else f"decompress it, or rename it to {_with(path, '.csv' + last)!r} if it contains CSV"
            )
            raise DataError(f"{path}: {inner}; expected one of {', '.join(one + last for one in _TEXT)}; {fix}")
        if detected is None or detected[1] != last:
            raise DataError(
                f"{path}: not compressed as its extension states; expected {last[1:]}; {_renamed(path.with_suffix(''), detected)}"
            )
        return _TEXT[before], codec
    if last in _TEXT and detected is not None:
        raise DataError(f"{path}: {detected[0]}, by its content; expected text; {_renamed(path, detected)}")
    if last in _KINDS:
        _check_typed(path, last, detected)
        return _KINDS[last], None
    if detected is not None and (detected[1] in _KINDS or detected[1] in CODECS or detected[1] == ".zip"):
        raise DataError(f"{path}: an unknown extension, but {detected[0]}, by its content; {_renamed(path, detected)}")
    if detected is None and last not in (".pkl", ".pickle", ".joblib") and _is_csv(path):
        raise DataError(f"{path}: {_unknown(last)}, but CSV, by its content; expected .csv; rename it to {_with(path, '.csv')!r}")
    advice = _ADVICE.get(last) or (_ADVICE.get(detected[1]) if detected is not None else None)
    if advice is not None:
        raise DataError(f"{path}: not a table that can be read; expected one of {', '.join(_KNOWN)}; {advice}")
    raise DataError(f"{path}: {_unknown(last)}; expected one of {', '.join(_KNOWN)}")


def _check_typed(path: Path, extension: str, detected: tuple[str, str] | None) -> None:
    """Raise ``DataError`` if a file has the extension of Parquet, Feather or Excel and the content of another format."""
    if extension in _TEXT or (detected is not None and _TYPED.get(detected[1]) == _TYPED[extension]):
        return
    if detected is not None and detected[1] == ".zip" and _TYPED[extension] == "excel":  # the reader of workbooks reports what is missing
        return
    if detected is not None:
        raise DataError(f"{path}: {detected[0]}, by its content; expected {extension}; {_renamed(path, detected)}")
    if _is_csv(path):
        raise DataError(f"{path}: CSV, by its content; expected {extension}; rename it to {_with(path, '.csv')!r}")


def _unknown(extension: str) -> str:
    return "an unknown extension" if extension else "a name without an extension"


def _renamed(path: Path, detected: tuple[str, str] | None) -> str:
    """Return advice for a file whose extension contradicts its content."""
    if detected is None:
        return f"rename it to {path.name!r} if it is not compressed"
    if detected[1] in CODECS:
        return f"rename it to {path.name + detected[1]!r}"
    return _ADVICE.get(detected[1]) or f"rename it to {_with(path, detected[1])!r}"


def _with(path: Path, extension: str) -> str:
    return (path.stem if path.suffix else path.name) + extension


def _is_csv(path: Path) -> bool:
    """Return whether the first lines are text with at least two columns and two rows."""
    with path.open("rb") as file:
        head = file.read(2**16)
    if b"\0" in head or head.lstrip()[:1] == b"<":
        return False
    try:
        text = head.decode("utf-8-sig", "ignore")
        dialect = dialect_of(text, len(head) < 2**16, str(path), None)
    except DataError:
        return False
    lines = [line for line in text.splitlines() if line.strip()][dialect.skipped :]
    return len(dialect.names) > 1 and len(lines) > 1 and all(line.count(dialect.delimiter) for line in lines[:10])


def _of_archive(path: Path, part: str | None, encoding: str | None, fallback: str | None, name: str) -> Source:
    """Return the source of a table in a zip archive: the named one, or the only one.

    :param name: the name of the archive, for messages
    """
    every = members(path)
    if any(one.filename == "xl/workbook.xml" for one in every):
        raise DataError(f"{path}: an Excel workbook, by its content; expected an archive; rename it to {_with(path, '.xlsx')!r}")
    tables = [one for one in every if Path(one.filename).suffix.lower() in _KINDS]
    names = [one.filename for one in tables]
    shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
    if part is not None:
        tables = [one for one in tables if one.filename == part]
        if not tables:
            raise DataError(f"{path}: no table {part!r} in it; expected one of {shown}{nearest(part, names)}")
    if not tables:
        raise DataError(f"{path}: an archive without a table; expected one ({', '.join(_KINDS)}); unpack it, and name the table")
    if len(tables) > 1:
        example = names[0] if names[0].isprintable() else "NAME"
        raise DataError(f"{path}: {len(tables)} tables ({shown}); expected one; name it after the file: {path}#{example}")
    media = sum(Path(one.filename).suffix.lower() in _MEDIA for one in every)
    if media:
        warn(Sentence("table.archive_media", path=str(path), count=media, folder=str(path.resolve().parent)))
    content = member_content(path, tables[0])
    return _of_kind(_KINDS[Path(tables[0].filename).suffix.lower()], content, name, encoding, fallback, None)


def _absent(table: str, path: Path) -> DataError:
    """Return the error for a file that does not exist."""
    scheme = _SCHEME.search(table)
    if scheme:
        if scheme[1].lower() == "file":
            return DataError(f"{table}: a URL; expected a path; name the file: {table[scheme.end() - 1 :]}")
        url = f"{scheme[1]}://{table[scheme.end() :]}"
        name = url.partition("?")[0].rstrip("/").rpartition("/")[2] or "table.csv"
        return DataError(f"{url}: a URL; expected a file, or a table in an object store such as s3:// (web addresses are never fetched); "
                         f"download it first, and name the file: {name}")  # fmt: skip
    parent = path.absolute().parent
    if not parent.is_dir():
        return DataError(f"{table}: no such file; expected a table; there is no folder {str(parent)!r}")
    return DataError(f"{table}: no such file in {parent}; expected a table{nearest(path.name, [one.name for one in parent.glob('*')])}")


def _tables_in(folder: Path) -> str:
    """Return advice that names the tables in a folder."""
    names = sorted(one.name for one in folder.iterdir() if _is_visible_table(one))
    if len(names) == 1:
        return f"; it contains one: {folder / names[0]}"
    return f"; it contains {', '.join(map(repr, names[:5]))}{', ...' if len(names) > 5 else ''}; name one" if names else ""


def _is_visible_table(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and _is_named_as_table(path)


def _is_named_as_table(path: PurePath) -> bool:
    last = path.suffix.lower()
    return last in _KINDS or last == ".zip" or (last in CODECS and Path(path.stem).suffix.lower() in _TEXT)
