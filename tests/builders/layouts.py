"""A tiny tree for every command below ``polymodal table``, in the real layout, on which a model can be trained."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from builders.formats import (
    CLASSES,
    FILE,
    arrow_table,
    class_folders,
    coco,
    dataset_dict,
    record,
    sample_example,
    sample_members,
    samples,
    shard,
    tensor,
    tfds_feature,
    tfds_folder,
    value,
    write_parquet,
)
from builders.mmf import TREES as MMF
from builders.mmf import jpeg
from builders.sounds import encoded, tone
from builders.tables import COLORS, clip, write_csv

Tree = Callable[[Path], Path]
TRAIN, VALID, TEST = samples(18, 0), samples(9, 1), samples(6, 2)
PARTS = (("train", TRAIN), ("val", VALID), ("test", TEST))
RATE = 8_000


def huggingface(folder: Path) -> Path:
    return dataset_dict(folder, {"train": TRAIN, "validation": VALID, "test": TEST})


def parquet(folder: Path) -> Path:
    """Parquet files by split, as on the Hugging Face Hub, with pictures and sounds inside."""
    features = {"image": {"_type": "Image"}, "sound": {"sampling_rate": RATE, "_type": "Audio"}, "text": value("string"),
                "label": {"names": list(CLASSES), "_type": "ClassLabel"}}  # fmt: skip
    types = {"image": FILE, "sound": FILE, "text": pa.string(), "label": pa.int64()}
    for name, made in (("train", TRAIN), ("validation", VALID), ("test", TEST)):
        rows = [{"image": {"bytes": one.png, "path": f"{at}.png"}, "sound": {"bytes": sound(one.label, at), "path": f"{at}.wav"},
                 "text": one.text, "label": one.label} for at, one in enumerate(made)]  # fmt: skip
        write_parquet(folder / "data" / f"{name}-00000-of-00001.parquet", arrow_table(rows, features, types))
    return folder


def sound(label: int, seed: int) -> bytes:
    """A tone whose pitch tells the class."""
    noise = np.random.default_rng(seed).normal(0, 0.01, RATE // 5)
    return encoded((tone(300 * (label + 1), 0.2, RATE) + noise).clip(-1, 1), RATE)


def video(label: int, seed: int) -> bytes:
    """Frames of one colour, with noise."""
    noise = np.random.default_rng(seed).normal(0, 12, (4, 16, 16, 3))
    return clip(np.clip(np.array(COLORS[CLASSES[label]]) + noise, 0, 255).astype(np.uint8))


def media(body: Callable[[int, int], bytes], extension: str) -> Tree:
    """Files in folders of splits and classes."""

    def build(folder: Path) -> Path:
        for part, made in PARTS:
            for at, one in enumerate(made):
                path = folder / part / one.name / f"{at}.{extension}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body(one.label, at))
        return folder

    return build


def described(folder: Path) -> Path:
    """Sounds with metadata: an instruction, a number and the class."""
    for part, made in PARTS:
        (folder / part).mkdir(parents=True)
        lines = []
        for at, one in enumerate(made):
            (folder / part / f"{at}.wav").write_bytes(sound(one.label, at))
            lines.append(json.dumps({"file_name": f"{at}.wav", "said": one.text, "price": one.price, "label": one.name}))
        (folder / part / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def imagefolder(folder: Path) -> Path:
    for part, made in PARTS:
        class_folders(folder, made, part)
    return folder


def webdataset(folder: Path) -> Path:
    for part, made in PARTS:
        for start in range(0, len(made), 6):
            members = [sample_members(f"{start + at:04d}", one) for at, one in enumerate(made[start : start + 6])]
            shard(folder / f"shop-{part}-{start:06d}.tar", [member for of_sample in members for member in of_sample])
    return folder


def coco_sets(folder: Path) -> Path:
    for part, made in PARTS:
        coco(folder, f"{part}2017", made)
    return folder


def tfrecord(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, made in PARTS:
        (folder / f"{part}-00000-of-00001.tfrecord").write_bytes(b"".join(record(sample_example(one)) for one in made))
    return folder


def tfds(folder: Path) -> Path:
    features = {"image/encoded": tfds_feature("image", shape={"dimensions": ["16", "16", "3"]}, dtype="uint8", encodingFormat="png"),
                "text": tfds_feature("text"), "price": tensor("float32"), "label": tfds_feature("classLabel", numClasses="3")}  # fmt: skip
    splits = {name: list(map(sample_example, made)) for name, made in (("train", TRAIN), ("validation", VALID), ("test", TEST))}
    tfds_folder(folder / "shop" / "1.0.0", features, splits, {"label": CLASSES})
    return folder


def sweep(points: np.ndarray) -> bytes:
    """A binary .pcd file of points (N, 4)."""
    head = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z vx_comp\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\n"
        f"WIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA binary\n"
    )
    return head.encode() + points.astype("<f4").tobytes()


def nuscenes(folder: Path, scenes: int = 12, moments: int = 3) -> Path:
    """Scenes of one colour and one road user each, seen by a camera and a radar."""
    rng = np.random.default_rng(0)
    kinds = {"red": "human.pedestrian.adult", "blue": "vehicle.car"}
    tables: dict[str, list[dict[str, Any]]] = {
        "log": [{"token": "log", "location": "boston-seaport"}],
        "sensor": [
            {"token": name, "channel": name, "modality": kind} for name, kind in (("CAM_FRONT", "camera"), ("RADAR_FRONT", "radar"))
        ],
        "calibrated_sensor": [{"token": f"c{name}", "sensor_token": name} for name in ("CAM_FRONT", "RADAR_FRONT")],
        "category": [{"token": name, "name": name} for name in kinds.values()],
        **{name: [] for name in ("scene", "sample", "sample_data", "ego_pose", "instance", "sample_annotation")},
    }
    for scene in range(scenes):
        color = list(kinds)[scene % 2]
        tables["scene"].append({"token": f"s{scene}", "name": f"scene-{scene:04d}", "description": "Night, rain" if scene % 3 else "Wide road",
                                "log_token": "log"})  # fmt: skip
        tables["instance"].append({"token": f"i{scene}", "category_token": kinds[color]})
        for moment in range(moments):
            token, time = f"s{scene}m{moment}", scene * 10_000_000 + moment * 500_000
            tables["sample"].append({"token": token, "scene_token": f"s{scene}", "timestamp": time})
            tables["ego_pose"].append({"token": f"p{token}", "translation": [3.0 * moment, 0.0, 0.0], "rotation": [1.0, 0.0, 0.0, 0.0]})
            for channel, ending in (("CAM_FRONT", "jpg"), ("RADAR_FRONT", "pcd")):
                name = f"samples/{channel}/{token}.{ending}"
                if ending == "jpg":
                    jpeg(folder / name, color, scene)
                else:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(sweep(rng.normal(0, 5, (int(rng.integers(6, 12)), 4))))
                tables["sample_data"].append({"token": f"{token}{channel}", "sample_token": token, "ego_pose_token": f"p{token}", "prev": "", "next": "",
                                              "calibrated_sensor_token": f"c{channel}", "is_key_frame": True, "filename": name, "timestamp": time})  # fmt: skip
            tables["sample_annotation"].append({"token": f"a{token}", "sample_token": token, "instance_token": f"i{scene}", "prev": "", "next": "",
                                                "translation": [3.0 * moment + 10, 1.0, 0.0]})  # fmt: skip
    (folder / "v1.0-mini").mkdir(parents=True, exist_ok=True)
    for name, entries in tables.items():
        (folder / "v1.0-mini" / f"{name}.json").write_text(json.dumps(entries, indent=0))
    return folder


def mimic_cxr(folder: Path) -> Path:
    """One study of one frontal picture for each patient."""
    rows: dict[str, list[list[str]]] = {"metadata": [], "chexpert": [], "split": []}
    for part, count in (("train", 30), ("validate", 9), ("test", 6)):
        for _ in range(count):
            at = len(rows["split"])
            subject, study, picture = f"1{at:07d}", f"5{at:07d}", f"{at:08x}-aa"
            color = ("red", "blue")[at % 2]
            place = folder / "files" / f"p{subject[:2]}" / f"p{subject}"
            jpeg(place / f"s{study}" / f"{picture}.jpg", color, at)
            (place / f"s{study}.txt").write_text(" INDICATION: Cough.\n\n FINDINGS: Clear.\n")
            rows["metadata"].append([picture, subject, study, "PA"])
            rows["chexpert"].append([subject, study, *(["1.0", ""] if color == "red" else ["", "1.0"])])
            rows["split"].append([picture, study, subject, part])
    headers = {"metadata": ["dicom_id", "subject_id", "study_id", "ViewPosition"], "chexpert": ["subject_id", "study_id", "Edema", "No Finding"],
               "split": ["dicom_id", "study_id", "subject_id", "split"]}  # fmt: skip
    for name, header in headers.items():
        write_csv(folder / f"mimic-cxr-2.0.0-{name}.csv", header, rows[name])
    return folder


TREES: dict[str, Tree] = {
    "nuscenes": nuscenes, "mimic-cxr": mimic_cxr, **{f"mmf-{name}": build for name, build in MMF.items()}, "huggingface": huggingface,
    "imagefolder": imagefolder, "audiofolder": media(sound, "wav"), "videofolder": media(video, "avi"), "webdataset": webdataset,
    "coco": coco_sets, "tfrecord": tfrecord, "tfds": tfds,
}  # fmt: skip
"""A function that writes a tree, by the name of the command below ``polymodal table``."""
FURTHER: dict[str, tuple[str, Tree]] = {"parquet": ("huggingface", parquet), "described": ("audiofolder", described)}
"""Further trees that a command reads: the command, and the function."""


def as_xlsx(table: Path) -> bytes:
    """A CSV table as a workbook."""
    import csv
    import importlib

    book: Any = importlib.import_module("openpyxl").Workbook()
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
