"""The head of the report of a run that has not ended: what was trained, what was not, and how to resume it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..language import Words, model_parts
from .document import scroll, text
from .fields import model_label
from .run_folder import ENDED, RUNNING

_FUSED, _INTERRUPTED = "fused", "interrupted"
"""The name of the models of all fields in the log, and the reason for which training of an interrupted model stopped."""


def progress(translate: Words, content: Mapping[str, Any]) -> str:
    """Return what was trained of a run that has not ended, as HTML. Empty if it has ended.

    :param content: what ``read_run`` returns
    """
    if content.get("state", ENDED) == ENDED:
        return ""
    log: Sequence[Mapping[str, Any]] = content["log"]
    plan = next((event for event in reversed(log) if event.get("event") == "plan"), None)
    running = content["state"] == RUNNING
    lines = [f"<b>{translate.html('run.running' if running else 'run.interrupted')}</b>"]
    if plan is None:
        lines.append(translate.html("run.not_begun"))
    else:
        lines.append(translate.html("run.partial" if content["metrics"] else "run.unmeasured"))
    now = _in_training(translate, log)
    if now:
        lines.append(text(now))
    table = "" if plan is None else _table(translate, content["fields"], plan, log)
    command = f"<code>polymodal train --resume {text(shlex.quote(content['folder']))}</code>"
    resume = "" if running else f"<p>{translate.html('run.resume')}{translate('sentence_space')}{command}</p>"
    return f'<div class="lead undecided" role="status"><p>{translate("sentence_space").join(lines)}</p>{table}{resume}</div>'


def _trained(log: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of the models whose training has ended, in this process or in an earlier one."""
    return {str(event["name"]) for event in log if event.get("event") == "member" and event.get("stopped") != _INTERRUPTED}


def _in_training(translate: Words, log: Sequence[Mapping[str, Any]]) -> str:
    """Return which model was in training, and for how many epochs; empty if there is none."""
    epoch = next((event for event in reversed(log) if event.get("event") == "epoch"), None)
    if epoch is None or str(epoch["name"]) in _trained(log):
        return ""
    label, _ = model_label(translate, str(epoch["name"]))
    return translate("run.in_training", model=label, epoch=epoch["epoch"], epochs=epoch["epochs"])


def _table(translate: Words, fields: Sequence[str], plan: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the numbers of trained and of planned models."""
    planned = {_FUSED: plan["members"]} | (
        {f"only {name}": plan["baseline_members"] for name in fields} if plan["baseline_members"] else {}
    )
    trained: dict[str, int] = {}
    for name in _trained(log):
        model, _ = model_parts(name)
        trained[model] = trained.get(model, 0) + 1
    heads = "".join(f"<th>{translate.html(key)}</th>" for key in ("run.trained", "run.planned"))
    rows = "".join(
        f"<tr><th>{text(model_label(translate, name)[0])}</th><td>{min(trained.get(name, 0), count)}</td><td>{count}</td></tr>"
        for name, count in planned.items()
    )
    return scroll(f"<table><thead><tr><th>{translate.html('run.models')}</th>{heads}</tr></thead>{rows}</table>")
