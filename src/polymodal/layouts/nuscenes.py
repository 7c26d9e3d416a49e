"""nuScenes (Caesar et al. 2020, arXiv:1903.11027): reads its folder of JSON tables and sensor files into one row for each annotated sample.

A row contains the file of each requested sensor (or several sweeps, ``a.pcd;b.pcd``, oldest first), the speed of the vehicle, location,
weather and light, and targets computed from the annotated objects. Speed and closing speed use the past wherever there is one. Of the large
tables ``sample_data``, ``ego_pose`` and ``sample_annotation``, one entry is in memory at a time, and only
the values that the rows need are kept.
"""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError, DataError, nearest
from ..language import Sentence
from .folders import Folder, below
from .json_stream import Record
from .usage import TARGET, Usage

TARGETS = ("nearest", "nearest_distance", "nearest_closing", "nearest_moves", "counts")
"""Targets on the objects within range: the category of the nearest one, its distance (m), its closing speed (m/s), its category and whether
it is approaching, receding or steady; the number of objects of each category."""
FACTS = ("sample", "scene", "scene_name", "timestamp")
"""Columns that identify a row and are not features."""
STEADY = 0.5
"""The closing speed in m/s below which an object is steady."""
_REFERENCE = "LIDAR_TOP"  # the sensor whose time and place are used for the sample, if present


def rows(
    folder: str | os.PathLike[str],
    version: str | None = None,
    *,
    channels: Sequence[str] = ("CAM_FRONT", "RADAR_FRONT"),
    sweeps: int = 1,
    targets: Sequence[str] = ("nearest",),
    angle: float = 180.0,
    within: float = 50.0,
) -> Iterator[Record]:
    """Return the rows, scene by scene in the order of time. A sensor without a file in a sample has an empty cell.

    :param folder: the folder that contains ``v1.0-...``, ``samples`` and ``sweeps``
    :param version: ``v1.0-mini``, ``v1.0-trainval``, ...; None = the only one in the folder
    :param channels: the sensors, each a column, such as CAM_FRONT, RADAR_FRONT, LIDAR_TOP
    :param sweeps: the number of sweeps in each cell of a radar or lidar (1 to 100), the present one last; cameras have one picture
    :param targets: the targets, of ``TARGETS``
    :param angle: the largest angle from straight ahead, in degrees, at which objects count for targets; 180 = all directions
    :param within: the largest distance, in metres, at which they count
    :raises ConfigError: a target is unknown, or a number is out of range
    :raises DataError: a table or a key is absent, the name of a file leads out of the folder, or a channel has no file at all
    """
    for target in targets:
        if target not in TARGETS:
            raise ConfigError(f"target {target!r}: unknown; expected {', '.join(TARGETS)}{nearest(target, TARGETS)}")
    if not channels or not 1 <= sweeps <= 100 or not 0 < angle <= 180 or not within > 0:
        raise ConfigError("nuscenes: expected at least one channel, 1 to 100 sweeps, an angle in (0, 180] degrees, and a distance above 0")
    return _Reading(
        Folder(folder, "nuScenes (v1.0-..., samples, sweeps)"), version, list(channels), sweeps, list(targets), angle, within
    ).rows()


@dataclass
class _Moment:
    """The time and place of a sample, the files of its sensors, and its nearest object."""

    scene: str
    time: float
    files: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    pose: str = ""
    place: tuple[float, float, float] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    nearest: tuple[float, str, str] | None = None
    closing: float | None = None


