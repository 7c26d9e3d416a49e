"""A generated drive in the layout of nuScenes: JSON tables, camera pictures and radar sweeps.

In each scene there is one conspicuous road user. The camera shows its kind, a car or a pedestrian; the radar alone shows whether it
approaches or moves away. Both sensors are noisy, and each fails sometimes: there is no entry, or the file of an entry is lost.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

KINDS = {"vehicle.car": (1.8, 1.5), "human.pedestrian.adult": (0.7, 1.75)}  # width, height in metres
_WIDTH, _HEIGHT, _FOCAL = 96, 64, 150.0
_FIELDS = [
    "x",
    "y",
    "z",
    "dyn_prop",
    "id",
    "rcs",
    "vx",
    "vy",
    "vx_comp",
    "vy_comp",
    "is_quality_valid",
    "ambig_state",
    "x_rms",
    "y_rms",
    "invalid_state",
    "pdh0",
    "vx_rms",
    "vy_rms",
]
_RADAR = np.dtype([(name, "<i2" if name == "id" else "<f4" if at in (0, 1, 2, 5, 6, 7, 8, 9) else "i1") for at, name in enumerate(_FIELDS)])


def write(folder: Path, scenes: int, moments: int = 6, seed: int = 0, version: str = "v1.0-mini") -> None:
    """``scenes`` of ``moments``, half a second apart."""
    rng = np.random.default_rng(seed)
    tables: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def token() -> str:
        return rng.bytes(16).hex()

    def add(table: str, **facts: Any) -> str:
        tables[table].append({"token": (made := token()), **facts})
        return made

    for name in ("CAM_FRONT", "RADAR_FRONT"):
        (folder / "samples" / name).mkdir(parents=True, exist_ok=True)
    categories = {name: add("category", name=name, description="") for name in KINDS}
    mounted = {}
    for channel, modality in (("CAM_FRONT", "camera"), ("RADAR_FRONT", "radar")):
        sensor = add("sensor", channel=channel, modality=modality)
        mounted[channel] = add(
            "calibrated_sensor", sensor_token=sensor, translation=[1.7, 0.0, 1.5], rotation=[1.0, 0.0, 0.0, 0.0], camera_intrinsic=[]
        )
    for at in range(scenes):
        log = add(
            "log",
            logfile=f"n{at:04d}",
            vehicle="n1",
            date_captured="2018-07-01",
            location=str(rng.choice(["boston-seaport", "singapore-onenorth"])),
        )
        _scene(folder, at, moments, rng, add, tables, log, categories, mounted)
    for name in ("attribute", "visibility", "map"):
        tables[name] = []
    (folder / version).mkdir(exist_ok=True)
    for name, entries in tables.items():
        (folder / version / f"{name}.json").write_text(json.dumps(entries, indent=0), encoding="utf-8")


def _scene(
    folder: Path,
    at: int,
    moments: int,
    rng: np.random.Generator,
    add: Any,
    tables: Any,
    log: str,
    categories: dict[str, str],
    mounted: dict[str, str],
) -> None:
    kind = str(rng.choice(list(KINDS)))
    night, rain = rng.random() < 0.2, rng.random() < 0.2
    said = ", ".join(word for word, so in (("Night", night), ("rain", rain), ("wide road", True)) if so)
    scene = add("scene", name=f"scene-{at:04d}", description=said, log_token=log, nbr_samples=moments)
    instance = add("instance", category_token=categories[kind])
    speed, heading = rng.uniform(3, 14), rng.uniform(-math.pi, math.pi)
    closing = rng.uniform(1.5, 5) * rng.choice([-1, 1])
    middle = rng.uniform(12, 20)  # metres ahead, halfway through the scene: coming or going, it is seen at the same distances
    aside = rng.uniform(-3, 3)
    start = 1_530_000_000_000_000 + at * 10**9
    annotations: list[dict[str, Any]] = []
    before = ""
    for step in range(moments):
        moment = start + step * 500_000
        seconds = 0.5 * (step - (moments - 1) / 2)
        ahead = max(5.0, middle - closing * seconds)
        own = np.array([math.cos(heading), math.sin(heading)]) * speed * 0.5 * step
        sample = add("sample", scene_token=scene, timestamp=moment, prev=before, next="")
        if before:
            next(entry for entry in reversed(tables["sample"]) if entry["token"] == before)["next"] = sample
        before = sample
        rotation = [math.cos(heading / 2), 0.0, 0.0, math.sin(heading / 2)]
        pose = {"timestamp": moment, "translation": [*own.tolist(), 0.0], "rotation": rotation}
        picture, sweep = _picture(kind, ahead, aside, night, rain, rng), _sweep(ahead, aside, closing, speed, rng)
        for channel, body in (("CAM_FRONT", picture), ("RADAR_FRONT", sweep)):
            if rng.random() < 0.02:
                continue  # the sensor wrote nothing at that moment
            name = f"samples/{channel}/{moment}{'.jpg' if channel == 'CAM_FRONT' else '.pcd'}"
            place = add("ego_pose", **pose)
            add("sample_data", sample_token=sample, ego_pose_token=place, calibrated_sensor_token=mounted[channel], timestamp=moment,
                fileformat=name[-3:], is_key_frame=True, height=0, width=0, filename=name, prev="", next="")  # fmt: skip
            if rng.random() >= 0.02:  # else its file was lost
                body.save(folder / name, quality=85) if isinstance(body, Image.Image) else (folder / name).write_bytes(body)
        there = own + ahead * np.array([math.cos(heading), math.sin(heading)]) + aside * np.array([-math.sin(heading), math.cos(heading)])
        previous = annotations[-1]["token"] if annotations else ""
        made = add("sample_annotation", sample_token=sample, instance_token=instance, translation=[*there.tolist(), 0.8],
                   size=[1.8, 4.5, 1.5], rotation=rotation, prev=previous, next="", num_lidar_pts=0, num_radar_pts=3, attribute_tokens=[],
                   visibility_token="4")  # fmt: skip
        if annotations:
            annotations[-1]["next"] = made
        annotations.append(tables["sample_annotation"][-1])


def _picture(kind: str, ahead: float, aside: float, night: bool, rain: bool, rng: np.random.Generator) -> Image.Image:
    """The road ahead, and on it what stands out, as large as it is near."""
    dark = 0.45 if night else 1.0
    horizon = int(_HEIGHT * 0.42 + rng.normal(0, 1.5))
    grey = int(rng.integers(75, 115))
    image = Image.new("RGB", (_WIDTH, _HEIGHT), tuple(int(value) for value in rng.integers(130, 220, 3)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, horizon, _WIDTH, _HEIGHT), fill=tuple(int(value) for value in rng.integers(60, 140, 3)))
    for _ in range(int(rng.integers(3, 8))):  # houses and trees
        left, width, height = (int(value) for value in rng.integers((0, 4, 3), (_WIDTH, 18, 16)))
        draw.rectangle((left, horizon - height, left + width, horizon), fill=tuple(int(value) for value in rng.integers(40, 200, 3)))
    draw.polygon([(_WIDTH * 0.47, horizon), (_WIDTH * 0.53, horizon), (_WIDTH, _HEIGHT), (0, _HEIGHT)], fill=(grey, grey, grey + 5))
    draw.line((_WIDTH / 2, horizon, _WIDTH / 2, _HEIGHT), fill=(220, 220, 200))
    width, height = (size * rng.uniform(0.9, 1.1) * _FOCAL / ahead for size in KINDS[kind])
    foot, middle = min(horizon + 1.5 * _FOCAL / ahead, _HEIGHT - 2), _WIDTH / 2 - aside * _FOCAL / ahead
    box = (middle - width / 2, foot - height, middle + width / 2, foot)
    color = tuple(int(value) for value in rng.integers(20, 235, 3))
    if kind == "human.pedestrian.adult":
        head = height * 0.16
        draw.ellipse((middle - head / 2, box[1], middle + head / 2, box[1] + head), fill=(200, 160, 130))
        draw.rectangle((box[0], box[1] + head, box[2], box[1] + height * 0.6), fill=color)
        for side in (-1, 1):
            draw.line((middle, box[1] + height * 0.6, middle + side * width / 3, foot), fill=(30, 30, 50), width=max(1, int(width / 4)))
    else:
        roof = height * 0.4
        draw.rectangle((box[0] + width * 0.12, box[1], box[2] - width * 0.12, foot), fill=color)
        draw.rectangle((box[0], box[1] + roof, box[2], foot), fill=color)
        draw.rectangle((box[0] + width * 0.18, box[1] + height * 0.08, box[2] - width * 0.18, box[1] + height * 0.36), fill=(50, 60, 70))
        for side in (box[0] + width * 0.04, box[2] - width * 0.2):
            draw.rectangle((side, foot - height * 0.12, side + width * 0.16, foot), fill=(15, 15, 15))
    blur = 1.2 if rain else 0.4
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(blur)), np.float64) * dark * rng.uniform(0.85, 1.1)
    return Image.fromarray(np.clip(pixels + rng.normal(0, 6 if not night else 10, pixels.shape), 0, 255).astype(np.uint8))


def _sweep(ahead: float, aside: float, closing: float, speed: float, rng: np.random.Generator) -> bytes:
    """What stands still comes nearer at the own speed; some points are of the one that stands out; some are ghosts."""
    still, moving, ghosts = int(rng.integers(20, 50)), int(rng.integers(3, 7)), int(rng.integers(0, 2))
    points = np.zeros(still + moving + ghosts, _RADAR)
    points["x"], points["y"] = rng.uniform(3, 60, len(points)), rng.uniform(-20, 20, len(points))
    points["vx"], points["dyn_prop"] = -speed + rng.normal(0, 0.4, len(points)), 1
    points["x"][still : still + moving] = ahead + rng.normal(0, 0.5, moving)
    points["y"][still : still + moving] = aside + rng.normal(0, 0.5, moving)
    points["vx"][still : still + moving] = -closing + rng.normal(0, 0.5, moving)
    points["vx"][still + moving :] = rng.normal(0, 5, ghosts)
    points["dyn_prop"][still:] = 0
    points["vx_comp"] = points["vx"] + speed
    points["rcs"] = rng.normal(5, 8, len(points))
    points["id"], points["is_quality_valid"], points["ambig_state"] = np.arange(len(points)), 1, 3
    points = points[rng.permutation(len(points))]
    kinds = [points.dtype[name] for name in _FIELDS]
    head = (
        f"# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS {' '.join(_FIELDS)}\n"
        f"SIZE {' '.join(str(kind.itemsize) for kind in kinds)}\n"
        f"TYPE {' '.join('F' if kind.kind == 'f' else 'I' for kind in kinds)}\nCOUNT {' '.join('1' for _ in kinds)}\n"
        f"WIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA binary\n"
    )
    return head.encode() + points.tobytes()
