"""Tests of reproducibility: the same bits from the same seed for any workers and caches, and the same gradient in any number of parts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from builders.tables import FAST, shop, write_csv
from polymodal.data.loader import Loader
from polymodal.data.reading import CellFault, CellState
from polymodal.data.sources import open_source
from polymodal.data.store import Store
from polymodal.layers.elementwise import sigmoid
from polymodal.modalities import Image, ImageConfig, Roots, Tabular, TabularConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 rows, in which three rows share each picture."""
    folder = tmp_path_factory.mktemp("exact")
    shop(folder, 60)
    lines = (folder / "shop.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines[1:]]
    for at, row in enumerate(rows):
        row[0], row[4] = rows[at - at % 3][0], rows[at - at % 3][4]
    write_csv(folder / "shared.csv", lines[0].split(","), rows)
    return folder


def weights(out: Path) -> str:
    return hashlib.sha256((out / "bundle" / "weights.safetensors").read_bytes()).hexdigest()


def trained(folder: Path, out: Path, *overrides: str, table: str = "shared.csv") -> str:
    pm.train(folder / table, *FAST, "training.epochs=2", *overrides, target="label", out=out)
    return weights(out)


@pytest.fixture(scope="module")
def first(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(folder, tmp_path_factory.mktemp("first") / "run")


@pytest.mark.parametrize(
    "overrides",
    [(), ("training.workers=0",), ("data.cache_gb=0",), ("training.workers=5", "data.cache_gb=1e-6")],
    ids=["again", "no workers", "no cache", "some of each"],
)
def test_the_same_seed_gives_the_same_weights(folder: Path, tmp_path: Path, first: str, overrides: tuple[str, ...]) -> None:
    torch.manual_seed(len(overrides))  # nothing depends on what the caller's generators did before
    np.random.seed(1)
    before = torch.random.get_rng_state()
    assert trained(folder, tmp_path / "run", *overrides) == first
    assert torch.equal(torch.random.get_rng_state(), before), "and the caller's generator is left as it was"


def test_another_seed_gives_other_weights(folder: Path, tmp_path: Path, first: str) -> None:
    assert trained(folder, tmp_path / "run", "seed=1") != first


def test_the_written_run_yaml_trains_to_the_same_weights(folder: Path, tmp_path: Path, first: str) -> None:
    one = tmp_path / "one"
    assert trained(folder, one) == first
    pm.train(one / "run.yaml", out=tmp_path / "two")
    assert weights(tmp_path / "two") == first


def states(folder: Path, *overrides: str) -> list[dict[str, Any]]:
    settings = ("training.epochs=1", "training.batch_size=64", "training.modality_dropout=0", "model.dropout=0", "model.encoders.photo.dropout=0",
                "training.clip=1e9", 'model.encoders."标题".kind=bag', 'model.encoders."标题".dropout=0', "model.encoders.columns.kind=tabular",
                "model.encoders.columns.dropout=0")  # fmt: skip
    model = pm.train(folder / "shared.csv", *FAST, *settings, *overrides, target="label")
    return [member.state_dict() for member in model.bundle.members]


def test_a_batch_in_parts_is_the_same_step(folder: Path) -> None:
    whole, parts = states(folder), states(folder, "training.accumulate=2")
    for one, two in zip(whole, parts, strict=True):
        for name, value in one.items():
            if value.is_floating_point():
                torch.testing.assert_close(two[name], value, rtol=1e-4, atol=2e-5, msg=name)


def test_adam_hides_scale_so_the_gradients_are_compared_themselves(folder: Path) -> None:
    """One step's gradients: of a batch whole, and of its two halves, rows with weights and without targets among them."""
    from polymodal.data.loader import Step
    from polymodal.encoders import TabularConfig as Columns
    from polymodal.model import ModelConfig, build
    from polymodal.tasks import RegressionConfig
    from polymodal.training.config import TrainingConfig
    from polymodal.training.observers import Observer
    from polymodal.training.progress import Validated
    from polymodal.training.trainer import Trainer

    source = open_source(folder / "shared.csv")
    config = TabularConfig(columns=["price", "region"])
    modality = Tabular(config, Tabular.fit(config, source.cells(config.sources), "columns", {"bins": 16}, Roots()), Roots())
    store = Store(folder / "cells", {"x": modality})
    store.fill(source, lambda *_: None)
    task = RegressionConfig(column="price").task()
    made = task(RegressionConfig(column="price"), task.fit(RegressionConfig(column="price"), source.cells(["price"]), "here"))
    target = np.stack([made.encode(cell) for cell in source.cells(["price"])])
    target[::7] = np.nan
    weights_N = np.linspace(0, 2, 60, dtype=np.float32)
    taken: list[dict[str, torch.Tensor]] = []
    for accumulate in (1, 2, 3):
        torch.manual_seed(0)
        model = build(ModelConfig(width=16, encoders={"x": Columns(dropout=0.0)}, dropout=0.0), {"x": modality.state}, {"y": made})
        loader = Loader(store, np.arange(60), {"y": target}, weights_N, batch_size=60, accumulate=accumulate, augment=False, ahead=0)
        trainer = Trainer("t", model, {"y": made}, loader, lambda: Validated({}), TrainingConfig(clip=1e9), epochs=1, seed=0,
                          device=torch.device("cpu"), precision=torch.float32, observer=Observer())  # fmt: skip
        gradients: dict[str, torch.Tensor] = {}
        trainer.optimiser.step = lambda *_, model=model, into=gradients: into.update(  # type: ignore[method-assign,misc]
            {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}
        )
        step = next(loader.epoch(1))
        assert isinstance(step, Step)
        assert len(step.parts) == accumulate
        trainer.train_step(step, 1)
        taken.append(gradients)
    store.close()
    for name, value in taken[0].items():
        scale = float(value.abs().max())
        for other in taken[1:]:
            assert float((other[name] - value).abs().max()) <= 1e-5 * scale + 1e-9, name


# -- the store -----------------------------------------------------------------------------------------------------------


def test_a_cell_is_read_once_and_rows_that_share_it_hold_one_number(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(folder / "shared.csv")
    state = {"size": 8, "channels": 3, "mean": [0.0], "std": [1.0], "form": "pixels"}
    image = Image(ImageConfig(column="photo", size=8), state, Roots([folder]))
    read: list[Any] = []
    real = Image.read

    def counted(self: Image, cell: Any) -> Any:
        read.append(cell)
        return real(self, cell)

    monkeypatch.setattr(Image, "read", counted)
    store = Store(tmp_path / "cells", {"photo": image})
    store.fill(source, lambda *_: pytest.fail("no fault"))
    assert len(read) == 20 == len(set(read))
    np.testing.assert_array_equal(store.index["photo"], np.repeat(np.arange(20), 3))
    assert store.sharing("photo") == 3
    cells = list(source.cells(["photo"]))
    for number in (0, 7, 19):
        np.testing.assert_array_equal(store.sample("photo", number)["pixels"], real(image, cells[3 * number])["pixels"])
    assert list(tmp_path.iterdir()) == [], "nothing is left on disk"
    store.close()


def test_missing_and_faulty_cells_are_told_apart(tmp_path: Path, folder: Path) -> None:
    rows = [{"a": "1", "b": "x"}, {"a": "", "b": ""}, {"a": "word", "b": ""}, {"a": "word", "b": "y"}, {"a": "2", "b": ""}]
    config = TabularConfig(columns=["a", "b"], types={"a": "number", "b": "category"})
    modality = Tabular(config, Tabular.fit(config, [("1", "x"), ("2", "x")], "columns", {"bins": 2}, Roots()), Roots())
    store = Store(tmp_path / "cells", {"t": modality})
    faults: list[CellFault] = []
    store.fill(open_source(rows), faults.append)
    index, state = store.index["t"], store.state["t"]
    assert state[1] == CellState.MISSING
    assert state[2] == CellState.UNREADABLE
    assert state[3] == CellState.PARTIAL, "its other column can be read"
    assert state[[0, 4]].tolist() == [CellState.READABLE] * 2
    assert store.is_present("t").tolist() == [True, False, False, True, True]
    assert store.is_faulty("t").tolist() == [False, False, True, True, False]
    assert [(fault.row, fault.column, fault.field) for fault in faults] == [(3, "a", "t"), (4, "a", "t")]
    assert np.isnan(store.sample("t", int(index[3]))["numbers"]).all()
    store.close()


def test_an_error_in_the_thread_reaches_the_one_who_waits() -> None:
    from polymodal.data.loader import prefetched

    def steps() -> Any:
        yield 1
        raise ValueError("broken")

    found = prefetched(steps(), 2)
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)
    numbers: Any = range(1000)
    assert list(prefetched(numbers, 3)) == list(numbers) == list(prefetched(numbers, 0))
    early = prefetched(numbers, 2)
    next(early)
    early.close()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sigmoid_has_the_same_bits_wherever_its_element_stands(dtype: torch.dtype) -> None:
    values = torch.linspace(-9, 9, 301, dtype=dtype)
    whole = sigmoid(values)
    torch.testing.assert_close(whole, values.sigmoid())
    for length in (1, 7, 33, 64, 100, 301):
        assert torch.equal(sigmoid(values[-length:]), whole[-length:])
        assert torch.equal(sigmoid(values[:length, None])[:, 0], whole[:length])
    large = values.repeat(200)
    assert torch.equal(sigmoid(large), whole.repeat(200))
    assert sigmoid(values[:0]).shape == (0,)