class _Reading:
    def __init__(
        self, folder: Folder, version: str | None, channels: list[str], sweeps: int, targets: list[str], angle: float, within: float
    ) -> None:
        self.folder, self.channels, self.sweeps, self.targets = folder, channels, sweeps, targets
        self.angle, self.within = math.radians(angle), within
        self.version = self._version(version)
        self.moments: dict[str, _Moment] = {}
        self.earlier: dict[str, tuple[str, str]] = {}  # for channels with several sweeps: token -> previous token, file

    def table(self, name: str, *keys: str) -> Iterator[Record]:
        """Yield the entries of one table, after checking that their tokens are text."""
        tokens = [key for key in keys if key.endswith("token") or key in ("prev", "next")]
        for at, entry in enumerate(self.folder.entries(f"{self.version}/{name}.json", *keys), 1):
            for key in tokens:
                if not isinstance(entry[key], str):
                    raise DataError(f"{self.version}/{name}.json entry {at}: {key} {str(entry[key])[:40]!r}; expected text")
            yield entry

    def rows(self) -> Iterator[Record]:
        """Read the tables, and yield the rows."""
        logs = {entry["token"]: str(entry["location"]) for entry in self.table("log", "token", "location")}
        scenes = {entry["token"]: entry for entry in self.table("scene", "token", "name", "description", "log_token")}
        for entry in self.table("sample", "token", "scene_token", "timestamp"):
            self.moments[entry["token"]] = _Moment(entry["scene_token"], _number(entry["timestamp"], "sample.timestamp") / 1e6)
        self._read_files()
        self._read_places()
        names = self._read_objects() if self.targets else []
        by_scene: dict[str, list[str]] = defaultdict(list)
        for token, moment in self.moments.items():
            by_scene[moment.scene].append(token)
        for scene_token, tokens in by_scene.items():
            if scene_token not in scenes:
                raise DataError(
                    f"{self.version}/sample.json: scene {scene_token[:40]!r} is not in scene.json; expected the scene of every sample"
                )
            scene, before = scenes[scene_token], None
            for token in sorted(tokens, key=lambda token: self.moments[token].time):
                moment = self.moments[token]
                yield {
                    "sample": token, "scene": scene_token, "scene_name": str(scene["name"]), "timestamp": f"{moment.time:.6f}",
                    **{channel: self._cell(moment, channel) for channel in self.channels},
                    "speed": _speed(before, moment), "location": logs.get(scene["log_token"], ""), **_weather(str(scene["description"])),
                    "description": str(scene["description"]), **self._targets(moment, names),
                }  # fmt: skip
                before = moment
        self._check_contents()
        self.folder.warn_missing(apart=True)

    def _check_contents(self) -> None:
        """Check that there are samples, files of every channel, and objects.

        :raises DataError: a table lacks all of them
        """
        tables = f"{self.folder.path / self.version}"
        if not self.moments:
            raise DataError(f"{tables}/sample.json: no samples; expected at least one; copy the folder again")
        for channel in self.channels:
            if not any(channel in moment.files for moment in self.moments.values()):
                raise DataError(
                    f"{tables}/sample_data.json: no file of {channel} in any sample; expected at least one; leave the channel out"
                )
        if self.targets and not any(moment.counts for moment in self.moments.values()):
            text = Sentence("layout.no_objects", place=f"{tables}/sample_annotation.json", within=self.within)
            warnings.warn(text, UserWarning, stacklevel=3)

    def _version(self, version: str | None) -> str:
        versions = sorted(path.name for path in self.folder.path.glob("v1.*") if path.is_dir())
        if version is None and len(versions) == 1:
            return versions[0]
        if version not in versions:
            fault = f"no version {version!r}" if version is not None else f"{len(versions)} versions" if versions else "no version"
            near = nearest(str(version), versions) if version is not None else ""
            raise DataError(f"{self.folder.path}: {fault}; expected {' or '.join(versions) or 'a folder v1.0-mini or v1.0-trainval'}{near}")
        return version

    def _read_files(self) -> None:
        """Read the file of each channel in each sample, and the sweeps before it."""
        sensors = {entry["token"]: entry for entry in self.table("sensor", "token", "channel", "modality")}
        known = [str(sensor["channel"]) for sensor in sensors.values()]
        for channel in self.channels:
            if channel not in known:
                raise DataError(f"{self.version}/sensor.json: no channel {channel!r}; expected {', '.join(known)}{nearest(channel, known)}")
        channels_by_sensor: dict[str, str] = {}
        many: set[str] = set()
        reference = _REFERENCE if _REFERENCE in known else self.channels[0]
        for entry in self.table("calibrated_sensor", "token", "sensor_token"):
            sensor = sensors.get(entry["sensor_token"])
            if sensor is not None and (sensor["channel"] in self.channels or sensor["channel"] == reference):
                channels_by_sensor[entry["token"]] = str(sensor["channel"])
                if self.sweeps > 1 and sensor["modality"] != "camera" and sensor["channel"] in self.channels:
                    many.add(str(sensor["channel"]))
        self.many = many
        keys = ("token", "sample_token", "ego_pose_token", "calibrated_sensor_token", "is_key_frame", "filename", "prev")
        for at, entry in enumerate(self.table("sample_data", *keys), 1):
            channel = channels_by_sensor.get(entry["calibrated_sensor_token"], "")
            if not channel or not (entry["is_key_frame"] or channel in many):
                continue
            name = below(entry["filename"], f"{self.version}/sample_data.json entry {at}, filename") if channel in self.channels else ""
            if channel in many:
                self.earlier[entry["token"]] = (str(entry["prev"]), name)
            moment = self.moments.get(entry["sample_token"])
            if moment is None or not entry["is_key_frame"]:
                continue
            if name:
                moment.files[channel], moment.last[channel] = name, entry["token"] if channel in many else ""
            if channel == reference or not moment.pose:
                moment.pose = entry["ego_pose_token"]

    def _read_places(self) -> None:
        """Read the position and the heading of the vehicle in each sample."""
        by_pose = defaultdict(list)
        for moment in self.moments.values():
            if moment.pose:
                by_pose[moment.pose].append(moment)
        for entry in self.table("ego_pose", "token", "translation", "rotation"):
            for moment in by_pose.get(entry["token"], ()):
                x, y = _numbers(entry["translation"], "ego_pose.translation", 3)[:2]
                w, i, j, k = _numbers(entry["rotation"], "ego_pose.rotation", 4)
                moment.place = (x, y, math.atan2(2 * (w * k + i * j), 1 - 2 * (j * j + k * k)))

    def _read_objects(self) -> list[str]:
        """Count the objects around each sample, find the nearest one and its closing speed, and return the names of all categories."""
        categories = {entry["token"]: str(entry["name"]) for entry in self.table("category", "token", "name")}
        kinds = {entry["token"]: categories.get(entry["category_token"], "") for entry in self.table("instance", "token", "category_token")}
        for entry in self.table("sample_annotation", "sample_token", "instance_token", "translation", "prev", "next"):
            moment = self.moments.get(entry["sample_token"])
            kind = kinds.get(entry["instance_token"])
            if moment is None or moment.place is None or not kind:
                continue
            distance, bearing = _position_from(moment.place, entry["translation"])
            if distance > self.within or abs(bearing) > self.angle:
                continue
            moment.counts[kind] += 1
            if moment.nearest is None or distance < moment.nearest[0]:
                moment.nearest = (distance, kind, str(entry["prev"] or entry["next"] or ""))
        if {"nearest_closing", "nearest_moves"} & set(self.targets):
            self._read_closing()
        return sorted(set(categories.values()))

    def _read_closing(self) -> None:
        others: dict[str, list[_Moment]] = defaultdict(list)
        for moment in self.moments.values():
            if moment.nearest is not None and moment.nearest[2]:
                others[moment.nearest[2]].append(moment)
        for entry in self.table("sample_annotation", "token", "sample_token", "translation"):
            then = self.moments.get(entry["sample_token"])
            for moment in others.get(entry["token"], ()):
                if moment.nearest is not None and then is not None and then.place is not None and then.time != moment.time:
                    distance, _ = _position_from(then.place, entry["translation"])
                    moment.closing = (distance - moment.nearest[0]) / (moment.time - then.time)

    def _cell(self, moment: _Moment, channel: str) -> str:
        present = moment.files.get(channel)
        if present is None:
            return ""
        file = self.folder.file(channel, present)
        if channel not in self.many or not file:
            return file
        names, token = [file], self.earlier[moment.last[channel]][0]
        while len(names) < self.sweeps and token in self.earlier:
            token, name = self.earlier[token]
            if self.folder.there(name):
                names.append(name)
        return ";".join(reversed(names)) + (";" if len(names) == 1 else "")  # a set of one sweep, whose points have a time as in all sets

    def _targets(self, moment: _Moment, names: list[str]) -> Record:
        row: Record = {}
        distance, kind, _ = moment.nearest or (None, "", "")
        for target in self.targets:
            if target == "counts":
                row |= {"count_" + name.replace(".", "_"): moment.counts[name] for name in names}
            elif target == "nearest_moves":
                row[target] = f"{kind} {_moves(moment.closing)}" if kind and moment.closing is not None else ""
            else:
                row[target] = {"nearest": kind, "nearest_distance": distance, "nearest_closing": moment.closing}[target]
        return row


