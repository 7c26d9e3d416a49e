"""The summary of a model: its targets, fields, parts, size, and how it was trained."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..bundle import Bundle
from ..errors import counted
from ..model import MultiModalModel
from ..pages import Records, html_table, plain, with_error
from ..pages.records import WIDTH

_LINES = 3
"""The most lines of one fact in a printed summary."""
_FIELDS = 12
"""The most fields in a printed summary, which fits a screen."""
_COLUMNS = 40


@dataclass(frozen=True)
class ModelSummary:
    """The summary of a model. It prints as text of one screen, and as tables in a notebook.

    :param facts: by name, a line about the model: its targets, metrics, fusion, members, training, size and run
    :param fields: for each field its ``field`` (name), ``kind``, ``encoder``, ``columns``, number of ``parameters`` in all members, and
        number of ``frozen`` parameters
    """

    facts: Mapping[str, str]
    fields: Records

    def text(self) -> str:
        """Return the summary as text of at most 80 columns."""
        width = max(map(len, self.facts)) + 2
        lines = []
        for name, value in self.facts.items():
            wrapped = textwrap.wrap(plain(value), WIDTH - width, max_lines=_LINES, placeholder=" ...") or [""]
            lines += [f"{name if at == 0 else '':{width}}{line}" for at, line in enumerate(wrapped)]
        shown = Records(self.fields[:_FIELDS], shown=self.fields.shown).text().splitlines()
        more = [f"... and {len(self.fields) - _FIELDS:,} more fields"] if len(self.fields) > _FIELDS else []
        return "\n".join([*lines, "", *shown, *more])

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """Return the summary as HTML, for notebooks. All text is escaped."""
        return html_table(["", ""], list(self.facts.items())) + self.fields._repr_html_()


def summary_of(bundle: Bundle, run: Path | None) -> ModelSummary:
    """Return the summary of the model of a bundle.

    :param run: the folder of its run; None = unknown
    """
    experiment, metrics = bundle.experiment, bundle.metrics
    networks = [network for member in bundle.members for network in (member, *member.further)]
    shown = {"field": _field, "kind": _kind, "encoder": _encoder, "columns": _columns, "parameters": _parameters}
    fields = Records(
        (
            {
                "field": name, "kind": config.kind, "encoder": experiment.model.encoders[name].kind, "columns": list(config.sources),
                "parameters": sum(_size(_encoders(network)[name]) for network in networks),
                "frozen": _size(bundle.backbones[name]) if name in bundle.backbones else 0,
            }
            for name, config in experiment.fields.items()
        ),
        shown=shown,
    )  # fmt: skip
    facts: dict[str, str] = {}
    for name, task in bundle.tasks.items():
        label = "target" if len(bundle.tasks) == 1 else f"target {len(facts) // 2 + 1}"
        facts[label] = f"{task.config.column} ({task.config.kind}): {task.describe()}"
        facts[label.replace("target", "measured")] = _measured(metrics, name)
    facts["fusion"] = f"{experiment.model.fusion.kind} of {counted(len(experiment.fields), 'field')}"
    facts["members"] = ", ".join(_members(bundle, len(networks)))
    facts["trained"] = ", ".join(_trained(bundle)) or "unknown: the model was not measured"
    values = [value for part in (*bundle.members, *bundle.backbones.values()) for value in part.state_dict().values()]
    megabytes = sum(value.numel() * value.element_size() for value in values) / 1e6
    beside = {"trees": any(member.trees is not None for member in bundle.members), "frozen backbones": bool(bundle.backbones)}
    parts = " and ".join(name for name, is_there in beside.items() if is_there)
    facts["size"] = f"{sum(map(_size, bundle.members)):,} parameters; {megabytes:,.1f} MB{f' with {parts}' if parts else ''}"
    facts["run"] = "-" if run is None else shlex.quote(str(run))
    return ModelSummary({name: plain(value) for name, value in facts.items()}, fields)


def _measured(metrics: Mapping[str, Any], name: str) -> str:
    """Return the metric of a task on validation rows, with its standard error."""
    for entry in metrics.get("leaderboard", {}).get(name, []):
        if entry["kind"] == "model":
            return f"{entry['metric']} {with_error(entry['value'], entry['error'])} on {entry['rows']:,} validation rows"
    return "-"


def _members(bundle: Bundle, networks: int) -> Iterator[str]:
    """Yield what the ensemble consists of."""
    yield f"{counted(len(bundle.members), 'model')} with {counted(networks, 'network')}"
    if trees := sum(member.trees is not None for member in bundle.members):
        yield f"boosted trees in {trees}"


def _trained(bundle: Bundle) -> Iterator[str]:
    """Yield how the model was trained."""
    training, metrics = bundle.experiment.training, bundle.metrics
    rows, members = metrics.get("rows", {}), metrics.get("members", [])
    if "table" in rows:
        yield f"on {counted(rows['table'], 'row')} ({rows['training']:,} in the first model)"
    if members:
        kept = [one["epoch"] for one in members]
        span = f"{min(kept)}" if len(set(kept)) == 1 else f"{min(kept)} to {max(kept)}"
        yield f"{span} of {max(one['epochs'] for one in members)} epochs"
        limit = "" if training.time_limit is None else f", time limit {training.time_limit:g} s"
        yield f"preset {training.preset}{limit}, seed {bundle.experiment.seed}"
    if (total := metrics.get("seconds", {}).get("total")) is not None:
        yield f"{total:,.1f} seconds"


def _encoders(network: MultiModalModel) -> dict[str, nn.Module]:
    """Return the encoders of a network by field."""
    return dict(zip(network.names, network.encoders, strict=True))


def _size(module: nn.Module) -> int:
    """Return the number of parameters of a module."""
    return sum(value.numel() for value in module.parameters())


def _field(row: Mapping[str, Any]) -> str:
    return str(row["field"])


def _kind(row: Mapping[str, Any]) -> str:
    return str(row["kind"])


def _encoder(row: Mapping[str, Any]) -> str:
    return str(row["encoder"])


def _columns(row: Mapping[str, Any]) -> str:
    text = ", ".join(map(plain, row["columns"]))
    return text if len(text) <= _COLUMNS else f"{text[: _COLUMNS - 15].rstrip(', ')} ... ({len(row['columns'])})"


def _parameters(row: Mapping[str, Any]) -> str:
    return f"{row['parameters']:,}" + (f" + {row['frozen']:,} frozen" if row["frozen"] else "")
