"""The policy for files and folders that commands write: when one is made, replaced, resumed, restored after a mistake, or refused.

1. What exists is never changed without ``--overwrite``. The message names ``--resume`` where the output can be resumed.
2. With ``--overwrite``, a folder is replaced only if it contains the marker file of this kind of output, or nothing but what a process that
   was killed at its start leaves; and only if no input of the command is inside it.
3. One process at a time works in a folder (``Lock``).
4. The output that is replaced is kept in ``.replaced`` until the new one can be resumed. After a ``UserError`` before that, it is restored;
   a folder that was new is deleted.
5. A place that cannot be written is refused before anything is computed.
6. Files are written completely or not at all (``files``).
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..errors import UserError, spelled
from ..remote import url_of
from .files import not_written
from .locks import Lock

_MOST_NAMED = 5
"""The number of runs that a message names at most."""
REPLACED = ".replaced"
"""The folder, inside an output folder, that keeps the output that is being replaced."""


@dataclass(frozen=True)
class OutputFolder:
    """A folder that a command writes, and what is particular to this kind of output."""

    path: Path
    kind: str
    """What the folder contains, with an article: ``a run``."""
    option: str
    """The option that chooses another folder: ``-o RUN``."""
    marker: str
    """A file that every folder of this kind contains, relative to the folder."""
    begun: str = ""
    """The file from whose existence on the output can be resumed, relative to the folder; "" = it cannot be resumed."""
    folders: tuple[str, ...] = ()
    """Folders that are made inside at once."""
    entries: tuple[str, ...] | None = None
    """The names of the files and folders that belong to the output; all others are left alone. None = everything in the folder."""
    inputs: Sequence[str] = ()
    """Paths that the command reads."""

    def refusal(self, overwrite: bool) -> str | None:
        """Return the reason why the folder may not be made or replaced, or None. Nothing is changed.

        :param overwrite: whether an existing output may be replaced
        """
        if (reason := _url_refusal(self.path)) is not None:
            return reason
        try:
            return self._refusal(overwrite)
        except OSError as error:  # such as a name that is too long
            return not_written(self.path, error, f"folder ({spelled(self.option, 'out=...')})")

    def _refusal(self, overwrite: bool) -> str | None:
        """Return the reason why the folder may not be made or replaced, or None; raise ``OSError`` if it cannot be examined."""
        another = f"choose another one ({spelled(self.option, 'out=...')})"
        if not self.path.exists():
            return unwritable(self.path, f"folder ({spelled(self.option, 'out=...')})")
        if not overwrite:
            resume = spelled(f"--resume {shlex.quote(str(self.path))}", f"polymodal.resume({str(self.path)!r})")
            again = f", or resume it: {resume}" if self._has_begun() else ""
            replace = spelled("--overwrite", "overwrite=True")
            return f"{self.path}: already there; expected no such folder; {another}, or replace it: {replace}{again}"
        if not self.path.is_dir() or not self._is_ours():
            return f"{self.path}: not {self.kind}, so it is not replaced; expected a folder that contains {self.marker}; {another}"
        for one in self.inputs:
            if Path(one).resolve().is_relative_to(self.path.resolve()):
                return f"{self.path}: contains {one}, so it is not replaced; expected no input inside it; {another}"
        return None

    @contextmanager
    def claim(self, overwrite: bool) -> Iterator[Path]:
        """Make the folder, or move the output in it to ``REPLACED``, and lock it for the block. After a ``UserError`` of the block before
        the output has ``begun``, the folder is as it was before.

        :param overwrite: whether an existing output may be replaced
        :raises UserError: the folder is refused, is locked by another process, or cannot be made
        """
        if (reason := self.refusal(overwrite)) is not None:
            raise UserError(reason)
        existed = self.path.exists()
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(Lock(self.path))
                if existed:
                    self._move_output()
                for name in self.folders:
                    (self.path / name).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(not_written(self.path, error, f"folder ({spelled(self.option, 'out=...')})")) from None
            try:
                yield self.path
            except UserError:
                if self._has_begun():
                    pass
                elif existed:
                    self._restore()
                else:
                    shutil.rmtree(self.path, ignore_errors=True)
                raise

    def _has_begun(self) -> bool:
        """Return whether the output can be resumed."""
        return self.begun != "" and (self.path / self.begun).exists()

    def _is_ours(self) -> bool:
        """Return whether the folder contains an output of this kind, or only what a process killed at its start leaves."""
        start = {Lock.NAME, REPLACED, *self.folders}
        return (self.path / self.marker).is_file() or {path.name for path in self.path.iterdir()} <= start

    def _parts(self) -> list[Path]:
        """Return the existing files and folders of the output."""
        names = self.entries
        return [path for path in self.path.iterdir() if path.name not in (Lock.NAME, REPLACED) and (names is None or path.name in names)]

    def _move_output(self) -> None:
        """Move the output to ``REPLACED``. If that contains an earlier output, and the present one cannot be resumed, keep the earlier one
        and delete the present one."""
        replaced = self.path / REPLACED
        if replaced.exists() and not self._has_begun():
            self._clear()
            return
        shutil.rmtree(replaced, ignore_errors=True)
        parts = self._parts()
        replaced.mkdir()
        for path in parts:
            path.rename(replaced / path.name)

    def _restore(self) -> None:
        """Move the output in ``REPLACED`` back into the folder."""
        replaced = self.path / REPLACED
        self._clear()
        for path in replaced.iterdir():
            path.rename(self.path / path.name)
        replaced.rmdir()

    def _clear(self) -> None:
        """Delete the files and folders of the output, except those in ``REPLACED``."""
        for path in self._parts():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def discard_replaced(folder: Path) -> None:
    """Delete the output that a new one in ``folder`` replaces. To be called once the new one can be resumed."""
    shutil.rmtree(folder / REPLACED, ignore_errors=True)


def unwritable(path: Path, other: str) -> str | None:
    """Return the reason why ``path`` and its missing parents cannot be made, or a file cannot be written in it if it exists; None if they
    can. Nothing is changed.

    :param other: the kind of place to choose instead, such as ``folder (-o RUN)``
    """
    try:
        at = path.resolve()
        while not at.exists():
            at = at.parent
        if not at.is_dir():
            raise NotADirectoryError(20, f"{at} is a file")
        with tempfile.TemporaryFile(dir=at):
            pass
    except OSError as error:
        return not_written(path, error, other)
    return None


def check_file(path: Path, overwrite: bool, suffixes: Sequence[str] = (), option: str = "", inputs: Iterable[str | Path] = ()) -> None:
    """Refuse an output file that has another extension than ``suffixes``, that exists, or that is an input.

    :param overwrite: whether an existing file may be replaced
    :param suffixes: the known extensions, in lower case; none = any
    :param option: the option that chooses another file, for messages
    :param inputs: the files that are read, which are never replaced
    :raises UserError: the file is refused
    """
    if (reason := _url_refusal(path)) is not None:
        raise UserError(reason)
    if path.exists() and not overwrite:
        chosen = f" ({spelled(option, 'out=...')})" if option else ""
        replace = spelled("--overwrite", "overwrite=True")
        raise UserError(f"{path}: already there; expected no such file; choose another one{chosen}, or replace it: {replace}")
    if suffixes and path.suffix.lower() not in suffixes:
        known = suffixes[0] if len(suffixes) == 1 else f"one of {', '.join(suffixes)}"
        raise UserError(f"{path}: an extension that is not known; expected {known}; choose another file name")
    if path.exists() and any(url_of(Path(one)) is None and path.resolve() == Path(one).resolve() for one in inputs):
        raise UserError(f"{path}: the table that is read, so it is not replaced; expected another file; choose another file name")


def _url_refusal(path: Path) -> str | None:
    """Return the reason why an output is refused whose path is a URL; None if it is none."""
    url = url_of(path)
    return None if url is None else f"{url}: a URL; expected a local path; write there, and copy it to the store"


def check_files(folder: Path, names: Sequence[str], overwrite: bool) -> None:
    """Refuse a folder in which one of some output files exists, or which cannot be written. Other files in it are left alone.

    :param names: the names of the output files
    :param overwrite: whether existing files may be replaced
    :raises UserError: the folder is refused
    """
    for name in names:
        check_file(folder / name, overwrite, option="-o FOLDER")
    if (reason := unwritable(folder, f"folder ({spelled('-o FOLDER', 'out=...')})")) is not None:
        raise UserError(reason)


def hint_of_runs(folder: Path) -> str:
    """Return the end of a message about a folder that is no run: the runs in it, or how its best settings are trained; "" = neither.

    Such folders are those of a search, a comparison or a demo, or one with several runs.
    """
    runs = [path.parent for depth in ("*", "*/*") for path in islice(sorted(folder.glob(f"{depth}/bundle")), _MOST_NAMED + 1)]
    if len(runs) == 1:
        return f"; did you mean {str(runs[0])!r}?"
    if runs:
        return f"; it contains {', '.join(repr(str(run)) for run in runs[:_MOST_NAMED])}{', ...' if len(runs) > _MOST_NAMED else ''}"
    best = folder / "best.yaml"
    return f"; it keeps the best settings and no model; train it: polymodal train {shlex.quote(str(best))}" if best.is_file() else ""


def free_folder(parent: Path, name: str) -> Path:
    """Return the first of ``parent/name``, ``parent/name-2``, ``parent/name-3``, ... that does not exist."""
    folder, number = parent / name, 2
    while folder.exists():
        folder, number = parent / f"{name}-{number}", number + 1
    return folder
