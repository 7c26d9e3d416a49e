"""Tests of videos: frames in order from any container, their sound, and messages for other files or references to other files."""

from __future__ import annotations

import base64
import io
import json
import resource
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.sounds import encoded, tone
from builders.tables import clip, write_csv
from polymodal.cli.main import main
from polymodal.errors import Fault
from polymodal.modalities import Audio, AudioConfig, Roots, Video, VideoConfig
from polymodal.modalities.containers import frames_of

SIDE = 32


def reader(root: Path | None = None, cells: Any = (), **settings: Any) -> Video:
    config = VideoConfig(**{"column": "x", "size": SIDE, **settings})
    roots = Roots([root] if root else [])
    return Video(config, Video.fit(config, cells, "frames", {}, roots), roots)


def greys(count: int, side: int = SIDE) -> np.ndarray:
    """Frame t is of one grey, 10 + 10 t."""
    return np.broadcast_to((10 + 10 * np.arange(count))[:, None, None, None], (count, side, side, 3)).astype(np.uint8)


def places(sample: Any) -> list[int]:
    """Which frames of ``greys`` these are."""
    return [round((float(frame.mean()) - 10) / 10) for frame in sample["pixels"]]


def quarters() -> np.ndarray:
    frame = np.zeros((1, 48, 32, 3), np.uint8)
    frame[0, :24, :16] = 255  # white at the top left
    return frame.repeat(4, 0)


# -- the right values ----------------------------------------------------------------------------------------------------

CONTAINERS = [("avi", "mjpeg"), ("avi", "mpeg4"), ("mp4", "mpeg4"), ("mp4", "libx264"), ("mov", "libx264"), ("matroska", "ffv1"), ("webm", "libvpx"), ("mov", "mjpeg")]  # fmt: skip


@pytest.mark.parametrize(("format", "codec"), CONTAINERS)
def test_every_container_gives_the_frames_evenly_and_in_their_order(format: str, codec: str) -> None:
    body = clip(greys(22), format=format, codec=codec)
    sample = reader().read(body)
    assert sample["pixels"].shape == (8, 3, SIDE, SIDE)
    assert places(sample) == [0, 3, 6, 9, 12, 15, 18, 21]
    assert places(reader(frames=3).read(body)) == [0, 10, 21]
    assert places(reader(frames=1).read(body)) == [0]
    assert places(reader(frames=4, seconds=1.0).read(body)) == [0, 3, 6, 9], "10 frames a second"


