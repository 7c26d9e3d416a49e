"""Sounds: a file, bytes or a data URI in a format of ``sounds.py``, or the sound track of a video, are read as a log-mel spectrogram or a
waveform.

Sounds may have any sampling rate and any number of channels. Channels are averaged, and the sound is resampled in the frequency domain,
which is exact for a band-limited signal. A spectrogram is stored as bytes, in steps of 80/255 dB below its maximum. The maximum is a
separate number, because the loudness of a recording depends more on the microphone than on the content. Mel filters are Slaney's (1998,
Auditory Toolbox).

Shapes: ``N`` samples, ``C`` channels, ``T`` frames, ``M`` bands, ``F`` frequencies, ``U`` distinct sounds, ``K`` numbers of a frame, ``J``
places of an interpolation.
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

from ..errors import Fault, counted
from ..flow import Cell, Form, Geometry, Sample, State
from ..language import Sentence
from ..layers.mel_filters import slaney_filters
from .files import Roots
from .modality import Modality, OneColumn, Recognition, padded, percent
from .sequences import bucket, evenly
from .signal_corruption import Corruption, of_sounds
from .sound_values import HOP, decibels, frame_sizes, resample, spectrogram_sample, waveform_sample
from .sounds import looks_like_a_sound, samples_of
from .tracks import hold_sound_alone

_PEEKED = 16  # the maximum number of files whose first bytes are read to recognise a column
_SHORTEST = 32  # the minimum number of frames that a spectrogram is padded to
_SHORTEST_WAVE = 4_096  # the minimum number of samples that a waveform is padded to


class AudioConfig(OneColumn):
    """A column of sounds."""

    kind: Literal["audio"] = "audio"
    rate: int = Setting(16_000, ge=1_000, le=192_000)
    """The sampling rate in Hz that every sound is resampled to. Cost of reading grows with it."""
    seconds: float | None = Setting(None, gt=0, le=600)
    """The maximum length of a sound in seconds; the rest is cut off. null = the 95 % quantile of the lengths, 0.25 to 10. Cost grows with
    it."""
    mels: int = Setting(64, ge=8, le=256)
    """The number of mel bands of the spectrogram. Cost grows with it."""
    max_mb: float = Setting(64.0, gt=0, le=2_048)
    """The maximum size of a file or cell in MiB. A larger one is not read and counts as a fault."""
    stretch: float = Setting(0.1, ge=0, lt=0.9)
    """The maximum relative change of the speed and the pitch of training sounds."""
    mask: float = Setting(0.15, ge=0, lt=1)
    """The maximum share of bands and of time masked in training sounds, twice each (SpecAugment, Park et al. 2019, arXiv:1904.08779)."""

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Audio``."""
        return Audio


