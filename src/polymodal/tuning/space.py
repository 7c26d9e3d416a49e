"""The space of a search: which settings are varied, and between which values.

The values of one setting are written in one of three ways, none of which the shell changes:

- ``concat,gated,lowrank`` or a YAML list ``[concat, gated]``: one of these values;
- ``int:5..20`` or ``float:0..0.5``: a whole number or a number in a range that includes both ends; ``int:16..64:16`` has a step;
- ``log:1e-4..1e-2``: a positive number on a logarithmic scale.

``int(5,20)``, ``float(0,0.5)`` and ``log(1e-4,1e-2)`` are the same; parentheses must be quoted in a shell.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..config import override, quote, settings_of, split_override
from ..config.reading import parse_yaml
from ..errors import ConfigError, nearest
from ..experiment import Experiment

Value = Any
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"(?P<kind>int|float|log)\s*:\s*(?P<low>{_NUMBER})\s*\.\.\s*(?P<high>{_NUMBER})(?:\s*:\s*(?P<step>{_NUMBER}))?")
_CALL = re.compile(rf"(?P<kind>int|float|log)\s*\(\s*(?P<low>{_NUMBER})\s*,\s*(?P<high>{_NUMBER})(?:\s*,\s*(?P<step>{_NUMBER}))?\s*\)")
_LOOKS_LIKE_RANGE = re.compile(r"\s*(int|float|log|uniform|loguniform|range|choice)?\s*[:(]|.*\.\.", re.DOTALL)
EXPECTED = "expected values such as concat,gated, int:5..20, float:0..0.5 or log:1e-4..1e-2"
_DIGITS = 6
"""The number of significant digits of a number that is suggested."""
_FIXED = ("data.table", "data.valid", "data.test", "data.split", "data.on_error", "training.time_limit", "training.track")
"""Settings that are the same in all trials: they determine the rows that trials are measured on, or the time that they get."""
_FIXED_OF_TASK = ("kind", "column", "columns", "metric")
"""Settings of a task that determine what is measured."""
_MOST_COMBINATIONS = 64


@dataclass(frozen=True)
class Dimension:
    """A setting that is varied: values to choose from, or a range of numbers.

    :param path: the path of the setting
    :param choices: the values; empty = a range
    :param kind: ``choice``, ``int``, ``float`` or ``log``
    :param low: the lowest number of a range
    :param high: the highest number of a range
    :param step: the step of a range; None = every number, or every whole number
    """

    path: str
    choices: tuple[Value, ...] = ()
    kind: str = "choice"
    low: float = 0.0
    high: float = 0.0
    step: float | None = None

    @property
    def size(self) -> float:
        """The number of values; infinite for numbers without a step."""
        if self.choices:
            return len(self.choices)
        if self.kind == "int":
            return int((self.high - self.low) // (self.step or 1)) + 1
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1 if self.step else 1 if self.low == self.high else math.inf

    @property
    def samples(self) -> tuple[Value, ...]:
        """The values that are examined before a search: all choices, or both ends of a range."""
        return self.choices or tuple(int(end) if self.kind == "int" else end for end in dict.fromkeys((self.low, self.high)))

    def rounded(self, number: float) -> float:
        """Return a number of the range with a few significant digits."""
        return min(max(float(f"{number:.{_DIGITS}g}"), self.low), self.high)

    def facts(self) -> dict[str, Any]:
        """Return the dimension as plain data."""
        if self.choices:
            return {"path": self.path, "choices": list(self.choices)}
        return {"path": self.path, "kind": self.kind, "low": self.low, "high": self.high, "step": self.step}


def setting(path: str, value: Value) -> str:
    """Return a value of a setting as an override."""
    return f"{path}={json.dumps(value, ensure_ascii=False)}"


def space_of(over: Mapping[str, Any] | Sequence[str] | str) -> list[Dimension]:
    """Return the dimensions of a search.

    :param over: texts ``path=values``; or a mapping of paths to values: a list of choices, or the text of a range
    :raises ConfigError: a text cannot be read
    """
    texts = [over] if isinstance(over, str) else over
    pairs = [(path, values) for path, values in texts.items()] if isinstance(texts, Mapping) else [_split(text) for text in texts]
    if not pairs:
        raise ConfigError("over: nothing to search; expected a setting and its values: --over training.lr=log:1e-4..1e-2")
    dimensions = [_dimension(path, values) for path, values in pairs]
    paths = [one.path for one in dimensions]
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError(f"over: {path} is given twice; expected each setting once; write all its values in one --over")
    for one in dimensions:
        _check_path(one.path)
    return dimensions


def _split(text: str) -> tuple[str, str]:
    """Return the path and the values of ``path=values``."""
    head = re.match(r'(?:"(?:[^"\\]|\\.)*"|[^"=])+(?==)', text)
    if head is None:
        raise ConfigError(f"over: {text!r}; expected PATH=VALUES, such as training.lr=log:1e-4..1e-2")
    return head[0].strip(), text[head.end() + 1 :]


def _dimension(path: str, values: Any) -> Dimension:
    """Return the dimension of a setting."""
    if not isinstance(path, str):
        raise ConfigError(f"over: {path!r}; expected the path of a setting as text, such as training.lr")
    path = ".".join(quote(one) for one in split_override(f"{path}=0")[0])
    if isinstance(values, str):
        text = values.strip()
        match = _RANGE.fullmatch(text) or _CALL.fullmatch(text)
        if match is not None:
            return _range(path, text, **match.groupdict())
        if _LOOKS_LIKE_RANGE.match(text) and not text.startswith(("[", "{")):
            raise ConfigError(f"over: {path}={text}: not a range; {EXPECTED}")
        values = parse_yaml(text if text.startswith("[") else f"[{text}]", f"over {path}={text}")
    if not isinstance(values, (list, tuple)):
        raise ConfigError(f"over: {path}: found {values!r}; {EXPECTED}")
    if len(values) < 2:
        fix = f"set it for all trials without --over: {path}={json.dumps(values[0], ensure_ascii=False)}" if values else EXPECTED
        raise ConfigError(f"over: {path}: {len(values)} value; expected two or more to choose from; {fix}")
    written = [json.dumps(value, sort_keys=True, ensure_ascii=False, default=str) for value in values]
    for value in written:
        if written.count(value) > 1:
            raise ConfigError(f"over: {path}: {value} is given twice; expected different values")
    return Dimension(path, tuple(values))


def _range(path: str, text: str, kind: str, low: str, high: str, step: str | None) -> Dimension:
    """Return the dimension of a range."""
    ends = float(low), float(high)
    width = None if step is None else float(step)
    numbers = [*ends, *([] if width is None else [width])]
    wrong = ""
    if not all(map(math.isfinite, numbers)):
        wrong = "a number is too large; expected finite numbers"
    elif kind == "int" and not all(number.is_integer() for number in numbers):
        wrong = f"expected whole numbers; write float:{low}..{high} for other numbers"
    elif ends[0] >= ends[1]:
        wrong = f"the low end {low} is not below the high end {high}; expected LOW..HIGH"
    elif kind == "log" and ends[0] <= 0:
        wrong = f"{low} has no logarithm; expected positive numbers; write float:{low}..{high} for a linear scale"
    elif kind == "log" and step is not None:
        wrong = "a logarithmic range has no step; leave it out"
    elif width is not None and not 0 < width <= ends[1] - ends[0]:
        wrong = f"the step {step} does not fit in the range; expected a positive step"
    if wrong:
        raise ConfigError(f"over: {path}={text}: {wrong}")
    return Dimension(path, (), kind, *ends, width)


def _check_path(path: str) -> None:
    """Raise ``ConfigError`` if there is no such setting, or if it must be the same in all trials."""
    parts = split_override(f"{path}=0")[0]
    for fixed in _FIXED:
        if parts[: len(fixed.split("."))] == fixed.split("."):
            raise ConfigError(f"over: {path}: must be the same in all trials, which could not be compared otherwise; set it without --over")
    if parts[0] == "tasks" and parts[-1] in _FIXED_OF_TASK:
        raise ConfigError(f"over: {path}: it determines what is measured; expected a setting that is not; set it without --over")
    known = [one.path for one in settings_of(Experiment)]
    if not any(_matches(parts, one) for one in known):
        names = {".".join(one) for one in known}
        raise ConfigError(f"over: {path}: no such setting{nearest(path, names)}; all settings: polymodal schema")


def _matches(parts: Sequence[str], known: Sequence[str]) -> bool:
    """Return whether a path is that of a setting, one below it, or one of a mapping of settings above it."""
    return all(one in ("FIELD", "TARGET") or one == part for part, one in zip(parts, known, strict=False))


def check(space: Sequence[Dimension], base: Experiment) -> None:
    """Raise the error of a value that is invalid under every combination with the components that are searched.

    :param base: the experiment without the settings that are searched
    """
    components = [one for one in space if one.choices and one.path.endswith("kind")]
    for one in space:
        others = list(_combinations([other for other in components if other is not one]))[:_MOST_COMBINATIONS]
        for value in one.samples:
            first: ConfigError | None = None
            for settings in others:
                try:
                    tree, _ = override(base.tree(), [*settings, setting(one.path, value)])
                    Experiment.of(tree)
                    break
                except ConfigError as error:
                    first = first or error
            else:
                raise ConfigError(f"over: {one.path}={json.dumps(value, ensure_ascii=False)}: {first}")


def _combinations(components: Sequence[Dimension]) -> Iterator[list[str]]:
    """Yield the overrides of every combination of the choices of some dimensions."""
    if not components:
        yield []
        return
    for value in components[0].choices:
        for rest in _combinations(components[1:]):
            yield [setting(components[0].path, value), *rest]
