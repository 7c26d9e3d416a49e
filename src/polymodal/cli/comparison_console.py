"""The progress of a comparison on the terminal."""

from __future__ import annotations

from ..training.events import CellEvent, Event, NoteEvent, WarningEvent
from ..training.observers import Console


class GridConsole(Console):
    """Shows a progress bar over the trainings of a comparison on a terminal, and otherwise prints one line for each training."""

    def _show(self, event: Event) -> None:
        """Show a training of the comparison, a note or a warning."""
        if isinstance(event, CellEvent):
            self._show_cell(event)
        elif isinstance(event, (NoteEvent, WarningEvent)):
            super()._show(event)

    def _show_cell(self, event: CellEvent) -> None:
        """Show that one training of the comparison has ended."""
        scores = [value for value in event.scores.values() if value is not None]
        value = scores[0] if len(scores) == 1 else event.worth
        result = "failed" if event.failed else f"{value:z.4f} on the selection rows"
        where = f"round {event.round + 1}" if event.stage == "round" else f"{event.stage}, trial {event.trial + 1}"
        if not self.live:
            self.print_line(f"  {event.done}/{event.total}  {where}  {event.name}  {result}  {event.seconds:.1f} s")
            return
        if self._progress is None:
            from rich.console import Console as RichConsole
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=RichConsole(file=self.stream), transient=True)
            self._progress.start()
            self._task = self._progress.add_task("", total=event.total)
        self._progress.update(self._task, completed=event.done, total=event.total, description=f"{where}: {event.name} {result}")
