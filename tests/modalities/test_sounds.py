"""Tests of sounds as bytes: their recognition, and the length of sounds whose header has no length or a wrong one."""

from __future__ import annotations

import base64
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import polymodal as pm
from polymodal.errors import Fault
from polymodal.modalities import Audio, Image, Roots, Video
from polymodal.modalities.audio import decode
from polymodal.modalities.mpeg import frame_of, stream_start
from polymodal.modalities.tracks import tracks_of

RATE = 16_000
SOUND = (0.3 * np.sin(np.arange(2 * RATE) / 5) * np.linspace(0, 1, 2 * RATE)).astype(np.float32)
FORMATS = ["WAV", "WAVEX", "FLAC", "OGG", "MP3", "AU", "AIFF", "RF64", "W64", "CAF", "NIST"]


def encoded(format: str, sound: Any = SOUND, rate: int = RATE, **options: Any) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, sound, rate, format=format, **options)
    return out.getvalue()


def with_av(codec: str, format: str, rate: int = RATE, sound: Any = SOUND, **settings: Any) -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=format) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        for name, value in settings.items():
            setattr(stream, name, value)
        frame = av.AudioFrame.from_ndarray(np.asarray(sound, np.float32)[None], format="flt", layout="mono")
        frame.sample_rate = rate
        size = stream.codec_context.frame_size or 2_048
        resampler = av.AudioResampler(format=stream.format, layout=stream.layout, rate=rate, frame_size=size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode())
    return out.getvalue()


def film(format: str = "mp4", codec: str = "mpeg4") -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=format) as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def lengths(data: bytes, seconds: float = 600.0) -> tuple[int, float]:
    """Samples that are read of the first seconds, at the sound's own rate, and the length of all of it in samples."""
    sound, length = decode(data, RATE, seconds)
    return len(sound), length * RATE


# -- recognition -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_a_sound_as_bytes_as_a_data_uri_and_as_a_file_of_any_name(format: str, tmp_path: Path) -> None:
    body = encoded(format)
    (tmp_path / "clip").write_bytes(body)
    text = base64.b64encode(body).decode()
    roots = Roots([tmp_path])
    for cell in (
        body,
        bytearray(body),
        f"data:audio/x;base64,{text}",
        f"data:application/octet-stream;base64,{text}",
        "clip",
        tmp_path / "clip",
    ):
        assert Audio.recognise([cell] * 20, roots).confidence >= 0.95, cell[:30] if isinstance(cell, str) else type(cell)
        assert Image.recognise([cell] * 20, roots).confidence == Video.recognise([cell] * 20, roots).confidence == 0
        np.testing.assert_array_equal(decode(roots.bytes_of(cell), RATE, 9.0)[0], decode(body, RATE, 9.0)[0])
    assert lengths(body)[0] == len(SOUND)


@pytest.mark.parametrize("name", ["wav", "wave", "bwf", "rf64", "w64", "flac", "ogg", "oga", "opus", "mp3", "mp2", "aiff", "aif", "aifc", "au", "snd", "caf", "m4a", "aac", "wma", "amr", "weba"])  # fmt: skip
def test_names_of_sounds(name: str) -> None:
    assert Audio.recognise([f"a/{at}.{name.upper()}" for at in range(20)], Roots()).confidence == 1.0


@pytest.mark.parametrize("version", [{"subtype": "FLOAT"}, {"subtype": "ULAW"}, {"subtype": "PCM_24"}, {"endian": "BIG"}])
@pytest.mark.parametrize("format", ["WAV", "AIFF", "CAF", "AU"])
def test_subtypes_and_byte_orders(format: str, version: dict[str, Any]) -> None:
    body = encoded(format, **version)
    assert Audio.recognise([body] * 5, Roots()).confidence == 1.0
    np.testing.assert_allclose(decode(body, RATE, 9.0)[0], SOUND, atol=0.02)


def test_what_begins_like_a_sound_and_is_none() -> None:
    for cell in (
        "über".encode("utf-16"),
        b"\xff\xd8\xff\xe0JFIF",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"FORM\0\0\0\x10ILBMBMHD",
        b"\xff" * 500,
        b"",
        b"\xff\xfb",
    ):
        assert Audio.recognise([cell] * 20, Roots()).confidence == 0, cell
    for text in ("data:image/png;base64,iVBORw0KGgo=", "data:text/plain,hello", "data:;base64,@@@", "data:", "RIFFabcdWAVE"):
        assert Audio.recognise([text] * 20, Roots()).confidence == 0, text


SOUND_ALONE = {"a.mp4": ("aac", "mp4"), "b.mov": ("aac", "mov"), "c.webm": ("libopus", "webm"), "d.mkv": ("aac", "matroska"), "e.avi": ("mp3", "avi"), "f.m4a": ("aac", "ipod")}  # fmt: skip


