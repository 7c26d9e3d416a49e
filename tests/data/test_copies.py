"""Tests of copies: rows that a split must keep together, and tables whose rows are equal by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from builders.tables import picture, write_csv
from polymodal.data import near_duplicates
from polymodal.data.copies import Together, copies, copies_between, together
from polymodal.data.fingerprints import fingerprints
from polymodal.data.grouping import Links, units
from polymodal.data.near_duplicates import picture_duplicates, sides, text_duplicates
from polymodal.data.sources import open_source
from polymodal.data.splits import TEST, TRAIN, VALID, SplitConfig, split
from polymodal.inspection.infer import infer
from polymodal.modalities import FieldConfig, ImageConfig, Roots, SeriesConfig, TabularConfig, TextConfig, VectorConfig
from polymodal.preparation import known_targets, split_rows

HISTORY = "{age} year old with {what} for {days} days, no fever, known {other}, referred from ward {ward} for a second opinion"


def kept(
    cells: Mapping[str, Sequence[Any]], least: int = 10, groups: Any = None, root: Path | None = None, **fields: FieldConfig
) -> Together:
    """What stays together of columns: those that ``fields`` do not read are numbers and categories."""
    source = open_source({name: list(column) for name, column in cells.items()})
    read = {column for config in fields.values() for column in config.sources}
    plain = [name for name in cells if name not in read]
    if plain:
        fields["plain"] = TabularConfig(columns=plain)
    roots = Roots([] if root is None else [root])
    return together(source, fields, roots, np.ones(source.rows, bool), least, None if groups is None else np.asarray(groups))


def columns(values: np.ndarray) -> dict[str, list[Any]]:
    return {f"x{at}": values[:, at].tolist() for at in range(values.shape[1])}


def unit_count(found: Together) -> int:
    return len(found.copy_N) if found.unit_N is None else len(np.unique(found.unit_N))


# -- copies and chance -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [2, 3, 10])
@pytest.mark.parametrize("wide", [1, 2, 5])
def test_copies_of_measurements_are_one_unit(times: int, wide: int, rng: np.random.Generator) -> None:
    values = np.tile(rng.normal(size=(60, wide)), (times, 1))
    order = rng.permutation(len(values))
    found = kept(columns(values[order]))
    assert unit_count(found) == 60
    assert found.unit_N is not None
    assert (np.unique(found.unit_N, return_counts=True)[1] == times).all()
    assert found.notes == [
        f"{60 * times} of {60 * times} rows are copies of another row; they stay in one part of the split "
        f"(data.split.copies=ignore splits them like all other rows)"
    ]
    assert not found.warnings


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_copies_of_rounded_measurements_are_one_unit(digits: int, rng: np.random.Generator) -> None:
    assert unit_count(kept(columns(np.tile(rng.normal(size=(60, 5)).round(digits), (3, 1))))) == 60


def test_copies_of_categories_are_found_where_there_are_many_columns(rng: np.random.Generator) -> None:
    codes = np.tile(rng.integers(0, 4, (60, 30)), (3, 1))
    assert unit_count(kept({name: [f"v{one}" for one in column] for name, column in columns(codes).items()})) == 60
    mixed = {"sex": ["f", "m"] * 90, "length": np.tile(rng.normal(170, 9, 60).round(3), 3).tolist()}
    assert unit_count(kept(mixed)) == 60


def test_some_rows_that_were_added_many_times_are_found_among_others(rng: np.random.Generator) -> None:
    found = kept(columns(np.concatenate([rng.normal(size=(1_980, 5)), np.tile(rng.normal(size=(20, 5)), (99, 1))])))
    assert unit_count(found) == 2_000
    assert (np.bincount(found.copy_N[1_980:]) == 99).all()
    assert (found.copy_N[:1_980] == -1).all()


def latent(rng: np.random.Generator, rows: int, wide: int) -> np.ndarray:
    return np.asarray(rng.normal(size=(rows, 1)) * 1.2 + rng.normal(size=(rows, wide)) * 0.6)


FEW: dict[str, Any] = {
    "one category": lambda rng, rows: {"c": rng.choice(list("abcde"), rows).tolist()},
    "one whole number": lambda rng, rows: {"c": rng.integers(1, 6, rows).tolist()},
    "two truth values": lambda rng, rows: columns(rng.integers(0, 2, (rows, 2))),
    "truth values that go together": lambda rng, rows: columns((latent(rng, rows, 6) > 0).astype(int)),
    "answers from 1 to 5": lambda rng, rows: columns(np.clip(np.round(latent(rng, rows, 10) + 3), 1, 5).astype(int)),
    "zeros and a one": lambda rng, rows: columns(np.eye(50, dtype=int)[rng.integers(0, 50, rows)]),
    "four times zeros and a one": lambda rng, rows: columns(
        np.concatenate([np.eye(10, dtype=int)[rng.integers(0, 10, rows)] for _ in range(4)], 1)
    ),
    "age": lambda rng, rows: {"age": rng.integers(18, 90, rows).tolist()},
    "age and its logarithm": lambda rng, rows: {"age": (age := rng.integers(18, 90, rows)).tolist(), "log": np.log(age).tolist()},
    "age and sex": lambda rng, rows: {"age": rng.integers(18, 90, rows).tolist(), "sex": rng.choice(["f", "m"], rows).tolist()},
    "temperature": lambda rng, rows: {"t": rng.normal(37, 0.5, rows).round(1).tolist()},
    "a code and its name": lambda rng, rows: {
        "code": [f"c{at % 60}" for at in range(rows)],
        "name": [f"n{at % 60}" for at in range(rows)],
        "region": [f"r{at % 5}" for at in range(rows)],
    },
    "a design of three factors": lambda rng, rows: columns(np.stack(np.unravel_index(np.arange(rows) % 60, (3, 4, 5)), 1) * 50 + 100),
}


@pytest.mark.parametrize("rows", [180, 3_000])
@pytest.mark.parametrize("what", FEW)
def test_a_table_of_few_values_does_not_collapse(what: str, rows: int) -> None:
    found = kept(FEW[what](np.random.default_rng(7), rows))
    assert unit_count(found) >= 0.98 * rows
    assert not found.warnings


def test_rows_that_chance_makes_alike_are_not_reported(rng: np.random.Generator) -> None:
    """Of 20,000 rows of ten columns of three values some 6,000 are like another: as many as there should be."""
    found = kept(columns(rng.integers(0, 3, (20_000, 10))))
    assert found.unit_N is None
    assert not found.notes


def test_a_copy_is_one_however_its_cells_are_written() -> None:
    found = kept({"a": [1, "1.0", 2.5, " 2.50", *np.arange(0.003, 20, 0.77)], "b": [0.125, "0.125", "7.75", 7.75, *np.arange(26)]})
    np.testing.assert_array_equal(found.copy_N[:6], [0, 0, 1, 1, -1, -1])
    empty = kept({"a": [None, "", "NA", float("nan")], "b": [None, None, " ", ""]})
    assert empty.unit_N is None, "rows of empty cells alone are like none"


def test_the_same_rows_are_copies_whatever_their_order(rng: np.random.Generator) -> None:
    values = np.tile(rng.normal(size=(50, 3)), (2, 1))
    order = rng.permutation(100)
    seen = fingerprints(open_source(columns(values)), {"t": TabularConfig(columns=["x0", "x1", "x2"])}, Roots())
    mixed = fingerprints(open_source(columns(values[order])), {"t": TabularConfig(columns=["x0", "x1", "x2"])}, Roots())
    one, other = copies(seen, np.ones(100, bool))[order], copies(mixed, np.ones(100, bool))
    np.testing.assert_array_equal(one[:, None] == one, other[:, None] == other)


def test_copies_beyond_the_columns_that_are_kept_one_by_one(rng: np.random.Generator) -> None:
    values = rng.normal(size=(50, 100))
    twice = np.concatenate([values, values])
    assert unit_count(kept(columns(twice))) == 50
    twice[50:, 99] += 1
    assert unit_count(kept(columns(twice))) == 100


def test_lists_of_numbers_are_copies_and_classes_written_as_zeros_are_not(rng: np.random.Generator) -> None:
    vectors = [row.tolist() for row in rng.normal(size=(40, 16))]
    assert unit_count(kept({"v": vectors * 3}, v=VectorConfig(column="v"))) == 40
    classes = [row.tolist() for row in np.eye(30, dtype=int)]
    assert unit_count(kept({"v": classes * 10}, v=VectorConfig(column="v"))) == 300


def test_tables_with_too_few_different_rows_are_split_with_a_warning(rng: np.random.Generator) -> None:
    found = kept(columns(np.tile(rng.normal(size=(8, 5)), (12, 1))))
    assert found.unit_N is None
    assert [line.split(";")[0] for line in found.warnings] == [
        "96 of 96 rows are copies of another row, but there are only 8 different ones: too few, or too frequent, to stay in one part of the split"
    ]
    assert unit_count(kept(columns(np.tile(rng.normal(size=(8, 5)), (4, 1))), least=9)) == 32
    alike = kept({"a": [1.5] * 40, "b": ["x"] * 40})
    assert alike.unit_N is None
    assert alike.warnings[0].startswith("all 40 rows are equal in every column that fields read")


# -- what rows share -------------------------------------------------------------------------------------------------------


def histories(rng: np.random.Generator, count: int) -> list[str]:
    what = ["a cough", "chest pain", "short breath", "weight loss"]
    return [
        HISTORY.format(age=at + 20, what=rng.choice(what), days=rng.integers(1, 30), other=rng.choice(["asthma", "angina"]), ward=at % 9)
        for at in range(count)
    ]


def test_rows_that_share_a_long_text_stay_together(rng: np.random.Generator) -> None:
    """Several rows of a case: the same history, another view and other measurements."""
    case = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    texts = np.array(histories(rng, 60))[case]
    found = kept({"history": texts.tolist(), "x": rng.normal(size=len(case)).tolist()}, text=TextConfig(column="history"))
    assert found.unit_N is not None
    np.testing.assert_array_equal(found.unit_N[:, None] == found.unit_N, case[:, None] == case)
    assert "rows share a long text (column 'history') with another row" in found.notes[0]
    assert int(found.notes[0].split(" of ")[0]) == sum(count for count in np.bincount(case) if count > 1)
    chinese = np.array([f"患者{at}岁男性，咳嗽{at % 7}天，无发热，既往有哮喘病史，由{at % 9}病区转来会诊" for at in range(60)])[case]
    found = kept({"history": chinese.tolist(), "x": rng.normal(size=len(case)).tolist()}, text=TextConfig(column="history"))
    assert unit_count(found) == 60


def test_short_texts_and_set_phrases_tell_no_case(rng: np.random.Generator) -> None:
    questions = ["what is the shape", "which color does the picture show", "is there a red circle"]
    values = {"q": rng.choice(questions, 400).tolist(), "x": rng.normal(size=400).tolist()}
    assert kept(values, q=TextConfig(column="q")).unit_N is None
    phrase = "The heart is not enlarged, the lungs are clear, and no effusion or pneumothorax is seen on either side"
    texts = histories(rng, 1_340) + [phrase] * 60
    assert kept({"q": texts, "x": rng.normal(size=1_400).tolist()}, q=TextConfig(column="q")).unit_N is None


def test_rows_that_share_a_file_stay_together_unless_it_is_a_level(rng: np.random.Generator) -> None:
    image = ImageConfig(column="photo")
    values = {"photo": [f"p/{at % 50}.png" for at in range(400)], "x": rng.normal(size=400).tolist()}
    assert unit_count(kept(values, photo=image)) == 50
    few = {"photo": [f"p/{at % 13}.png" for at in range(1_300)], "x": rng.normal(size=1_300).tolist()}
    found = kept(few, photo=image)
    assert found.unit_N is None
    assert found.warnings[0].startswith(
        "1,300 of 1,300 rows share a file of column 'photo' with another row, but there are only 13 different ones"
    )
    recording = SeriesConfig(column="file", start="from", end="to")
    windows: dict[str, list[Any]] = {
        "file": [f"{at % 40}.csv" for at in range(400)],
        "from": list(range(400)),
        "to": [at + 1 for at in range(400)],
    }
    assert unit_count(kept(windows, ecg=recording)) == 40


def test_files_of_the_same_content_are_the_same(tmp_path: Path, rng: np.random.Generator) -> None:
    for at in range(30):
        body = rng.bytes(200 if at < 25 else 900_000)
        for name in ("a", "b"):
            (tmp_path / f"{at}{name}.bin").write_bytes(body)
    (tmp_path / "other.bin").write_bytes(rng.bytes(200))
    paths = [f"{at}{name}.bin" for name in ("a", "b") for at in range(30)] + ["other.bin", "missing.bin", "../../etc/passwd"]
    found = kept({"f": paths, "x": rng.normal(size=63).tolist()}, root=tmp_path, f=ImageConfig(column="f"))
    assert found.unit_N is not None
    np.testing.assert_array_equal(found.unit_N[:30], found.unit_N[30:60])
    assert unit_count(found) == 33
    pictures = [rng.integers(0, 256, (8, 8, 3)).astype(np.uint8) for _ in range(20)]
    held = kept({"f": [*pictures, *(one.copy() for one in pictures)]}, f=ImageConfig(column="f"))
    assert unit_count(held) == 20


def test_a_group_is_never_parted_and_copies_join_groups(rng: np.random.Generator) -> None:
    values = columns(np.concatenate([one := rng.normal(size=(60, 3)), one[:2]]))
    groups = np.r_[np.repeat(np.arange(12), 5), 12, 13]
    found = kept(values, groups=groups)
    assert found.unit_N is not None
    assert unit_count(found) == 12, "rows 61 and 62 are copies of rows of the first group"
    assert len(set(found.unit_N[[0, 1, 4, 60, 61]])) == 1
    inside = kept(columns(np.repeat(rng.normal(size=(20, 3)), 3, axis=0)), groups=np.repeat(np.arange(20), 3))
    assert not inside.notes, "nothing is joined that the group did not join"
    np.testing.assert_array_equal(inside.unit_N, np.repeat(np.arange(20), 3))


def test_chains_are_cut_where_most_rows_share_the_link() -> None:
    """Cases of four rows, chained by a text of eight rows, two of each of four cases."""
    case = np.repeat(np.arange(50), 4)
    text = np.where(np.arange(200) % 4 < 2, np.arange(200) // 16, -1)
    files, texts = Links.of(case, np.ones(200, bool), 1), Links.of(text, text >= 0, 2)
    both = Links.together([files, texts])
    unit_N, kept_C = units(both, 200, np.ones(200, bool), most=7, least=10)
    np.testing.assert_array_equal(unit_N, case * 4)
    assert kept_C[: len(files.rank_C)].all()
    assert not kept_C[len(files.rank_C) :].any()
    unit_N, kept_C = units(both, 200, np.ones(200, bool), most=200, least=60)
    assert not kept_C.any(), "too few units are left by the files"
    unit_N, kept_C = units(Links.of(case, np.ones(200, bool), None), 200, np.ones(200, bool), most=2, least=60)
    assert (unit_N == case * 4).all(), "a group stays whole"


HOSTILE: list[Any] = [
    10**400, "1e999", float("inf"), -float("inf"), "\ud800x", b"\0" * 10, {"a": 1}, [1, [2]], (1, 2), "\0", "1_000", [], np.zeros((2, 2)), None,
    object(), Path("/etc/passwd"), "../" * 2_000, "data:,", "data:image/png;base64,!!", True, np.float32(3), ["a", "b"],
]  # fmt: skip


@pytest.mark.parametrize(
    "config",
    [TabularConfig(columns=["c"]), TextConfig(column="c"), ImageConfig(column="c"), VectorConfig(column="c")],
    ids=lambda c: c.kind,
)
def test_hostile_cells_are_compared_all_the_same(config: FieldConfig, tmp_path: Path) -> None:
    found = kept({"c": HOSTILE * 3, "x": [at * 0.37 for at in range(len(HOSTILE) * 3)]}, root=tmp_path, f=config)
    assert (found.copy_N == -1).all(), "no two rows have the same x"
    assert not found.warnings


# -- the split -------------------------------------------------------------------------------------------------------------


def table(rng: np.random.Generator, times: int = 3) -> dict[str, list[Any]]:
    values = np.tile(rng.normal(size=(60, 3)), (times, 1))
    return {**columns(values), "y": rng.choice(["a", "b"], len(values)).tolist(), "at": list(range(len(values)))}


def crossing(cells: dict[str, list[Any]], *overrides: str, **settings: Any) -> tuple[int, list[str], list[str]]:
    """Pairs of copies on different sides, the notes and the warnings."""
    source = open_source(cells)
    experiment, _, _ = infer(source, ["y"], list(overrides), ignore=["at"], **settings)
    part, found = split_rows(experiment, source, known_targets(source, experiment), False)
    side_N, row_N = sides(part), np.arange(source.rows) % 60
    return int(((row_N[:, None] == row_N) & (side_N[:, None] != side_N)).sum()) // 2, found.notes, found.warnings


@pytest.mark.parametrize("kind", ["folds", "random"])
def test_no_pair_of_copies_crosses_a_split_whatever_their_targets(kind: str, rng: np.random.Generator) -> None:
    cells = table(rng)
    count, notes, warned = crossing(cells, f"data.split.kind={kind}", "data.split.test=0.2")
    assert count == 0
    assert notes[0].startswith("180 of 180 rows are copies of another row")
    assert not warned
    assert crossing(cells, f"data.split.kind={kind}", "data.split.copies=ignore")[0] > 20


def test_copies_across_a_split_by_time_or_column_are_a_warning(rng: np.random.Generator) -> None:
    cells = table(rng)
    count, notes, warned = crossing(cells, "data.split.kind=time", "data.split.column=at")
    assert count > 0
    assert not notes
    assert warned[0].startswith("18 of 18 validation and test rows are copies of training rows, since the split is by time")
    cells["part"] = ["train" if at % 60 < 50 else "valid" for at in range(180)]
    assert crossing(cells, split="part") == (0, [], [])


def test_the_split_is_even_with_copies(rng: np.random.Generator) -> None:
    found = kept(columns(np.tile(rng.normal(size=(60, 3)), (3, 1))))
    part = split(SplitConfig(kind="folds"), np.ones(180, bool), np.arange(180) % 2, 0, found.unit_N)
    np.testing.assert_array_equal(np.bincount(part.fold_N), [36] * 5)


def test_coin_labels_of_copies_are_at_chance(rng: np.random.Generator) -> None:
    """What the nearest neighbour that trains says of rows that validate: their copies' labels, unless these are kept together."""
    right = {"together": 0, "ignore": 0}
    for seed in range(20):
        values = np.tile(rng.normal(size=(60, 3)), (3, 1))
        labels = np.tile(rng.integers(0, 2, 60), 3)
        source = open_source({**columns(values), "y": [f"c{one}" for one in labels]})
        for copied in right:
            experiment, _, _ = infer(source, ["y"], [f"data.split.copies={copied}", f"seed={seed}"])
            part, _ = split_rows(experiment, source, np.ones(180, bool), False)
            for fold in range(5):
                train, valid = np.flatnonzero(part.fold_N != fold), np.flatnonzero(part.fold_N == fold)
                nearest = train[((values[valid, None] - values[train]) ** 2).sum(2).argmin(1)]
                right[copied] += int((labels[nearest] == labels[valid]).sum())
    assert right["together"] / 3_600 == pytest.approx(0.5, abs=0.06)
    assert right["ignore"] / 3_600 > 0.85


