"""The results of ``explain`` and ``robustness``: dicts that print as tables, in a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..evaluation.robustness import MISSING
from ..language import Words
from ..pages import Result, Section, decimals
from ..terminal import Table

_STRONGEST = 3
"""The number of parts of a cell in a printed explanation."""
_EXPLAINED = ("explain.share", "explain.shapley", "explain.alone", "explain.without", "explain.permuted", "explain.perceptual")


class ExplanationResult(Result):
    """The result of ``explain``: the content of ``explain.json``. Every key is an attribute as well."""

    def sections(self, words: Words) -> Iterator[Section]:
        """Yield what each field contributes: to the metric of each target, or to the prediction of each explained row."""
        if "explained" in self:
            for row in self["explained"]:
                yield from _row(words, row)
            yield Section(notes=[words("explain.parts_legend")])
            return
        yield Section(words("evaluate.sampled", table=self["table"], sampled=self["asked"], with_target=self["with_target"]))
        for target, facts in self["targets"].items():
            yield _target(words, target, facts)
        yield Section(notes=[words("legend.explain")])


class RobustnessResult(Result):
    """The result of ``robustness``: the content of ``robustness.json``. Every key is an attribute as well."""

    def sections(self, words: Words) -> Iterator[Section]:
        """Yield the metric of each target by field, corruption and severity, and by share of missing cells."""
        facts = {"table": self["table"], "sampled": self["asked"], "with_target": self["with_target"], "seed": self["seed"]}
        yield Section(words("evaluate.sampled_seed", **facts))
        for target, found in self["targets"].items():
            metric = found["metric"]
            value = decimals(found["whole"][metric])
            title = words("evaluate.untouched", target=target, metric=metric, value=value, rows=found["rows"])
            for missing in (False, True):
                curves = [curve for curve in found["curves"] if (curve["corruption"] == MISSING) == missing]
                if curves:
                    yield Section(title, _curves(words, metric, curves, missing))
                    title = ""
            if title:
                yield Section(title)
        against = [words("evaluate.against", baseline=words.value("baseline", self["against"]))] if self["against"] is not None else []
        yield Section(notes=[words("legend.relative_only"), *against])


def _target(words: Words, target: str, facts: Mapping[str, Any]) -> Section:
    """Return the contributions of the fields to the metric of a target."""
    metric, whole, nothing = facts["metric"], decimals(facts["whole"]), decimals(facts["nothing"])
    rows = []
    for field, values in facts["fields"].items():
        share = "-" if values["share"] is None else f"{values['share']:.1%}"
        permuted = values["permuted"]
        others = map(decimals, (values["alone"], values["without"][metric], permuted["mean"]))
        score = _spread(permuted["score"], permuted["spread"])
        rows.append([field, share, _spread(values["shapley"], values["error"]), *others, score])
    notes = []
    if (additive := facts["additive"]) is not None:
        value = _spread(additive["metric"], additive["error"])
        notes.append(words("explain.nearest_sum", rows=additive["rows"], metric=metric, value=value, whole=decimals(additive["whole"])))
    if facts["orders"]:
        notes.append(words("explain.orders", orders=facts["orders"]))
    title = words("explain.whole_line", target=target, metric=metric, whole=whole, nothing=nothing, rows=facts["rows"])
    return Section(title, Table([words("field"), *map(words, _EXPLAINED)], rows), notes)


def _row(words: Words, row: Mapping[str, Any]) -> Iterator[Section]:
    """Yield the contributions of the fields, and of the strongest parts of their cells, to the prediction of a row."""
    title = words("explain.row_faults" if row["faults"] else "explain.row_title", row=row["row"], faults=row["faults"])
    if row["skipped"]:
        yield Section(words("explain.row_skipped", row=title))
    for target, facts in row.get("targets", {}).items():
        values = {"whole": decimals(facts["whole"], True), "nothing": decimals(facts["nothing"], True)}
        unit = words.value("unit", facts["unit"])
        line = words("explain.row_prediction", target=target, prediction=_prediction(words, facts), unit=unit, **values)
        rows = []
        for field, value in facts["fields"].items():
            parts = row["cells"][field]["parts"]
            strongest = [] if parts is None else _strongest_parts(parts["names"], value["parts"])
            named = words("list_separator").join(f"{name} ({decimals(part, True)})" for name, part in strongest)
            rows.append([field, _spread(value["shapley"], value["error"], True), named])
        heads = [words("field"), words("explain.contribution"), words("explain.strongest")]
        yield Section(words("explain.row_line", row=title, line=line), Table(heads, rows, rest=True))


def _prediction(words: Words, facts: Mapping[str, Any]) -> str:
    """Return the prediction of a target, with the probability of its class if it has one."""
    shown = decimals(facts["answer"]) if isinstance(facts["answer"], float) else str(facts["answer"])
    if facts["label"] is None:
        return shown
    key = "explain.row_probability" if facts["label"] == facts["answer"] else "explain.row_label"
    return words(key, prediction=shown, label=facts["label"], score=facts["score"])


def _strongest_parts(names: Sequence[str], values: Sequence[float]) -> list[tuple[str, float]]:
    """Return the parts with the largest absolute values."""
    order = sorted(range(len(names)), key=lambda at: (-abs(values[at]), at))
    return [(names[at], values[at]) for at in order[:_STRONGEST]]


def _curves(words: Words, metric: str, curves: Sequence[Mapping[str, Any]], missing: bool) -> Table:
    """Return the metric of a target for each curve: a column for each severity, or for each share of missing cells."""
    has_effective = any(curve["effective"] is not None for curve in curves)
    rows = []
    for curve in curves:
        name = words("all_fields") if curve["field"] is None else str(curve["field"])
        values = [*(decimals(metrics[metric]) for metrics in curve["metrics"]), decimals(curve["relative"])]
        effective = [decimals(curve["effective"], True)] if has_effective else []
        rows.append([name, words.value("corruption", curve["corruption"]), *values, *effective])
    levels = [f"{level:.0%}" if missing else str(level) for level in curves[0]["levels"]]
    last = [words("robustness.relative"), *([words("robustness.effective")] if has_effective else [])]
    return Table([words("field"), words("robustness.corruption"), *levels, *last], rows, left=2)


def _spread(value: float | None, spread: float | None, signed: bool = False) -> str:
    """Return a number, with its standard error or spread if there is one."""
    return decimals(value, signed) + ("" if spread is None else f" ± {decimals(spread)}")