class Audio(Modality):
    """Read sounds from files, bytes and data URIs."""

    kind = "audio"
    sent_as = "content"
    media = "audio/*"
    forms = ("spectrogram", "waveform")
    fit_cells = 128
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Recognise sounds if half of the cells look like sounds, by their names or their first bytes; whether they can be read is not
        checked. Video containers are sounds if most of them have only a sound track."""
        if not cells:
            return Recognition(0.0)
        looks = sum(map(looks_like_a_sound, cells)) / len(cells)
        if looks >= 0.5:
            return Recognition(0.6 + 0.4 * looks, {}, Sentence("why.sounds", share=percent(looks)))
        peeked = [cells[at] for at in evenly(len(cells), _PEEKED)]
        others = [cell for cell in peeked if not looks_like_a_sound(cell)]
        begun = (len(peeked) - len(others) + sum(map(looks_like_a_sound, roots.heads(others)))) / len(peeked)
        if begun >= 0.5:
            return Recognition(0.95, {}, Sentence("why.begin_sounds", share=percent(begun)))
        alone = hold_sound_alone(peeked, roots)
        return Recognition(0.95 if alone else 0.0, {}, Sentence("why.sound_track") if alone else "")

    @classmethod
    def fit(cls, config: AudioConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Learn the state: ``rate``, ``mels``, the maximum number of ``frames``, ``mean`` and ``std`` of the spectrogram's bytes, and the
        mean ``level`` and its standard deviation ``level_std``. ``_fit_waveform`` learns the state of the form "waveform"."""
        cls.check_form(form)
        if form == "waveform":
            return cls._fit_waveform(config, cells, needs, roots)
        spectrograms: list[tuple[np.ndarray, float]] = []
        lengths = []
        for cell in cells:
            try:
                sound, seconds = decode(roots.bytes_of(cell, int(config.max_mb * 2**20)), config.rate, config.seconds or 10.0)
            except Fault:
                continue
            lengths.append(seconds)
            spectrograms.append(spectrogram(sound, config.rate, config.mels))
        seconds = config.seconds or min(10.0, max(0.25, float(np.quantile(lengths, 0.95)) if lengths else 1.0))
        state: State = {"form": form, "rate": config.rate, "mels": config.mels, "frames": max(_SHORTEST, math.ceil(seconds / HOP)),
                        "mean": 127.5, "std": 64.0, "level": -30.0, "level_std": 10.0}  # fmt: skip
        if spectrograms:
            values = np.concatenate([mel_TM.ravel() for mel_TM, _ in spectrograms]).astype(np.float64)
            levels = np.array([level for _, level in spectrograms])
            state["mean"], state["std"] = round(float(values.mean()), 3), round(max(float(values.std()), 1.0), 3)
            state["level"], state["level_std"] = round(float(levels.mean()), 3), round(max(float(levels.std()), 1.0), 3)
        return state

    @classmethod
    def _fit_waveform(cls, config: AudioConfig, cells: Iterable[Cell], needs: Mapping[str, Any], roots: Roots) -> State:
        """Learn the state: ``rate``, and the maximum number of ``samples``, from the lengths of the sounds and the limit of the encoder."""
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
        """Check that sizes are within the bounds of a config, and that means and standard deviations are valid numbers."""
        self.check_form(self.state["form"])
        is_waveform = self.state["form"] == "waveform"
        bounds = {"samples": (_SHORTEST_WAVE, 600 * 192_000)} if is_waveform else {"mels": (8, 256), "frames": (_SHORTEST, 60_000)}
        bounds["rate"] = (1_000, 192_000)
        for name, (low, high) in bounds.items():
            if type(self.state[name]) is not int or not low <= self.state[name] <= high:
                raise ValueError(f"{name} of {self.state[name]}")
        if is_waveform:
            return
        facts = [self.state[name] for name in ("mean", "std", "level", "level_std")]
        if not all(type(fact) in (int, float) and abs(fact) < 1e6 for fact in facts) or min(facts[1], facts[3]) <= 0:
            raise ValueError("means or standard deviations that are not valid numbers")

    def read(self, cell: Cell) -> Sample:
        """Return ``mel`` uint8 (T, mels) in steps of 80/255 dB, 255 = its maximum, and ``level`` float32 (1,), the standardised maximum.
        For the form "waveform", return ``waveform`` int16 (N,)."""
        return self.sample_of(self.parsed(cell))

    def parsed(self, cell: Cell) -> np.ndarray:
        """Return the resampled sound, float64 (N,), up to the maximum length."""
        rate, is_waveform = self.state["rate"], self.state["form"] == "waveform"
        seconds = self.state["samples"] / rate if is_waveform else self.state["frames"] * HOP
        return decode(self.roots.bytes_of(cell, int(self.config.max_mb * 2**20)), rate, seconds)[0]

    def sample_of(self, sound_N: np.ndarray) -> Sample:
        """Return the spectrogram of a sound (N,), or the sound as 16-bit integers."""
        if self.state["form"] == "waveform":
            return waveform_sample(sound_N, self.state["samples"])
        return spectrogram_sample(mel_power(sound_N, self.state["rate"], self.state["mels"]), self.state)

    def blank(self) -> Sample:
        """Return a silent sample."""
        if self.state["form"] == "waveform":
            return {"waveform": np.zeros(1, np.int16)}
        return {"mel": np.zeros((_SHORTEST, self.state["mels"]), np.uint8), "level": np.zeros(1, np.float32)}

    def geometry(self, sample: Sample) -> Geometry:
        """Return the number of frames, or of samples, rounded up to a power of two."""
        if self.state["form"] == "waveform":
            return (bucket(len(sample["waveform"]), _SHORTEST_WAVE, self.state["samples"]),)
        return (bucket(len(sample["mel"]), _SHORTEST, max(self.state["frames"], _SHORTEST)),)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """Return ``mel`` uint8 (U, T, mels), padded with silence, ``length`` int64 (U,) in frames, and ``level`` float32 (U, 1). For the
        form "waveform", return ``waveform`` int16 (U, N), and its ``length`` in samples."""
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
        """Return a spectrogram with changed speed and pitch, a shift in time, and masked bands and frames; or a quieter waveform."""
        if self.state["form"] == "waveform":
            quieter = sample["waveform"] * rng.uniform(0.5, 1.0)
            return {"waveform": quieter.round().astype(np.int16)}
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
        """Return the corruptions of the resampled sound."""
        return of_sounds(self.state["rate"])

    def recipe(self) -> dict[str, Any]:
        """Return the operation "sound". Exported models read WAV files by themselves, and other formats with the package soundfile."""
        state = {name: value for name, value in self.state.items() if name != "form"}
        if "samples" in state:
            padding = {"padded": ["waveform"], "pad": 0, "lengths": [_SHORTEST_WAVE, state["samples"]]}
        else:
            padding = {"padded": ["mel"], "pad": 0, "lengths": [_SHORTEST, max(state["frames"], _SHORTEST)]}
        return {"operation": "sound", **padding, **state, "max_mb": self.config.max_mb}

    def cost(self) -> float:
        """Return the approximate cost, which grows with the length."""
        if self.state["form"] == "waveform":
            return 1e3 * int(self.state["samples"])
        return 500.0 * int(self.state["frames"]) * int(self.state["mels"])

    def show(self, cell: Cell) -> str:
        """Return the path, or the number of bytes, in words."""
        return f"<{counted(len(cell), 'byte')}>" if isinstance(cell, bytes) else super().show(cell)

    def preview(self, cell: Cell) -> np.ndarray | None:
        """Return the spectrogram as a picture with low frequencies at the bottom; None for the form "waveform"."""
        return self.read(cell)["mel"].T[::-1, :, None] if self.state["form"] == "spectrogram" else None

    def describe(self) -> str:
        """Return the maximum length, the number of bands and the sampling rate, in words."""
        if self.state["form"] == "waveform":
            return Sentence("describe.waveform", seconds=self.state["samples"] / self.state["rate"], rate=self.state["rate"])
        values = {"seconds": self.state["frames"] * HOP, "bands": self.state["mels"], "rate": self.state["rate"]}
        return Sentence("describe.spectrogram", **values)


