"""Points: lidar and radar sweeps, which are sets of points with some numbers each (x y z, intensity, speed, cross-section).

A cell is a list of points, an array (N, C), the same as JSON text, or a file: ``.npy .bin .pcd .ply .las .laz .csv .parquet``. Several
sweeps of one cell (a list of lists of points, or ``a.pcd;b.pcd``) become one set. Its points have the position of their sweep in time as an
additional channel.

Shapes: ``N`` points, ``C`` channels, ``U`` distinct clouds.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal
from zlib import crc32

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor

from ..errors import Fault
from ..flow import Cell, Form, Geometry, Sample, State
from ..language import Sentence
from .clouds import EXTENSIONS, RAW, points_of, raw_channels
from .files import Roots
from .modality import Modality, OneColumn, Recognition, percent
from .sequences import bucket, evenly
from .signal_corruption import Corruption, of_points

_ENOUGH = 256  # the maximum number of points of one cloud in a training step, unless ``points`` is more than twice as large
_PEEKED = 16  # the maximum number of files that are read to recognise a column
_COMPARED = 64  # the maximum number of raw files from which the number of channels is inferred
_SHORTEST, _MAX_CHANNELS, _MAX_POINTS = 32, 64, 20_000_000
_FROM, _TO = 3, 8  # the numbers of channels of arrays that are recognised as points


class PointsConfig(OneColumn):
    """A column of point clouds."""

    kind: Literal["points"] = "points"
    channels: int | None = Setting(None, ge=1, le=_MAX_CHANNELS)
    """The number of channels of each point in raw ``.bin`` files; null = 3 to 6, inferred from the values of the training files."""
    points: int = Setting(512, ge=32, le=65_536)
    """The maximum number of points of one cloud; more points are sampled at random. Cost grows with it."""
    max_mb: float = Setting(64.0, gt=0, le=2_048)
    """The maximum size of a file or cell in MiB. A larger one is not read and counts as a fault."""
    rotate: float = Setting(10.0, ge=0, le=180)
    """The maximum rotation of training clouds about the vertical axis in degrees. Speeds along x and y are not rotated; use 0 for those."""
    jitter: float = Setting(0.02, ge=0, le=1)
    """The standard deviation of the noise added to training points, in standard deviations of each channel."""

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Points``."""
        return Points


