"""Tests of ``inspect``: the role of each column, suspicious findings, and a ``run.yaml`` that can be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

import polymodal as pm
from builders.tables import COLORS, FAST, picture, sentence, write_csv
from polymodal.cli.main import main
from polymodal.data.sources import open_source
from polymodal.inspection.columns import SAMPLE, look
from polymodal.inspection.leakage import gives_away, path_leaks


def profile_of(folder: Path, cells: dict[str, Any], **settings: Any) -> Any:
    table = write_csv(folder / "t.csv", list(cells), list(zip(*cells.values(), strict=True)))
    return pm.inspect(table, **settings)


def by_name(profile: Any) -> dict[str, Any]:
    return {column.name: column for column in profile.columns}


def test_modalities_and_roles_are_found_by_reading_cells(tmp_path: Path, rng: np.random.Generator) -> None:
    photos = [picture(tmp_path / "p" / f"{at}.png", COLORS["red"], rng) for at in range(100)]
    profile = profile_of(
        tmp_path,
        {
            "first": photos,
            "image": [sentence(rng) for _ in range(100)],
            "说明": ["这是一个关于" + "".join(rng.choice(list("红绿蓝花草树木山水"), 8)) + "的句子" for _ in range(100)],
            "n": [f"{rng.normal():.4f}" for _ in range(100)],
            "few": rng.integers(0, 4, 100).tolist(),
            "when": [f"2024-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}" for _ in range(100)],
            "flag": rng.choice(["true", "false"], 100).tolist(),
            "city": rng.choice(["Paris", "Rome", "Oslo"], 100).tolist(),
            "half": ["" if at % 2 else f"{at}.5" for at in range(100)],
            "id": list(range(1000, 1100)),
            "code": [f"X-{at * 7919 % 9973:04d}" for at in range(100)],
            "same": ["yes"] * 100,
            "empty": [""] * 100,
            "label": rng.choice(["a", "b"], 100).tolist(),
        },
        target="label",
    )
    found = by_name(profile)
    assert {name: column.options.get("type", column.modality) for name, column in found.items() if column.role == "feature"} == {
        "first": "image", "image": "text", "说明": "text", "n": "number", "few": "number", "when": "date", "flag": "category", "city": "category",
        "half": "number",
    }  # fmt: skip
    assert {name for name, column in found.items() if column.role == "ignored"} == {"id", "code", "same", "empty"}
    assert "an id" in found["id"].why
    assert "an id" in found["code"].why
    assert found["same"].why == "every cell is the same"
    assert found["empty"].why == "every cell is empty"
    assert found["half"].missing == 0.5
    assert found["label"].role == "target"
    assert profile.experiment.fields["columns"].columns == ["n", "few", "when", "flag", "city", "half"]
    text = profile.text(1_000)
    for name in found:
        assert name in text
    assert "50.0%" in text
    assert "column 'id' is left out" in text


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([at % 3 for at in range(90)], "multiclass"),
        ([at % 2 for at in range(90)], "binary"),
        (["1.0", "2.0", "3.0"] * 30, "multiclass"),
        ([at * 7 % 83 for at in range(90)], "regression"),
        ([at / 7 for at in range(90)], "regression"),
        ([at % 18 for at in range(36)], "regression"),
        (["x", "y", "z"] * 30, "multiclass"),
        (["true", "false", ""] * 30, "binary"),
        (["a;b", "b", "c;a"] * 30, "multilabel"),
        (["['a', 'b']", "[]", "['c']"] * 30, "multilabel"),
    ],
)
def test_the_task_that_a_target_asks_for(tmp_path: Path, rng: np.random.Generator, cells: list[Any], kind: str) -> None:
    profile = profile_of(tmp_path, {"text": [sentence(rng) for _ in cells], "y": cells}, target="y")
    assert profile.experiment.tasks["y"].kind == kind
    assert profile.targets["y"].startswith(f"{kind} (")


def test_every_inference_can_be_overridden(tmp_path: Path, rng: np.random.Generator) -> None:
    columns = {"a": [at % 7 for at in range(60)], "b": [sentence(rng) for _ in range(60)], "c": [f"s{at % 9}" for at in range(60)],
               "d": list(range(60)), "y": [at % 2 for at in range(60)]}  # fmt: skip
    profile = profile_of(tmp_path, columns, target="y", columns={"a": "category", "c": "text", "d": "number"}, ignore=["b"], seed=3)
    assert {name: field.kind for name, field in profile.experiment.fields.items()} == {"c": "text", "columns": "tabular"}
    assert profile.experiment.fields["columns"].types == {"a": "category", "d": "number"}
    assert profile.experiment.seed == 3
    grouped = profile_of(tmp_path, columns, target="y", group="c")
    assert grouped.experiment.data.split.group == "c"
    assert "c" not in grouped.experiment.columns(), "a group is never a feature"
    with pytest.raises(pm.DataError, match="no column 'z'"):
        profile_of(tmp_path, columns, target="y", ignore=["z"])


def test_unreadable_cells_are_told_by_their_row(tmp_path: Path, rng: np.random.Generator) -> None:
    photos = [picture(tmp_path / "p" / f"{at}.png", COLORS["red"], rng) for at in range(60)]
    photos[7] = "p/none.png"
    (tmp_path / photos[20]).write_bytes((tmp_path / photos[20]).read_bytes()[:100])
    (tmp_path / photos[33]).unlink()
    (tmp_path / photos[33]).mkdir()
    numbers = [str(at * 3 % 17) for at in range(60)]
    numbers[11] = "cheap"
    profile = profile_of(tmp_path, {"photo": photos, "n": numbers, "y": [at % 2 for at in range(60)]}, target="y")
    assert [row for row, _ in profile.unreadable["photo"]] == [8, 21, 34]
    assert dict(profile.unreadable["photo"])[8] == "no such file 'p/none.png' under the table's folder (--root adds folders)"
    assert profile.unreadable["n"] == [(12, "found 'cheap'; expected a finite number")]
    assert "row 8, column 'photo': no such file 'p/none.png'" in profile.text(1_000)
    assert "row 12, column 'n': found 'cheap'" in profile.text(1_000)


def test_a_sample_of_a_large_table_keeps_its_row_numbers(tmp_path: Path) -> None:
    count = 3 * SAMPLE + 5
    source = open_source(write_csv(tmp_path / "t.csv", ["n", "y"], [[at, at % 2] for at in range(count)]))
    facts = look(source, seed=1)
    assert len(facts.sample_rows) == SAMPLE == len(facts.sample["n"])
    assert [int(cell) for cell in facts.sample["n"]] == facts.sample_rows.tolist()
    assert facts.counts["y"] == {"0": count // 2 + 1, "1": count // 2}
    assert facts.ids == {"n"}
    again = look(source, seed=1)
    np.testing.assert_array_equal(again.sample_rows, facts.sample_rows)


def test_a_folder_or_a_file_name_that_tells_the_target_is_reported(tmp_path: Path, rng: np.random.Generator) -> None:
    labels = rng.choice(["cat", "dog"], 80).tolist()
    by_folder = [picture(tmp_path / label / f"{at}.png", COLORS["red"], rng) for at, label in enumerate(labels)]
    by_file = [picture(tmp_path / "all" / f"{label}_{at:03d}.png", COLORS["red"], rng) for at, label in enumerate(labels)]
    neither = [picture(tmp_path / "none" / f"img{at}.png", COLORS["red"], rng) for at in range(80)]
    profile = profile_of(tmp_path, {"a": by_folder, "b": by_file, "c": neither, "y": labels}, target="y")
    told = [line for line in profile.suspicions if "predicts the target" in line]
    assert len(told) == 2
    assert "column 'a': its folder predicts the target (100%" in told[0]
    assert "column 'b': its file name" in told[1]
    assert "never a feature" in told[0]


def test_a_key_that_tells_nothing_is_not_reported(rng: np.random.Generator) -> None:
    labels = rng.choice(["a", "b"], 200).tolist()
    assert path_leaks([f"{at % 5}/x.png" for at in range(200)], labels) == []
    assert path_leaks([f"{at}/x.png" for at in range(200)], labels) == [], "a folder a row tells nothing"
    share, base, keys = gives_away([str(at) for at in range(200)], labels)
    assert share == 0
    assert keys == 200
    assert base >= 0.5


def test_a_column_that_states_the_target_is_reported(tmp_path: Path, rng: np.random.Generator) -> None:
    labels = rng.choice(["a", "b", "c"], 100)
    columns = {
        "copy": ["grade " + label for label in labels],
        "noise": rng.choice(["p", "q"], 100),
        "text": [sentence(rng) for _ in range(100)],
    }
    told = profile_of(tmp_path, columns | {"y": labels}, target="y").suspicions
    assert ["'copy'" in line for line in told if "likely a leak" in line] == [True]
    numbers = rng.normal(size=100)
    told = profile_of(tmp_path, {"double": 2 * numbers, "near": numbers + rng.normal(0, 1, 100), "y": numbers}, target="y").suspicions
    assert ["'double'" in line for line in told if "likely a leak" in line] == [True]


def test_near_twins_across_the_split_are_reported(tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "p").mkdir()
    photos = []
    for at in range(60):
        Pillow.fromarray(rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)).save(tmp_path / "p" / f"{at}.png")
        photos.append(f"p/{at}.png")
    twin = np.asarray(Pillow.open(tmp_path / "p" / "0.png")).astype(int)
    Pillow.fromarray(np.clip(twin + 1, 0, 255).astype(np.uint8)).save(tmp_path / "p" / "59.png")
    texts = [sentence(rng) + f" number {at}" for at in range(60)]
    texts[58] = " ".join(reversed(texts[3].upper().split()))
    parts = ["train"] * 40 + ["valid"] * 20
    columns = {"photo": photos, "text": texts, "y": [at % 2 for at in range(60)], "part": parts}
    told = profile_of(tmp_path, columns, target="y", split="part").suspicions
    assert any("column 'photo': 1 pair of pictures" in line and "rows 1 and 60" in line for line in told)
    assert any("column 'text': 1 pair of texts" in line and "rows 4 and 59" in line for line in told)
    same_side = {**columns, "part": ["train"] * 20 + ["valid"] * 20 + ["train"] * 20}
    assert not any("pairs of" in line for line in profile_of(tmp_path, same_side, target="y", split="part").suspicions)


def test_pictures_that_rows_share_stay_on_one_side(tmp_path: Path, rng: np.random.Generator) -> None:
    photos = [picture(tmp_path / "p" / f"{at}.png", COLORS["red"], rng) for at in range(20)]
    profile = profile_of(
        tmp_path, {"photo": photos * 4, "q": [sentence(rng) for _ in range(80)], "y": [at % 2 for at in range(80)]}, target="y"
    )
    assert profile.experiment.data.split.group == "photo"
    assert not any("pairs of pictures" in line for line in profile.suspicions)


def test_without_a_target_and_of_hostile_names(tmp_path: Path, rng: np.random.Generator) -> None:
    columns = {
        "a.b": [at * 3 % 11 for at in range(40)],
        "x=y": [sentence(rng) for _ in range(40)],
        "标 题": list("红绿") * 20,
        "columns": list("pq") * 20,
    }
    profile = profile_of(tmp_path, columns)
    assert not profile.targets
    assert set(profile.experiment.fields) == {"x=y", "columns_"}, "the field of numbers and categories takes a name that is free"
    assert profile.text(1_000).endswith("\n\nnothing suspicious found")
    with pytest.raises(pm.DataError, match="every cell is empty"):
        profile_of(tmp_path, {**columns, "y": [""] * 40}, target="y")


def run(*words: Any) -> Any:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_command_says_what_the_library_found(shop_folder: Path) -> None:
    result = run("inspect", shop_folder / "shop.csv", "--target", "label")
    assert result.exit_code == 0
    assert "120 rows, 5 columns" in result.stdout
    assert "target 'label': multiclass" in result.stdout
    assert result.stderr == ""


def test_init_writes_a_yaml_that_says_why_and_trains(shop_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "sub" / "run.yaml"
    result = run("init", shop_folder / "shop.csv", "--target", "label", "--ignore", "region", "--seed", 7, "--time-limit", "5m", "-o", file)
    assert result.exit_code == 0, result.output
    experiment = pm.Experiment.read(file)
    assert experiment.seed == 7
    assert experiment.training.time_limit == 300
    assert experiment.fields["columns"].sources == ("price",)
    assert Path(experiment.data.table or "") == shop_folder / "shop.csv"
    text = file.read_text(encoding="utf-8")
    assert "# column 'region' is not used: ignored, requested" in text
    assert "  # 3 values, 40 rows each on average" in text or "rows each on average" in text
    for line in text.splitlines():
        assert len(line) < 400
    trained = run("train", file, *FAST, "training.epochs=1", "training.time_limit=null", "-o", tmp_path / "run", "--quiet")
    assert trained.exit_code == 0, trained.output
    assert pm.load(tmp_path / "run").bundle.experiment.seed == 7
    again = run("init", shop_folder / "shop.csv", "--target", "label", "-o", file)
    assert again.exit_code == 2
    shown = run("init", shop_folder / "shop.csv", "--target", "label", "-o", "-")
    assert "kind: multiclass" in shown.stdout


def test_a_table_beside_its_yaml_is_named_relative_to_it(shop_folder: Path, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", ["a", "y"], [[at % 5, at % 2] for at in range(40)])
    assert run("init", table, "--target", "y", "-o", tmp_path / "run.yaml").exit_code == 0
    assert "table: t.csv" in (tmp_path / "run.yaml").read_text()
    (tmp_path / "moved").mkdir()
    for name in ("t.csv", "run.yaml"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    assert pm.Experiment.read(tmp_path / "moved" / "run.yaml").data.table == str(tmp_path / "moved" / "t.csv")


def test_a_profile_stands_in_columns_whatever_the_script() -> None:
    from rich.cells import cell_len

    table = {"名称和描述": [f"词 {at} 语" for at in range(40)], "n": [at * 1.5 for at in range(40)], "标签": ["是", "否"] * 20}
    lines = pm.inspect(table, target="标签").text(1_000).splitlines()
    head = next(line for line in lines if "role" in line)
    for name in table:
        line = next(line for line in lines if line.startswith(f"  {name} "))
        role = "target" if name == "标签" else "feature"
        assert cell_len(line[: line.index(role)]) == head.index("role"), line


def test_ids_are_told_whatever_their_order(tmp_path: Path, rng: np.random.Generator) -> None:
    rows = 300
    columns: dict[str, list[Any]] = {
        "Unnamed: 0": rng.permutation(rows).tolist(),
        "large": [2**53 + 7 + at for at in range(rows)],
        "huge": [10**30 + int(at) for at in rng.permutation(rows)],
        "most": rng.permutation(int(rows * 1.05))[:rows].tolist(),
        "sparse": rng.permutation(rows * 40)[:rows].tolist(),
        "twice": rng.integers(0, rows, rows).tolist(),
        "y": [at % 2 for at in range(rows)],
    }
    found = {column.name: column for column in profile_of(tmp_path, columns, target="y").columns}
    assert {name for name, column in found.items() if column.role == "ignored"} == {"Unnamed: 0", "large", "huge", "most"}
    assert "an id" in found["large"].why
    frame = pd.DataFrame(columns)
    frame["huge"] = frame["huge"].astype(object)
    named = pm.inspect(frame[["sparse", "y"]].set_index(pd.Index(rng.normal(size=rows), name="key")), target="y")
    assert {column.name: column.role for column in named.columns if column.name != "key"} == {"sparse": "feature", "y": "target"}
    assert all(column.role == "ignored" for column in named.columns if column.name == "key")


def test_some_rows_of_a_larger_table_have_ids_too(tmp_path: Path, rng: np.random.Generator) -> None:
    columns = {"id": rng.permutation(2_500)[:1_500].tolist(), "y": [at % 2 for at in range(1_500)], "x": rng.normal(size=1_500).tolist()}
    assert next(column for column in profile_of(tmp_path, columns, target="y").columns if column.name == "id").role == "ignored"


def test_a_number_that_tells_the_target_by_a_threshold_is_a_suspicion(tmp_path: Path, rng: np.random.Generator) -> None:
    y = rng.integers(0, 3, 400)
    columns = {
        "leak": (y + rng.uniform(0, 0.9, 400)).tolist(),
        "when": [f"{2020 + label}-0{int(rng.integers(1, 9))}-11" for label in y],
        "weak": (y + rng.normal(0, 1, 400)).tolist(),
        "noise": rng.normal(size=400).tolist(),
        "y": [f"class {label}" for label in y],
    }
    told = [line for line in profile_of(tmp_path, columns, target="y").suspicions if "a leak" in line]
    assert [line.partition(":")[0] for line in told] == ["column 'leak'", "column 'when'"]
    assert "by thresholds alone it predicts the target in 100% of the rows" in told[0]
    columns["y"] = np.exp(y + rng.normal(size=400)).tolist()
    columns["leak"] = [value**3 for value in columns["y"]]
    (line,) = [line for line in profile_of(tmp_path, columns, target="y").suspicions if "a leak" in line]
    assert "rank correlation" in line


def test_what_is_said_of_a_column_names_its_settings_and_counts_as_training_does() -> None:
    table = {"day": [f"{1 + at % 12}/{1 + at % 7}/2024" for at in range(60)], "sure": ["True", "true", "FALSE"] * 20, "y": ["a", "b"] * 30}
    profile = pm.inspect(table, target="y")
    day, sure = profile.columns[:2]
    assert day.why == "100% of the cells are dates"
    assert any("to change it, set fields.columns.date_format=dmy" in line for line in profile.suspicions)
    assert (sure.distinct, sure.why) == (2, "2 different values in 60 cells")
    pm.inspect(table, "fields.columns.date_format=dmy", target="y")


def test_categories_that_do_not_recur_are_a_suspicion(tmp_path: Path, rng: np.random.Generator) -> None:
    columns = {
        "d": [f"{at}~{at % 7}" for at in range(100)] + ["0~0"] * 20,
        "c": list("abcdefghijkl" * 10),
        "y": [at % 2 for at in range(120)],
    }
    profile = profile_of(tmp_path, columns, target="y", columns={"d": "category"})
    (line,) = [line for line in profile.suspicions if "occur once" in line]
    assert line.startswith("column 'd': 99 of 100 different values occur once, such as '1~1'")


def test_words_for_missing_values_count_as_missing_where_training_takes_them_so(tmp_path: Path, rng: np.random.Generator) -> None:
    words = ["NA", "N/A", "-", "无", "缺失"]
    columns = {
        "c": [words[at % 5] if at % 4 == 0 else "pqr"[at % 3] for at in range(100)],
        "n": [words[at % 5] if at % 4 == 0 else "unknown" if at % 4 == 1 else at * 7 % 97 for at in range(100)],
        "t": [words[at % 5] if at % 4 == 0 else sentence(rng) + f" {at}" for at in range(100)],
        "all": ["NA"] * 99 + ["-"],
        "y": [at % 2 for at in range(100)],
    }
    profile = profile_of(tmp_path, columns, target="y")
    found = {column.name: column for column in profile.columns}
    assert {name: column.missing for name, column in found.items()} == {"c": 0.25, "n": 0.5, "t": 0.0, "all": 0.0, "y": 0.0}
    assert (found["c"].distinct, found["n"].options["type"], found["t"].modality) == (3, "number", "text")
    assert found["all"].why == "every cell is empty"
    (line,) = [line for line in profile.suspicions if line.startswith("column 'n'")]
    assert line == "column 'n': 25 of 75 cells are not numbers ('unknown'); they count as missing"


def test_no_guess_stops_a_run(tmp_path: Path, rng: np.random.Generator) -> None:
    isbn = [f"{int(rng.integers(10**8, 10**9))}{'X' if at % 11 == 0 else at % 10}" for at in range(200)]
    odd = [f"n{at} km" if at % 12 == 0 else at * 13 % 83 for at in range(200)]
    table = write_csv(tmp_path / "t.csv", ["isbn", "odd", "x", "y"], [[isbn[at], odd[at], at % 5, "ab"[at % 2]] for at in range(200)])
    quick = ("training.epochs=1", "training.baselines=false", "data.split.kind=random", "model.width=8")
    model = pm.train(table, *quick, target="y")
    assert {name: field.sources for name, field in model.bundle.experiment.fields.items()} == {"columns": ("odd", "x"), "odd": ("odd",)}
    fields = {"columns": {"kind": "tabular", "columns": ["odd", "x"]}}
    tree = {"data": {"table": str(table)}, "fields": fields, "tasks": {"y": {"kind": "binary", "column": "y"}}}
    with pytest.warns(UserWarning, match=r"column 'odd': 17 of 200 cells cannot be read .*; they count as missing"):
        pm.train(pm.Experiment.of(tree), *quick)
    assert pm.check(table, target="y").ok
    with pytest.raises(pm.DataError, match="17 of 200 cells cannot be read"):
        pm.train(table, *quick, target="y", columns={"odd": "number"})
