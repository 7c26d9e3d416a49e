"""Renders the facts of a run as a model card of the Hugging Face Hub: Markdown behind a block of metadata in YAML.

The metadata follows ``huggingface_hub.ModelCardData``; ``model-index`` has the metrics (Mitchell et al. 2019, *Model Cards for Model
Reporting*, arXiv:1810.03993). Text from a table or a model is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ..language import Words
from .markdown import escaped, one_line
from .predictions import guarantee_texts
from .run import entry_name, finding_lines, training_facts

_SHOWN = 50
"""The number of classes, and of columns of a field, that a card lists."""
_USE = """```python
import polymodal as pm

model = pm.load("MODEL")  # the folder of this model
model.predict("new_rows.csv")
```

```
polymodal serve MODEL
```"""


def card(facts: Mapping[str, Any], language: str = "auto", licence: str | None = None, languages: Sequence[str] = ()) -> str:
    """Return a model card.

    :param facts: plain data: ``name``; ``metrics`` (the content of ``metrics.json``); ``fields``, each with ``name``, ``kind``, ``encoder``
        and ``columns``; ``targets``, each with ``name``, ``column``, ``kind`` and ``classes`` (None for a number); ``fusion``; ``version``
    :param language: the language of the text, ``"en"``, ``"zh"`` or ``"auto"`` (the locale's)
    :param licence: the identifier of a licence, such as ``apache-2.0``; None = not stated
    :param languages: the languages of the texts that the model reads, as codes such as ``en``
    """
    translate = Words.of(language)
    metrics = facts["metrics"]
    rows, *seconds = training_facts(translate, metrics)
    members = translate("card.members", members=len(metrics.get("members", [])), fusion=facts["fusion"])
    parts = [
        _metadata(facts, licence, languages),
        f"# {escaped(facts['name'])}",
        translate("card.what", version=facts["version"]),
        "\n".join(f"**{escaped(line)}**  " for line in finding_lines(translate, metrics)),
        f"## {translate('card.predicts')}",
        "\n".join(_target(translate, one) for one in facts["targets"]),
        f"## {translate('card.reads')}",
        translate("card.missing"),
        _table([translate("field"), translate("card.kind"), translate("card.encoder"), translate("card.columns")],
               [[one["name"], one["kind"], one["encoder"], _some(translate, one["columns"])] for one in facts["fields"]]),
        f"## {translate('card.training')}",
        "\n".join(f"- {line}" for line in (rows, members, *seconds)),
        f"## {translate('run.leaderboard')}",
        translate("card.validation"),
        *_leaderboards(translate, metrics),
        *_metrics(translate, metrics),
        *_guarantees(translate, metrics),
        f"## {translate('card.use')}",
        _USE,
        f"## {translate('card.limits')}",
        translate("card.limits.text"),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(facts: Mapping[str, Any], licence: str | None, languages: Sequence[str]) -> str:
    """Return the block of metadata."""
    metrics = facts["metrics"]
    kinds = sorted({one["kind"] for one in facts["fields"]})
    data: dict[str, Any] = {"library_name": "polymodal", "tags": ["polymodal", "multimodal", *kinds]}
    if licence is not None:
        data["license"] = licence
    if languages:
        data["language"] = list(languages)
    results = []
    measured = [("validation rows", metrics["validation"])] + ([("test rows", metrics["test"])] if metrics.get("test") else [])
    for target in facts["targets"]:
        task = {
            "type": "tabular-regression" if target["classes"] is None else "tabular-classification",
            "name": f"predict {one_line(target['column'])}",
        }
        for name, one in measured:
            values = one["tasks"].get(target["name"], {})
            found = [{"type": metric, "value": value, "name": metric} for metric, value in values.items() if value is not None]
            if found:
                dataset = {"type": "table", "name": f"{name} ({one['rows']})"}
                results.append({"task": task, "dataset": dataset, "metrics": found})
    data["model-index"] = [{"name": one_line(facts["name"]), "results": results}]
    return f"---\n{yaml.safe_dump(data, allow_unicode=True, sort_keys=False)}---"


def _target(translate: Words, target: Mapping[str, Any]) -> str:
    """Return a line on what is predicted."""
    column = escaped(target["column"])
    if target["classes"] is None:
        return f"- {translate('card.number', column=column)}"
    return f"- {translate('card.classes', column=column, count=len(target['classes']))} {_some(translate, target['classes'])}"


def _some(translate: Words, values: Sequence[object]) -> str:
    """Return the first values, separated by commas."""
    shown = translate("enumeration").join(escaped(value) for value in values[:_SHOWN])
    return shown if len(values) <= _SHOWN else f"{shown}{translate('card.more', more=len(values) - _SHOWN)}"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], right: int = 0) -> str:
    """Return a table.

    :param rows: cells that are escaped already where they are the last of their row, else escaped here
    :param right: the number of the last columns that are aligned to the right
    """
    rule = ["---"] * (len(head) - right) + ["---:"] * right
    lines = [head, rule, *([*map(escaped, row[:-1]), str(row[-1])] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _leaderboards(translate: Words, metrics: Mapping[str, Any]) -> list[str]:
    """Return for each target the metric of the model, of its votes and of the model of each single field, with standard errors."""
    parts = []
    for task, entries in metrics.get("leaderboard", {}).items():
        rows = [
            [entry_name(translate, one), f"{one['rows']:,}", _with_error(one["value"], one["error"])]
            for one in entries
            if one["value"] is not None
        ]
        if rows:
            title = translate("colon", name=escaped(task), value=escaped(entries[0]["metric"]))
            parts += [f"### {title}", _table(["", translate("run.leaderboard_rows"), translate("run.value")], rows, 2)]
    return parts


def _metrics(translate: Words, metrics: Mapping[str, Any]) -> list[str]:
    """Return for each target all metrics of all fields, without each field, and on test rows."""
    parts = [f"## {translate('run.metrics')}"]
    for task, whole in metrics["validation"]["tasks"].items():
        lines = [(translate("all_fields"), whole)]
        lines += [(translate("without", field=name), by[task]) for name, by in metrics["validation"].get("hidden", {}).items()]
        if metrics.get("test"):
            lines.append((translate("run.test_rows"), metrics["test"]["tasks"][task]))
        names = [name for name, value in whole.items() if value is not None]
        rows = [[label, *(_number(values.get(name)) for name in names)] for label, values in lines]
        parts += [f"### {escaped(task)}", _table(["", *map(escaped, names)], rows, len(names))]
    return parts


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:z.4f}"


def _with_error(value: float, error: float | None) -> str:
    """Return a value with its standard error, if it is known."""
    return _number(value) if error is None else f"{_number(value)} ± {_number(error)}"


def _guarantees(translate: Words, metrics: Mapping[str, Any]) -> list[str]:
    """Return the guarantee of the sets or intervals of each target."""
    texts = guarantee_texts(translate, metrics.get("conformal", {}))
    lines = [f"- {translate('colon', name=escaped(task), value=one)}" for task, one in texts.items()]
    return [f"## {translate('run.sets')}", "\n".join(lines)] if lines else []
