"""``polymodal explain``: prints the contribution of each field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.cells import cell_len, set_cell_size

from ..analysis import explain
from .warnings import warnings_as_lines


def verb(run: str, table: str, *, rows: Sequence[int] | None, out: str | None, as_json: bool, **settings: Any) -> None:
    """Explain the predictions, write the files, and print the result."""
    with warnings_as_lines():
        found = explain(run, table, rows=rows, out=out, **settings)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for line in _whole(found) if rows is None else _each(found):
        click.echo(line)
    click.echo(f"wrote {out}/explain.html and explain.json" if out is not None else "for a page of it: -o FOLDER", err=True)


def _whole(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['table']}: {found['asked']:,} of {found['with_target']:,} rows with a target"
    for target, facts in found["targets"].items():
        metric = facts["metric"]
        yield f"{target}: {metric} {_number(facts['whole'])} with all fields, {_number(facts['nothing'])} with none, {facts['rows']:,} rows"
        width = max(5, *map(cell_len, facts["fields"]))
        yield "  " + " " * width + f"{'share':>9}{'shapley':>18}{'alone':>9}{'without':>9}{'permuted':>9}{'perceptual score':>20}"
        for field, one in facts["fields"].items():
            share = "-" if one["share"] is None else f"{one['share']:.1%}"
            error = "" if one["error"] is None else f" ± {one['error']:.4f}"
            permuted = one["permuted"]
            score = f"{_number(permuted['score'])} ± {_number(permuted['spread'])}"
            yield (
                f"  {set_cell_size(field, width)}{share:>9}{_number(one['shapley']) + error:>18}{_number(one['alone']):>9}"
                f"{_number(one['without'][metric]):>9}{_number(permuted['mean']):>9}{score:>20}"
            )
        if facts["additive"] is not None:
            additive = facts["additive"]
            error = "" if additive["error"] is None else f" ± {_number(additive['error'])}"
            yield (
                f"  the nearest sum of what each field says alone (EMAP, {additive['rows']:,} rows): {metric} "
                f"{_number(additive['metric'])}{error}, of {_number(additive['whole'])} with interaction"
            )


def _each(found: Mapping[str, Any]) -> Iterator[str]:
    for row in found["explained"]:
        yield f"row {row['row']}" + (f" ({row['faults']})" if row["faults"] else "") + (": skipped" if row["skipped"] else "")
        for target, facts in row.get("targets", {}).items():
            label = "" if facts["label"] == facts["answer"] else f"{facts['label']}: "
            sure = "" if facts["label"] is None else f" ({label}probability {facts['score']:.4f})"
            yield f"  {target}: {facts['answer']}{sure}; {facts['unit']} {facts['whole']:+.4f}, without any field {facts['nothing']:+.4f}"
            width = max(map(cell_len, facts["fields"]), default=0)
            for field, one in facts["fields"].items():
                error = "" if one["error"] is None else f" ± {one['error']:.4f}"
                parts = row["cells"][field]["parts"]
                named = (
                    "" if parts is None else ", ".join(f"{name} {worth:+.4f}" for name, worth in _strongest(parts["names"], one["parts"]))
                )
                yield f"    {set_cell_size(field, width)} {one['shapley']:+.4f}{error}" + (f"   {named}" if named else "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _strongest(names: Sequence[str], worths: Sequence[float], most: int = 3) -> list[tuple[str, float]]:
    """Return the parts with the largest absolute values."""
    order = sorted(range(len(names)), key=lambda at: (-abs(worths[at]), at))
    return [(names[at], worths[at]) for at in order[:most]]
