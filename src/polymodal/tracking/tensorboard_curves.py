"""The tracker of TensorBoard: event files in the folder of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import requires
from ..language import Sentence
from .tracker import Tracker


class TensorBoard(Tracker):
    """Write curves for TensorBoard to a folder (``pip install 'polymodal[tensorboard]'``), with one curve for each model.

    :param folder: the folder of the event files
    :param run: the folder of the run; None = only what the events contain is written
    :param settings: the settings of the run by path
    :param note: called with a line that states where the curves are
    """

    name = "tensorboard"
    package = "tensorboard"
    in_run = True

    def __init__(
        self,
        folder: str | Path,
        run: Path | None = None,
        settings: Mapping[str, Any] | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(run, settings, note)
        self.folder = str(folder)
        self._summary_writer: Any = None

    @classmethod
    def of_run(cls, folder: Path, settings: Mapping[str, Any], note: Callable[[str], None]) -> TensorBoard:
        """Return the tracker of a run, which writes to the folder ``tensorboard`` of the run."""
        return cls(folder / "tensorboard", folder, settings, note)

    @property
    def _writer(self) -> Any:
        """The writer, which is created when it is needed, since the run creates the folder."""
        if self._summary_writer is None:
            self._summary_writer = requires("torch.utils.tensorboard", "tensorboard").SummaryWriter(self.folder)
        return self._summary_writer

    def begin(self) -> None:
        """Write the settings of a new run as a text."""
        if self.settings and not self.state.get("begun"):
            lines = [f"    {path}: {value}" for path, value in self.settings.items()]
            self._writer.add_text("settings", "\n".join(lines))
            self.state["begun"] = True
        self.note(Sentence("track.tensorboard", folder=str(self.folder)))

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """Write figures of one epoch."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, epoch)

    def conclude(self, figures: Mapping[str, float]) -> None:
        """Write the final figures, without an epoch."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, 0)

    def finish(self, ended: bool) -> None:
        """Flush and close the writer."""
        if self._summary_writer is not None:
            self._summary_writer.close()