def _moves(closing: float) -> str:
    return "steady" if abs(closing) < STEADY else "approaching" if closing > 0 else "receding"


def _speed(before: _Moment | None, now: _Moment) -> float | None:
    """Return the speed in metres per second since the sample before; None for the first sample of a scene."""
    if before is None or before.place is None or now.place is None or now.time <= before.time:
        return None
    return math.dist(before.place[:2], now.place[:2]) / (now.time - before.time)


def _position_from(place: tuple[float, float, float], at: Any) -> tuple[float, float]:
    """Return the distance over ground, and the angle from straight ahead in radians."""
    x, y = _numbers(at, "sample_annotation.translation", 3)[:2]
    right, up = x - place[0], y - place[1]
    bearing = math.atan2(up, right) - place[2]
    return math.hypot(right, up), math.atan2(math.sin(bearing), math.cos(bearing))


def _weather(description: str) -> dict[str, str]:
    """Return the weather and the light according to a scene's description; both are empty if it is empty."""
    if not description.strip():
        return {"weather": "", "light": ""}
    words = description.casefold()
    return {"weather": "rain" if "rain" in words else "dry", "light": "night" if "night" in words else "day"}


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e18:
        raise DataError(f"{place}: found {str(value)[:40]!r}; expected a number")
    return float(value)


def _numbers(values: Any, place: str, count: int) -> list[float]:
    if not isinstance(values, list) or len(values) != count:
        raise DataError(f"{place}: found {str(values)[:40]!r}; expected {count} numbers")
    return [_number(value, place) for value in values]


def usage(folder: str, columns: Sequence[str], targets: Sequence[str]) -> Usage:
    """Return how the table is used for training: targets and names are not features, and each scene stays in one part of the split."""
    made = [name for name in columns if name in TARGETS or name.startswith("count_")]
    ignored = [name for name in (*FACTS, "description", *made) if name != "scene"]
    settings = [f"fields.{name}.channels=5" for name in columns if name.startswith("LIDAR_")]
    return Usage(made[0] if made else TARGET, folder, "scene", ignored, settings)
