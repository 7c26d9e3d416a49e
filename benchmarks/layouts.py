"""Measures the seconds and the peak memory of reading layouts of realistic size, each reader in a process of its own.

    python benchmarks/layouts.py [--scale 1.0]

At scale 1 the tables have the numbers of rows of nuScenes trainval (2.6 million entries of sample_data and of ego_pose, 1.2 million of
sample_annotation) and MIMIC-CXR (377,110 pictures of 227,835 studies). They are written to a temporary folder and take about 2.5 GB; there
is one file of each sensor.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

CAMERAS = [f"CAM_{at}" for at in ("FRONT", "FRONT_LEFT", "FRONT_RIGHT", "BACK", "BACK_LEFT", "BACK_RIGHT")]
RADARS = [f"RADAR_{at}" for at in ("FRONT", "FRONT_LEFT", "FRONT_RIGHT", "BACK_LEFT", "BACK_RIGHT")]
SWEEPS = 77
"""sample_data of one sample, of all twelve sensors."""
OBJECTS = 34
"""Annotated objects of one sample."""


def name(kind: str, at: int) -> str:
    """Return a token of the length of a real one."""
    return f"{kind:0<8}{at:024x}"


def write_nuscenes(folder: Path, scale: float) -> None:
    """Write the tables of ``scale`` times 850 scenes."""
    channels = [*CAMERAS, *RADARS, "LIDAR_TOP"]
    (folder / "v1.0-trainval").mkdir(parents=True)
    for at, channel in enumerate(channels):
        (folder / "samples" / channel).mkdir(parents=True)
        (folder / "samples" / channel / f"{at}.bin").write_bytes(b"x")
    scenes, instances = max(1, round(850 * scale)), max(1, round(64_386 * scale))
    samples, start = scenes * 40, 1_532_402_927_612_460

    def data(at: int) -> dict[str, Any]:
        sample, sweep = divmod(at, SWEEPS)
        before = name("da", at - 12) if sample % 40 or sweep >= 12 else ""
        return {
            "token": name("da", at), "sample_token": name("5a", sample), "ego_pose_token": name("e0", at),
            "calibrated_sensor_token": name("ca", sweep % 12), "timestamp": start + sample * 500_000 + sweep, "fileformat": "jpg",
            "is_key_frame": sweep < 12, "height": 900, "width": 1600,
            "filename": f"{'samples' if sweep < 12 else 'sweeps'}/{channels[sweep % 12]}/{at}.bin", "prev": before, "next": "",
        }  # fmt: skip

    def pose(at: int) -> dict[str, Any]:
        turned, place = [0.5721129977125774, -0.0014962022442161, 0.0107191, -0.8200180], [at / 70, 1180.8903791765097, 0.0]
        return {"token": name("e0", at), "timestamp": start, "rotation": turned, "translation": place}

    def annotation(at: int) -> dict[str, Any]:
        place = [at / OBJECTS * SWEEPS / 70 + at % 40, 1190.1, 1.0]
        return {
            "token": name("ad", at), "sample_token": name("5a", at // OBJECTS), "instance_token": name("1d", at % instances),
            "visibility_token": "4", "attribute_tokens": [name("a7", 0)], "translation": place, "size": [1.9, 4.6, 1.7],
            "rotation": [0.98, 0.0, 0.0, 0.16], "prev": name("ad", at - OBJECTS), "next": "", "num_lidar_pts": 5, "num_radar_pts": 0,
        }  # fmt: skip

    tables: dict[str, tuple[int, Callable[[int], dict[str, Any]]]] = {
        "log": (1, lambda at: {"token": name("10", at), "location": "boston-seaport"}),
        "scene": (scenes, lambda at: {"token": name("5c", at), "name": f"scene-{at:04d}", "description": "", "log_token": name("10", 0)}),
        "sample": (samples, lambda at: {"token": name("5a", at), "scene_token": name("5c", at // 40), "timestamp": start + at * 500_000}),
        "sensor": (12, lambda at: {"token": name("5e", at), "channel": channels[at], "modality": "camera" if at < 6 else "radar"}),
        "calibrated_sensor": (12, lambda at: {"token": name("ca", at), "sensor_token": name("5e", at)}),
        "sample_data": (samples * SWEEPS, data),
        "ego_pose": (samples * SWEEPS, pose),
        "category": (23, lambda at: {"token": name("c0", at), "name": f"vehicle.kind{at}"}),
        "instance": (instances, lambda at: {"token": name("1d", at), "category_token": name("c0", at % 23)}),
        "sample_annotation": (samples * OBJECTS, annotation),
    }
    for table, (count, entry) in tables.items():
        with (folder / "v1.0-trainval" / f"{table}.json").open("w", encoding="utf-8") as file:
            file.writelines(("[" if not at else ",") + "\n" + json.dumps(entry(at), indent=0) for at in range(count))
            file.write("\n]")


def write_mimic(folder: Path, scale: float) -> None:
    """Write the tables of ``scale`` times 377,110 pictures."""
    folder.mkdir()
    pictures = max(10, round(377_110 * scale))
    with (folder / "mimic-cxr-2.0.0-metadata.csv").open("w") as metadata, (folder / "mimic-cxr-2.0.0-chexpert.csv").open("w") as chexpert, \
         (folder / "mimic-cxr-2.0.0-split.csv").open("w") as split:  # fmt: skip
        metadata.write("dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime\n")
        chexpert.write("subject_id,study_id," + ",".join(f"Label {at}" for at in range(14)) + "\n")
        split.write("dicom_id,study_id,subject_id,split\n")
        for at in range(pictures):
            study, subject = 50_000_000 + int(at * 0.604), 10_000_000 + int(at * 0.173)
            picture = f"{at:08x}-ecac6b3d-50a70ddd-4bcfbd9c-de9fdaf4"
            metadata.write(f"{picture},{subject},{study},CHEST (PA AND LAT),{'PA' if at % 2 else 'LATERAL'},3056,2544,21800506,213014.53\n")
            split.write(f"{picture},{study},{subject},train\n")
            if study != 50_000_000 + int((at - 1) * 0.604):
                chexpert.write(f"{subject},{study},,,,1.0,,,-1.0,,0.0,,,,,\n".replace(",,,,,\n", ",,,,1.0,\n"))
    place = folder / "files/p10/p10000000/s50000000"
    place.mkdir(parents=True)
    for at in range(2):
        (place / f"{at:08x}-ecac6b3d-50a70ddd-4bcfbd9c-de9fdaf4.jpg").write_bytes(b"x")


def read(what: str, folder: Path) -> None:
    """Run one reader in this process."""
    from polymodal.layouts import mimic_cxr, nuscenes

    warnings.simplefilter("ignore")
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    if what == "mimic-cxr":
        rows = mimic_cxr.rows(folder)
    else:
        rows = nuscenes.rows(folder, targets=nuscenes.TARGETS, sweeps=5 if what.endswith("sweeps") else 1)
    count = sum(1 for _ in rows)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{what:36}{count:>10,}{time.process_time() - begin:>12,.1f}{grown:>12,.0f}")


def main() -> None:
    """Write the layouts, and read each of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        read(arguments.read[0], Path(arguments.read[1]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_nuscenes(folder / "n", arguments.scale)
        write_mimic(folder / "m", arguments.scale)
        for path in sorted(folder.glob("n/v1.0-trainval/*_*.json")):
            print(f"{path.name:36}{path.stat().st_size / 2**20:>10,.0f} MiB")
        print(f"{'':36}{'rows':>10}{'CPU-s':>12}{'MiB added':>12}", flush=True)
        for what, where in (("nuscenes", "n"), ("nuscenes, 5 radar sweeps", "n"), ("mimic-cxr", "m")):
            subprocess.run([sys.executable, __file__, "--read", what, str(folder / where)], check=True)


if __name__ == "__main__":
    main()