def test_train_check_and_inspect_report_what_stays_together(rng: np.random.Generator) -> None:
    cells = table(rng, 2)
    expected = "120 of 120 rows are copies of another row; they stay in one part of the split"
    profile = pm.inspect(cells, target="y", ignore="at")
    assert profile.together[0].startswith(expected)
    assert expected in profile.text()
    tiny = ("training.epochs=1", "training.baselines=false", "model.width=8", "data.split.kind=random")
    assert any(note.startswith(expected) for note in pm.check(cells, *tiny, target="y", ignore="at").notes)


# -- near copies -----------------------------------------------------------------------------------------------------------


def test_near_copies_are_found_across_the_split_alone(rng: np.random.Generator) -> None:
    thumbs = rng.integers(0, 255, (60, 192)).astype(np.float32)
    thumbs[50], thumbs[51], thumbs[12] = thumbs[10] + 1, thumbs[11] + 3, thumbs[10] + 1
    side_N = np.repeat([0, 1], 30)
    assert picture_duplicates(np.arange(60), thumbs, side_N) == [(10, 50), (12, 50)]
    assert picture_duplicates(np.arange(60), thumbs, np.where(np.arange(60) == 50, -1, side_N)) == [], "row 51 is not used"
    texts = [f"the bird number {at} is red" for at in range(60)]
    texts[40] = texts[3].upper() + "!"
    texts[20] = texts[3]
    assert text_duplicates(enumerate(texts), side_N) == [(3, 40)]