@pytest.mark.parametrize("name", SOUND_ALONE)
def test_a_container_without_moving_pictures_is_a_sound(name: str, tmp_path: Path) -> None:
    codec, format = SOUND_ALONE[name]
    body = with_av(codec, format, 48_000, np.resize(SOUND, 96_000))
    (tmp_path / name).write_bytes(body)
    (tmp_path / "bare").write_bytes(body)
    for cell in (body, name, "bare", tmp_path / name):
        assert Audio.recognise([cell] * 20, Roots([tmp_path])).confidence >= 0.95, cell
        assert Video.recognise([cell] * 20, Roots([tmp_path])).confidence == 0, cell
    assert decode(body, RATE, 9.0)[1] == pytest.approx(2.0, abs=0.1)


def test_a_video_stays_a_video(tmp_path: Path) -> None:
    for format, codec in (("mp4", "mpeg4"), ("avi", "mpeg4"), ("matroska", "mpeg4"), ("webm", "libvpx")):
        body = film(format, codec)
        (tmp_path / f"a.{format}").write_bytes(body)
        for cell in (body, body[:64]):
            assert Video.recognise([cell] * 20, Roots()).confidence == 1.0, format
            assert Audio.recognise([cell] * 20, Roots()).confidence == 0.0, format
    assert Video.recognise(["a.mp4"] * 20, Roots([tmp_path])).confidence == 1.0
    assert Video.recognise(["none.mp4"] * 20, Roots([tmp_path])).confidence == 1.0
    for at in range(0, 400, 7):
        broken = body[:at] + b"\xff" * 9 + body[at + 9 :]
        assert Audio.recognise([broken], Roots()).confidence + Video.recognise([broken], Roots()).confidence <= 1.0


