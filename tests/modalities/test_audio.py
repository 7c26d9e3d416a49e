"""Tests of sounds: the spectrogram of every format, rate and number of channels, and messages for other files."""

from __future__ import annotations

import base64
import struct
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from builders.sounds import RATE, encoded, sounds, tone
from polymodal.errors import Fault
from polymodal.modalities import Audio, AudioConfig, Roots
from polymodal.modalities.audio import decode, mel_power, spectrogram
from polymodal.modalities.sound_values import resample


def reader(**settings: Any) -> Audio:
    config = AudioConfig(column="x", **settings)
    cells = [encoded(tone(440 + 20 * at)) for at in range(4)]
    return Audio(config, Audio.fit(config, cells, "spectrogram", {}, Roots()), Roots())


def loudest_band(sample: Any) -> float:
    return float(np.median(sample["mel"][4:-4].argmax(1)))


# -- the right values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mels", [40, 64, 128])
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100])
def test_mel_power_is_that_of_librosa(rate: int, mels: int) -> None:
    import librosa

    sound = np.random.default_rng(0).normal(0, 0.1, rate) + tone(700, 1.0, rate)
    window, hop = round(0.025 * rate), round(0.010 * rate)
    size = 2 ** int(np.ceil(np.log2(window)))
    expected = librosa.feature.melspectrogram(
        y=sound, sr=rate, n_fft=size, win_length=window, hop_length=hop, n_mels=mels, center=True, pad_mode="constant", power=2.0
    ).T
    found = mel_power(sound, rate, mels)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9 * expected.max())


@pytest.mark.parametrize(
    ("source", "rate"), [(8_000, 16_000), (44_100, 16_000), (48_000, 16_000), (22_050, 16_000), (11_025, 8_000), (44_101, 16_000)]
)
def test_a_resampled_tone_is_the_tone_at_the_new_rate(source: int, rate: int) -> None:
    sound, expected = tone(1_000, 1.0, source), tone(1_000, 1.0, rate)
    found = resample(sound, source, rate)
    assert len(found) == len(expected)
    inside = slice(rate // 10, -rate // 10)  # its ends ring: the tone is cut there
    assert np.abs(found[inside] - expected[inside]).max() < 0.02
    assert np.abs(resample(tone(7_000, 1.0, 48_000), 48_000, 8_000)[800:-800]).max() < 0.01, "what the new rate cannot hold is gone"


@pytest.mark.parametrize(("format", "subtype"), [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "PCM_U8"), ("FLAC", None), ("OGG", None), ("MP3", None), ("AIFF", None), ("AU", None)])  # fmt: skip
def test_every_format_gives_the_same_sound(format: str, subtype: str | None) -> None:
    sound = tone(1_000)
    expected = loudest_band(reader().read(encoded(sound)))
    assert loudest_band(reader().read(encoded(sound, format=format, subtype=subtype))) == expected


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6, 64])
def test_any_rate_and_any_count_of_channels(rate: int, channels: int) -> None:
    sound = np.repeat(tone(1_000, rate=rate)[:, None], channels, 1)
    sample = reader().read(encoded(sound, rate))
    assert abs(loudest_band(sample) - loudest_band(reader().read(encoded(tone(1_000))))) <= 1
    assert sample["mel"].shape == (50, 64)


def test_loudness_moves_the_level_and_not_the_picture() -> None:
    audio = reader()
    loud, soft = (audio.read(encoded(tone(1_000, level=level), subtype="FLOAT")) for level in (0.8, 0.08))
    assert np.abs(loud["mel"].astype(int) - soft["mel"].astype(int)).max() <= 1
    assert loud["level"] > soft["level"]


def test_paths_bytes_and_data_uris_are_one_sound(tmp_path: Path) -> None:
    body = encoded(tone(600))
    (tmp_path / "a.wav").write_bytes(body)
    config = AudioConfig(column="x")
    audio = Audio(config, reader().state, Roots([tmp_path]))
    samples = [audio.read(cell) for cell in ("a.wav", tmp_path / "a.wav", body, "data:audio/wav;base64," + base64.b64encode(body).decode())]
    for sample in samples[1:]:
        np.testing.assert_array_equal(sample["mel"], samples[0]["mel"])


def test_length_is_chosen_from_the_sounds_and_bounds_what_is_read() -> None:
    config = AudioConfig(column="x")
    cells = [encoded(tone(440, seconds)) for seconds in (0.5, 0.6, 0.7)]
    state = Audio.fit(config, [*cells, b"no sound"], "spectrogram", {}, Roots())
    assert 66 <= state["frames"] <= 70
    long = Audio(config, state, Roots()).read(encoded(tone(440, 30.0)))
    assert len(long["mel"]) == state["frames"]
    assert Audio.fit(AudioConfig(column="x", seconds=2), cells, "spectrogram", {}, Roots())["frames"] == 200
    assert Audio.fit(config, [], "spectrogram", {}, Roots())["frames"] == 100


