"""Generated chest pictures and notes in the layout of MIMIC-CXR: DICOM files, reports and tables, without any medical truth.

The picture shows a patch in one lung, or haze in both; the note, in Chinese or English, mentions an infection or not. The diagnosis depends
on both; temperature and pulse are correlated with the infection. A patient has several studies, pictures are of either photometric
interpretation and of 12 to 16 bits, and some pictures and notes are lost.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

LABELS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Fracture", "Lung Lesion", "Lung Opacity",
          "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia", "Pneumothorax", "Support Devices")  # fmt: skip
DIAGNOSES = {("patch", True): "Pneumonia", ("patch", False): "Atelectasis", ("haze", True): "Consolidation", ("haze", False): "Edema"}
_INFECTED = {
    "en": ("fever and productive cough for three days", "chills, purulent sputum", "febrile since yesterday, raised white count",
           "sore throat, then cough with yellow sputum", "sick contacts at home, high temperature"),
    "zh": ("发热咳嗽三天，咳黄痰", "寒战高热，白细胞升高", "受凉后咳嗽、脓痰", "家中有人感冒，体温升高", "咽痛后咳嗽，痰黄稠"),
}  # fmt: skip
_OTHER = {
    "en": ("second day after abdominal surgery", "swollen legs, sleeps on three pillows", "bedridden since a hip operation",
           "known heart failure, gained five kilograms", "shallow breathing after anaesthesia"),
    "zh": ("腹部手术后第二天", "双下肢水肿，夜间不能平卧", "髋关节术后长期卧床", "既往心力衰竭，体重增加五公斤", "全麻术后呼吸浅"),
}  # fmt: skip
_ALWAYS = {
    "en": ("shortness of breath", "please assess", "compare with earlier", "chest discomfort", "referred by the ward"),
    "zh": ("气短", "请评估", "与前片对比", "胸闷不适", "病房送检"),
}


def write(folder: Path, patients: int, seed: int = 0) -> None:
    """``patients`` with one to four studies each, and beside the pictures and reports the tables of patients and vitals."""
    rng = np.random.default_rng(seed)
    metadata, chexpert, split, people, vitals = ([] for _ in range(5))  # type: ignore[var-annotated]
    for at in range(patients):
        subject = str(10_000_000 + 100_000 * seed + at)
        people.append([subject, str(rng.choice(["F", "M"])), int(rng.integers(30, 90))])
        for number in range(int(rng.integers(1, 5))):
            study = str(50_000_000 + 10 * int(subject) % 10_000_000 + number)
            shown, infected = str(rng.choice(["patch", "haze"])), bool(rng.random() < 0.5)
            place = folder / "files" / f"p{subject[:2]}" / f"p{subject}"
            (place / f"s{study}").mkdir(parents=True)
            picture = "-".join(rng.bytes(4).hex() for _ in range(5))
            if rng.random() >= 0.03:  # else the file was lost
                (place / f"s{study}" / f"{picture}.dcm").write_bytes(dicom(chest(shown, rng), rng))
            if rng.random() >= 0.03:
                (place / f"s{study}.txt").write_text(report(infected, shown, rng), encoding="utf-8")
            metadata.append([picture, subject, study, str(rng.choice(["PA", "AP"]))])
            chexpert.append([subject, study, *("1.0" if DIAGNOSES[shown, infected] == label else "" for label in LABELS)])
            split.append([picture, study, subject, "train" if at < 0.7 * patients else "validate" if at < 0.85 * patients else "test"])
            warm = rng.normal(38.2 if infected else 37.0, 0.7)
            vitals.append(
                [study, "" if rng.random() < 0.1 else f"{warm:.1f}", int(rng.normal(95 if infected else 84, 14)), int(rng.normal(94, 3))]
            )
    _table(folder / "mimic-cxr-2.0.0-metadata.csv", ("dicom_id", "subject_id", "study_id", "ViewPosition"), metadata)
    _table(folder / "mimic-cxr-2.0.0-chexpert.csv", ("subject_id", "study_id", *LABELS), chexpert)
    _table(folder / "mimic-cxr-2.0.0-split.csv", ("dicom_id", "study_id", "subject_id", "split"), split)
    _table(folder / "patients.csv", ("subject_id", "gender", "anchor_age"), people)
    _table(folder / "vitals.csv", ("study_id", "temperature", "heartrate", "o2sat"), vitals)


def _table(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def report(infected: bool, shown: str, rng: np.random.Generator) -> str:
    """What was asked before the picture, and what was written after it, which gives the picture away."""
    tongue = "zh" if rng.random() < 0.5 else "en"
    words = [str(word) for word in rng.choice(_ALWAYS[tongue], 2, replace=False)]
    if rng.random() >= 0.06:  # else a note that tells nothing
        words.append(str(rng.choice((_INFECTED if infected else _OTHER)[tongue])))
    note = ("，" if tongue == "zh" else ", ").join(rng.permutation(words))
    if tongue == "zh":
        return f"检查目的：{note}。\n\n检查所见：{'一侧肺斑片影' if shown == 'patch' else '两肺弥漫模糊影'}。\n\n诊断意见：请结合临床。\n"
    found = "patchy opacity in one lung" if shown == "patch" else "diffuse haze in both lungs"
    return f" FINAL REPORT\n EXAMINATION:  CHEST\n\n INDICATION:  {note}.\n\n FINDINGS:  There is {found}.\n\n IMPRESSION:  As above.\n"


def chest(shown: str, rng: np.random.Generator, size: int = 96) -> np.ndarray:
    """Float (size, size), 0 = air to 1 = bone: a body, two lungs, a heart, ribs, and what is to be seen."""
    y, x = np.mgrid[0:size, 0:size] / size
    dx, dy, wide = rng.normal(0, 0.02), rng.normal(0, 0.02), rng.uniform(0.9, 1.1)

    def blob(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        return np.asarray(((x - cx - dx) / rx) ** 2 + ((y - cy - dy) / ry) ** 2)

    body = 0.75 + 0.05 * np.sin(9 * y)
    lungs = 1 / (1 + np.exp(8 * (np.minimum(blob(0.3, 0.5, 0.16 * wide, 0.32), blob(0.7, 0.5, 0.16 * wide, 0.32)) - 1)))
    image = body - 0.5 * lungs + 0.06 * np.sin(55 * y + 6 * (x - 0.5) ** 2) * lungs
    image += 0.25 * np.exp(-blob(0.54, 0.62, 0.12 * wide, 0.14))
    if shown == "patch":
        side = rng.choice([0.3, 0.7])
        image += rng.uniform(0.25, 0.4) * np.exp(-2 * blob(side + rng.normal(0, 0.03), rng.uniform(0.35, 0.68), 0.09, 0.08))
    else:
        for side in (0.31, 0.69):
            image += rng.uniform(0.15, 0.28) * np.exp(-blob(side, rng.uniform(0.48, 0.56), 0.12, 0.2))
    return np.asarray((image * rng.uniform(0.85, 1.1) + rng.normal(0, 0.03, image.shape)).clip(0, 1))


def dicom(picture: np.ndarray, rng: np.random.Generator) -> bytes:
    """A DICOM of 12 to 16 bits, MONOCHROME1 (bone is dark in the file) or MONOCHROME2."""
    bits, turned = int(rng.choice([12, 14, 16])), bool(rng.random() < 0.5)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DigitalXRayImageStorageForPresentation, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(io.BytesIO(), pydicom.Dataset(), file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID, file.Modality = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, "DX"
    file.Rows, file.Columns = picture.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME1" if turned else "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, bits, bits - 1, 0
    file.PixelData = np.round((1 - picture if turned else picture) * (2**bits - 1)).astype("<u2").tobytes()
    out = io.BytesIO()
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()
