"""Hostile cells, made when the tests run: what a table from the wild, or from an enemy, holds."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, PngImagePlugin


class Case(NamedTuple):
    """A cell, and what must be said of it: part of the fault's text, "" = it can be read, None = either (but never an error)."""

    name: str
    cell: Any
    fault: str | None


RED = (200, 40, 40)


def encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def solid(size: int = 40, color: Any = RED, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (size, size), color)


def noisy(size: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, rows: int, depth: int = 8, color: int = 2, more: bytes = b"") -> bytes:
    """A PNG that says ``width`` x ``height`` and holds ``rows`` rows of zeros."""
    bits = {0: 1, 2: 3, 6: 4}[color] * depth
    line = b"\0" * (1 + (width * bits + 7) // 8) if rows else b""
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(line) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def frames(count: int) -> bytes:
    pictures = [solid(16, (at % 256, 40, 40)) for at in range(count)]
    return encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:])


def scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each is decoded over the whole picture."""
    body = encoded(noisy(256), "JPEG", progressive=True)
    last = body.rindex(b"\xff\xda")
    return body[:-2] + body[last:-2] * count + body[-2:]


def pictures() -> Iterator[Case]:
    """Cells of a picture column, as bytes."""
    formats = {
        "png": encoded(noisy(), "PNG"), "jpeg": encoded(noisy(), "JPEG", quality=95), "webp": encoded(noisy(), "WEBP", lossless=True),
        "bmp": encoded(noisy(), "BMP"), "tiff": encoded(noisy(), "TIFF"), "gif": encoded(noisy().quantize(64), "GIF"),
    }  # fmt: skip
    for name, body in formats.items():
        yield Case(f"{name}", body, "")
        yield Case(f"half a {name}", body[: len(body) // 2], "picture")
        yield Case(f"the first bytes of a {name}", body[:20], "picture")
        for at in (30, len(body) // 3, len(body) - 20):
            yield Case(f"{name}, bit flipped at {at}", body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :], None)
    yield Case("a png that says it is larger", png(5_000, 5_000, 10), "expected more bytes")
    yield Case("a png that says it is smaller", png(10, 10, 500), None)
    yield Case("a bmp that says it is larger", formats["bmp"][:18] + struct.pack("<ii", 9_000, 9_000) + formats["bmp"][26:], "picture")
    yield Case("a bmp of negative width", formats["bmp"][:18] + struct.pack("<ii", -64, 64) + formats["bmp"][26:], "picture")
    yield Case("a gif that says it is larger", formats["gif"][:6] + b"\xff\xff\xff\xff" + formats["gif"][10:], "pixels")
    yield Case("a pixel bomb of 13,300 x 13,300", png(13_300, 13_300, 13_300, depth=1, color=0), "13,300 x 13,300 pixels")
    yield Case("2^31 pixels wide", png(2**31 - 1, 1, 0), "pixels")
    yield Case("no pixel", png(0, 0, 0), "picture")
    yield Case("1 x 60,000", png(1, 60_000, 60_000), "")
    yield Case("60,000 x 1", png(60_000, 1, 1), "")
    yield Case("1 x 1", encoded(solid(1), "PNG"), "")
    yield Case("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(canary) run\nshowpage\n", "not a picture")
    yield Case("svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "not a picture")
    yield Case("html", b"<!doctype html><img src=x onerror=alert(1)>", "not a picture")
    yield Case("pdf", b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R>>endobj", "not a picture")
    yield Case("a program", b"\x7fELF\x02\x01\x01" + b"\0" * 57, "not a picture")
    yield Case("a pickle", b"\x80\x04cos\nsystem\n(S'touch canary'\ntR.", "not a picture")
    yield Case("an empty archive", b"PK\x05\x06" + b"\0" * 18, "not a picture")
    yield Case("png and html", formats["png"] + b"<script>1</script>", "")
    yield Case("jpeg and zip", formats["jpeg"] + b"PK\x03\x04" + b"\0" * 100, "")
    yield Case("gif and javascript", b"GIF89a/*\0\0\0\0\0\0*/=1;alert(1)", "pictur")
    yield Case("400 frames", frames(400), "")
    yield Case(
        "a text chunk that unpacks to 200 MB", png(4, 4, 4, more=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200_000_000), 9))), "picture"
    )
    yield Case(
        "a colour profile that unpacks to 200 MB", png(4, 4, 4, more=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(200_000_000), 9))), None
    )
    yield Case("a text chunk of 70 MB", png(4, 4, 4, more=chunk(b"tEXt", b"a\0" + bytes(70_000_000))), "bytes; expected at most")
    yield Case("1,000 scans", scans(1_000), "scans")
    yield Case("cmyk", encoded(solid(mode="CMYK", color=(0, 200, 200, 0)), "JPEG"), "")
    yield Case("16 bits of grey", encoded(Image.fromarray(np.full((30, 30), 40_000, np.uint16)), "PNG"), "")
    yield Case("32 bits of grey", encoded(Image.fromarray(np.full((30, 30), 70_000, np.int32)), "TIFF"), "")
    yield Case("floats that are no numbers", encoded(Image.fromarray(np.array([[np.nan, np.inf], [-np.inf, 1]], np.float32)), "TIFF"), "")
    yield Case("palette", encoded(solid().quantize(4), "PNG"), "")
    yield Case("palette, transparent", encoded(solid().quantize(4), "PNG", transparency=0), "")
    yield Case("1 bit", encoded(solid(mode="1", color=1), "PNG"), "")
    yield Case("lab", encoded(solid(mode="LAB", color=(100, 20, 30)), "TIFF"), None)
    exif = Image.Exif()
    for orientation in (3, 6, 8, 99):
        exif[0x0112] = orientation
        yield Case(f"exif orientation {orientation}", encoded(solid(), "JPEG", exif=exif), "")
    yield Case("exif of nonsense", encoded(solid(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), None)
    note = PngImagePlugin.PngInfo()
    note.add_text("\ud83d".encode("utf-16", "surrogatepass").decode("latin-1"), "\0" * 1000)
    yield Case("text chunks of nonsense", encoded(solid(), "PNG", pnginfo=note), None)
    yield Case("noise", np.random.default_rng(1).bytes(5_000), "not a picture")
    yield Case("zeros", bytes(5_000), "not a picture")


def paths(root: Path) -> Iterator[Case]:
    """Cells of a picture column, as paths; the files are made below ``root``."""
    root.mkdir(parents=True, exist_ok=True)
    good = encoded(solid(), "PNG")
    (root / "good.png").write_bytes(good)
    outside = root.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "secret.png").write_bytes(good)
    (root.parent / f"{root.name}-beside").mkdir(exist_ok=True)
    (root.parent / f"{root.name}-beside" / "secret.png").write_bytes(good)
    (root / "folder.png").mkdir(exist_ok=True)
    links = {"out.png": outside / "secret.png", "way": outside, "loop.png": root / "loop.png", "dangling.png": root / "none.png",
             "proc.png": Path("/proc/self/environ"), "zero.png": Path("/dev/zero")}  # fmt: skip
    for name, target in links.items():
        if not (root / name).is_symlink():
            (root / name).symlink_to(target)
    if not (root / "pipe.png").exists():
        os.mkfifo(root / "pipe.png")
    outsiders = ["../outside/secret.png", "folder.png/../../outside/secret.png", "out.png", "way/secret.png", f"../{root.name}-beside/secret.png",
                 str(outside / "secret.png"), "/etc/passwd", "/dev/zero", "/proc/self/environ", "proc.png", "zero.png"]  # fmt: skip
    yield Case("a path", "good.png", "")
    for cell in outsiders:
        yield Case(f"outside: {cell[-30:]}", cell, "outside every root")
    for cell in (
        "file:///etc/passwd",
        f"file://{root}/good.png",
        "http://127.0.0.1:9/a.png",
        "https://example.com/a.png",
        "ftp://a/b.png",
        "s3://a/b.png",
    ):
        yield Case(f"url: {cell[:20]}", cell, "a URL")
    yield Case("unc", "\\\\server\\share\\a.png", "no such file")
    yield Case("a drive", "C:\\Windows\\a.png", "no such file")
    yield Case("nul", "good.png\0.png", "NUL")
    yield Case("fifo", "pipe.png", "not a regular file")
    yield Case("folder", "folder.png", "a folder")
    yield Case("loop", "loop.png", "cannot be opened")
    yield Case("dangling", "dangling.png", "no such file")
    yield Case("none", "none.png", "no such file")
    yield Case("long", "a/" * 5_000 + "a.png", "file")  # how the system puts it differs
    yield Case("a lone surrogate", "\ud800.png", "cannot")
    yield Case("a broken data uri", "data:image/png;base64,@@@@", "invalid base64")
    yield Case("a data uri of text", "data:text/html,<b>", "not base64")


def texts() -> Iterator[Case]:
    """Cells of a text column."""
    yield Case("10 MB", "long " * 2_000_000, "")
    yield Case("10 MB in one word", "x" * 10_000_000, "")
    yield Case("nul", "a\0b\0\0c", "")
    yield Case("lone surrogates", "\ud800 a \udfff\udfff", "")
    yield Case("right to left", "\u202eمرحبا\u202c שלום \u200f", "")
    yield Case("combining marks", "e" + "\u0301\u0323" * 20_000, "")
    yield Case("one letter of 18", "\ufdfa" * 50_000, "")
    yield Case("only controls", "\x01\x02\x1b[31m\x7f", "")
    yield Case("emoji", "👩‍👩‍👧‍👦" * 5_000, "")
    yield Case("a formula", "=cmd|' /C calc'!A0", "")
    yield Case("nested", [["a", "b"]], "found list; expected text")
    yield Case("a mapping", {"a": 1}, "found dict; expected text")
    yield Case("a number", 12.5, "")
    yield Case("a truth value", True, "")


def numbers() -> Iterator[Case]:
    """Cells of a column of numbers."""
    yield Case("thousands", "1,234", "")
    yield Case("nan", float("nan"), "")
    yield Case("nan as text", "nan", "")
    for cell in (
        float("inf"),
        float("-inf"),
        "inf",
        "1e999",
        "-Infinity",
        "cheap",
        "1,23",
        "0x10",
        "１２ yuan",
        "--5",
        [1],
        {"a": 1},
        True,
        "9" * 1_000_000,
    ):
        yield Case(f"no number: {str(cell)[:12]}", cell, "expected a finite number")
    yield Case("full width", "１２", "")
    yield Case("percent", "12%", "")
    yield Case("tiny", "1e-320", "")
    yield Case("huge", 1e308, "")
    yield Case("a long fraction", "0." + "3" * 300, "")
