"""Presets: how many models, networks and baselines are trained, and how the rows are split."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

import polymodal as pm
from polymodal.data.sources import open_source
from polymodal.errors import PolymodalError
from polymodal.inspection.infer import infer
from polymodal.training.events import EpochEvent, Event
from polymodal.training.observers import Observer

SETTINGS = ("training.epochs=1", "model.trees=null")


def table(rows: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    words = ["a long story about many things", "another tale of several small wonders", "the third of four rather plain texts"]
    return [
        {"a": float(x), "text": f"{words[row % 3]} {row}", "y": "yes" if x + z > 0 else "no"}
        for row, (x, z) in enumerate(rng.normal(size=(rows, 2)))
    ]


def test_fast_trains_one_model_without_baselines() -> None:
    predictor = pm.train(table(90), *SETTINGS, target="y", preset="fast")
    assert len(predictor.bundle.members) == 1
    assert predictor.baselines == {}
    assert predictor.bundle.experiment.data.split.kind == "random"


def test_good_is_the_default() -> None:
    of_default, good = pm.train(table(90), *SETTINGS, target="y"), pm.train(table(90), *SETTINGS, target="y", preset="good")
    assert np.array_equal(of_default.predict_proba(table(20)), good.predict_proba(table(20)))
    assert len(good.bundle.members) == 5
    assert set(good.baselines) == {"text", "a"} or set(good.baselines) == {"text", "columns"}
    assert [len(member.further) for member in good.bundle.members] == [0] * 5


def test_best_trains_three_networks_in_each_model_whatever_the_time() -> None:
    class Trained(Observer):
        names: ClassVar[list[str]] = []

        def observe(self, event: Event) -> None:
            if isinstance(event, EpochEvent):
                self.names.append(event.name)

    predictor = pm.train(table(90), *SETTINGS, "training.baselines=false", target="y", preset="best", observers=[Trained()])
    assert len(Trained.names) == 15
    assert {f"network {number}, fold {fold}" for number in (2, 3) for fold in range(1, 6)} <= set(Trained.names)
    # Networks whose vote has a weight of 0 are not saved; all members have the same.
    assert len({len(member.further) for member in predictor.bundle.members}) == 1


@pytest.mark.parametrize(
    ("rows", "overrides", "kind"),
    [
        (3_100, (), "auto"),
        (3_100, ("training.preset=best",), "folds"),
        (3_100, ("training.time_limit=10m",), "folds"),
        (3_100, ("training.preset=fast", "training.time_limit=10m"), "random"),
        (3_100, ("training.preset=best", "data.split.kind=random"), "random"),
        (90, ("training.preset=best",), "auto"),
    ],
)
def test_the_split_follows_from_the_preset_and_the_time_limit(rows: int, overrides: tuple[str, ...], kind: str) -> None:
    experiment, reasons, _ = infer(open_source(table(rows)), ["y"], overrides)
    assert experiment.data.split.kind == kind
    assert ("preset" in reasons.get("data.split.kind", "") or "time limit" in reasons.get("data.split.kind", "")) == (
        kind != "auto" and "data.split.kind=random" not in overrides
    )


def test_files_are_not_split_into_folds_for_a_time_limit() -> None:
    rows = [{**row, "photo": f"photos/{at}.png"} for at, row in enumerate(table(3_100))]
    experiment, _, _ = infer(open_source(rows), ["y"], ("training.time_limit=10m",))
    assert experiment.data.split.kind == "auto"


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(PolymodalError, match=r"training\.preset"):
        pm.train(table(90), target="y", preset="quick")  # type: ignore[arg-type]
