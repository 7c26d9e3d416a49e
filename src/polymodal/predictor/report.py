"""The report of a run as an object that a notebook shows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..bundle import Bundle
from ..config import explain
from ..errors import DataError, UserError
from ..pages import ENDED, read_run, run_page
from ..pages.document import text
from ..storage import not_written, write_whole

_FRAME = 'sandbox="" style="width:100%;height:640px;border:1px solid #8884;border-radius:6px"'


@dataclass(frozen=True, repr=False)
class RunReport:
    """The report of a run: one page of HTML without scripts and requests.

    :param html: the page
    :param path: the file of the page in the folder of the run; None = the model has no run
    """

    html: str
    path: Path | None = None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page into a file, replacing an existing one, and return its path.

        :raises UserError: the file cannot be written
        """
        try:
            write_whole(Path(path), self.html.encode())
        except OSError as error:
            raise UserError(not_written(Path(path), error, "file")) from None
        return Path(path)

    def __repr__(self) -> str:
        place = "save it: .save('report.html')" if self.path is None else f"open {self.path} in a browser"
        return f"<report of a run, {len(self.html):,} characters of HTML; {place}>"

    def _repr_html_(self) -> str:
        """Return the page in a frame without scripts, for notebooks."""
        return f'<iframe srcdoc="{text(self.html)}" {_FRAME}></iframe>'


def report_of(bundle: Bundle, run: Path | None, language: str | None) -> RunReport:
    """Return the report of a run; without the folder of a run, one of what the bundle contains.

    :param language: "en", "zh" or "auto" (the locale's); None = ``report.language`` of the run
    :raises UserError: the model was not measured, or the files of the run cannot be read
    """
    language = bundle.experiment.report.language if language is None else language
    if run is not None and (run / "metrics.json").is_file():
        path = run / "report.html"
        return RunReport(run_page(read_run(run), language), path if path.is_file() else None)
    if "validation" not in bundle.metrics:
        raise DataError("the model: no metrics; expected one that train has measured; train it again")
    content = {
        "name": ", ".join(bundle.tasks), "state": ENDED, "metrics": bundle.metrics, "config": explain(bundle.experiment, {}), "log": [],
        "faults": [], "fault_count": 0, "stored": {},
    }  # fmt: skip
    return RunReport(run_page(content, language))
