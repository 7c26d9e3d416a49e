"""The folder beside a table that contains the files of its cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

from ..errors import UserError, spelled
from ..storage import OutputFolder, discard_replaced, not_written

_MARKER = "files-of-table.txt"
_MAGIC = (
    (0, b"\x89PNG\r\n\x1a\n", ".png"), (0, b"\xff\xd8\xff", ".jpg"), (0, b"GIF8", ".gif"), (8, b"WEBP", ".webp"), (0, b"BM", ".bmp"),
    (0, b"II*\0", ".tif"), (0, b"MM\0*", ".tif"), (8, b"WAVE", ".wav"), (0, b"fLaC", ".flac"), (0, b"OggS", ".ogg"), (0, b"ID3", ".mp3"),
    (0, b"\xff\xfb", ".mp3"), (0, b"\xff\xf3", ".mp3"), (0, b"\x93NUMPY", ".npy"), (8, b"AVI ", ".avi"), (0, b"\x1aE\xdf\xa3", ".mkv"),
    (4, b"ftypM4A", ".m4a"), (4, b"ftypavif", ".avif"), (4, b"ftyp", ".mp4"), (0, b"ply\n", ".ply"), (0, b"# .PCD", ".pcd"),
    (0, b"LASF", ".las"), (128, b"DICM", ".dcm"), (0, b"%PDF-", ".pdf"),
)  # fmt: skip
"""The beginnings of files: an offset, bytes, and the extension."""
_EXTENSION = re.compile(r"\.[a-z0-9]{1,8}")


def extension_of(body: bytes) -> str | None:
    """Return the extension of a file by the beginning of its content; None = unknown."""
    return next((extension for at, magic, extension in _MAGIC if body[at : at + len(magic)] == magic), None)


class Attachments:
    """A folder of files, which exists once there is a file in it. A file is named after a digest of its content, so that equal contents
    are one file, and names reveal nothing. After an error the folder is as it was before.

    :param table: the path of the table; the folder is ``NAME_files`` beside it
    :param overwrite: whether an existing folder of this kind is replaced
    :param inputs: files and folders that are read, which are not replaced
    """

    def __init__(self, table: Path, overwrite: bool, inputs: Sequence[str | Path]) -> None:
        self.folder = table.with_name(f"{table.stem}_files")
        self.count = 0
        self._overwrite, self._table = overwrite, table.name
        self._output = OutputFolder(
            self.folder, "the files of a table", "-o TABLE", _MARKER, inputs=[str(one) for one in inputs]
        )  # fmt: skip
        self._stack = ExitStack()

    def __enter__(self) -> Attachments:
        """Return this object. Nothing is written before the first file is added."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the context: keep the folder, or restore what was there before an error."""
        if kind is None and self.count:
            discard_replaced(self.folder)
        self._stack.__exit__(kind, error, trace)

    def add(self, body: bytes, name: str = "") -> str:
        """Write a file unless it exists, and return its path relative to the folder of the table.

        :param body: the content
        :param name: a file name whose extension is used if the content does not state one
        :raises UserError: the folder is refused, or the file cannot be written
        """
        if not self.count:
            self._stack.enter_context(self._output.claim(self._overwrite))
        digest = blake2b(body, digest_size=16).hexdigest()
        stated = _EXTENSION.fullmatch(Path(name).suffix.lower())
        path = self.folder / digest[:2] / (digest + (extension_of(body) or (stated[0] if stated else ".bin")))
        try:
            if not self.count:
                (self.folder / _MARKER).write_text(f"The files that {self._table} names.\n", encoding="utf-8")
            self.count += 1
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(body)
        except OSError as error:
            raise UserError(not_written(path, error, f"file ({spelled('-o TABLE', 'out=...')})")) from None
        return path.relative_to(self.folder.parent).as_posix()
