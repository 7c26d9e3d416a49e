"""MIMIC-CXR (Johnson et al. 2019, doi:10.1038/s41597-019-0322-0), DICOM or JPG: reads its folder into one row for each study or picture.

A row contains the files of the pictures, the view, the requested sections of the report, columns of further tables of patients and studies,
the official split, and the CheXpert labels as targets.

**The CheXpert labels were extracted from the text of the reports** (Irvin et al. 2019, arXiv:1901.07031). A model that receives the
findings, the impression or the whole report can read the labels from the text, so its metrics measure how well it finds words. Therefore no
report is read unless requested, and a warning is issued. Sections written before the picture was examined (indication, history) are not
what the labels were extracted from.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from ..errors import ConfigError, DataError, nearest
from ..language import Sentence
from .folders import Folder, csv_lines
from .json_stream import Record
from .usage import TARGET, Usage

_LABEL_SOURCES = ("report", "findings", "impression")
SECTIONS = {
    "indication": ("indication", "indications", "reason for exam", "reason for examination", "clinical indication", "clinical information",
                   "检查目的", "临床资料", "临床表现", "主诉"),
    "history": ("history", "clinical history", "病史", "现病史", "临床病史"),
    "examination": ("examination", "exam", "检查项目", "检查名称", "检查部位"),
    "technique": ("technique", "检查方法", "检查技术"),
    "comparison": ("comparison", "comparisons", "对比", "比较"),
    "findings": ("findings", "检查所见", "影像所见", "影像表现", "影像学表现", "放射学表现", "所见"),
    "impression": ("impression", "impressions", "conclusion", "诊断意见", "影像诊断", "影像学诊断", "诊断印象", "印象", "诊断", "结论",
                   "意见"),
}  # fmt: skip
"""The sections of a report, and their headings in English and Chinese."""
_NAMES = {heading: section for section, headings in SECTIONS.items() for heading in headings}
_KNOWN = "|".join(sorted(map(re.escape, _NAMES), key=len, reverse=True))
_HEADING = re.compile(
    rf"^[ \t]*(?:[一二三四五六七八九十\d]{{1,2}}[、.．][ \t]*)?[【\[]?[ \t]*(?:(?P<known>(?i:{_KNOWN}))|[A-Z][A-Z /()&-]{{2,60}})[ \t]*"
    r"(?:[】\]][ \t]*[:：]?|[:：])",
    re.MULTILINE,
)
_SPLIT = {"train": "train", "validate": "valid", "valid": "valid", "test": "test"}
_IDS = {"subject_id": re.compile("[0-9]{2,20}"), "study_id": re.compile("[0-9]{2,20}"), "dicom_id": re.compile("[0-9A-Za-z-]{1,100}")}
_PATTERN_DESCRIPTIONS = {"subject_id": "digits", "study_id": "digits", "dicom_id": "letters, digits and '-'"}
_LARGEST_REPORT = 2**20
_FRONTAL, _LATERAL = ("PA", "AP"), ("LATERAL", "LL")

Uncertain = Literal["empty", "positive", "negative"]


def rows(
    folder: str | os.PathLike[str],
    *,
    per: Literal["study", "picture"] = "study",
    report: Sequence[str] = (),
    labels: Sequence[str] | None = None,
    uncertain: Uncertain = "empty",
    join: Mapping[str | os.PathLike[str], Sequence[str]] | None = None,
) -> Iterator[Record]:
    """Return the rows in the order of the metadata. ``subject_id`` is the group: the studies of a patient belong in one part of a split.

    :param folder: the folder that contains ``files`` and ``mimic-cxr-2.0.0-metadata.csv`` (tables may be compressed: ``.csv.gz``)
    :param per: study = columns ``frontal`` and ``lateral``; picture = column ``picture``
    :param report: the sections to read, of ``SECTIONS``, or ``report`` for the whole report; none by default, see the warning above
    :param labels: CheXpert labels, each a column of 1 and 0; None = one column ``labels`` with the positive ones, ``a;b``; () = none
    :param uncertain: how an uncertain label (-1) is read
    :param join: further tables by path, and the columns taken from each; rows are joined by ``study_id``, otherwise by ``subject_id``
    :raises ConfigError: ``per``, ``report`` or ``uncertain`` is invalid
    :raises DataError: a table or a column is absent, or an id would lead out of the folder
    """
    for section in report:
        if section not in (*SECTIONS, "report"):
            hint = nearest(section, SECTIONS)
            raise ConfigError(f"section {section!r}: unknown; expected {', '.join(SECTIONS)}, or report for the whole report{hint}")
    if per not in ("study", "picture") or uncertain not in ("empty", "positive", "negative"):
        raise ConfigError("mimic-cxr: expected per study or picture, and uncertain as empty, positive or negative")
    given = [section for section in report if section in _LABEL_SOURCES]
    if given and (labels is None or labels):
        warnings.warn(Sentence("layout.leak", sections=Sentence.joined(given, "and")), UserWarning, stacklevel=2)
    return _Reading(
        Folder(folder, "MIMIC-CXR (files, mimic-cxr-2.0.0-metadata.csv)"), per, list(report), labels, uncertain, join or {}
    ).rows()


class _Reading:
    def __init__(
        self,
        folder: Folder,
        per: str,
        report: list[str],
        labels: Sequence[str] | None,
        uncertain: Uncertain,
        join: Mapping[str | os.PathLike[str], Sequence[str]],
    ) -> None:
        self.folder, self.per, self.report, self.uncertain = folder, per, report, uncertain
        self.without = dict.fromkeys(report, 0)
        self.requested_labels = None if labels is None else list(labels)
        self.joined = [_joined(Path(path), list(columns)) for path, columns in join.items()]

    def rows(self) -> Iterator[Record]:
        """Read the small tables, then yield a row for each study or picture of the metadata."""
        labels = self._read_labels() if self.requested_labels is None or self.requested_labels else {}
        split = self._read_split()
        studies = self._by_study() if self.per == "study" else self._by_picture()
        count = 0
        for count, (subject, study, pictures) in enumerate(studies, 1):  # noqa: B007
            row: Record = {"subject_id": subject, "study_id": study, **pictures, **self._sections(subject, study)}
            for key, columns, cells_by_key in self.joined:
                values = cells_by_key.get(study if key == "study_id" else subject)
                row |= dict(zip(columns, values if values is not None else [""] * len(columns), strict=True))
            if split is not None:
                row["split"] = split.get(study, "")
            if self.requested_labels is None:
                row["labels"] = labels.get(study, ("",))[0]
            elif self.requested_labels:
                row |= dict(zip(self.requested_labels, labels.get(study, ("",) * len(self.requested_labels)), strict=True))
            yield row
        self.folder.warn_missing(apart=False)
        for section, empty in self.without.items():
            if empty:
                text = Sentence("layout.section", empty=empty, count=count, section=section)
                warnings.warn(text, UserWarning, stacklevel=2)

    def _table(self, name: str) -> str:
        names = sorted(path.name for extension in ("", ".gz") for path in self.folder.path.glob(f"mimic-cxr-*-{name}.csv{extension}"))
        return names[-1] if names else f"mimic-cxr-2.0.0-{name}.csv"

    # -- pictures --------------------------------------------------------------------------------------------------

    def _metadata(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield the subject, study, picture and view of each picture."""
        name = self._table("metadata")
        for at, line in enumerate(self.folder.lines(name, "dicom_id", "subject_id", "study_id", "ViewPosition"), 1):
            subject, study, picture = ids = [(line[key] or "").strip() for key in _IDS]
            for (key, pattern), value in zip(_IDS.items(), ids, strict=True):
                if not pattern.fullmatch(value):
                    raise DataError(f"{self.folder.path / name} row {at}: {key} {value[:60]!r}; expected {_PATTERN_DESCRIPTIONS[key]}")
            yield subject, study, picture, line["ViewPosition"].strip().upper()

    def _by_picture(self) -> Iterator[tuple[str, str, Record]]:
        for subject, study, picture, view in self._metadata():
            yield subject, study, {"picture": self._file("picture", subject, study, picture), "view": view}

    def _by_study(self) -> Iterator[tuple[str, str, Record]]:
        """Yield one frontal and one lateral picture of each study: PA is preferred to AP, and the first of several is used."""
        studies: dict[str, list[str]] = {}
        for subject, study, picture, view in self._metadata():
            chosen = studies.setdefault(study, [subject, "", "", ""])  # subject, frontal, its view, lateral
            if view in _LATERAL:
                chosen[3] = chosen[3] or picture
            elif not chosen[1] or _rank(view) < _rank(chosen[2]):
                chosen[1:3] = [picture, view]
        for study, (subject, frontal, view, lateral) in studies.items():
            files = {
                name: self._file(name, subject, study, picture) if picture else ""
                for name, picture in (("frontal", frontal), ("lateral", lateral))
            }
            yield subject, study, {**files, "view": view}

    def _file(self, column: str, subject: str, study: str, picture: str) -> str:
        place = f"{_study(subject, study)}/{picture}"
        return self.folder.file(column, f"{place}.jpg", f"{place}.dcm")

    # -- split, labels and report of a study -----------------------------------------------------------------------------

    def _read_split(self) -> dict[str, str] | None:
        name = self._table("split")
        if not self.folder.there(name):
            return None
        split_by_study = {}
        for at, line in enumerate(self.folder.lines(name, "study_id", "split"), 1):
            word = line["split"].strip().casefold()
            if word not in _SPLIT:
                raise DataError(f"{self.folder.path / name} row {at}: split {word[:40]!r}; expected train, validate or test")
            split_by_study[line["study_id"].strip()] = _SPLIT[word]
        return split_by_study

    def _read_labels(self) -> dict[str, tuple[str, ...]]:
        """Return by study: the positive labels as one cell, or one cell for each requested label."""
        name = self._table("chexpert")
        cells_by_value = {"": "", "1": "1", "0": "0", "-1": {"empty": "", "positive": "1", "negative": "0"}[self.uncertain]}
        cells_by_study = {}
        for at, line in enumerate(self.folder.lines(name, "study_id", *(self.requested_labels or ())), 1):
            columns = (
                self.requested_labels
                if self.requested_labels is not None
                else [column for column in line if column not in ("subject_id", "study_id")]
            )
            cells = []
            for column in columns:
                value = (line[column] or "").strip().removesuffix(".0")
                if value not in cells_by_value:
                    raise DataError(f"{self.folder.path / name} row {at}, column {column!r}: {value[:40]!r}; expected 1, 0, -1 or nothing")
                cells.append(cells_by_value[value])
            if self.requested_labels is None:
                cells = [";".join(column for column, cell in zip(columns, cells, strict=True) if cell == "1")]
            cells_by_study[line["study_id"].strip()] = tuple(cells)
        return cells_by_study

    def _sections(self, subject: str, study: str) -> Record:
        if not self.report:
            return {}
        text = self._report(f"{_study(subject, study)}.txt")
        parts = sections(text)
        row = {name: " ".join(text.split()) if name == "report" else parts.get(name, "") for name in self.report}
        for name, cell in row.items():
            self.without[name] += not cell
        return row

    def _report(self, name: str) -> str:
        if not self.folder.there(name):
            return ""
        with (self.folder.path / name).open("rb") as file:
            body = file.read(_LARGEST_REPORT)
        try:
            return body.decode("utf-8-sig").replace("\0", "")
        except UnicodeError:
            return body.decode("gb18030", "replace").replace("\0", "")  # the encoding of many Chinese hospital systems


