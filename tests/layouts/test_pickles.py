"""Tests of the reader of pickles: it returns arrays, numbers and texts of every protocol, and executes nothing of a hostile pickle."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.mmf import mosei_content
from polymodal.errors import DataError
from polymodal.layouts.pickles import loads, read_npy, read_pickle

CONTENT: dict[Any, Any] = {
    "float": np.arange(12, dtype=np.float32).reshape(3, 4), "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(4, dtype=">i4"), "truth": np.array([True, False]), "none": np.zeros((0, 3)), "half": np.ones(2, np.float16),
    "texts": np.array(["x", "red 红"]), "bytes": np.array([b"a", b"bc"]), "objects": np.array([{"a": 1}, "b", None], dtype=object),
    "lists": [[1, 2], (3.5, None, True, False), "红", b"\xff\x00", b"", -1, 10**30], "scalar": np.float64(2.5), "text scalar": np.str_("x"),
    "empty": {}, 7: "a number as a key",
}  # fmt: skip


def equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        return bool(found.dtype.kind == expected.dtype.kind and found.shape == expected.shape and (found == expected).all())
    return bool(found == expected)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_numbers_and_texts_come_back(protocol: int, tmp_path: Path) -> None:
    body = pickle.dumps({"train": CONTENT}, protocol)
    found = loads(io.BytesIO(body), "p")["train"]
    assert list(found) == list(CONTENT)
    assert [name for name in CONTENT if not equal(found[name], CONTENT[name])] == []
    (tmp_path / "p.pkl").write_bytes(body)
    assert list(read_pickle(tmp_path / "p.pkl")["train"]) == list(CONTENT)


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
def test_the_names_of_numpy_1_and_2(core: str) -> None:
    body = pickle.dumps(mosei_content({"train": 2}), 2)
    renamed = body.replace(b"numpy._core.multiarray", f"{core}.multiarray".encode()).replace(
        b"numpy.core.multiarray", f"{core}.multiarray".encode()
    )
    assert loads(io.BytesIO(renamed), "p")["train"]["audio"].shape == (2, 10, 3)


def test_a_python_2_pickle_keeps_its_bytes_in_strings() -> None:
    state = b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02i4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x01\x00\x00\x00\xff\xff\xff\xfftb."
    body = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R" + state
    assert loads(io.BytesIO(body), "p").tolist() == [1, -1]


def test_values_that_contain_themselves_or_the_same_values_over_and_over_are_refused() -> None:
    bomb: list[Any] = ["x"]
    for _ in range(40):
        bomb = [bomb, bomb]
    with pytest.raises(DataError, match="values that contain the same values over and over; expected a pickle of arrays"):
        loads(io.BytesIO(pickle.dumps(bomb)), "p")
    itself: list[Any] = [1]
    itself.append(itself)
    with pytest.raises(DataError, match="a value that contains itself"):
        loads(io.BytesIO(pickle.dumps({"a": itself})), "p")
    shared = {"tokens": ["a", "b"]}
    assert loads(io.BytesIO(pickle.dumps([shared] * 1_000)), "p") == [shared] * 1_000


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.called = function, arguments

    def __reduce__(self) -> Any:
        return self.called


class State:
    def __init__(self) -> None:
        self.value = 1


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (Calls(os.system, "touch PWNED"), r"the global '(posix|nt)\.system'"), (Calls(eval, "1"), r"the global '(builtins|__builtin__)\.eval'"),
        (Calls(open, "PWNED", "w"), r"the global '(_io|io)\.open'"), (Calls(np.load, "x"), "the global 'numpy.load'"),
        (Calls(np.fromfile, "x"), "the global 'numpy"), (State(), "the global"), (OrderedDict(a=1), "the global 'collections.OrderedDict'"),
        ({1, 2}, "(the opcode EMPTY_SET|the global)"), (1j, "the global"), (np.random.default_rng, "the global"), (Path("x"), "the global 'pathlib"),
        ([Calls(getattr, "x", "upper")], "the global"), ({(1, 2): 3}, "a key that is a tuple"), (np.zeros(2, "i4,f4"), "(an array of records|a dtype as a value)"),
        (np.zeros(2, complex), "an array of type 'c16'"), (np.zeros(2, "datetime64[s]"), "an array of type 'M8'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_everything_else_is_refused_and_nothing_is_executed(
    content: Any, refused: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"^p byte [0-9]+: {refused}.*expected a pickle of arrays, numbers and texts only"):
        loads(io.BytesIO(pickle.dumps(content, protocol)), "p")
    assert list(tmp_path.iterdir()) == []


ARRAY = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
INT4 = b"cnumpy\ndtype\nX\x02\x00\x00\x00i4K\x00K\x01\x87R(K\x03X\x01\x00\x00\x00<NNNK\xffK\xffK\x00tb"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "without an end|not a valid pickle"), (b"\x80\x04N", "not a valid pickle"), (b"garbage", "not a valid pickle"), (b".", "not a valid pickle"),
        (b"(.", "a mark instead of a value"), (b"a.", "not a valid pickle"), (b"K\x01K\x02a.", "not a valid pickle"), (b"h\x05.", "not a valid pickle"),
        (b"]K\x01K\x02s.", "a list instead of a dict"), (b"(K\x01d.", "a key without a value"), (b"\x80\x02cnumpy\nndarray\n)R.", "a call of ndarray"),
        (b"cnumpy.core.multiarray\n_reconstruct\nX\x01\x00\x00\x00xK\x01s.", "a _Global instead|not a valid"), (b"cnumpy\ndtype\n}b.", "the state of a _Global"),
        (b"cnumpy\ndtype\nX\x01\x00\x00\x00x\x85\x81.", "the opcode NEWOBJ"), (b"I01\nP1\n.", "the opcode PERSID|not a valid"),
        (b"\x82\x01.", "the opcode EXT1|not a valid"), (b"(cos\nsystem\nX\x01\x00\x00\x00xo.", "the global 'os.system'"),
        (b"(X\x01\x00\x00\x00xios\nsystem\n.", "the opcode INST"), (ARRAY + b".", "an array without content"),
        (ARRAY + b"(K\x01J\x00\x00\x00\x40\x85" + INT4 + b"\x89C\x04abcdtb.", "bytes that do not fill the shape"),
        (ARRAY + b"(K\x01J\xff\xff\xff\xff\x85" + INT4 + b"\x89C\x04abcdtb.", "the shape"),
        (ARRAY + b"(K\x01K\x01\x85" + INT4 + b"\x89]tb.", "bytes that do not fill the shape"), (ARRAY + b"(K\x01K\x01\x85N\x89C\x00tb.", "without a dtype"),
        (b"cnumpy\ndtype\nX\x02\x00\x00\x00i4\x85R.", "a dtype as a value"), (b"](cnumpy\nndarray\ne.", "a global as a value"), (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", "not a valid pickle"),
    ],
)  # fmt: skip
def test_broken_and_crafted_pickles_give_one_message(body: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        loads(io.BytesIO(body), "p")


def test_a_deep_pickle_does_not_exhaust_the_interpreter() -> None:
    deep = b"\x80\x02" + b"]" * 200_001 + b"a" * 200_000 + b"."
    assert isinstance(loads(io.BytesIO(deep), "p"), list)
    with pytest.raises(DataError, match="a key that is a tuple"):
        loads(io.BytesIO(b"\x80\x02}N" + b"\x85" * 200_000 + b"Ns."), "p")


def test_random_changes_of_a_pickle_never_raise_anything_else() -> None:
    body, rng = pickle.dumps(mosei_content({"train": 2}), 4), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        changed = bytearray(body)
        for at in rng.integers(0, 600, rng.integers(1, 4)):
            changed[at] = rng.integers(0, 256)
        try:
            loads(io.BytesIO(bytes(changed)), "p")
        except DataError:
            refused += 1
    assert refused > 100


def test_npy_files(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    entries = [{"a": 1, "b": ["x", "y"]}, {"a": 2}]
    np.save(path, np.array(entries, dtype=object), allow_pickle=True)
    assert list(read_npy(path)) == entries
    np.save(path, np.array({"data": entries}, dtype=object), allow_pickle=True)
    assert read_npy(path) == {"data": entries}
    np.save(path, np.array([(1, "x"), (2, "y")], dtype=[("n", "i4"), ("t", "U3")]))
    assert read_npy(path) == [{"n": 1, "t": "x"}, {"n": 2, "t": "y"}]
    np.save(path, np.arange(3))
    assert read_npy(path).tolist() == [0, 1, 2]
    np.save(path, np.array([Calls(os.system, "touch PWNED")], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"system'"):
        read_npy(path)
    np.save(path, np.arange(100.0))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match="expected a complete file"):
        read_npy(path)
    path.write_bytes(b"not an array")
    with pytest.raises(DataError, match=r"not a \.npy file"):
        read_npy(path)
    for read in (read_npy, read_pickle):
        with pytest.raises(DataError, match="cannot be read"):
            read(tmp_path / "absent.npy")
    (tmp_path / "empty.pkl").write_bytes(b"")
    with pytest.raises(DataError, match="an empty file"):
        read_pickle(tmp_path / "empty.pkl")
