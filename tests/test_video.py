"""Videos: the right frames in their order from any container, their sound, and what is no video, or wants another file, to a message."""

from __future__ import annotations

import base64
import io
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import polymodal as pm
from conftest import clip, write_csv
from polymodal.cli.main import main
from polymodal.errors import Fault
from polymodal.modalities import Audio, AudioConfig, Roots, Video, VideoConfig
from test_audio import encoded, tone

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
    settings = ("data.split.kind=random", "data.split.valid=0.2", "training.baselines=false", "fields.clip.frames=4", "training.epochs=12")
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
    assert "their sound: a field of kind audio" in said
    assert Video.recognise([GOOD, WITHOUT], Roots()).confidence == 1.0
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