def sections(text: str) -> dict[str, str]:
    """Return the known sections of a report, each on one line. Text without a known heading is left out."""
    texts: dict[str, str] = {}
    headings = list(_HEADING.finditer(text))
    for at, heading in enumerate(headings):
        name = _NAMES.get((heading["known"] or "").casefold())
        if name is None:
            continue
        end = headings[at + 1].start() if at + 1 < len(headings) else len(text)
        body = " ".join(text[heading.end() : end].split())
        texts[name] = f"{texts[name]} {body}".strip() if name in texts else body
    return texts


def _study(subject: str, study: str) -> str:
    return f"files/p{subject[:2]}/p{subject}/s{study}"


def _rank(view: str) -> int:
    return next((at for at, name in enumerate(_FRONTAL) if view.startswith(name)), 2 if not view else 3)


def _joined(path: Path, columns: list[str]) -> tuple[str, list[str], dict[str, list[str]]]:
    """Return the key by which a further table is joined, the columns taken, and their cells by key."""
    folder = Folder(path.parent, "a table to join")
    cells_by_key: dict[str, list[str]] = {}
    key = ""
    with folder.open(path.name) as file:
        for at, line in enumerate(csv_lines(file, path, columns), 1):
            key = "study_id" if "study_id" in line else "subject_id"
            if key not in line:
                raise DataError(f"{path}: no column study_id or subject_id; expected one of them as the key of the join")
            value = line[key].strip()
            if value in cells_by_key:
                raise DataError(f"{path} row {at}: {key} {value[:40]!r} a second time; expected one row for each value of the key")
            cells_by_key[value] = [(line[column] or "").strip() for column in columns]
    return key, columns, cells_by_key


def usage(folder: str, columns: Sequence[str], labels: Sequence[str] | None) -> Usage:
    """Return how the table is used for training: no id is a feature, and patients stay in one part of the split."""
    target = "labels" if "labels" in columns else labels[0] if labels else TARGET
    return Usage(target, folder, "subject_id", ("study_id", *(labels or ())))