class Points(Modality):
    """Read point clouds from files, bytes and arrays."""

    kind = "points"
    sent_as = "numbers"
    forms = ("points",)
    fit_cells = 256
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Recognise files of points, and arrays of 3 to 8 channels if their numbers of points differ (otherwise they are series)."""
        if not cells:
            return Recognition(0.0)
        named = sum(_ends_with(cell, EXTENSIONS) for cell in cells) / len(cells)
        if named >= 0.5:
            return Recognition(0.6 + 0.4 * named, {}, Sentence("why.point_files", share=percent(named)))
        config = PointsConfig(column="x")
        shapes = []
        in_files = any(_ends_with(cell, (".npy", ".csv", ".parquet", RAW)) for cell in cells)
        raw = _raw_channels(cells, config, roots)
        for cell in [cells[at] for at in evenly(len(cells), _PEEKED)] if in_files else cells:
            try:
                shapes.append(_cloud(cell, config, roots, raw).shape)
            except Fault:
                continue
        counts, channels = {shape[0] for shape in shapes}, {shape[1] for shape in shapes}
        alike = len(channels) == 1 and _FROM <= next(iter(channels)) <= _TO
        if len(shapes) < 0.5 * min(len(cells), _PEEKED) or not alike or len(counts) < 2:
            return Recognition(0.0)
        why = f"{min(counts):,} to {max(counts):,} rows of {next(iter(channels))} numbers: points (series with --column NAME=series)"
        return Recognition(0.95, {}, why)

    @classmethod
    def fit(cls, config: PointsConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Learn the state: ``channels``, the maximum number of ``points``, ``mean`` and ``std`` of each channel (x, y and z share one
        ``std``), the mean ``count`` of the logarithms of the numbers of points and its standard deviation ``count_std``, and
        ``raw_channels``, the number of channels of raw files, if there are any."""
        cls.check_form(form)
        cells = list(cells)
        raw = _raw_channels(cells, config, roots)
        clouds = []
        for cell in cells:
            try:
                clouds.append(_cloud(cell, config, roots, raw))
            except Fault:
                continue
        shapes = Counter(cloud.shape[1] for cloud in clouds)
        channels = shapes.most_common(1)[0][0] if shapes else 3
        state: State = {"form": form, "channels": channels, "points": config.points, "mean": [0.0] * channels, "std": [1.0] * channels,
                        "count": 5.0, "count_std": 1.0}  # fmt: skip
        if raw is not None:
            state["raw_channels"] = raw
        kept = [cloud for cloud in clouds if cloud.shape[1] == channels]
        if kept:
            values = np.concatenate([cloud[:: max(1, len(cloud) // 2_000)] for cloud in kept]).clip(-1e150, 1e150)
            std = values.std(0)
            axes = min(3, channels)
            std[:axes] = std[:axes].max()
            state["mean"] = [float(value) for value in values.mean(0)]
            state["std"] = [float(value) if value > 1e-12 * float(abs(values[:, at]).max()) else 1.0 for at, value in enumerate(std)]
            sizes = np.log1p([len(cloud) for cloud in kept])
            state["count"], state["count_std"] = float(sizes.mean()), max(float(sizes.std()), 0.1)
        return state

    def check(self) -> None:
        """Check that sizes are within bounds, and that each channel has a finite mean and a positive standard deviation."""
        self.check_form(self.state["form"])
        channels, points, mean, std = (self.state[name] for name in ("channels", "points", "mean", "std"))
        if type(channels) is not int or not 1 <= channels <= _MAX_CHANNELS + 1 or type(points) is not int or not 32 <= points <= 65_536:
            raise ValueError(f"{points} points of {channels} channels")
        raw = self.state.get("raw_channels", 1)
        if type(raw) is not int or not 1 <= raw <= _MAX_CHANNELS:
            raise ValueError(f"raw files of {raw} channels")
        facts = [*mean, *std, self.state["count"], self.state["count_std"]]
        valid = len(mean) == len(std) == channels and all(type(fact) in (int, float) and math.isfinite(fact) for fact in facts)
        if not valid or min(*std, self.state["count_std"]) <= 0:
            raise ValueError("means and standard deviations that do not fit the channels")

    def read(self, cell: Cell) -> Sample:
        """Return ``points`` float32 (N, C), standardised, and ``count`` float32 (1,), the standardised logarithm of the number of
        points."""
        return self.sample_of(self.parsed(cell))

    def parsed(self, cell: Cell) -> np.ndarray:
        """Return all points of the cell, float64 (N, C)."""
        return _cloud(cell, self.config, self.roots, self.state.get("raw_channels"))

    def sample_of(self, cloud_NC: np.ndarray) -> Sample:
        """Sample at most the maximum number of points from a cloud (N, C), and standardise them."""
        channels, most = self.state["channels"], self.state["points"]
        if cloud_NC.shape[1] != channels:
            raise Fault(f"points of {cloud_NC.shape[1]} numbers; expected {channels}, as in training")
        count = (math.log1p(len(cloud_NC)) - self.state["count"]) / self.state["count_std"]
        if len(cloud_NC) > most:  # seeded by the content, so that reading the cell again gives the same points
            rng = np.random.default_rng(crc32(np.ascontiguousarray(cloud_NC).tobytes()))
            cloud_NC = cloud_NC[np.sort(rng.permutation(len(cloud_NC))[:most])]
        centred_NC = (cloud_NC - np.array(self.state["mean"])) / np.array(self.state["std"])
        return {"points": centred_NC.clip(-20, 20).astype(np.float32), "count": np.array([max(-10.0, min(10.0, count))], np.float32)}

    def blank(self) -> Sample:
        """Return a cloud of one point at the mean."""
        return {"points": np.zeros((1, self.state["channels"]), np.float32), "count": np.zeros(1, np.float32)}

    def geometry(self, sample: Sample) -> Geometry:
        """Return the number of points, rounded up to a power of two."""
        return (bucket(len(sample["points"]), _SHORTEST, self.state["points"]),)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """Return ``points`` float32 (U, N, C), ``real`` bool (U, N), False = padding, and ``count`` float32 (U, 1)."""
        (most,) = geometry
        points_UNC = np.zeros((len(samples), most, self.state["channels"]), np.float32)
        real_UN = np.zeros((len(samples), most), bool)
        for row, real, sample in zip(points_UNC, real_UN, samples, strict=True):
            part = sample["points"][:most]
            row[: len(part)], real[: len(part)] = part, True
        counts_U1 = np.stack([sample["count"] for sample in samples])
        return {"points": torch.from_numpy(points_UNC), "real": torch.from_numpy(real_UN), "count": torch.from_numpy(counts_U1)}

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return a cloud that is rotated, with added noise and without some of its points; of many points, a random half at most is
        kept."""
        points_NC = sample["points"] + (rng.normal(0, 1, sample["points"].shape) * self.config.jitter).astype(np.float32)
        angle = math.radians(rng.uniform(-1, 1) * self.config.rotate)
        if points_NC.shape[1] >= 2:
            x_N, y_N = points_NC[:, 0].copy(), points_NC[:, 1].copy()
            points_NC[:, 0] = x_N * math.cos(angle) - y_N * math.sin(angle)
            points_NC[:, 1] = x_N * math.sin(angle) + y_N * math.cos(angle)
        keep = rng.random(len(points_NC)) >= rng.uniform(0, 0.2)
        keep[:1] |= not keep.any()
        most = max(_ENOUGH, self.state["points"] // 2)
        if keep.sum() > most:
            keep[rng.permutation(np.flatnonzero(keep))[most:]] = False
        return {"points": np.ascontiguousarray(points_NC[keep]), "count": sample["count"]}

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of all points, before they are sampled."""
        return of_points(self.state["mean"], self.state["std"])

    def cost(self) -> float:
        """Return the approximate cost, which grows with the number of points."""
        return 6e3 * int(self.state["points"])

    def describe(self) -> str:
        """Return the maximum number of points and the number of channels, in words."""
        return Sentence("describe.points", points=self.state["points"], channels=self.state["channels"])


def _ends_with(cell: Cell, extensions: tuple[str, ...]) -> bool:
    """Whether a cell is a path with one of these extensions."""
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    return isinstance(cell, str) and len(cell) < 4096 and cell.strip().casefold().endswith(extensions)


def _raw_channels(cells: Sequence[Cell], config: PointsConfig, roots: Roots) -> int | None:
    """Return the number of channels of the raw files among the cells, from the config or from their values; None if there are none."""
    raw = [cell for cell in cells if _ends_with(cell, (RAW,))]
    if config.channels is not None or not raw:
        return config.channels if raw else None
    return raw_channels(_bodies([raw[at] for at in evenly(len(raw), _COMPARED)], config, roots))


def _bodies(cells: Iterable[Cell], config: PointsConfig, roots: Roots) -> Iterator[bytes]:
    """Yield the contents of the cells' files, of the last sweep if there are several. Files that cannot be read are skipped."""
    for cell in cells:
        with contextlib.suppress(Fault):
            yield roots.bytes_of(os.fspath(cell).rpartition(";")[2].strip(), int(config.max_mb * 2**20))


def _cloud(cell: Cell, config: PointsConfig, roots: Roots, raw: int | None) -> np.ndarray:
    """Return a cell as float64 (N, C).

    :param raw: the number of channels of raw files
    :raises Fault: the cell has no points
    """
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            raise Fault("a list that is not valid JSON; expected points") from None
    if isinstance(cell, str) and ";" in cell and not cell.startswith("data:"):
        sweeps = [_file(part.strip(), config, roots, raw) for part in cell.split(";") if part.strip()]
        cloud_NC = _in_time(sweeps)
    elif isinstance(cell, (list, tuple, np.ndarray)):
        cloud_NC = _of_list(cell)
    else:
        cloud_NC = _file(cell, config, roots, raw)
    if not cloud_NC.size:
        raise Fault("a cloud with no points")
    if len(cloud_NC) > _MAX_POINTS or cloud_NC.shape[1] > _MAX_CHANNELS + 1:
        raise Fault(f"{len(cloud_NC):,} points of {cloud_NC.shape[1]} numbers; expected at most {_MAX_POINTS:,} of {_MAX_CHANNELS}")
    real_N = np.isfinite(cloud_NC).all(1)  # sensors write NaN if there is no return
    if not real_N.any():
        raise Fault("a cloud of points whose numbers are not finite")
    real_NC: np.ndarray = cloud_NC[real_N]
    return real_NC


def _file(cell: Cell, config: PointsConfig, roots: Roots, raw: int | None) -> np.ndarray:
    """Read the points of a file, float64 (N, C)."""
    return points_of(roots.bytes_of(cell, int(config.max_mb * 2**20)), cell, config.channels or raw)


def _of_list(cell: Any) -> np.ndarray:
    """Return the points of a list or an array, float64 (N, C)."""
    try:
        if not len(cell):
            raise Fault("a cloud with no points")
        if isinstance(cell, np.ndarray) and cell.dtype.kind in "fiu":
            array = cell.astype(np.float64)
        elif len(cell[0]) and isinstance(cell[0][0], (list, tuple, np.ndarray)):
            return _in_time([np.array(sweep, np.float64).reshape(len(sweep), -1) for sweep in cell if len(sweep)])
        else:
            array = np.array([[math.nan if value is None else value for value in point] for point in cell], np.float64)
    except (TypeError, ValueError, OverflowError, IndexError, KeyError):
        raise Fault("a list that contains no points; expected points with equally many numbers each") from None
    if array.ndim == 3:
        return _in_time(list(array))
    if array.ndim != 2:
        raise Fault(f"an array of {array.ndim} dimensions; expected points x numbers")
    return array


def _in_time(sweeps: Sequence[np.ndarray]) -> np.ndarray:
    """Join several sweeps. Each point gets the position of its sweep, from 0 to 1, as an additional channel."""
    if len({sweep.shape[1] for sweep in sweeps}) > 1:
        raise Fault("sweeps with different numbers of channels; expected the same number in all of them")
    last = max(len(sweeps) - 1, 1)
    timed = [np.concatenate([sweep, np.full((len(sweep), 1), at / last)], 1) for at, sweep in enumerate(sweeps)]
    return np.concatenate(timed) if timed else np.zeros((0, 0))