@pytest.mark.parametrize(("format", "codec"), CONTAINERS)
def test_of_a_long_clip_only_what_leads_to_a_wanted_frame_is_decoded(format: str, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key frames every six, frames that refer to later ones between: what is skipped moves no frame."""
    level = np.array([10 + (37 * at) % 200 for at in range(120)])
    frames = np.broadcast_to(level[:, None, None, None], (120, SIDE, SIDE, 3))
    body = clip(frames, format=format, codec=codec, g=6, bf=2 if codec in ("libx264", "mpeg4") and format != "avi" else 0)
    sample = reader(frames=5).read(body)
    found = sample["pixels"].mean((1, 2, 3))
    np.testing.assert_allclose(found, level[[0, 30, 60, 89, 119]], atol=6)
    monkeypatch.setattr("polymodal.modalities.containers._MAX_DECODED", 60 * SIDE**2)
    np.testing.assert_array_equal(reader(frames=5).read(body)["pixels"], sample["pixels"])
    monkeypatch.setattr("polymodal.modalities.containers._MAX_DECODED", 2 * SIDE**2)
    with pytest.raises(Fault, match="pixels to decode"):
        reader(frames=5).read(body)


def test_a_short_clip_has_as_many_frames_as_there_are() -> None:
    sample = reader().read(clip(greys(3)))
    assert places(sample) == [0, 1, 2]
    field = reader().collate([sample, reader().blank()], (4,))
    assert field["mask"].tolist() == [[True, True, True, False], [True, False, False, False]]
    assert field["pixels"].shape == (2, 4, 3, SIDE, SIDE)
    assert places(reader().read(clip(greys(1)))) == [0]


def test_colours_and_greys_are_those_of_the_clip() -> None:
    frames = np.zeros((3, 64, 48, 3), np.uint8) + np.array([200, 40, 90], np.uint8)
    found = reader().read(clip(frames, format="matroska", codec="ffv1"))["pixels"]
    assert (found == np.array([200, 40, 90])[None, :, None, None]).all(), "lossless"
    assert reader(channels=1).read(clip(frames))["pixels"].shape == (3, 1, SIDE, SIDE)


@pytest.mark.parametrize(("turn", "corner"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (270, (0, 1))])
def test_a_clip_that_was_filmed_on_its_side_is_upright(turn: int, corner: tuple[int, int]) -> None:
    """Turned counterclockwise, the top left goes to the bottom left, then to the bottom right."""
    frame = reader().read(clip(quarters(), format="mp4", codec="libx264", turn=turn))["pixels"][0].mean(0)
    half = SIDE // 2
    means = {(y, x): frame[y * half : (y + 1) * half, x * half : (x + 1) * half].mean() for y in (0, 1) for x in (0, 1)}
    assert max(means, key=means.__getitem__) == corner


def test_paths_bytes_and_data_uris_are_one_clip(tmp_path: Path) -> None:
    body = clip(greys(9), format="mp4", codec="libx264")
    (tmp_path / "a.mp4").write_bytes(body)
    video = reader(tmp_path)
    expected = video.read(body)["pixels"]
    for cell in ("a.mp4", tmp_path / "a.mp4", "data:video/mp4;base64," + base64.b64encode(body).decode()):
        np.testing.assert_array_equal(video.read(cell)["pixels"], expected)


def test_frames_of_a_clip_are_varied_alike_and_not_mirrored() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3)).repeat(6, 0)
    video = reader(size=40)
    sample = video.read(clip(frames))
    still = reader(size=40, shift=0.0, color=0.0)
    for seed in range(4):
        varied = video.augment(sample, np.random.default_rng(seed))["pixels"]
        assert np.abs(varied.astype(int) - varied[0]).max() <= 12, "no more than the clip's own frames differ"
        np.testing.assert_array_equal(still.augment(sample, np.random.default_rng(seed))["pixels"], sample["pixels"])


# -- the frames that a player shows ---------------------------------------------------------------------------------------


def film(
    moments: Any,
    format: str = "mp4",
    codec: str = "libx264",
    left_out: Any = (),
    g: int = 6,
    bf: int = 0,
    faststart: Any = None,
    **options: Any,
) -> bytes:
    """Frame t, of the grey of ``greys``, is shown at moment t in tenths of a second; some are left out. ``faststart`` = a file to write."""
    out = io.BytesIO()
    flags = {"movflags": "faststart"} if faststart else {"movflags": options.pop("movflags")} if "movflags" in options else {}
    with av.open(faststart or out, "w", format=format, options=flags) as container:
        stream: Any = container.add_stream(codec, rate=10, options={name: str(value) for name, value in options.items()})
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, {"mjpeg": "yuvj420p", "ffv1": "bgr0"}.get(codec, "yuv420p")
        context = stream.codec_context
        context.gop_size, context.max_b_frames, context.time_base = g, bf, Fraction(1, 10)
        context.qmin, context.qmax, stream.bit_rate = 1, 5, 4_000_000
        for at, (grey, moment) in enumerate(zip(greys(len(moments)), moments, strict=True)):
            if at not in left_out:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(grey), "rgb24")
                frame.pts, frame.time_base = moment, Fraction(1, 10)
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Path(faststart).read_bytes() if faststart else out.getvalue()


def edited(body: bytes, edits: list[tuple[float, float]]) -> bytes:
    """An MP4 with another edit list: of each edit its seconds, and from which second of the track they are (-1 = nothing is shown)."""
    changed = bytearray(body)
    units, movie_units = (struct.unpack(">I", changed[changed.find(box) + 16 :][:4])[0] for box in (b"mdhd", b"mvhd"))
    parts = b"".join(
        struct.pack(">IiI", round(long * movie_units), -1 if start < 0 else round(start * units), 2**16) for long, start in edits
    )
    at = changed.find(b"elst") - 4
    size = int.from_bytes(changed[at : at + 4], "big")
    changed[at : at + size] = (16 + len(parts)).to_bytes(4, "big") + b"elst" + bytes(4) + len(edits).to_bytes(4, "big") + parts
    for box in (b"moov", b"trak", b"edts"):
        at = changed.find(box) - 4
        changed[at : at + 4] = (int.from_bytes(changed[at : at + 4], "big") + 16 + len(parts) - size).to_bytes(4, "big")
    return bytes(changed)


def played(body: bytes) -> list[int]:
    """Which frames of ``greys`` FFmpeg decodes."""
    with av.open(io.BytesIO(body), "r") as container:
        return [round((float(frame.to_ndarray(format="rgb24").mean()) - 10) / 10) for frame in container.decode(video=0)]


def all_places(body: bytes, count: int = 10_000, seconds: float | None = None) -> list[int]:
    return [round((float(np.asarray(frame).mean()) - 10) / 10) for frame in frames_of(body, count, seconds, 10**6)]


def remuxed(body: bytes, format: str, first: int) -> bytes:
    """The same pieces but for those before the ``first``."""
    out = io.BytesIO()
    with av.open(io.BytesIO(body), "r") as source, av.open(out, "w", format=format) as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for at, packet in enumerate(source.demux(video=0)):
            if packet.size and at >= first:
                packet.stream = stream
                container.mux(packet)
    return out.getvalue()


def test_of_a_clip_trimmed_by_an_edit_list_the_frames_that_are_shown_are_read() -> None:
    body = edited(film(range(22)), [(0.8, 0.8)])
    assert played(body) == [8, 9, 10, 11, 12, 13, 14, 15]
    assert places(reader().read(body)) == [8, 9, 10, 11, 12, 13, 14, 15]
    assert places(reader(frames=3).read(body)) == [8, 12, 15]
    assert places(reader(frames=1).read(body)) == [8]
    assert places(reader(frames=2, seconds=0.5).read(body)) == [8, 12], "half a second after the first that is shown"


@pytest.mark.parametrize(
    ("edits", "shown"),
    [
        ([(0.4, 0.2), (0.3, 1.5)], [2, 3, 4, 5, 15, 16, 17]),
        ([(0.3, 1.5), (0.4, 0.2)], [15, 16, 17, 2, 3, 4, 5]),
        ([(0.3, 0.2), (0.3, 0.2)], [2, 3, 4, 2, 3, 4]),
        ([(1.0, -1), (0.4, 0.7)], [7, 8, 9, 10]),
        ([(9.0, 0.0)], list(range(22))),
    ],
    ids=["parts", "parts in another order", "a part twice", "nothing first", "longer than the clip"],
)
def test_edit_lists_of_several_parts(edits: list[tuple[float, float]], shown: list[int]) -> None:
    body = edited(film(range(22)), edits)
    assert played(body) == shown
    assert all_places(body) == shown
    with_b_frames = edited(film(range(22), bf=2), edits)
    assert len(played(with_b_frames)) > 1
    assert all_places(with_b_frames) == played(with_b_frames)


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg"])
@pytest.mark.parametrize("left_out", [(7,), (7, 8, 12), (19,), (0,)])
def test_frames_that_were_dropped_while_recording_are_no_loss(codec: str, left_out: tuple[int, ...]) -> None:
    body = film(range(20), "avi", codec, left_out)
    shown = [at for at in range(20) if at not in left_out]
    assert all_places(body) == shown
    assert all_places(body, 5) == [shown[round(at)] for at in np.linspace(0, len(shown) - 1, 5)]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_of_an_avi_with_b_frames_are_in_their_order(codec: str) -> None:
    body = film(range(22), "avi", codec, bf=2)
    for count, expected in ((1, [0]), (2, [0, 21]), (8, [0, 3, 6, 9, 12, 15, 18, 21]), (22, list(range(22)))):
        assert all_places(body, count) == expected
    assert all_places(body, 4, seconds=1.0) == [0, 3, 6, 9]


@pytest.mark.parametrize("format", ["mp4", "webm"])
def test_av1_is_read_by_whatever_name_its_decoder_has(format: str) -> None:
    out = io.BytesIO()
    with av.open(out, "w", format=format) as container:
        stream: Any = container.add_stream("libsvtav1", rate=10, options={"preset": "12"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for grey in greys(22, 64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(grey), "rgb24")))
        container.mux(stream.encode())
    assert all_places(out.getvalue(), 3) == [0, 10, 21]


def test_data_that_is_missing_is_told(tmp_path: Path) -> None:
    frames = range(40)
    fast = film(frames, faststart=str(tmp_path / "fast.mp4"))
    assert all_places(fast) == played(fast)
    assert fast.index(b"moov") < fast.index(b"mdat")
    cases = [
        fast[: (fast.index(b"mdat") + len(fast)) // 2],
        fast[:-10],
        film(frames, "avi", "mpeg4")[:-4_000],
        film(frames, "avi", "mpeg4", (7,))[:-4_000],
    ]
    for body in cases:
        with pytest.raises(Fault, match=r"truncated video: .* frames are there"):
            frames_of(body, 8, None, 10**6)
    parts = film(frames, movflags="frag_keyframe+empty_moov")
    with pytest.raises(Fault, match=r"truncated video: [0-9]+ frames are there"):
        frames_of(parts[: parts.rindex(b"mdat") + 20], 8, None, 10**6)
    whole = film(range(20), "avi", "mpeg4")
    assert all_places(whole[: whole.rindex(b"idx1")]) == list(range(20)), "only the index is missing"


@pytest.mark.parametrize("format", ["matroska", "mp4"])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_clip_whose_first_frame_is_no_key_frame(format: str, codec: str) -> None:
    body = remuxed(film(range(22), "matroska", codec, g=6, sc_threshold=0 if codec == "libx264" else 10**9), format, 3)
    with av.open(io.BytesIO(body), "r") as container:
        assert not next(container.demux(video=0)).is_keyframe
    shown = played(body)
    assert all_places(body) == shown
    assert all_places(body, 4) == [shown[round(at)] for at in np.linspace(0, len(shown) - 1, 4)]
    if codec == "libx264":
        assert shown == list(range(6, 22))
        assert all_places(body, 100, 0.5) == [6, 7, 8, 9, 10]


@pytest.mark.parametrize(
    ("format", "moments", "bf"),
    [
        ("mp4", [at * at for at in range(16)], 2),
        ("matroska", [at * at for at in range(16)], 2),
        ("matroska", range(-5, 11), 2),
        ("matroska", range(100, 116), 0),
        ("avi", range(16), 2),
    ],
    ids=["variable mp4", "variable mkv", "negative", "late", "b-frames in avi"],
)
def test_moments_of_any_kind(format: str, moments: Any, bf: int) -> None:
    body = film(moments, format, "mpeg4" if format == "avi" else "libx264", bf=bf)
    assert all_places(body) == played(body) == list(range(16))
    assert all_places(body, 4) == [0, 5, 10, 15], "evenly over the frames, not over the time"
    assert all_places(body, 100, 1.7) == [at for at in range(16) if moments[at] - moments[0] < 17]


def test_frames_that_are_never_shown_are_not_counted() -> None:
    """VP8 keeps frames that others refer to and that are not shown."""
    body = film(range(24), "webm", "libvpx", g=12, **{"auto-alt-ref": 1, "lag-in-frames": 12})
    assert all_places(body) == played(body)
    assert len(all_places(body, 7)) == 7


# -- how a frame is displayed ------------------------------------------------------------------------------------------------


def corners() -> np.ndarray:
    """Four quarters of different greys."""
    frame = np.zeros((48, 32), np.uint8)
    frame[:24, :16], frame[:24, 16:], frame[24:, :16], frame[24:, 16:] = 20, 90, 160, 230
    return frame


def quarters_of(picture: Any) -> np.ndarray:
    array = np.asarray(picture).mean(2)
    high, wide = array.shape[0] // 2, array.shape[1] // 2
    return np.array([[array[:high, :wide].mean(), array[:high, wide:].mean()], [array[high:, :wide].mean(), array[high:, wide:].mean()]])


Q = np.array([[20, 90], [160, 230]])
MATRICES = [
    ((1, 0, 0, 1), Q),
    ((-1, 0, 0, 1), Q[:, ::-1]),
    ((1, 0, 0, -1), Q[::-1]),
    ((-1, 0, 0, -1), Q[::-1, ::-1]),
    ((0, 1, 1, 0), Q.T),
    ((0, 1, -1, 0), np.rot90(Q, -1)),
    ((0, -1, 1, 0), np.rot90(Q)),
    ((0, -1, -1, 0), np.rot90(Q, 2).T),
    ((0.94, 0.34, -0.34, 0.94), Q),
    ((-0.34, 0.94, -0.94, -0.34), np.rot90(Q, -1)),
    ((-0.94, 0.34, 0.34, 0.94), Q[:, ::-1]),
    ((0, 0, 0, 0), Q),
]


@pytest.mark.parametrize(("matrix", "expected"), MATRICES, ids=[str(matrix) for matrix, _ in MATRICES])
def test_the_display_matrix_rotates_and_mirrors(matrix: tuple[float, ...], expected: np.ndarray) -> None:
    """In a track's header: a, b, u, c, d, v, x, y, w, where a point (x, y) goes to (a x + c y, b x + d y), y running down."""
    body = clip(corners()[None, :, :, None].repeat(3, 0).repeat(3, 3), format="mp4", codec="libx264")
    a, b, c, d = (round(value * 2**16) for value in matrix)
    body = patched(body, b"tkhd", 44, struct.pack(">9i", a, b, 0, c, d, 0, 48 * 2**16, 0, 2**30))
    picture = frames_of(body, 1, None, 10**6)[0]
    np.testing.assert_allclose(quarters_of(picture), expected, atol=4)
    is_turned = abs(matrix[1]) > abs(matrix[0])
    assert picture.size == ((48, 32) if is_turned else (32, 48))


def test_pixels_that_are_not_square_are_displayed_square() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 32, "yuv420p"
        stream.sample_aspect_ratio = stream.codec_context.sample_aspect_ratio = Fraction(6, 1)
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(corners()[:, :, None].repeat(3, 2), "rgb24")))
        container.mux(stream.encode())
    picture = frames_of(out.getvalue(), 1, None, 10**6)[0]
    assert picture.size == (78, 20), "four times as wide as high, of about as many pixels"
    np.testing.assert_allclose(quarters_of(picture), Q, atol=8)


