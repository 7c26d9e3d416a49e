"""Sound: a file, bytes or a data URI (``sounds.py`` says of which formats), or the sound track of a video, to a log-mel spectrogram.

Any sampling rate and any count of channels: channels are averaged, and the sound is resampled in the frequency domain, which is exact for
a band-limited signal. A spectrogram is kept in bytes, as steps of 80/255 dB below its loudest point: how loud a recording is says more of
the microphone than of what is said, and stands beside it as a number of its own. Mel filters are Slaney's (1998, Auditory Toolbox).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor

from ..errors import Fault
from ..flow import Cell, Form, Geometry, Sample, State
from ..layers.mel import slaney_filters
from .files import Roots
from .modality import Modality, OneColumn, Recognition, bucket, evenly, padded
from .signal_corruption import Corruption, of_sounds
from .sounds import looks_like_a_sound, samples_of
from .tracks import hold_sound_alone

_PEEKED = 16  # files whose first bytes are looked at to recognise a column
_WINDOW, _HOP = 0.025, 0.010  # seconds
_FLOOR = 80.0  # decibels below the loudest point
_SHORTEST = 32  # frames that a spectrogram is padded to, at least
_SHORTEST_WAVE = 4_096  # samples that a waveform is padded to, at least


class AudioConfig(OneColumn):
    """A column of sounds."""

    kind: Literal["audio"] = "audio"
    rate: int = Setting(16_000, ge=1_000, le=192_000)
    """Samples a second that every sound is resampled to. Cost of reading grows with it."""
    seconds: float | None = Setting(None, gt=0, le=600)
    """Seconds read of one sound, from its start; the rest is cut off. null = as long as nearly all of them are, 10 at most. Cost grows with
    it."""
    mels: int = Setting(64, ge=8, le=256)
    """Bands of the spectrogram. Cost grows with it."""
    max_mb: float = Setting(64.0, gt=0, le=2_048)
    """A file or cell larger than this (in MiB) is a fault, found before it is read."""
    stretch: float = Setting(0.1, ge=0, lt=0.9)
    """Vary the speed and the pitch of training sounds by up to this share: other speakers, other instruments."""
    mask: float = Setting(0.15, ge=0, lt=1)
    """Hide up to this share of bands and of time in training sounds, twice each (SpecAugment, Park et al. 2019, arXiv:1904.08779)."""

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Audio``."""
        return Audio


