"""The progress of a comparison on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..training.observers import Console


class GridConsole(Console):
    """Shows a progress bar over the trainings of a comparison on a terminal, and otherwise prints one line for each training."""

    def _show(self, event: str, facts: Mapping[str, Any]) -> None:
        """Show a training of the comparison, a note or a warning."""
        if event == "cell":
            self._show_cell(facts)
        elif event in ("note", "warning"):
            super()._show(event, facts)

    def _show_cell(self, facts: Mapping[str, Any]) -> None:
        """Show that one training of the comparison has ended."""
        scores = [value for value in facts["scores"].values() if value is not None]
        value = scores[0] if len(scores) == 1 else facts["worth"]
        result = "failed" if facts["failed"] else f"{value:.4f} on the selection rows"
        where = f"round {facts['round'] + 1}" if facts["stage"] == "round" else f"{facts['stage']}, trial {facts['trial'] + 1}"
        if not self.live:
            self.print_line(f"  {facts['done']}/{facts['total']}  {where}  {facts['name']}  {result}  {facts['seconds']:.1f} s")
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
            self._task = self._progress.add_task("", total=facts["total"])
        self._progress.update(self._task, completed=facts["done"], total=facts["total"], description=f"{where}: {facts['name']} {result}")
