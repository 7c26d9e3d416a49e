"""Tests of pictures: the values of every mode and format, and the messages for invalid and malicious cells."""

from __future__ import annotations

import base64
import io
import os
import socket
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from polymodal.errors import Fault
from polymodal.modalities import Image, ImageConfig, Roots

SIZE = 8
QUARTERS = {"red": (230, 20, 30), "green": (20, 200, 40), "blue": (30, 40, 220), "yellow": (240, 230, 20)}


def reader(*folders: Path, **settings: Any) -> Image:
    config = ImageConfig(column="photo", size=SIZE, **settings)
    state = {"size": SIZE, "channels": config.channels or 3, "mean": [127.5], "std": [64.0], "form": "pixels"}
    return Image(config, state, Roots(folders))


def encoded(picture: Pillow.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def quarters(side: int = SIZE) -> Pillow.Image:
    """Red top left, green top right, blue bottom left, yellow bottom right."""
    pixels = np.zeros((side, side, 3), np.uint8)
    half = side // 2
    pixels[:half, :half], pixels[:half, half:] = QUARTERS["red"], QUARTERS["green"]
    pixels[half:, :half], pixels[half:, half:] = QUARTERS["blue"], QUARTERS["yellow"]
    return Pillow.fromarray(pixels)


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Top left, top right, bottom left, bottom right."""
    return [tuple(int(value) for value in pixels[:, y, x]) for y, x in ((1, 1), (1, -2), (-2, 1), (-2, -2))]


def near(found: tuple[int, ...], expected: tuple[int, ...], within: int = 1) -> bool:
    return max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= within


def flat(pixels: np.ndarray) -> tuple[int, ...]:
    assert pixels.dtype == np.uint8
    assert pixels.shape == (3, SIZE, SIZE)
    assert (pixels == pixels[:, :1, :1]).all()
    return tuple(int(value) for value in pixels[:, 0, 0])


def read(cell: Any, **settings: Any) -> np.ndarray:
    return reader(**settings).read(cell)["pixels"]


# -- formats and modes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "within"), [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("WEBP", 30), ("JPEG", 40)])
def test_every_format_gives_its_colours(format: str, within: int) -> None:
    found = corners(read(encoded(quarters(64), format)))
    for corner, color in zip(found, QUARTERS.values(), strict=True):
        assert near(corner, color, within), (format, corner, color)


def test_lossless_webp_and_palettes_are_exact() -> None:
    assert corners(read(encoded(quarters(), "WEBP", lossless=True))) == list(QUARTERS.values())
    assert corners(read(encoded(quarters().convert("P", palette=Pillow.Palette.ADAPTIVE), "PNG"))) == list(QUARTERS.values())


@pytest.mark.parametrize(("alpha", "expected"), [(255, (200, 100, 0)), (0, (255, 255, 255)), (128, (227, 177, 127))])
def test_transparency_is_laid_over_white(alpha: int, expected: tuple[int, ...]) -> None:
    assert near(flat(read(encoded(Pillow.new("RGBA", (20, 20), (200, 100, 0, alpha)), "PNG"))), expected)


def test_grey_with_alpha_a_transparent_palette_and_a_transparent_colour() -> None:
    assert near(flat(read(encoded(Pillow.new("LA", (9, 9), (100, 128)), "PNG"))), (177, 177, 177))
    palette = Pillow.new("P", (9, 9), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    assert flat(read(encoded(palette, "PNG"))) == (10, 200, 30)
    assert flat(read(encoded(palette, "PNG", transparency=1))) == (255, 255, 255)
    assert near(flat(read(encoded(palette, "PNG", transparency=bytes([255, 128])))), (132, 227, 142))
    assert flat(read(encoded(Pillow.new("RGB", (9, 9), (10, 20, 30)), "PNG", transparency=(10, 20, 30)))) == (255, 255, 255)
    assert flat(read(encoded(Pillow.new("L", (9, 9), 7), "PNG", transparency=7))) == (255, 255, 255)


def test_cmyk_one_bit_and_deep_grey() -> None:
    assert near(flat(read(encoded(Pillow.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))), (255, 0, 0), 6)
    assert near(flat(read(encoded(Pillow.new("CMYK", (16, 16), (0, 0, 0, 0)), "TIFF"))), (255, 255, 255), 1)
    assert flat(read(encoded(Pillow.new("1", (9, 9), 1), "PNG"))) == (255, 255, 255)
    assert flat(read(encoded(Pillow.new("1", (9, 9), 0), "PNG"))) == (0, 0, 0)
    assert flat(read(encoded(Pillow.new("L", (9, 9), 77), "PNG"))) == (77, 77, 77)
    for value in (0, 257 * 50, 65_535):
        deep = Pillow.fromarray(np.full((9, 9), value, np.uint16))
        for format in ("PNG", "TIFF"):
            assert flat(read(encoded(deep, format))) == (value // 257,) * 3, (format, value)
    ramp = Pillow.fromarray(np.tile(np.linspace(-1, 3, 8, dtype=np.float32), (8, 1)))
    found = read(encoded(ramp, "TIFF"))
    assert (found[0, 0, 0], found[0, 0, -1]) == (0, 255), "floats are spread over their own range"


def test_one_channel_is_luminance() -> None:
    found = read(encoded(Pillow.new("RGB", (9, 9), (255, 0, 0)), "PNG"), channels=1)
    assert found.shape == (1, SIZE, SIZE)
    assert (found == 76).all()


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, "red green blue yellow"),
        (2, "green red yellow blue"),
        (3, "yellow blue green red"),
        (4, "blue yellow red green"),
        (5, "red blue green yellow"),
        (6, "blue red yellow green"),
        (7, "yellow green blue red"),
        (8, "green yellow red blue"),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(format: str, orientation: int, expected: str) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    found = corners(read(encoded(quarters(64), format, exif=exif)))
    for corner, name in zip(found, expected.split(), strict=True):
        assert near(corner, QUARTERS[name], 45), (orientation, corner, name)


def test_the_first_frame_of_a_gif_and_of_a_tiff() -> None:
    frames = [Pillow.new("RGB", (9, 9), color) for color in ((200, 0, 0), (0, 200, 0))]
    assert near(flat(read(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))), (200, 0, 0))
    assert flat(read(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]))) == (200, 0, 0)


def test_the_first_picture_of_a_camera_s_mpo() -> None:
    frames = [Pillow.new("RGB", (16, 16), color) for color in ((200, 0, 0), (0, 200, 0))]
    assert near(flat(read(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]))), (200, 0, 0), 6)


def test_a_large_jpeg_is_reduced_to_the_same_colours() -> None:
    found = corners(read(encoded(quarters(512), "JPEG", quality=95)))
    for corner, color in zip(found, QUARTERS.values(), strict=True):
        assert near(corner, color, 12)


# -- where the bytes come from -------------------------------------------------------------------------------------------


def test_bytes_data_uris_and_paths_of_one_picture_are_one_sample(tmp_path: Path) -> None:
    body = encoded(quarters(), "PNG")
    (tmp_path / "a b.PNG").write_bytes(body)
    image = reader(tmp_path)
    expected = image.read(body)["pixels"]
    uri = "data:image/png;base64," + base64.b64encode(body).decode()
    for cell in (
        bytearray(body),
        memoryview(body),
        uri,
        "a b.PNG",
        " a b.PNG ",
        "./a b.PNG",
        str(tmp_path / "a b.PNG"),
        tmp_path / "a b.PNG",
    ):
        np.testing.assert_array_equal(image.read(cell)["pixels"], expected)


def test_a_file_under_an_added_root_is_accepted_and_the_first_root_wins(tmp_path: Path) -> None:
    for folder, color in (("one", (1, 2, 3)), ("two", (200, 2, 3))):
        (tmp_path / folder).mkdir()
        Pillow.new("RGB", (9, 9), color).save(tmp_path / folder / "x.png")
    Pillow.new("RGB", (9, 9), (9, 9, 9)).save(tmp_path / "two" / "only.png")
    assert flat(reader(tmp_path / "one", tmp_path / "two").read("x.png")["pixels"]) == (1, 2, 3)
    assert flat(reader(tmp_path / "one", tmp_path / "two").read("only.png")["pixels"]) == (9, 9, 9)
    with pytest.raises(Fault, match="outside every root"):
        reader(tmp_path / "one").read(str(tmp_path / "two" / "only.png"))


def fault(image: Image, cell: Any) -> str:
    with pytest.raises(Fault) as caught:
        image.read(cell)
    assert len(str(caught.value)) < 200
    return str(caught.value)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A root with broken things in it, beside things outside."""
    root = tmp_path / "root"
    (root / "folder.png").mkdir(parents=True)
    body = encoded(quarters(64), "PNG")
    (root / "good.png").write_bytes(body)
    (root / "cut.png").write_bytes(body[: len(body) // 2])
    (root / "cut.jpg").write_bytes(encoded(quarters(256), "JPEG", quality=95)[:1500])
    (root / "flipped.png").write_bytes(body[:40] + b"\0\0\0\0" + body[44:])
    (root / "text.png").write_text("This is no picture.")
    (root / "empty.png").touch()
    (root / "vector.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (root / "script.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    (tmp_path / "outside.png").write_bytes(body)
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    (root / "inner.png").symlink_to(root / "good.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "dangling.png").symlink_to(root / "none.png")
    os.mkfifo(root / "pipe.png")
    return root


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("cut.png", "truncated"),
        ("cut.jpg", "truncated"),
        ("flipped.png", "picture"),
        ("text.png", "not a picture"),
        ("empty.png", "not a picture"),
        ("vector.png", "not a picture"),
        ("script.jpg", "not a picture"),
        ("none.png", "no such file"),
        ("none/none.png", "no such file 'none/none.png' under"),
        ("good.png/x.png", "no such file"),
        ("dangling.png", "no such file"),
        ("folder.png", "a folder"),
        (".", "a folder"),
        ("pipe.png", "not a regular file"),
        ("loop.png", "cannot be opened"),
        ("link.png", "outside every root"),
        ("../outside.png", "outside every root"),
        ("folder.png/../../outside.png", "outside every root"),
        ("/etc/passwd", "outside every root"),
        ("/dev/zero", "outside every root"),
        ("a\0b.png", "NUL"),
        ("x" * 5000 + ".png", "cannot be opened"),
        ("\ud800.png", ""),
        ("https://example.com/a.png", "URL"),
        ("file:///etc/passwd", "URL"),
        ("data:image/png,abc", "not base64"),
        ("data:image/png;base64,@@@", "invalid base64"),
        ("data:image/png;base64,AAAA", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", ""),
        (3.5, "found float"),
        (["a.png"], "found list"),
        ({"bytes": b""}, "found dict"),
    ],
)
def test_what_is_wrong_with_a_cell_is_told(place: Path, cell: Any, said: str) -> None:
    told = fault(reader(place), cell)
    assert said in told
    assert str(place) not in told, "a fault never says where the roots are"


def test_a_file_that_is_not_there_is_named_as_its_cell_names_it_and_never_with_the_root(place: Path) -> None:
    long = "deep/" * 40 + "none.png"
    for cell, shown in (("none.png", "none.png"), (" a/none 1.png ", "a/none 1.png"), ("图/无.png", "图/无.png"), (f"{place}/a/none.png", "a/none.png"),
                        ("a/../none.png", "none.png"), (f"../{place.name}/none.png", "none.png"), (long, "..." + long[-97:])):  # fmt: skip
        assert fault(reader(place), cell) == f"no such file {shown!r} under the table's folder (--root adds folders)"


def test_links_inside_the_root_and_sockets(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert corners(reader(place).read("inner.png")["pixels"]) == list(QUARTERS.values())
    monkeypatch.chdir(place)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        fault(reader(place), "socket.png")


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_that_is_swapped_in_between_check_and_open_leads_nowhere(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    (place / "inner").mkdir()
    (place / "inner" / "a.png").write_bytes((place / "good.png").read_bytes())
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "a.png").write_bytes(encoded(Pillow.new("RGB", (9, 9), (1, 2, 3)), "PNG"))
    real = os.path.realpath
    armed = False

    def checked(path: Any, **options: Any) -> Any:
        found = real(path, **options)
        if armed and what == "file":
            (place / "inner" / "a.png").unlink()
            (place / "inner" / "a.png").symlink_to(secret / "a.png")
        elif armed:
            (place / "inner").rename(place / "gone")
            (place / "inner").symlink_to(secret)
        return found

    image = reader(place)
    image.read("inner/a.png")
    monkeypatch.setattr(os.path, "realpath", checked)
    armed = True
    fault(image, "inner/a.png")


def test_a_link_that_is_swapped_all_the_time_never_leads_out(place: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "a.png").write_bytes(encoded(Pillow.new("RGB", (9, 9), (1, 2, 3)), "PNG"))
    (place / "real").mkdir()
    (place / "real" / "a.png").write_bytes((place / "good.png").read_bytes())
    stop = threading.Event()

    def swap() -> None:
        at = 0
        while not stop.is_set():
            link = place / f".{at % 2}"
            link.symlink_to(place / "real" if at % 2 else secret)
            os.replace(link, place / "swapped")
            at += 1

    thread = threading.Thread(target=swap)
    thread.start()
    image, read = reader(place), 0
    try:
        for _ in range(2_000):
            try:
                pixels = image.read("swapped/a.png")["pixels"]
            except Fault:
                continue
            assert corners(pixels) == list(QUARTERS.values())
            read += 1
    finally:
        stop.set()
        thread.join()
    assert read, "sometimes it led inside"


def test_no_descriptor_is_left_open_by_faults(place: Path) -> None:
    image = reader(place)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        for cell in ("folder.png", "pipe.png", "cut.png", "link.png", "text.png"):
            fault(image, cell)
    assert len(os.listdir("/proc/self/fd")) == before


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is huge, and holds nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")


def test_pictures_over_the_pixel_cap_are_faults_before_they_are_decoded() -> None:
    assert "a picture of 100,000 x 100,000 pixels; expected at most 64,000,000" in fault(reader(), bomb(100_000, 100_000))
    small = reader(max_pixels=100)
    assert "a picture of 11 x 10 pixels" in fault(small, encoded(Pillow.new("RGB", (11, 10)), "PNG"))
    small.read(encoded(Pillow.new("RGB", (10, 10)), "PNG"))


def test_files_over_the_byte_cap_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polymodal.modalities.files.MAX_BYTES", 100)
    (tmp_path / "large.png").write_bytes(b"x" * 101)
    image = reader(tmp_path)
    assert "101 bytes; expected at most 100" in fault(image, "large.png")
    assert "101 bytes" in fault(image, b"x" * 101)
    assert "expected at most" in fault(image, "data:image/png;base64," + "A" * 400)


def test_a_path_in_a_table_without_a_folder_asks_for_a_root() -> None:
    assert "--root" in fault(reader(), "a.png")


# -- around reading ------------------------------------------------------------------------------------------------------


def test_the_size_is_chosen_from_the_pictures_and_the_mean_from_their_pixels() -> None:
    cells = [encoded(Pillow.new("RGB", (20, 20), (10, 20, value)), "PNG") for value in (0, 200)]
    state = Image.fit(ImageConfig(column="x"), [*cells, b"no picture"], "pixels", {}, Roots())
    assert (state["size"], state["mean"]) == (32, [10, 20, 100])
    assert state["std"] == [1.0, 1.0, 100.0]
    assert Image.fit(ImageConfig(column="x", channels=1), [], "pixels", {}, Roots())["mean"] == [127.5]


def test_augmentation_is_a_function_of_the_generator_and_keeps_what_must_stay() -> None:
    image = reader()
    sample = {"pixels": np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE)).astype(np.uint8)}
    before = sample["pixels"].copy()
    one, two = (image.augment(sample, np.random.default_rng(5))["pixels"] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(sample["pixels"], before)
    assert (one.shape, one.dtype) == (before.shape, np.uint8)
    assert not np.array_equal(one, before)
    still = reader(flip=False, shift=0.0, color=0.0)
    np.testing.assert_array_equal(still.augment(sample, np.random.default_rng(1))["pixels"], before)


def test_recognition_reads_cells_not_names() -> None:
    assert Image.recognise(["a.png", "b/c.JPG", "d.jpeg"], Roots()).confidence > 0.9
    assert Image.recognise([encoded(quarters(), "PNG"), encoded(quarters(), "WEBP")], Roots()).confidence > 0.9
    assert Image.recognise(["data:image/png;base64,AAAA"], Roots()).confidence > 0.9
    assert Image.recognise(["a.txt", "hello", b"abc", 3], Roots()).confidence == 0
    assert Image.recognise([], Roots()).confidence == 0