class Audio(Modality):
    """Read sounds from files, bytes and data URIs."""

    kind = "audio"
    forms = ("spectrogram", "waveform")
    fit_cells = 128
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Sure when most cells look like sounds, by their names or their first bytes; which of them can be read is for ``read`` to say.
        Videos of which most have a sound track alone are sounds."""
        if not cells:
            return Recognition(0.0)
        looks = sum(map(looks_like_a_sound, cells)) / len(cells)
        if looks >= 0.5:
            return Recognition(0.6 + 0.4 * looks, {}, f"{looks:.0%} of the cells looked at are sound files or bytes")
        peeked = [cells[at] for at in evenly(len(cells), _PEEKED)]
        others = [cell for cell in peeked if not looks_like_a_sound(cell)]
        begun = (len(peeked) - len(others) + sum(map(looks_like_a_sound, roots.heads(others)))) / len(peeked)
        if begun >= 0.5:
            return Recognition(0.95, {}, f"{begun:.0%} of the files looked at begin as sounds do")
        alone = hold_sound_alone(peeked, roots)
        return Recognition(0.95 if alone else 0.0, {}, "files with a sound track and no moving pictures" if alone else "")

    @classmethod
    def fit(cls, config: AudioConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """State: ``rate``, ``mels``, ``frames`` at most, ``mean`` and ``std`` of the spectrogram's bytes, ``level`` and its spread."""
        cls.check_form(form)
        if form == "waveform":
            return cls._fit_waveform(config, cells, needs, roots)
        found: list[tuple[np.ndarray, float]] = []
        lengths = []
        for cell in cells:
            try:
                sound, seconds = decode(roots.bytes_of(cell, int(config.max_mb * 2**20)), config.rate, config.seconds or 10.0)
            except Fault:
                continue
            lengths.append(seconds)
            found.append(spectrogram(sound, config.rate, config.mels))
        seconds = config.seconds or min(10.0, max(0.25, float(np.quantile(lengths, 0.95)) if lengths else 1.0))
        state: State = {"form": form, "rate": config.rate, "mels": config.mels, "frames": max(_SHORTEST, math.ceil(seconds / _HOP)),
                        "mean": 127.5, "std": 64.0, "level": -30.0, "level_std": 10.0}  # fmt: skip
        if found:
            values = np.concatenate([mel_TM.ravel() for mel_TM, _ in found]).astype(np.float64)
            levels = np.array([level for _, level in found])
            state["mean"], state["std"] = round(float(values.mean()), 3), round(max(float(values.std()), 1.0), 3)
            state["level"], state["level_std"] = round(float(levels.mean()), 3), round(max(float(levels.std()), 1.0), 3)
        return state

    @classmethod
    def _fit_waveform(cls, config: AudioConfig, cells: Iterable[Cell], needs: Mapping[str, Any], roots: Roots) -> State:
        """State: ``rate``, and ``samples`` at most: as long as nearly all sounds are, and as the encoder can hear."""
        rate, seconds = int(needs["rate"]), config.seconds
        if seconds is None:
            lengths = []
            for cell in cells:
                with contextlib.suppress(Fault):
                    lengths.append(decode(roots.bytes_of(cell, int(config.max_mb * 2**20)), rate, 0.1)[1])
            seconds = min(10.0, max(0.25, float(np.quantile(lengths, 0.95)) if lengths else 1.0))
        seconds = min(seconds, needs["seconds"] or seconds)
        return {"form": "waveform", "rate": rate, "samples": max(_SHORTEST_WAVE, math.ceil(seconds * rate))}

    def check(self) -> None:
        """Sizes that a config may ask for, and finite facts."""
        self.check_form(self.state["form"])
        heard = self.state["form"] == "waveform"
        bounds = {"samples": (_SHORTEST_WAVE, 600 * 192_000)} if heard else {"mels": (8, 256), "frames": (_SHORTEST, 60_000)}
        bounds["rate"] = (1_000, 192_000)
        for name, (low, high) in bounds.items():
            if type(self.state[name]) is not int or not low <= self.state[name] <= high:
                raise ValueError(f"{name} of {self.state[name]}")
        if heard:
            return
        facts = [self.state[name] for name in ("mean", "std", "level", "level_std")]
        if not all(type(fact) in (int, float) and abs(fact) < 1e6 for fact in facts) or min(facts[1], facts[3]) <= 0:
            raise ValueError("facts that are no numbers")

    def read(self, cell: Cell) -> Sample:
        """``mel`` uint8 (T, mels), steps of 80/255 dB, 255 = the loudest point; ``level`` float32 (1,), the loudest point. Of the form
        "waveform": ``waveform`` int16 (N,)."""
        return self.sample_of(self.held(cell))

    def held(self, cell: Cell) -> np.ndarray:
        """The sound, float64 (N,), as long as it is heard."""
        rate, heard = self.state["rate"], self.state["form"] == "waveform"
        seconds = self.state["samples"] / rate if heard else self.state["frames"] * _HOP
        return decode(self.roots.bytes_of(cell, int(self.config.max_mb * 2**20)), rate, seconds)[0]

    def sample_of(self, held: np.ndarray) -> Sample:
        """Its spectrogram, or the sound in whole steps."""
        if self.state["form"] == "waveform":
            return {"waveform": np.round(held[: self.state["samples"]].clip(-1, 1) * 32_767).astype(np.int16)}
        mel_TM, level = spectrogram(held, self.state["rate"], self.state["mels"])
        centred = (level - self.state["level"]) / self.state["level_std"]
        return {"mel": mel_TM[: self.state["frames"]], "level": np.array([max(-10.0, min(10.0, centred))], np.float32)}

    def blank(self) -> Sample:
        """Return a silent sample."""
        if self.state["form"] == "waveform":
            return {"waveform": np.zeros(1, np.int16)}
        return {"mel": np.zeros((_SHORTEST, self.state["mels"]), np.uint8), "level": np.zeros(1, np.float32)}

    def geometry(self, sample: Sample) -> Geometry:
        """Frames, or samples, up to the next power of two."""
        if self.state["form"] == "waveform":
            return (bucket(len(sample["waveform"]), _SHORTEST_WAVE, self.state["samples"]),)
        return (bucket(len(sample["mel"]), _SHORTEST, max(self.state["frames"], _SHORTEST)),)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """``mel`` uint8 (U, T, mels), silence behind the end; ``length`` int64 (U,) in frames; ``level`` float32 (U, 1). Or
        ``waveform`` int16 (U, N), and its ``length``."""
        (frames,) = geometry
        if self.state["form"] == "waveform":
            lengths = [min(len(sample["waveform"]), frames) for sample in samples]
            return {"waveform": torch.from_numpy(padded(samples, "waveform", frames)), "length": torch.tensor(lengths)}
        mel_UTM = np.zeros((len(samples), frames, self.state["mels"]), np.uint8)
        for row, sample in zip(mel_UTM, samples, strict=True):
            part = sample["mel"][:frames]
            row[: len(part)] = part
        lengths = [min(len(sample["mel"]), frames) for sample in samples]
        return {
            "mel": torch.from_numpy(mel_UTM),
            "length": torch.tensor(lengths),
            "level": torch.from_numpy(np.stack([s["level"] for s in samples])),
        }

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Faster or slower, higher or lower, shifted a little, with bands and moments hidden; a waveform fainter or louder."""
        if self.state["form"] == "waveform":
            louder = sample["waveform"] * rng.uniform(0.5, 1.0)
            return {"waveform": louder.round().astype(np.int16)}
        mel_TM = sample["mel"]
        speed, pitch = 1 + rng.uniform(-1, 1, 2) * self.config.stretch
        shift = rng.integers(0, 6)
        frames = int(np.clip(round(len(mel_TM) / speed), 1, self.state["frames"]))
        mel_TM = _warped(mel_TM, frames, pitch)
        mel_TM = np.concatenate([np.zeros((shift, mel_TM.shape[1]), np.uint8), mel_TM])[: self.state["frames"]]
        mel_TM = mel_TM.copy()
        for axis in (0, 1, 0, 1):
            width = int(rng.uniform(0, self.config.mask) * mel_TM.shape[axis])
            start = int(rng.integers(0, mel_TM.shape[axis] - width + 1))
            if axis == 0:
                mel_TM[start : start + width] = 0
            else:
                mel_TM[:, start : start + width] = 0
        return {"mel": mel_TM, "level": sample["level"]}

    def corruptions(self) -> Mapping[str, Corruption]:
        """Of the sound itself, resampled."""
        return of_sounds(self.state["rate"])

    def cost(self) -> float:
        """Grows with the length."""
        if self.state["form"] == "waveform":
            return 1e3 * self.state["samples"]
        return 500.0 * self.state["frames"] * self.state["mels"]

    def show(self, cell: Cell) -> str:
        """The path, or how many bytes."""
        return f"<{len(cell):,} bytes>" if isinstance(cell, bytes) else super().show(cell)

    def preview(self, cell: Cell) -> np.ndarray | None:
        """Its spectrogram, low tones below."""
        return self.read(cell)["mel"].T[::-1, :, None] if self.state["form"] == "spectrogram" else None

    def describe(self) -> str:
        """Its length and its bands."""
        if self.state["form"] == "waveform":
            return f"{self.state['samples'] / self.state['rate']:g} s at most, resampled to {self.state['rate']:,} Hz"
        return f"{self.state['frames'] * _HOP:g} s at most, {self.state['mels']} mel bands, resampled to {self.state['rate']:,} Hz"


def decode(data: bytes, rate: int, seconds: float) -> tuple[np.ndarray, float]:
    """The first ``seconds`` of a sound as float64 (N,) at ``rate``, and how many seconds all of it has; ``Fault`` for what is none."""
    samples_NC, source, length = samples_of(data, seconds)
    if not len(samples_NC):
        raise Fault("a sound of no samples")
    sound_N = samples_NC.mean(1, dtype=np.float64)
    if not np.isfinite(sound_N).all():
        raise Fault("a sound whose samples are no numbers")
    return resample(sound_N, source, rate), length / source


def resample(sound_N: np.ndarray, source: int, rate: int) -> np.ndarray:
    """A sound at another rate, by cutting or lengthening its spectrum; silence is put behind it so that its end does not meet its start."""
    if source == rate:
        return sound_N
    length = max(1, round(len(sound_N) * rate / source))
    unit = math.gcd(source, rate)
    down, up = source // unit, rate // unit
    blocks = -(-(len(sound_N) + min(source // 20, 4_096)) // down)  # so many that both lengths are whole
    if down * blocks > 4 * len(sound_N) + 1_000_000:  # two rates that share no factor: the lengths are rounded
        before = len(sound_N) + min(source // 20, 4_096)
        after = max(1, round(before * rate / source))
    else:
        before, after = down * blocks, up * blocks
    spectrum = np.fft.rfft(sound_N, before)
    cut = np.zeros(after // 2 + 1, np.complex128)
    kept = min(len(spectrum), len(cut))
    cut[:kept] = spectrum[:kept]
    return np.fft.irfft(cut, after)[:length] * (after / before)


def spectrogram(sound_N: np.ndarray, rate: int, mels: int) -> tuple[np.ndarray, float]:
    """uint8 (T, mels) in steps of 80/255 dB below the loudest point, and that point in dB (full scale = 0)."""
    power_TM = mel_power(sound_N, rate, mels)
    loudest = float(power_TM.max())
    if loudest <= 1e-12:  # silence, digital or nearly
        return np.zeros(power_TM.shape, np.uint8), -120.0
    below_TM = 10 * np.log10(np.maximum(power_TM / loudest, 1e-8))
    return np.round((1 + below_TM / _FLOOR) * 255).clip(0, 255).astype(np.uint8), 10 * math.log10(loudest)


def mel_power(sound_N: np.ndarray, rate: int, mels: int) -> np.ndarray:
    """The power of each band, float64 (T, mels), T = 1 + N / hop: windows of 25 ms every 10 ms, centred, zeros around the sound."""
    window, hop = round(_WINDOW * rate), round(_HOP * rate)
    size = 2 ** math.ceil(math.log2(window))
    sound = torch.from_numpy(np.ascontiguousarray(sound_N, np.float64))
    spectrum_FT = torch.stft(
        sound, size, hop, window, torch.hann_window(window, dtype=torch.float64), center=True, pad_mode="constant", return_complex=True
    )
    return (spectrum_FT.abs().square().T @ torch.from_numpy(slaney_filters(rate, size, mels))).numpy()


def _warped(mel_TM: np.ndarray, frames: int, pitch: float) -> np.ndarray:
    """A spectrogram of another length and pitch, by linear interpolation."""
    length, mels = mel_TM.shape
    at_T = np.linspace(0, length - 1, frames)
    at_M = np.clip(np.arange(mels) / pitch, 0, mels - 1)
    return _between(_between(mel_TM.astype(np.float32), at_T).T, at_M).T.round().astype(np.uint8)


def _between(values_NK: np.ndarray, at_J: np.ndarray) -> np.ndarray:
    low_J = np.floor(at_J).astype(np.int64)
    high_J = np.minimum(low_J + 1, len(values_NK) - 1)
    share_J1 = (at_J - low_J)[:, None].astype(np.float32)
    return values_NK[low_J] * (1 - share_J1) + values_NK[high_J] * share_J1
