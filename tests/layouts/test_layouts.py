"""Tests of the layout readers on small folders with known rows: absent files are named, and nothing outside the folder is read."""

from __future__ import annotations

import csv
import gzip
import json
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from builders.tables import write_csv
from polymodal.cli.main import main
from polymodal.errors import ConfigError, DataError, UserError
from polymodal.layouts import folders, mimic_cxr, nuscenes

UP = [math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)]  # looks along y


def drive(folder: Path, **changed: Any) -> Path:
    """Two scenes: three moments with a pedestrian ahead that comes nearer and a car behind; one moment of nothing but a camera."""
    samples = [("s0", "A", 0), ("s2", "A", 1_000_000), ("s1", "A", 500_000), ("t0", "B", 9_000_000)]
    places = {"s0": [0.0, 0.0, 0.0], "s1": [0.0, 5.0, 0.0], "s2": [0.0, 15.0, 0.0], "t0": [100.0, 0.0, 0.0]}
    data = []
    for sample, scene, time in samples:
        for channel in ("CAM_FRONT", "RADAR_FRONT") if scene == "A" else ("CAM_FRONT",):
            name = f"samples/{channel}/{sample}.{'jpg' if channel == 'CAM_FRONT' else 'pcd'}"
            before = {"s1": "sweep", "s2": "s1RADAR_FRONT"}.get(sample, "") if channel == "RADAR_FRONT" else ""
            data.append(
                {
                    "token": sample + channel,
                    "sample_token": sample,
                    "ego_pose_token": "pose" + sample,
                    "calibrated_sensor_token": "c" + channel,
                    "is_key_frame": True,
                    "filename": name,
                    "timestamp": time,
                    "prev": before,
                    "next": "",
                }
            )
    data.append({**data[1], "token": "sweep", "is_key_frame": False, "filename": "sweeps/RADAR_FRONT/x.pcd", "prev": "s0RADAR_FRONT"})
    objects = [
        ("a0", "s0", "walker", [0.0, 20.0, 0.0], "", "a1"),
        ("a1", "s1", "walker", [0.0, 20.0, 0.0], "a0", "a2"),
        ("a2", "s2", "walker", [2.0, 25.0, 0.0], "a1", ""),
        ("b0", "s0", "sedan", [0.0, -5.0, 0.0], "", ""),
    ]
    tables: dict[str, Any] = {
        "log": [{"token": "l", "location": "boston-seaport"}],
        "scene": [{"token": "A", "name": "scene-0001", "description": "Night, heavy Rain", "log_token": "l"},
                  {"token": "B", "name": "scene-0002", "description": "Parked cars", "log_token": "l"}],
        "sample": [{"token": token, "scene_token": scene, "timestamp": time} for token, scene, time in samples],
        "sensor": [{"token": name, "channel": name, "modality": name[:3].replace("CAM", "camera")} for name in ("CAM_FRONT", "RADAR_FRONT")],
        "calibrated_sensor": [{"token": f"c{name}", "sensor_token": name} for name in ("CAM_FRONT", "RADAR_FRONT")],
        "sample_data": data,
        "ego_pose": [{"token": f"pose{sample}", "translation": place, "rotation": UP} for sample, place in places.items()],
        "category": [{"token": "p", "name": "human.pedestrian.adult"}, {"token": "c", "name": "vehicle.car"}],
        "instance": [{"token": "walker", "category_token": "p"}, {"token": "sedan", "category_token": "c"}],
        "sample_annotation": [{"token": token, "sample_token": sample, "instance_token": what, "translation": at, "prev": before, "next": after}
                              for token, sample, what, at, before, after in objects],
    } | changed  # fmt: skip
    (folder / "v1.0-mini").mkdir(parents=True)
    for name, entries in tables.items():
        if entries is not None:
            (folder / "v1.0-mini" / f"{name}.json").write_text(entries if isinstance(entries, str) else json.dumps(entries, indent=0))
    for entry in data:
        path = folder / str(entry["filename"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def rows(*arguments: Any, **settings: Any) -> list[dict[str, Any]]:
    return list(nuscenes.rows(*arguments, **settings))


# -- nuScenes -------------------------------------------------------------------------------------------------------------


def test_a_drive_is_its_known_rows(tmp_path: Path) -> None:
    found = rows(drive(tmp_path / "n"), targets=nuscenes.TARGETS)
    assert [row["sample"] for row in found] == ["s0", "s1", "s2", "t0"]
    assert [row["scene"] for row in found] == ["A", "A", "A", "B"]
    assert [row["speed"] for row in found] == [None, 10.0, 20.0, None]
    assert [row["CAM_FRONT"] for row in found] == [f"samples/CAM_FRONT/{name}.jpg" for name in ("s0", "s1", "s2", "t0")]
    assert [row["RADAR_FRONT"] for row in found] == [
        "samples/RADAR_FRONT/s0.pcd",
        "samples/RADAR_FRONT/s1.pcd",
        "samples/RADAR_FRONT/s2.pcd",
        "",
    ]
    assert {(row["weather"], row["light"]) for row in found[:3]} == {("rain", "night")}
    assert (found[3]["weather"], found[3]["light"], found[3]["location"]) == ("dry", "day", "boston-seaport")
    assert [row["nearest"] for row in found] == ["vehicle.car", "human.pedestrian.adult", "human.pedestrian.adult", ""]
    assert [(row["count_human_pedestrian_adult"], row["count_vehicle_car"]) for row in found] == [(1, 1), (1, 0), (1, 0), (0, 0)]
    assert found[1]["nearest_closing"] == pytest.approx((20 - 15) / 0.5)
    assert found[2]["nearest_closing"] == pytest.approx((15 - math.hypot(2, 10)) / 0.5)
    assert found[0]["nearest_moves"] == ""  # a car that is seen once
    assert found[2]["nearest_moves"] == "human.pedestrian.adult approaching"


def test_only_what_is_ahead_and_within_reach_counts(tmp_path: Path) -> None:
    folder = drive(tmp_path / "n")
    ahead = rows(folder, targets=["nearest", "nearest_closing"], angle=35)
    assert [row["nearest"] for row in ahead] == ["human.pedestrian.adult"] * 3 + [""]
    assert ahead[0]["nearest_closing"] == pytest.approx((20 - 15) / 0.5)  # the first of a scene has only what comes after
    assert [row["nearest"] for row in rows(folder, angle=35, within=12)] == ["", "", "human.pedestrian.adult", ""]


def test_sweeps_go_back_in_time_and_never_lose_their_clock(tmp_path: Path) -> None:
    found = rows(drive(tmp_path / "n"), sweeps=3)
    assert [row["RADAR_FRONT"] for row in found] == [
        "samples/RADAR_FRONT/s0.pcd;",
        "samples/RADAR_FRONT/s0.pcd;sweeps/RADAR_FRONT/x.pcd;samples/RADAR_FRONT/s1.pcd",
        "sweeps/RADAR_FRONT/x.pcd;samples/RADAR_FRONT/s1.pcd;samples/RADAR_FRONT/s2.pcd",
        "",
    ]
    assert found[1]["CAM_FRONT"] == "samples/CAM_FRONT/s1.jpg"


@pytest.mark.parametrize(
    "name",
    ["log", "scene", "sample", "sensor", "calibrated_sensor", "sample_data", "ego_pose", "category", "instance", "sample_annotation"],
)
def test_a_table_that_is_absent_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"v1.0-mini/{name}.json"):
        rows(drive(tmp_path / "n", **{name: None}))


def test_no_annotations_are_needed_where_no_target_is_asked_for(tmp_path: Path) -> None:
    found = rows(drive(tmp_path / "n", sample_annotation=None, instance=None, category=None), targets=())
    assert len(found) == 4
    assert "nearest" not in found[0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("[", "invalid or truncated JSON"),
        ('[{"token": "l", "location": "b"}', "entry 2: invalid or truncated JSON"),
        ("{}", "expected a JSON list"),
        ("[[]]", "expected an object"),
        ('[{"token": "l"}]', "entry 1: no 'location'"),
        ('[{"token": [], "location": "b"}]', "entry 1: token"),
        ("[" * 100_000, "broken"),
        ("", "expected a JSON list"),
    ],
)
def test_a_broken_table_is_named_with_its_entry(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as told:
        rows(drive(tmp_path / "n", log=body))
    assert "log.json" in str(told.value)


def test_a_table_larger_than_a_piece_is_read_entry_by_entry(tmp_path: Path) -> None:
    many = [{"token": f"l{at}", "location": "x" * 300, "more": {"深": [1, 2, "],}"]}} for at in range(10_000)] + [
        {"token": "l", "location": "boston"}
    ]
    assert rows(drive(tmp_path / "n", log=json.dumps(many)))[0]["location"] == "boston"


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "samples/../../x.jpg", "a.jpg;/etc/passwd", "samples\\..\\..\\x", "x\0.jpg", "C:\\x.jpg", "", 7],
)
def test_a_file_name_that_leads_out_is_refused(tmp_path: Path, name: Any) -> None:
    folder = drive(tmp_path / "n")
    path = folder / "v1.0-mini" / "sample_data.json"
    entries = json.loads(path.read_text())
    entries[0]["filename"] = name
    path.write_text(json.dumps(entries))
    with pytest.raises(DataError, match=r"sample_data\.json entry 1, filename"):
        rows(folder)