def test_the_thumbnails_of_wide_pictures_have_eight_rows_and_columns() -> None:
    wide = np.zeros((3, 16, 64), np.uint8)
    wide[0, 2:4] = 90  # the second row of the thumbnail
    wide[1, :, 56:] = 40  # its last column
    store: Any = SimpleNamespace(sample=lambda field, number: {"pixels": wide})
    thumbs = near_duplicates._thumbs(store, "x", np.array([0, 0])).reshape(2, 3, 8, 8)
    expected = np.zeros((3, 8, 8))
    expected[0, 1], expected[1, :, 7] = 90, 40
    np.testing.assert_array_equal(thumbs, np.stack([expected] * 2))


def test_what_recurs_by_design_is_no_near_copy(rng: np.random.Generator) -> None:
    thumbs = np.repeat(rng.integers(0, 255, (3, 192)), 20, axis=0).astype(np.float32)
    assert picture_duplicates(np.arange(60), thumbs, np.arange(60) % 2) == []
    assert text_duplicates(enumerate(["which color has the shape", "is there a circle"] * 30), np.arange(60) // 30) == []
    shapes, colors = ["circle", "square", "triangle", "star"], ["red", "green", "blue", "black", "white"]
    asked = [f"is there a {rng.choice(colors)} {rng.choice(shapes)} in it" for _ in range(600)]
    assert text_duplicates(enumerate(asked), np.arange(600) % 5) == [], "each of 20 questions is expected some 30 times"


def test_train_reports_near_copies(tmp_path: Path, rng: np.random.Generator) -> None:
    photos = [rng.integers(0, 255, (16, 16, 3)).astype(np.uint8) for _ in range(60)]
    photos[59] = np.clip(photos[0].astype(int) + 1, 0, 255).astype(np.uint8)
    cells = {"photo": photos, "y": ["a", "b"] * 30, "part": ["train"] * 40 + ["valid"] * 20}
    pm.train(
        cells, "training.epochs=1", "training.baselines=false", "model.width=8", target="y", split="part", out=tmp_path / "run"
    )  # fmt: skip
    log = (tmp_path / "run" / "log.jsonl").read_text()
    assert "column 'photo': 1 pair of pictures is (nearly) the same, but in different parts of the split (rows 1 and 60" in log


def test_parts_are_numbered_apart() -> None:
    part = split(SplitConfig(kind="random", test=0.2), np.arange(50) < 40, np.zeros(50, np.int64), 0)
    side_N = sides(part)
    assert (side_N[40:] == -1).all()
    assert len({*side_N[part.part_N == TRAIN], *side_N[part.part_N == VALID], *side_N[part.part_N == TEST]}) == 3
    assert side_N[:40].min() >= 0


def test_rows_of_another_table_that_are_copies_are_counted(rng: np.random.Generator) -> None:
    rows = [{"x": f"{rng.normal():.4f}", "kind": "uvw"[at % 3], "text": f"the {at}th of many things"} for at in range(120)]
    fields: dict[str, FieldConfig] = {"text": TextConfig(column="text"), "plain": TabularConfig(columns=["x", "kind"])}
    train = open_source(rows[:80])
    for other, count in ((rows[80:], 0), (rows[80:] + rows[:7], 7), (rows[:80], 80)):
        line = copies_between(train, open_source(other), fields, Roots([]))
        assert line == (
            f"rows: {count} of {len(other)} rows are copies of training rows: results may be worse on new rows; leave the copies out"
            if count
            else ""
        )
    assert copies_between(train, open_source([{"x": row["x"]} for row in rows[:80]]), fields, Roots([])) == "", "another table"


def test_files_of_one_name_in_two_folders_are_no_copies(tmp_path: Path, rng: np.random.Generator) -> None:
    tables = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for at in range(40):
            picture(tmp_path / name / f"{at}.png", (int(rng.integers(0, 256)),) * 3, rng, 8)
        write_csv(tmp_path / name / "t.csv", ["photo"], [[f"{at}.png"] for at in range(40)])
        tables.append(open_source(tmp_path / name / "t.csv"))
    fields: dict[str, FieldConfig] = {"photo": ImageConfig(column="photo")}
    assert copies_between(tables[0], tables[1], fields, Roots([tmp_path / "one"])) == ""
    line = copies_between(tables[0], tables[0], fields, Roots([tmp_path / "one"]))
    assert line.startswith(f"{tables[0].name}: 40 of 40 rows are copies")


def test_rows_that_chance_makes_alike_in_two_tables_are_no_copies(rng: np.random.Generator) -> None:
    one, two = (open_source([{"a": "uvw"[at % 3], "b": str(rng.integers(0, 4))} for at in range(90)]) for _ in range(2))
    assert copies_between(one, two, {"plain": TabularConfig(columns=["a", "b"])}, Roots([])) == ""
