"""The tracker of Weights & Biases."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import requires
from ..language import Sentence
from .tracker import FILES, Tracker

_ANSWER_SECONDS = 15.0
"""The seconds after which a server that does not answer counts as absent."""
_UPLOAD_SECONDS = 60.0
"""The seconds for which the end of a run waits for the upload; what is left is uploaded by ``wandb sync``."""


class WandB(Tracker):
    """Write a run to Weights & Biases (``pip install 'polymodal[wandb]'``).

    The run is written to disk and nothing is sent, unless the user has logged in to a server and wandb is not set to be offline. Without
    an answer of the server, the run is written to disk as well.

    :param run: the folder of the run; None = only what the events contain is written
    :param settings: the settings of the run by path
    :param note: called with a line that states where the run is written
    """

    name = "wandb"
    package = "wandb"
    environment = {"WANDB_ERROR_REPORTING": "false"}  # wandb otherwise reports its own errors to its makers

    def __init__(
        self, run: Path | None = None, settings: Mapping[str, Any] | None = None, note: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(run, settings, note)
        self._wandb = requires("wandb", "wandb")
        self._run: Any = None

    def begin(self) -> None:
        """Begin a run, or continue it under its identifier."""
        self._run = self._opened(self.state.get("id", secrets.token_hex(4)))
        self.state["id"] = self._run.id
        self._run.define_metric("epoch", hidden=True)
        self._run.define_metric("*", step_metric="epoch")
        place = self._run.settings.sync_dir
        if self._run.offline:
            self.note(Sentence("track.wandb_offline", place=str(place)))
        else:
            self.note(Sentence("track.wandb", url=str(self._run.url)))

    def _opened(self, identifier: str) -> Any:
        """Return a run of wandb: with the server if the user has logged in and it answers, otherwise on disk."""
        about: dict[str, Any] = {"id": identifier, "resume": "allow", "config": self.settings, "reinit": "create_new",
                 "name": self.run.name if self.run is not None else None}  # fmt: skip
        settings = self._wandb.Settings(silent=True, console="off", init_timeout=_ANSWER_SECONDS)
        mode = self._wandb.setup().settings.mode
        if mode == "online" and not self._has_credentials():
            mode = "offline"
        try:
            return self._wandb.init(mode=mode, settings=settings, **about)
        except self._wandb.errors.CommError as error:
            self.note(Sentence("track.wandb_silent", error=" ".join(str(error).split())[:120]))
            about["id"] = secrets.token_hex(4)  # the other one remains in use in this process
            return self._wandb.init(mode="offline", settings=settings, **about)

    def _has_credentials(self) -> bool:
        """Return whether the user has logged in. Nothing is sent, and no question is asked."""
        return bool(self._wandb.login(prompt=False, verify=False))

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """Write figures of one epoch."""
        self._run.log({**figures, "epoch": epoch})

    def conclude(self, figures: Mapping[str, float]) -> None:
        """Write the final figures to the summary, and the files of the run."""
        self._run.summary.update(dict(figures))
        if self.run is not None:
            for name in FILES:
                shutil.copyfile(self.run / name, Path(self._run.dir) / name)
                self._run.save(str(Path(self._run.dir) / name), base_path=self._run.dir, policy="now")

    def finish(self, ended: bool) -> None:
        """Finish the run. The upload, if there is one, continues for at most a minute."""
        if self._run is None:
            return
        thread = threading.Thread(target=self._run.finish, kwargs={"exit_code": 0 if ended else 1}, daemon=True)
        thread.start()
        thread.join(_UPLOAD_SECONDS)
        if thread.is_alive():
            self.note(Sentence("track.wandb_rest", place=str(self._run.settings.sync_dir)))
