"""The decompressed bytes of a table's file, and the detection of its format by its first bytes."""

from __future__ import annotations

import lzma
import mmap
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from ...errors import DataError
from ...storage import RATIO, is_bomb

CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".xz": "xz"}
"""Supported compressions by extension."""
MOST_UNPACKED = 2**32
"""The maximum number of bytes of an unpacked member of an archive."""
_BLOCK = 2**20
_XZ_MEMORY = 2**28
_MOST_RATIO = {"gzip": 1_032, "bz2": 50_000, "zstd": 1_000_000}
"""A bound on the ratio of each compression, by which small files need not be unpacked to be known to be harmless."""

_MAGIC = (
    (b"PAR1", "a Parquet file", ".parquet"),
    (b"ARROW1", "a Feather file", ".feather"),
    (b"\x1f\x8b", "compressed with gzip", ".gz"),
    *((b"BZh%d1AY&SY" % level, "compressed with bzip2", ".bz2") for level in range(1, 10)),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", ".zst"),
    (b"\xfd7zXZ\0", "compressed with xz", ".xz"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook", ".xls"),
    (b"SQLite format 3\0", "an SQLite database", ".sqlite"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", ".h5"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", ".7z"),
    (b"%PDF-", "a PDF document", ".pdf"),
    *((b"\x80" + bytes([version, 0x95]), "a Python pickle", ".pkl") for version in (4, 5)),
)


class Content:
    """The decompressed bytes of a table's file.

    :param path: the file, or the archive that contains it
    :param codec: the compression of the file; None = none
    :param buffer: the bytes of a member of an archive; None = they are read from ``path``
    """

    def __init__(self, path: Path, codec: str | None = None, buffer: pa.Buffer | None = None) -> None:
        self.path, self.codec, self.buffer = path, codec, buffer
        if codec == "xz":  # Arrow does not read it
            with path.open("rb") as file:
                self.buffer = _unpacked(_xz(file.read), f"{path}: compressed with xz", path.stat().st_size)
        self._packed = path.stat().st_size if codec is not None and self.buffer is None else 0
        self._is_bounded = not is_bomb(_MOST_RATIO.get(codec or "", 0) * self._packed, self._packed)

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes from the start, a block at a time.

        :raises DataError: a compressed file unpacks to more than the bound
        """
        size = 0
        with self.open() as stream:
            while block := stream.read(_BLOCK):
                size += len(block)
                if not self._is_bounded and is_bomb(size, self._packed):
                    raise DataError(
                        f"{self.path}: {self._packed:,} bytes that unpack to more than {size:,}; expected at most {RATIO} times the packed "
                        f"size; unpack it, and name the unpacked file"
                    )
                yield block
        self._is_bounded = True

    def check(self) -> None:
        """Raise ``DataError`` if a compressed file unpacks to more than the bound. Its other errors are left to its reader."""
        if not self._is_bounded:
            try:
                for _ in self.blocks():
                    pass
            except (OSError, pa.ArrowException):
                return

    def open(self) -> pa.NativeFile:
        """Return a new stream of the bytes from the start."""
        if self.buffer is not None:
            return pa.BufferReader(self.buffer)
        return pa.input_stream(str(self.path), compression=self.codec)


def kind_by_content(path: Path) -> tuple[str, str] | None:
    """Detect the format of a file by its first bytes.

    :returns: a description and the usual extension; None if the format is not recognized
    """
    with path.open("rb") as file:
        head = file.read(64)
    for magic, words, extension in _MAGIC:
        if head.startswith(magic):
            return words, extension
    if head.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(path) as archive:
                is_workbook = "xl/workbook.xml" in archive.namelist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
            return "a zip archive", ".zip"
        return ("an Excel workbook", ".xlsx") if is_workbook else ("a zip archive", ".zip")
    return None


def members(path: Path) -> list[zipfile.ZipInfo]:
    """Return the files in a zip archive without hidden files and those that operating systems add.

    :raises DataError: the archive cannot be read
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
        raise DataError(f"{path}: not a zip archive that can be read; expected one; write it again") from None
    return [one for one in infos if not one.is_dir() and not _is_hidden(one.filename)]


def _is_hidden(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "__MACOSX" or parts[-1].startswith(".")


def member_content(path: Path, member: zipfile.ZipInfo) -> Content:
    """Return the content of one file of an archive. It is unpacked to an unnamed temporary file.

    :raises DataError: the member is encrypted, broken or too large
    """
    place = f"{path}, member {member.filename!r}"
    if member.flag_bits & 1:
        raise DataError(f"{place}: encrypted; expected a file that can be read; unpack the archive, and name the table")
    check_size(place, member)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            buffer = _unpacked(iter(lambda: file.read(_BLOCK), b""), place, member.compress_size)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, RuntimeError, ValueError):
        raise DataError(f"{place}: broken; expected a member that can be unpacked; write the archive again") from None
    return Content(path, buffer=buffer)


def check_size(place: str, member: zipfile.ZipInfo, most: int = MOST_UNPACKED) -> None:
    """Raise ``DataError`` if the stated size of a member is too large. Of a member with a wrong size, no more bytes than stated are
    unpacked.

    :param place: the name of the member, for messages
    :param member: the member
    :param most: the maximum number of unpacked bytes
    """
    size = member.file_size
    if size > most or is_bomb(size, member.compress_size):
        raise DataError(
            f"{place}: {size:,} bytes, unpacked from {member.compress_size:,}; expected at most {most:,}, and at most {RATIO} times "
            f"the packed size; unpack it, and save the table as .csv or .parquet"
        )


def _unpacked(pieces: Iterator[bytes], place: str, packed: int) -> pa.Buffer:
    """Write bytes to an unnamed temporary file and map it into memory. The system frees the space after the last use."""
    size = 0
    with tempfile.TemporaryFile(prefix="polymodal-") as file:
        for piece in pieces:
            size += len(piece)
            if size > MOST_UNPACKED or is_bomb(size, packed):
                raise DataError(f"{place}: unpacks to more than {size:,} bytes; expected at most {MOST_UNPACKED:,}; unpack it first")
            file.write(piece)
        file.flush()
        return pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else pa.py_buffer(b"")


def _xz(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the content of an .xz file of one or several streams."""
    decompressor = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
    packed = b""
    try:
        while True:
            if decompressor.eof:
                packed = decompressor.unused_data or read(_BLOCK)
                if not packed.strip(b"\0"):
                    return
                decompressor = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            elif decompressor.needs_input:
                packed = read(_BLOCK)
                if not packed:
                    raise OSError(None, "its end is missing")
            yield decompressor.decompress(packed, _BLOCK)
            packed = b""
    except lzma.LZMAError:
        raise OSError(None, "not an .xz file that can be read") from None