def test_links_that_lead_out_are_no_files_and_no_tables(tmp_path: Path) -> None:
    folder = drive(tmp_path / "n")
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (folder / "samples/CAM_FRONT/s0.jpg").unlink()
    (folder / "samples/CAM_FRONT/s0.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.warns(UserWarning, match="column 'CAM_FRONT': 1 of 4 files do not exist, or are outside the folder"):
        assert rows(folder)[0]["CAM_FRONT"] == ""
    (folder / "samples/RADAR_FRONT").rename(tmp_path / "RADAR_FRONT")
    (folder / "samples/RADAR_FRONT").symlink_to(tmp_path / "RADAR_FRONT")
    with pytest.warns(UserWarning, match="CAM_FRONT"), pytest.raises(DataError, match="column 'RADAR_FRONT': 3 of 3 files do not exist"):
        rows(folder)
    (folder / "v1.0-mini/log.json").rename(tmp_path / "log.json")
    (folder / "v1.0-mini/log.json").symlink_to(tmp_path / "log.json")
    with pytest.raises(DataError, match=r"no table 'v1.0-mini/log.json'"):
        rows(folder)


def test_channels_versions_and_targets_that_are_not_known_are_named(tmp_path: Path) -> None:
    folder = drive(tmp_path / "n")
    with pytest.raises(DataError, match="did you mean 'CAM_FRONT'"):
        rows(folder, channels=["CAM_FRNT"])
    with pytest.raises(DataError, match=r"no version 'v1\.0-trainval'; expected v1\.0-mini"):
        rows(folder, "v1.0-trainval")
    with pytest.raises(DataError, match="no version"):
        rows(folder, "../n/v1.0-mini")
    with pytest.raises(ConfigError, match="did you mean 'nearest'"):
        rows(folder, targets=["neerest"])
    with pytest.raises(DataError, match="no such folder"):
        rows(tmp_path / "absent")
    with pytest.raises(DataError, match="no version"):
        rows(tmp_path)


# -- MIMIC-CXR -------------------------------------------------------------------------------------------------------------

ENGLISH = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with new onset
 ascites  // eval for infection

 TECHNIQUE:  Chest PA and lateral

 FINDINGS:

 There is no focal consolidation.  Note: bullet fragments.

 RECOMMENDATION(S):  None.

 Impression:

 No acute process.
"""
CHINESE = "检查目的：咳嗽3天\n【影像所见】\n两肺纹理增多。\n心影：不大。\n三、诊断意见： 支气管炎\n"
LABELS = ("Edema", "No Finding", "Pneumonia")


def hospital(folder: Path, ending: str = "jpg", **changed: Any) -> Path:
    """Two patients, three studies: two pictures and an English report; one picture and a Chinese report; a report without sections."""
    pictures = [("aa-1", "10000032", "50414267", "LATERAL"), ("aa-2", "10000032", "50414267", "AP"), ("aa-3", "10000032", "50414267", "PA"),
                ("bb-1", "10000032", "53189527", "AP"), ("cc-1", "11000011", "53911762", "")]  # fmt: skip
    tables: dict[str, Any] = {
        "metadata": (("dicom_id", "subject_id", "study_id", "ViewPosition"), pictures),
        "chexpert": (("subject_id", "study_id", *LABELS), [("10000032", "50414267", "1.0", "", "-1.0"), ("10000032", "53189527", "", "1.0", ""),
                                                          ("11000011", "53911762", "0.0", "", "1.0")]),
        "split": (("dicom_id", "study_id", "subject_id", "split"), [(p, study, s, "validate" if s[1] == "1" else "train") for p, s, study, _ in pictures]),
    } | changed  # fmt: skip
    for picture, subject, study, _ in pictures:
        place = folder / f"files/p{subject[:2]}/p{subject}/s{study}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{picture}.{ending}").write_bytes(b"x")
    (folder / "files/p10/p10000032/s50414267.txt").write_text(ENGLISH)
    (folder / "files/p10/p10000032/s53189527.txt").write_bytes(CHINESE.encode("gb18030"))
    (folder / "files/p11/p11000011/s53911762.txt").write_text("Lungs are clear.")
    for name, table in tables.items():
        if table is not None:
            write_csv(folder / f"mimic-cxr-2.0.0-{name}.csv", *table)
    return folder


def studies(*arguments: Any, **settings: Any) -> list[dict[str, Any]]:
    return list(mimic_cxr.rows(*arguments, **settings))


@pytest.mark.parametrize("ending", ["jpg", "dcm"])
def test_studies_are_their_known_rows(tmp_path: Path, ending: str) -> None:
    found = studies(hospital(tmp_path / "m", ending))
    place = "files/p10/p10000032/s50414267"
    assert found[0] == {"subject_id": "10000032", "study_id": "50414267", "frontal": f"{place}/aa-3.{ending}", "lateral": f"{place}/aa-1.{ending}",
                        "view": "PA", "split": "train", "labels": "Edema"}  # fmt: skip
    assert [row["labels"] for row in found] == ["Edema", "No Finding", "Pneumonia"]
    assert [row["split"] for row in found] == ["train", "train", "valid"]
    assert [row["lateral"] for row in found[1:]] == ["", ""]


def test_pictures_labels_and_tables_of_patients(tmp_path: Path) -> None:
    folder = hospital(tmp_path / "m", split=None)
    people = write_csv(tmp_path / "patients.csv", ["subject_id", "gender", "dod"], [["10000032", "F", "2180"]])
    found = studies(folder, per="picture", labels=["Pneumonia"], uncertain="positive", join={people: ["gender"]})
    assert [row["view"] for row in found] == ["LATERAL", "AP", "PA", "AP", ""]
    assert [row["Pneumonia"] for row in found] == ["1", "1", "1", "", "1"]
    assert [row["gender"] for row in found] == ["F"] * 4 + [""]
    assert not {"split", "labels", "dod"} & set(found[0])
    assert [row["Pneumonia"] for row in studies(folder, labels=["Pneumonia"])] == ["", "", "1"]
    for name in ("metadata", "chexpert"):  # packed tables are read as well
        path = folder / f"mimic-cxr-2.0.0-{name}.csv"
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert [row["labels"] for row in studies(folder)] == ["Edema", "No Finding", "Pneumonia"]


def test_sections_of_english_and_chinese_reports_and_of_none() -> None:
    assert mimic_cxr.sections(ENGLISH) == {
        "examination": "CHEST (PA AND LAT)", "indication": "___F with new onset ascites // eval for infection", "technique": "Chest PA and lateral",
        "findings": "There is no focal consolidation. Note: bullet fragments.", "impression": "No acute process.",
    }  # fmt: skip
    assert mimic_cxr.sections(CHINESE) == {"indication": "咳嗽3天", "findings": "两肺纹理增多。 心影：不大。", "impression": "支气管炎"}
    assert mimic_cxr.sections("Lungs are clear.") == {}
    assert mimic_cxr.sections("FINDINGS: a\nFINDINGS: b") == {"findings": "a b"}


def said(*arguments: Any, **settings: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """The studies, and what was warned of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = studies(*arguments, **settings)
    assert {one.category for one in told} <= {UserWarning}
    return found, [str(one.message) for one in told]


@pytest.mark.parametrize("section", ["report", "findings", "impression"])
def test_a_report_beside_labels_made_from_it_is_warned_of(tmp_path: Path, section: str) -> None:
    folder = hospital(tmp_path / "m")
    assert not {"report", *mimic_cxr.SECTIONS} & set(studies(folder)[0])  # nor is it read unless asked for
    found, told = said(folder, report=[section])
    assert told[0].startswith(
        f"CheXpert labels were extracted from the text of the report: a model that receives {section} can read the label"
    )
    assert not [text for text in said(folder, report=[section], labels=())[1] if "CheXpert" in text]  # no target, no leak
    assert found[1][section] in (
        "检查目的：咳嗽3天 【影像所见】 两肺纹理增多。 心影：不大。 三、诊断意见： 支气管炎",
        "两肺纹理增多。 心影：不大。",
        "支气管炎",
    )
    if section == "report":
        assert found[2][section] == "Lungs are clear."
    else:  # the third report has no sections: its cell is empty, and that is told too
        assert told[1:] == [f"1 of 3 rows have no report with a section {section!r}; those cells are empty"]
        assert found[2][section] == ""


def test_what_was_asked_before_the_picture_is_no_leak(tmp_path: Path) -> None:
    found, told = said(hospital(tmp_path / "m"), report=["indication"])
    assert told == ["1 of 3 rows have no report with a section 'indication'; those cells are empty"]
    assert [row["indication"] for row in found] == ["___F with new onset ascites // eval for infection", "咳嗽3天", ""]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (("../../x", "10000032", "50414267", "AP"), r"metadata\.csv row 1: dicom_id '\.\./\.\./x'; expected letters"),
        (("aa", "../..", "50414267", "AP"), "subject_id '../..'; expected digits"),
        (("aa", "10000032", "/etc", "AP"), "study_id '/etc'; expected digits"),
        (("aa", "1", "50414267", "AP"), "subject_id '1'; expected digits"),
    ],
)
def test_ids_that_would_lead_out_are_refused(tmp_path: Path, bad: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        studies(hospital(tmp_path / "m", metadata=(("dicom_id", "subject_id", "study_id", "ViewPosition"), [bad])))


def test_tables_columns_labels_and_sections_that_are_absent_are_named(tmp_path: Path) -> None:
    folder = hospital(tmp_path / "m", chexpert=None)
    with pytest.raises(DataError, match=r"no table 'mimic-cxr-2\.0\.0-chexpert\.csv'"):
        studies(folder)
    assert len(studies(folder, labels=())) == 3
    write_csv(folder / "mimic-cxr-2.0.0-chexpert.csv", ["study_id", "Pneumonia"], [["50414267", "2"]])
    with pytest.raises(DataError, match=r"no column 'Pneumonai'.*did you mean 'Pneumonia'"):
        studies(folder, labels=["Pneumonai"])
    with pytest.raises(DataError, match=r"row 1, column 'Pneumonia': '2'; expected 1, 0, -1"):
        studies(folder)
    with pytest.raises(ConfigError, match="did you mean 'findings'"):
        studies(folder, report=["finding"])
    (folder / "mimic-cxr-2.0.0-metadata.csv").write_text("dicom_id,subject_id\n")
    with pytest.raises(DataError, match="no column 'study_id'"):
        studies(folder, labels=())
    twice = write_csv(tmp_path / "t.csv", ["subject_id", "age"], [["1", "2"], ["1", "3"]])
    with pytest.raises(DataError, match="row 2: subject_id '1' a second time"):
        studies(folder, labels=(), join={twice: ["age"]})


def test_pictures_of_which_some_are_there_are_told_and_none_at_all_is_an_error(tmp_path: Path) -> None:
    folder = hospital(tmp_path / "m")
    (folder / "files/p10/p10000032/s50414267/aa-1.jpg").unlink()
    found, told = said(folder)
    assert [row["lateral"] for row in found] == ["", "", ""]
    assert "column 'lateral': 1 of 1 file does not exist" in told[0]
    for path in folder.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(DataError, match="files do not exist"):
        studies(folder)


# -- the command -----------------------------------------------------------------------------------------------------------


def test_the_command_writes_a_table_and_says_what_comes_next(tmp_path: Path) -> None:
    folder, out = drive(tmp_path / "n"), tmp_path / "elsewhere.csv"
    done = CliRunner().invoke(main, ["table", "nuscenes", str(folder), "-o", str(out), "--target", "nearest_moves", "--target", "counts"])
    assert done.exit_code == 0, done.output
    assert f"polymodal train {out} --root {folder} --target nearest_moves --group scene" in done.output
    for name in ("sample", "timestamp", "description", "count_vehicle_car"):
        assert f"--ignore {name}" in done.output
    with out.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert all((folder / row["CAM_FRONT"]).is_file() for row in table)
    again = CliRunner().invoke(main, ["table", "nuscenes", str(folder), "-o", str(out)])
    assert again.exit_code == 2
    assert "already there" in again.output


def test_the_command_warns_of_the_leak_and_joins(tmp_path: Path) -> None:
    folder, out = hospital(tmp_path / "m"), tmp_path / "m.csv"
    people = write_csv(tmp_path / "p.csv", ["subject_id", "gender"], [["10000032", "F"]])
    words = ["table", "mimic-cxr", str(folder), "-o", str(out), "--report", "impression", "--join", f"{people}:gender"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "warning: CheXpert labels were extracted from the text of the report" in done.output
    assert "--target labels --split split --ignore study_id --ignore subject_id" in done.output
    assert CliRunner().invoke(main, ["table", "mimic-cxr", str(folder), "--join", "p.csv"]).exit_code == 2


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def breaks() -> Any:
        yield {"a": "=1+1", "b": None}
        raise DataError("x: invalid; expected more; fix it")

    with pytest.raises(DataError, match="x: invalid"):
        folders.write_csv(breaks(), tmp_path / "t.csv")
    with pytest.raises(DataError, match="no rows"):
        folders.write_csv([], tmp_path / "t.csv")
    with pytest.raises(UserError, match=r"expected \.csv"):
        folders.write_csv([{"a": 1}], tmp_path / "t.xls")
    assert list(tmp_path.iterdir()) == []
    assert folders.write_csv([{"a": "=1+1", "b": 0.123456}], tmp_path / "t.csv") == (1, ["a", "b"])
    assert (tmp_path / "t.csv").read_text().splitlines() == ["a,b", "'=1+1,0.1235"]