LUMA = {"bt601": (0.299, 0.114, 6), "bt709": (0.2126, 0.0722, 1), "bt2020": (0.2627, 0.0593, 9)}
"""Weights of red and blue (ITU-R BT.601, BT.709, BT.2020), and the number by which a stream names them (ITU-T H.273)."""


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("standard", LUMA)
@pytest.mark.parametrize(("format", "codec"), [("mp4", "libx264"), ("matroska", "ffv1")])
def test_colours_of_every_standard_range_and_depth_are_right(format: str, codec: str, standard: str, is_full: bool, bits: int) -> None:
    red, blue, number = LUMA[standard]
    rgb = np.array([200, 40, 90]) / 255
    y = rgb @ [red, 1 - red - blue, blue]
    cb, cr = (rgb[2] - y) / (2 - 2 * blue), (rgb[0] - y) / (2 - 2 * red)
    top, unit = 2**bits - 1, 2 ** (bits - 8)
    values = (
        [y * top, cb * top + 128 * unit, cr * top + 128 * unit]
        if is_full
        else [unit * (16 + 219 * y), unit * (128 + 224 * cb), unit * (128 + 224 * cr)]
    )
    out = io.BytesIO()
    with av.open(out, "w", format=format) as container:
        stream: Any = container.add_stream(codec, rate=10, options={"crf": "1"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p" if bits == 8 else "yuv420p10le"
        stream.codec_context.colorspace, stream.codec_context.color_range = number, 2 if is_full else 1
        for at in range(2):
            frame: Any = av.VideoFrame(SIDE, SIDE, stream.pix_fmt)
            frame.pts, frame.colorspace, frame.color_range = at, number, 2 if is_full else 1
            for plane, value in zip(frame.planes, values, strict=True):
                kind = np.dtype(np.uint16 if bits > 8 else np.uint8)
                plane.update(np.full(plane.buffer_size // kind.itemsize, round(value), kind).tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    found = np.asarray(frames_of(out.getvalue(), 1, None, 10**6)[0])
    np.testing.assert_allclose(found.reshape(-1, 3).mean(0), [200, 40, 90], atol=4)


# -- its sound -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "codec"), [("avi", "mjpeg"), ("mov", "libx264"), ("matroska", "ffv1"), ("mp4", "libx264")])
def test_the_sound_track_is_the_sound(format: str, codec: str) -> None:
    sound = tone(1_000, 1.0, 8_000)
    config = AudioConfig(column="x", rate=8_000)
    audio = Audio(config, Audio.fit(config, [encoded(sound, 8_000)] * 3, "spectrogram", {}, Roots()), Roots())
    expected = audio.read(encoded(sound, 8_000))
    found = audio.read(clip(greys(10), format=format, codec=codec, sound=sound))
    assert abs(len(found["mel"]) - len(expected["mel"])) <= 1
    assert (found["mel"][5:80].argmax(1) == np.median(expected["mel"][5:80].argmax(1))).mean() > 0.95
    assert abs(float(found["level"][0] - expected["level"][0])) < (0.2 if format == "mp4" else 0.01)
    with pytest.raises(Fault, match="without a sound track"):
        audio.read(clip(greys(4), format=format, codec=codec))


# -- what is no video --------------------------------------------------------------------------------------------------------

GOOD = clip(greys(12), format="mp4", codec="libx264")
WITHOUT = clip(greys(12))
CONCAT = b"ffconcat version 1.0\nfile '/etc/passwd'\nfile 'secret.mp4'\n"
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.mp4\n#EXT-X-ENDLIST\n"


def patched(body: bytes, box: bytes, at: int, value: bytes) -> bytes:
    place = body.index(box) + at
    return body[:place] + value + body[place + len(value) :]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (b"", "not a video"),
        (b"no video at all", "not a video"),
        (CONCAT, "not a video"),
        (PLAYLIST, "not a video"),
        (b"<?xml version='1.0'?><MPD><BaseURL>secret.mp4</BaseURL></MPD>", "not a video"),
        (encoded(tone(440)), "not a video"),
        (GOOD[:200], "broken|no frames|truncated"),
        (GOOD[: len(GOOD) // 2], "broken|no frames|truncated"),
        (WITHOUT[: len(WITHOUT) // 2], "truncated"),
        (GOOD[:4] + b"ftypavif" + GOOD[12:], "not a video"),
        (GOOD[:4] + b"ftyp" + bytes(400), "broken|without"),
        (b"RIFF\0\0\0\0AVI " + bytes(500), "broken|without"),
        (b"\x1aE\xdf\xa3" + bytes(500), "broken|without"),
        (CONCAT + GOOD, "not a video"),
        (clip(greys(4, 96)), "at most 4,096"),
        (clip(greys(4, 96), format="mp4", codec="libx264"), "at most 4,096"),
        (clip(greys(4, 96), format="webm", codec="libvpx"), "at most 4,096"),
        ("https://example.com/a.mp4", "a URL"),
        ("concat:a.mp4|b.mp4", "no folder|outside|no such"),
        ("../a.mp4", "no folder|outside"),
        (3.5, "found float"),
        (["a.mp4"], "found list"),
    ],
)
def test_what_is_no_video_is_told(cell: Any, said: str) -> None:
    with pytest.raises(Fault, match=said) as caught:
        reader(max_pixels=64 * 64).read(cell)
    assert len(str(caught.value)) < 250


def test_a_video_never_opens_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of files, by any name, under the very roots that they name files of."""
    (tmp_path / "secret.mp4").write_bytes(GOOD)
    monkeypatch.chdir(tmp_path)
    for name in ("list.mp4", "list.mkv", "list.avi", "list.m3u8"):
        for body in (CONCAT.replace(b"/etc/passwd", b"secret.mp4"), PLAYLIST):
            (tmp_path / name).write_bytes(body)
            with pytest.raises(Fault, match="not a video"):
                reader(tmp_path).read(name)


def readable_or_told(video: Video, body: bytes) -> bool:
    try:
        return video.read(body)["pixels"].shape[1:] == (3, SIDE, SIDE)
    except Fault as fault:
        return len(str(fault)) < 250


def test_sizes_that_a_header_claims_cost_nothing() -> None:
    """100,000 pixels a side, in the container and, of MJPEG, in each frame too."""
    wide = (60_000).to_bytes(2, "big")
    bodies = [
        patched(GOOD, b"avc1", 28, wide + wide),
        patched(WITHOUT, b"strf", 12, (100_000).to_bytes(4, "little") * 2),
        WITHOUT.replace(b"\xff\xc0\x00\x11\x08" + bytes([0, SIDE, 0, SIDE]), b"\xff\xc0\x00\x11\x08" + wide + wide),
    ]
    assert bodies[2] != WITHOUT
    video = reader()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for body in bodies:
        assert readable_or_told(video, body)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 300


@pytest.mark.parametrize("body", [GOOD, WITHOUT, clip(greys(8), format="matroska", codec="ffv1")], ids=["mp4", "avi", "mkv"])
def test_any_byte_may_be_another(body: bytes) -> None:
    rng = np.random.default_rng(0)
    video = reader()
    for _ in range(60):
        changed = bytearray(body)
        for at in rng.integers(0, len(body), rng.integers(1, 8)):
            changed[at] = rng.integers(0, 256)
        assert readable_or_told(video, bytes(changed[: rng.integers(1, 2 * len(body))]))


# -- tables of videos ----------------------------------------------------------------------------------------------------------


def moving(rows: int, seed: int) -> list[dict[str, Any]]:
    """A block that goes left or right over noise: the same frames, in one order or in the other."""
    rng = np.random.default_rng(seed)
    made = []
    for at in range(rows):
        count, step = int(rng.integers(8, 13)), rng.uniform(1.0, 2.0)
        frames = rng.normal(40, 6, (count, 32, 32, 3)).clip(0, 255)
        start, y, colour = (
            rng.uniform(0, 26 - step * (count - 1)) if step * (count - 1) < 26 else 0,
            rng.integers(0, 26),
            rng.integers(80, 256, 3),
        )
        for t, frame in enumerate(frames):
            x = min(26, int(start + step * t))
            frame[y : y + 6, x : x + 6] = colour
        made.append({"clip": clip(frames if at % 2 else frames[::-1]), "way": "right" if at % 2 else "left"})
    return made


@pytest.mark.slow
def test_the_direction_of_motion_is_learned_with_nothing_said() -> None:
    settings = ("data.split.kind=random", "data.split.valid=0.2", "training.baselines=false", "fields.clip.frames=4", "training.epochs=7")
    rows, other = moving(200, 0), moving(60, 1)
    model = pm.train(rows, *settings, target="way")
    assert model.evaluate(other)["tasks"]["way"]["accuracy"] >= 0.95
    blind = pm.train(rows, *settings[:-1], "training.epochs=2", "model.encoders.clip.order=false", target="way")
    assert blind.evaluate(other)["tasks"]["way"]["accuracy"] < 0.7, "a set of frames does not say which way"


def films(folder: Path, rows: int, seed: int) -> Path:
    """What is seen (dark or bright) and what is heard (low or high) together make the class."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    table = []
    for at in range(rows):
        bright, high = rng.integers(0, 2, 2)
        frames = np.full((3, 16, 16, 3), 60 + 120 * bright) + rng.integers(0, 20, (3, 16, 16, 3))
        name = f"{seed}_{at}.avi"
        (folder / name).write_bytes(clip(frames, sound=tone(rng.uniform(300, 500) * (1 + 3 * high), 0.3, 8_000)))
        table.append([f"{folder.name}/{name}", f"{'bright' if bright else 'dark'} {'high' if high else 'low'}"])
    return write_csv(folder.parent / f"films{seed}.csv", ["clip", "class"], table)


def test_two_fields_over_one_column_see_and_hear_a_clip(tmp_path: Path) -> None:
    films(tmp_path / "f", 120, 0)
    films(tmp_path / "f", 60, 1)
    (tmp_path / "run.yaml").write_text(
        """
data: {table: films0.csv, test: films1.csv, split: {kind: random, valid: 0.2}}
fields:
  clip: {kind: video, column: clip, size: 16, frames: 2}
  clip_sound: {kind: audio, column: clip, rate: 8000, mels: 16}
tasks:
  class: {kind: multiclass, column: class}
model:
  width: 16
  encoders: {clip: {kind: frames, hidden: 16, each: {kind: convnet, channels: [8, 16]}}, clip_sound: {kind: spectrogram}}
training: {epochs: 12, lr: 3.0e-3}
""",
        encoding="utf-8",
    )
    result = CliRunner().invoke(main, ["train", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "run"), "--quiet"])
    assert result.exit_code == 0, (result.output, result.exception)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["tasks"]["class"]["accuracy"] > 0.9
    assert all(alone["tasks"]["class"]["accuracy"] < 0.8 for alone in metrics["baselines"].values()), "each alone tells one half"
    model = pm.load(tmp_path / "run", root=[tmp_path])
    answers = next(iter(model.predictions([{"clip": "f/1_0.avi"}, {"clip": None}])))
    assert [list(there) for there in answers.present] == [["clip", "clip_sound"], []]
    assert np.isfinite(answers.scores["class"]).all()


def test_videos_are_found_by_their_names_and_bytes_and_inspect_says_so(tmp_path: Path) -> None:
    table = films(tmp_path / "f", 12, 0)
    said = pm.inspect(table, target="class").text()
    assert "video" in said
    assert "their sound: a field of kind audio" in " ".join(said.split())
    assert Video.recognise([GOOD, WITHOUT], Roots()).confidence == 1.0
    old = GOOD[int.from_bytes(GOOD[:4], "big") :]  # without its first box, as old MOV files are: the index comes last
    assert old[4:8] in (b"free", b"mdat")
    assert Video.recognise([old], Roots()).confidence == 1.0
    assert Video.recognise(["data:video/mp4;base64,AAAA"], Roots()).confidence == 1.0
    assert Video.recognise(["a.gif", "b.wav", encoded(tone(440))], Roots()).confidence == 0.0


def test_a_clip_without_av_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(pm.errors.MissingDependency, match=r"polymodal\[video\]"):
        reader().read(GOOD)
    with pytest.raises(Fault, match=r"polymodal\[video\]"):
        Audio(AudioConfig(column="x"), {"form": "spectrogram", "rate": 8_000, "mels": 16, "frames": 50, "mean": 0.0, "std": 1.0, "level": 0.0, "level_std": 1.0}, Roots()).read(GOOD)  # fmt: skip


def test_a_picture_is_no_video() -> None:
    from PIL import Image as Pillow

    out = io.BytesIO()
    Pillow.new("RGB", (8, 8)).save(out, "GIF")
    with pytest.raises(Fault, match="not a video"):
        reader().read(out.getvalue())


def test_frames_are_cut_as_a_pretrained_model_s_pictures_were() -> None:
    wide = np.zeros((3, 32, 64, 3), np.uint8)
    wide[:, :, :16], wide[:, :, 48:] = 255, 255  # white at both ends, which the cut leaves out
    video = reader(size=32)
    needs = {"size": 32, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3, "resize": {"edge": 32, "resample": 2}}
    state = Video.fit(video.config, [clip(wide)], "frames", needs, Roots())
    cut = Video(video.config, state, Roots())
    cut.check()
    assert cut.read(clip(wide))["pixels"].mean() < 10 < 100 < video.read(clip(wide))["pixels"].mean()