@pytest.mark.parametrize(("codec", "format", "rate", "settings"), [
    ("aac", "adts", 16_000, {}), ("libopencore_amrnb", "amr", 8_000, {}), ("wmav2", "asf", 16_000, {"bit_rate": 32_000}), ("mp2", "mp2", 16_000, {}),
])  # fmt: skip
def test_other_files_of_sound_are_read_or_named(codec: str, format: str, rate: int, settings: dict[str, Any]) -> None:
    body = with_av(codec, format, rate, SOUND[:rate], **settings)
    assert Audio.recognise([body] * 20, Roots()).confidence == 1.0
    sound, seconds = decode(body, rate, 0.5)
    assert len(sound) == rate // 2
    assert seconds == pytest.approx(1.0, abs=0.3)
    whole, _ = decode(body, rate, 9.0)
    assert len(whole) == pytest.approx(rate, abs=0.3 * rate)
    spectrum = np.abs(np.fft.rfft(whole[rate // 4 : rate // 2]))
    assert spectrum.argmax() * 4 == pytest.approx(rate / (10 * np.pi), abs=8)
    for at in range(0, min(len(body), 200), 11):
        try:
            decode(body[:at] + bytes([body[at] ^ 0x55]) + body[at + 1 :], rate, 0.5)
        except Fault as fault:
            said = str(fault)
            assert len(said) < 250


def test_tables_of_tracks_may_be_anything() -> None:
    box = b"\0\0\0\x08trak"
    nested = b"".join(
        struct.pack(">I", 8 * depth) + name for depth, name in zip((900_003, 900_002, 900_001), (b"moov", b"trak", b"mdia"), strict=True)
    )
    for data in (
        b"",
        b"\0\0\0\x18ftypisom" + bytes(12) + nested + box * 900_000,
        b"\x1aE\xdf\xa3" + b"\x80" * 900_000,
        b"\x1aE\xdf\xa3\xff" * 9,
    ):
        assert tracks_of(io.BytesIO(data)) == frozenset()
    rng = np.random.default_rng(0)
    for body in (film(), film("matroska"), film("avi"), with_av("aac", "mp4")):
        for _ in range(200):
            changed = bytearray(body)
            for at in rng.integers(0, len(body), 3):
                changed[at] = rng.integers(0, 256)
            assert tracks_of(io.BytesIO(changed)) <= {"video", "sound"}


def test_any_byte_of_a_sound_without_its_length_may_be_another() -> None:
    rng = np.random.default_rng(0)
    flac, wav = bytearray(encoded("FLAC")), bytearray(encoded("WAV"))
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)
    wav[40:44] = bytes(4)
    for body in (bytes(flac), bytes(wav), without_information(encoded("MP3")), encoded("CAF"), encoded("RF64"), encoded("AIFF")):
        for _ in range(40):
            changed = bytearray(body)
            for at in rng.integers(0, min(len(body), 300), 3):
                changed[at] = rng.integers(0, 256)
            try:
                sound, seconds = decode(bytes(changed[: len(body) - rng.integers(0, 500)]), RATE, 1.0)
            except Fault as fault:
                said = str(fault)
                assert len(said) < 250
                continue
            assert np.isfinite(sound).all()
            assert seconds > 0


def test_a_table_of_sounds_as_bytes_is_learned_as_sounds() -> None:
    rng = np.random.default_rng(0)
    rows = [{"clip": encoded(FORMATS[at % 3 + 6], rng.normal(0, 0.1, 1_600)), "y": "ab"[at % 2]} for at in range(40)]
    assert pm.inspect(rows, target="y").text().count("audio")


# -- lengths ---------------------------------------------------------------------------------------------------------------


def test_a_flac_of_unknown_length_is_read_whole() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 4_096, 5_000, 30_000):
        for channels, rate in ((1, 16_000), (2, 44_100), (3, 11_025)):
            sound = rng.normal(0, 0.1, (count, channels))
            told = encoded("FLAC", sound, rate)
            body = bytearray(told)
            body[21] &= 0xF0
            body[22:26] = bytes(4)
            for data in (bytes(body), bytes(body) + b"TAG" + bytes(125), b"ID3\x03\0\0\0\0\x07\x68" + bytes(1_000) + bytes(body)):
                found, seconds = decode(data, rate, 60.0)
                np.testing.assert_array_equal(found, decode(told, rate, 60.0)[0])
                assert seconds == count / rate
    assert len(decode(bytes(body), 11_025, 0.1)[0]) == 1_103
    assert decode(bytes(body), 11_025, 0.1)[1] == 30_000 / 11_025
    cut = decode(bytes(body)[:-1_000], 11_025, 60.0)
    assert 0 < len(cut[0]) < 30_000
    assert cut[1] == len(cut[0]) / 11_025, "the frames that are whole"


def test_a_streamed_flac_of_ffmpeg_is_read_whole() -> None:
    body = bytearray(with_av("flac", "flac"))
    body[21] &= 0xF0
    body[22:26] = bytes(4)
    assert lengths(bytes(body)) == (len(SOUND), len(SOUND))


@pytest.mark.parametrize("told", [0, 0xFFFFFFFF, 0x7FFFF000, 0xFFFFFFFF - 40])
@pytest.mark.parametrize("riff", [None, 0, 0xFFFFFFFF])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_a_wav_written_to_a_pipe_is_read_whole(told: int, riff: int | None, endian: str) -> None:
    body, order = bytearray(encoded("WAV", endian=endian)), "<>"[endian == "BIG"]
    at = body.find(b"data")
    body[at + 4 : at + 8] = struct.pack(order + "I", told)
    if riff is not None:
        body[4:8] = struct.pack(order + "I", riff)
    assert lengths(bytes(body)) == (len(SOUND), len(SOUND))
    np.testing.assert_array_equal(decode(bytes(body), RATE, 9.0)[0], decode(encoded("WAV"), RATE, 9.0)[0])


def test_a_wav_of_no_samples_with_chunks_behind_it_is_empty() -> None:
    body = bytearray(encoded("WAV", SOUND[:0]))
    for extra in (b"", b"LIST\x04\0\0\0INFO", b"id3 \x03\0\0\0abc\0LIST\x04\0\0\0INFO"):
        with pytest.raises(Fault, match="no samples"):
            decode(bytes(body) + extra, RATE, 1.0)


@pytest.mark.parametrize("told", [bytes(8), b"\xff" * 8])
def test_rf64_w64_caf_and_au_written_to_a_pipe_are_read_whole(told: bytes) -> None:
    rf64, w64, caf, au = (bytearray(encoded(format)) for format in ("RF64", "W64", "CAF", "AU"))
    rf64[20:44] = told * 3
    at = w64.find(b"data")
    w64[at + 16 : at + 24] = told
    at = caf.find(b"data")
    caf[at + 4 : at + 12] = b"\xff" * 8
    au[8:12] = told[:4]
    bw64 = b"BW64" + rf64[4:]
    for body in (rf64, bw64, w64, caf, au):
        assert lengths(bytes(body)) == (len(SOUND), len(SOUND)), body[:4]


def test_an_ogg_without_its_end_is_read_as_far_as_it_goes() -> None:
    for subtype in ("VORBIS", "OPUS"):
        body = encoded("OGG", np.resize(SOUND, 10 * RATE), subtype=subtype)
        last = body.rfind(b"OggS")
        assert lengths(body) == (10 * RATE, 10 * RATE)
        read, length = lengths(body[:last])
        assert read == length
        assert 8 * RATE < read < 10 * RATE


def swelling() -> np.ndarray:
    """Three seconds of noise and nine of silence: of the highest bit rate first."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 0.2, 3 * RATE), np.zeros(9 * RATE)])


def without_information(body: bytes) -> bytes:
    """An MP3 without its Xing or Info frame."""
    at = next(place for mark in (b"Xing", b"Info") if (place := body.find(mark, 0, 4_096)) >= 0)
    frame = frame_of(body)
    assert frame is not None
    assert at < frame.size
    return body[frame.size :]


@pytest.mark.parametrize("backwards", [False, True])
def test_an_mp3_of_varying_bit_rate_without_its_information_frame_is_read_whole(backwards: bool) -> None:
    sound = swelling()[::-1] if backwards else swelling()
    told = encoded("MP3", sound, bitrate_mode="VARIABLE", compression_level=0.3)
    assert lengths(told) == (len(sound), len(sound))
    body = without_information(told)
    with soundfile.SoundFile(io.BytesIO(body)) as file:
        assert abs(file.frames - len(sound)) > RATE, "libsndfile's own estimate is wrong"
    for data in (body, b"TAG-like text" * 20 + body, bytes(1_000) + body, body + b"TAG" + bytes(125)):
        found, seconds = decode(data, RATE, 60.0)
        assert len(found) == seconds * RATE
        assert len(sound) <= len(found) <= len(sound) + 4 * 1_152, "with the delay of the encoder, which only that frame tells"
        heard = np.abs(found[::-1] if backwards else found)
        assert heard[RATE // 2 : 5 * RATE // 2].mean() > 0.1
        assert heard[4 * RATE :].mean() < 0.01
    assert lengths(body, 1.0) == (RATE, seconds * RATE)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
def test_mp3_of_every_rate(rate: int, channels: int, mode: str) -> None:
    sound = np.random.default_rng(0).normal(0, 0.05, (rate, channels))
    told = encoded("MP3", sound, rate, bitrate_mode=mode)
    found, seconds = decode(told, rate, 9.0)
    assert (len(found), seconds) == (rate, 1.0)
    found, seconds = decode(without_information(told), rate, 9.0)
    assert len(found) == round(seconds * rate)
    assert rate <= len(found) <= rate + 4 * 1_152


def test_an_mp3_behind_tags_and_pictures_and_one_that_two_were_joined_to() -> None:
    def tag(size: int, body: bytes = b"") -> bytes:
        return b"ID3\x03\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + (body or bytes(size))

    body = encoded("MP3")
    frames = b"\xff\xfb\x90\x00" * 100_000
    for data in (tag(300_000) + body, tag(len(frames), frames) + body, tag(500) + tag(2_000) + body, tag(10) + bytes(3_000) + body):
        assert lengths(data) == (len(SOUND), len(SOUND))
    for joined in (body + body, body + tag(5_000) + body, body + b"TAG" + bytes(125) + body):
        read, length = lengths(joined)
        assert read == length
        assert abs(read - 2 * len(SOUND)) < 4 * 1_152, "the first one's information frame tells of the first alone"
    assert abs(lengths(body[: len(body) // 2])[0] - len(SOUND) / 2) < 4 * 1_152


def test_frames_of_mpeg_are_told_by_their_headers() -> None:
    known = {b"\xff\xfb\x90\x00": (417, 3, 44_100, 32), b"\xff\xfb\x92\xc0": (418, 3, 44_100, 17), b"\xff\xf3\x88\xc4": (288, 3, 16_000, 9),
             b"\xff\xfd\xa0\x00": (626, 2, 44_100, 32), b"\xff\xe3\x48\x00": (288, 3, 8_000, 17), b"\xff\xff\x44\x00": (128, 1, 48_000, 32)}  # fmt: skip
    for head, (size, layer, rate, side) in known.items():
        frame = frame_of(head)
        assert frame is not None
        assert (frame.size, frame.layer, frame.rate, frame.side) == (size, layer, rate, side), head
    for head in (
        b"\xff\xfb\xf0\x00",
        b"\xff\xfb\x00\x00",
        b"\xff\xfb\x9c\x00",
        b"\xff\xeb\x90\x00",
        b"\xff\xf9\x90\x00",
        b"\xfe\xfb\x90\x00",
        b"\xff\xfb",
    ):
        assert frame_of(head) is None, head
    assert stream_start(b"\xff\xfb\x90\x00" * 50) is None


@pytest.mark.parametrize("fill", [b"\xff", b"\xff\xfb", b"\xff\xf3\x14\xc4", b"ID3\x03\0\0\0\0\0\0", b"\xff\xf8\x69\x18\x00\x0b"])
def test_what_is_filled_with_marks_is_a_fault_or_a_sound(fill: bytes) -> None:
    for head in (b"", bytes(encoded("MP3")), bytes(encoded("FLAC")[:21]) + bytes(5) + encoded("FLAC")[26:]):
        try:
            decode(head + fill * (2**21 // len(fill)), RATE, 1.0)
        except Fault as fault:
            said = str(fault)
            assert said