def decode(data: bytes, rate: int, seconds: float) -> tuple[np.ndarray, float]:
    """Decode the start of a sound and resample it.

    :param data: the bytes of a file
    :param rate: the sampling rate of the result in Hz
    :param seconds: the maximum length of the result in seconds
    :returns: the sound as float64 (N,), and the length of the whole sound in seconds
    :raises Fault: the bytes are not a sound that can be read
    """
    samples_NC, source, length = samples_of(data, seconds)
    if not len(samples_NC):
        raise Fault("a sound with no samples")
    sound_N = samples_NC.mean(1, dtype=np.float64)
    if not np.isfinite(sound_N).all():
        raise Fault("a sound whose samples are not all finite numbers")
    return resample(sound_N, source, rate), length / source


def spectrogram(sound_N: np.ndarray, rate: int, mels: int) -> tuple[np.ndarray, float]:
    """Return the spectrogram of a sound (N,) as uint8 (T, mels) in steps of 80/255 dB, 255 = its maximum, and the maximum in dB (full scale
    = 0)."""
    return decibels(mel_power(sound_N, rate, mels))


def mel_power(sound_N: np.ndarray, rate: int, mels: int) -> np.ndarray:
    """Return the power of each band, float64 (T, mels), T = 1 + N / hop: centred windows of 25 ms every 10 ms, padded with zeros."""
    window, hop, size = frame_sizes(rate)
    sound = torch.from_numpy(np.ascontiguousarray(sound_N, np.float64))
    spectrum_FT = torch.stft(
        sound, size, hop, window, torch.hann_window(window, dtype=torch.float64), center=True, pad_mode="constant", return_complex=True
    )
    power_TM: np.ndarray = (spectrum_FT.abs().square().T @ torch.from_numpy(slaney_filters(rate, size, mels))).numpy()
    return power_TM


def _warped(mel_TM: np.ndarray, frames: int, pitch: float) -> np.ndarray:
    """Return a spectrogram with another number of frames and another pitch, by linear interpolation."""
    length, mels = mel_TM.shape
    at_T = np.linspace(0, length - 1, frames)
    at_M = np.clip(np.arange(mels) / pitch, 0, mels - 1)
    warped_TM: np.ndarray = _between(_between(mel_TM.astype(np.float32), at_T).T, at_M).T.round().astype(np.uint8)
    return warped_TM


def _between(values_NK: np.ndarray, at_J: np.ndarray) -> np.ndarray:
    """Interpolate rows (N, K) linearly at fractional places (J,)."""
    low_J = np.floor(at_J).astype(np.int64)
    high_J = np.minimum(low_J + 1, len(values_NK) - 1)
    share_J1 = (at_J - low_J)[:, None].astype(np.float32)
    between_JK: np.ndarray = values_NK[low_J] * (1 - share_J1) + values_NK[high_J] * share_J1
    return between_JK