def test_augmentation_is_a_function_of_the_generator_and_can_be_turned_off() -> None:
    sample = reader().read(encoded(tone(900)))
    audio = reader()
    one, two = (audio.augment(sample, np.random.default_rng(3))["mel"] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, sample["mel"])
    still = reader(stretch=0.0, mask=0.0)
    kept = still.augment(sample, np.random.default_rng(3))["mel"]
    assert kept.dtype == np.uint8
    assert abs(float(np.median(kept[8:-4].argmax(1))) - loudest_band(sample)) <= 1


# -- what is no sound ----------------------------------------------------------------------------------------------------


def header(rate: int = RATE, channels: int = 1, claimed: int = 100, bits: int = 16, body: bytes = bytes(200)) -> bytes:
    """A WAV whose header says what it likes."""
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * bits // 8 % 2**32, channels * bits // 8 % 2**16, bits)
    return (
        b"RIFF" + struct.pack("<I", 36 + claimed) + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", claimed) + body
    )


FLOATS = encoded(np.array([0.1, np.nan, 0.2] * 500), subtype="FLOAT")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (encoded(np.zeros(0)), "no samples"),
        (header(rate=1), "1 samples a second"),
        (header(rate=0), "a sound"),
        (header(rate=2**31 - 1), "a sound"),
        (FLOATS, "not all finite numbers"),
        (b"", "not a sound"),
        (b"RIFF", "not a sound"),
        (b"no sound at all", "not a sound"),
        (b"ID3" + bytes(500), "not a sound"),
        (b"fLaC" + bytes(500), "not a sound"),
        (b"OggS" + bytes(500), "not a sound"),
        (b"\x80\x04cos\nsystem\n.", "not a sound"),
        (3.5, "found float"),
        (["a.wav"], "found list"),
        ("none.wav", "no folder"),
        ("https://example.com/a.wav", "a URL"),
    ],
)
def test_what_is_no_sound_is_told(cell: Any, said: str) -> None:
    with pytest.raises(Fault, match=said) as caught:
        reader().read(cell)
    assert len(str(caught.value)) < 250


def test_headers_that_claim_hours_cost_nothing() -> None:
    sample = reader().read(header(claimed=2**32 - 60, body=(tone(500, 0.2) * 3e4).astype("<i2").tobytes()))
    assert len(sample["mel"]) <= 51
    try:
        reader().read(header(channels=1_024, rate=200_000, claimed=2**32 - 60))
    except Fault as fault:
        said = str(fault)
        assert said


def test_ten_hours_are_read_no_further_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(1_600)
        file.writeframes(bytes(1_600 * 36_000))
    sound, seconds = decode(path.read_bytes(), RATE, 1.0)
    assert len(sound) == RATE
    assert seconds == 36_000


def test_silence_is_a_sound_like_any_other() -> None:
    mel_TM, level = spectrogram(np.zeros(8_000), RATE, 64)
    assert not mel_TM.any()
    assert level == -120


@pytest.mark.parametrize("at", range(0, 400, 7))
@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_sounds_with_bytes_changed(format: str, at: int) -> None:
    body = bytearray(encoded(tone(500, 0.1), format=format))
    rng = np.random.default_rng(at)
    for where in rng.integers(0, len(body), 4):
        body[where] ^= int(rng.integers(1, 256))
    try:
        sample = reader_once().read(bytes(body[: len(body) - at % 50]))
        assert np.isfinite(sample["level"]).all()
    except Fault as fault:
        said = str(fault)
        assert said


_ONCE: list[Audio] = []


def reader_once() -> Audio:
    if not _ONCE:
        _ONCE.append(reader())
    return _ONCE[0]


# -- a table of sounds ---------------------------------------------------------------------------------------------------


def test_a_table_of_sounds_is_recognised_and_learned_with_nothing_said(tmp_path: Path) -> None:
    table, other = sounds(tmp_path), sounds(tmp_path, 60, seed=1)
    assert "audio" in pm.inspect(table, target="shape").text()
    model = pm.train(table, "data.split.folds=2", "training.epochs=20", target="shape", out=tmp_path / "run")
    assert model.evaluate(other)["tasks"]["shape"]["accuracy"] > 0.8
    expected = model.predict_proba(other)
    np.testing.assert_array_equal(pm.load(tmp_path / "run").predict_proba(other), expected)
    np.testing.assert_array_equal(pm.load(tmp_path / "run", root=[tmp_path]).predict_proba([{"clip": "wav/1_7.wav"}]), expected[7:8])


def test_without_the_package_the_extra_is_named(tmp_path: Path) -> None:
    table = sounds(tmp_path, 30)
    code = f"import sys; sys.modules['soundfile'] = None; import polymodal as pm\ntry:\n    pm.train({str(table)!r}, target='shape')\nexcept pm.MissingDependency as error:\n    print(error)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'polymodal[audio]'" in found.stdout, found.stderr
