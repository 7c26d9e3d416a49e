"""Tests of one model used by several threads: the same bits as in one thread, every warning, and an unchanged process state."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import polymodal as pm
from polymodal.modalities import Image, ImageConfig, Roots
from polymodal.quiet import ignore_warnings_of

THREADS, CALLS = 8, 3
SMALL = ("training.epochs=1", "training.baselines=false", "data.split.kind=random", "model.width=8", "fields.photo.size=16")


def picture(channel: int, rng: np.random.Generator, **options: Any) -> bytes:
    values = (rng.random((24, 24, 3)) * 60).astype(np.uint8)
    values[..., channel] += 150
    out = io.BytesIO()
    Pillow.fromarray(values).save(out, **{"format": "PNG", **options})
    return out.getvalue()


def table(rows: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    words = ["red apple", "green river", "红色 stone"]
    return [
        {"photo": picture(at % 2, rng), "text": f"{words[at % 3]} number {rng.integers(9)}", "x": float(rng.normal()),
         "shop": f"s{rng.integers(4)}", "y": "ab"[at % 2]}
        for at in range(rows)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Any:
    return pm.train(table(48), *SMALL, target="y")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every warning that is shown."""
    said: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda message, *_, **__: said.append(str(message)))
        yield said


def in_threads(act: Callable[[int], Any]) -> list[Any]:
    """What each thread's calls answered; the first error of any of them is raised."""
    answers: list[Any] = [None] * THREADS
    errors: list[BaseException] = []
    barrier = threading.Barrier(THREADS)

    def work(at: int) -> None:
        try:
            barrier.wait()
            answers[at] = [act(at) for _ in range(CALLS)]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return answers


def test_threads_answer_the_bits_of_one(model: Any, told: list[str]) -> None:
    tables = [table(20 + at, seed=at) for at in range(THREADS)]
    verbs: list[Callable[[Any], Any]] = [model.predict, model.predict_proba, model.embed, model.evaluate]
    expected = [[verb(rows) for verb in verbs] for rows in tables]
    before = list(warnings.filters)
    told.clear()
    answers = in_threads(lambda at: [verb(tables[at]) for verb in verbs])
    for wanted, calls in zip(expected, answers, strict=True):
        for found in calls:
            for one, other in zip(found[:3], wanted[:3], strict=True):
                np.testing.assert_array_equal(one, other)
            assert found[3] == wanted[3]
    assert warnings.filters == before
    assert not model.bundle.members[0].training


def test_every_thread_tells_of_drift(model: Any, told: list[str]) -> None:
    far = [{**row, "x": 1e6} for row in table(40)]
    model.predict(far)
    once = list(told)
    assert any("x" in line for line in once)
    told.clear()
    before = list(warnings.filters)
    in_threads(lambda _: model.predict(far))
    assert len(told) == THREADS * CALLS * len(once)
    assert set(told) == set(once)
    assert warnings.filters == before


def test_a_model_in_training_mode_is_left_in_it(model: Any) -> None:
    member = model.bundle.members[0]
    member.train()
    try:
        shaken = model.predict_proba(table(4))
        assert member.training
    finally:
        member.eval()
    np.testing.assert_array_equal(model.predict_proba(table(4)), shaken)


# -- warnings of libraries -------------------------------------------------------------------------------------------------


def broken_exif() -> bytes:
    """A JPEG that Pillow decodes, with a warning of its EXIF."""
    body = picture(0, np.random.default_rng(0), format="JPEG")
    return body[:2] + b"\xff\xe1\x00\x14Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01" + body[2:]


def palette_with_bytes_of_transparency() -> bytes:
    made = Pillow.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16), "P")
    made.putpalette(list(range(256)) * 3)
    out = io.BytesIO()
    made.save(out, "PNG", transparency=bytes([0, 128] * 128))
    return out.getvalue()


@pytest.mark.parametrize("cell", [broken_exif(), palette_with_bytes_of_transparency()])
@pytest.mark.parametrize("action", ["error", "always", "default"])
def test_a_harmless_warning_of_a_library_makes_no_picture_unreadable(cell: bytes, action: Any) -> None:
    image = Image(ImageConfig(column="x"), {"size": 8, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3, "form": "pixels"}, Roots())
    said: list[Any] = []
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter(action)
        warnings.showwarning = lambda *about, **_: said.append(about)
        assert image.read(cell)["pixels"].shape == (3, 8, 8)
        warnings.resetwarnings()
        warnings.simplefilter(action)
        assert image.read(cell)["pixels"].shape == (3, 8, 8)
    assert not said


def test_quiet_ignores_the_warnings_of_packages_and_no_others() -> None:
    def says(module: str, category: type[Warning] = UserWarning) -> bool:
        with warnings.catch_warnings(record=True) as caught:
            warnings.warn_explicit("it", category, "file.py", 1, module, {})
        return bool(caught)

    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("always")
        ignore_warnings_of("PIL", "some.package")
        filters = list(warnings.filters)
        ignore_warnings_of("some.package")
        ignore_warnings_of("PIL")
        assert warnings.filters == filters, "nothing is added twice, in whatever order"
        assert not any(says(module) for module in ("PIL", "PIL.TiffImagePlugin", "some.package", "some.package.part"))
        assert all(says(module) for module in ("PILLOW", "polymodal.predictor", "my.PIL", "some"))
        assert says("PIL.Image", DeprecationWarning)
        warnings.simplefilter("always")
        assert says("PIL.Image")
        ignore_warnings_of("PIL")
        assert not says("PIL.Image")
        count = len(warnings.filters)
        in_threads(lambda at: ignore_warnings_of("PIL", f"package{at}"))
        assert len(warnings.filters) == count + THREADS
