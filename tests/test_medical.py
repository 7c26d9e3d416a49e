"""Medical pictures: the right grey values from DICOM and NIfTI, and nothing of a patient anywhere."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless, SecondaryCaptureImageStorage, generate_uid

import polymodal as pm
from conftest import write_csv
from polymodal.errors import Fault
from polymodal.modalities import Image, ImageConfig, Roots

PATIENT = "Doe^Jane 王小明"
RAMP = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 4  # 12 bits: 0 to 4092


def dicom(pixels: np.ndarray, photometric: str = "MONOCHROME2", bits: int = 12, syntax: Any = None, **facts: Any) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(io.BytesIO(), {}, file_meta=meta, preamble=b"\0" * 128)
    file.SpecificCharacterSet = "ISO_IR 192"
    file.PatientName, file.PatientID, file.PatientBirthDate = PATIENT, "ID-4711", "19700101"
    file.SOPClassUID, file.SOPInstanceUID = SecondaryCaptureImageStorage, meta.MediaStorageSOPInstanceUID
    frames = pixels.ndim == 3 and photometric != "RGB"
    file.Rows, file.Columns = pixels.shape[1:3] if frames else pixels.shape[:2]
    if frames:
        file.NumberOfFrames = len(pixels)
    file.SamplesPerPixel, file.PhotometricInterpretation = 3 if photometric == "RGB" else 1, photometric
    if photometric == "RGB":
        file.PlanarConfiguration = 0
    file.BitsAllocated = 8 * pixels.dtype.itemsize
    file.BitsStored, file.HighBit, file.PixelRepresentation = bits, bits - 1, int(pixels.dtype.kind == "i")
    file.PixelData = pixels.tobytes()
    for name, value in facts.items():
        setattr(file, name, value)
    if syntax is not None:
        file.compress(syntax)
    out = io.BytesIO()
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()


def nifti(values: np.ndarray, packed: bool = False) -> bytes:
    body = nibabel.Nifti1Image(values, np.eye(4)).to_bytes()
    return gzip.compress(body) if packed else bytes(body)


def grey(cell: Any, **settings: Any) -> np.ndarray:
    config = ImageConfig(column="x", channels=settings.pop("channels", 1), **settings)
    channels = config.channels or 3
    state = {"size": 32, "channels": channels, "mean": [0.0] * channels, "std": [1.0] * channels, "form": "pixels"}
    pixels = Image(config, state, Roots()).read(cell)["pixels"]
    return pixels[0] if config.channels == 1 else pixels


def scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.round((values.astype(np.float64) - low) / (high - low) * 255).clip(0, 255)  # type: ignore[no-any-return]


# -- the right values ----------------------------------------------------------------------------------------------------


def test_window_and_level_are_the_file_s_or_the_config_s() -> None:
    body = dicom(RAMP, WindowCenter=2_000, WindowWidth=1_000)
    np.testing.assert_allclose(grey(body), scaled(RAMP, 1_500, 2_500), atol=1)
    np.testing.assert_allclose(grey(body, window=(1_000, 500)), scaled(RAMP, 750, 1_250), atol=1)
    several = dicom(RAMP, WindowCenter=[2_000, 40], WindowWidth=[1_000, 400])
    np.testing.assert_allclose(grey(several), scaled(RAMP, 1_500, 2_500), atol=1)
    low, high = np.percentile(RAMP, (1, 99))
    np.testing.assert_allclose(grey(dicom(RAMP)), scaled(RAMP, low, high), atol=1)


def test_hounsfield_units_come_before_the_window() -> None:
    body = dicom(RAMP, RescaleSlope=2, RescaleIntercept=-1_024, WindowCenter=40, WindowWidth=400)
    np.testing.assert_allclose(grey(body), scaled(RAMP * 2.0 - 1_024, -160, 240), atol=1)


def test_monochrome1_is_turned_over_and_16_bits_and_signs_are_read() -> None:
    plain = grey(dicom(RAMP, WindowCenter=2_000, WindowWidth=4_000)).astype(int)
    np.testing.assert_allclose(grey(dicom(RAMP, "MONOCHROME1", WindowCenter=2_000, WindowWidth=4_000)), 255 - plain, atol=1)
    deep = (RAMP * 16).astype(np.uint16)
    np.testing.assert_allclose(grey(dicom(deep, bits=16, WindowCenter=32_000, WindowWidth=64_000)), scaled(deep, 0, 64_000), atol=1)
    signed = RAMP.astype(np.int16) - 2_000
    np.testing.assert_allclose(grey(dicom(signed, bits=16, WindowCenter=0, WindowWidth=4_000)), scaled(signed, -2_000, 2_000), atol=1)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_packed_pixels_are_those_that_were_packed(syntax: Any) -> None:
    facts: dict[str, Any] = {"WindowCenter": 2_000, "WindowWidth": 4_000}
    np.testing.assert_allclose(grey(dicom(RAMP, syntax=syntax, **facts)), grey(dicom(RAMP, **facts)), atol=1)


def test_one_frame_of_many_is_chosen_and_colours_stay() -> None:
    frames = np.stack([np.full((32, 32), 100 * at, np.uint16) for at in range(9)])
    window: dict[str, Any] = {"WindowCenter": 400, "WindowWidth": 800}
    assert grey(dicom(frames, **window)).mean() == pytest.approx(400 / 800 * 255, abs=1)
    assert grey(dicom(frames, **window), frame="first").mean() == pytest.approx(0, abs=1)
    color = np.broadcast_to(np.array([200, 40, 10], np.uint8), (32, 32, 3)).copy()
    pixels = grey(dicom(color, "RGB", bits=8), channels=3)
    assert pixels[:, 5, 5].tolist() == [200, 40, 10]


@pytest.mark.parametrize("packed", [False, True])
def test_nifti_gives_three_neighbouring_slices(packed: bool) -> None:
    volume = np.zeros((32, 32, 11), np.int16)
    for at in range(11):
        volume[:, :, at] = 100 * at
    pixels = grey(nifti(volume, packed), channels=3, window=(500, 1_000))
    assert [int(pixels[channel].mean()) for channel in range(3)] == pytest.approx([102, 128, 153], abs=1)
    assert grey(nifti(volume, packed), window=(500, 1_000)).mean() == pytest.approx(127.5, abs=1)
    one_sided = np.zeros((32, 32, 3), np.float32)
    one_sided[20:, :, :] = 1
    assert grey(nifti(one_sided, packed))[:, 25:].mean() > 200, "the first axis runs to the right"
    assert grey(nifti(volume[..., None].repeat(2, 3), packed)).shape == (32, 32)


# -- what is none ----------------------------------------------------------------------------------------------------------


def without(name: str) -> bytes:
    file = pydicom.dcmread(io.BytesIO(dicom(RAMP)))
    delattr(file, name)
    out = io.BytesIO()
    file.save_as(out)
    return out.getvalue()


UNKNOWN = dicom(RAMP).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.9\0")
CLAIMS = bytearray(nifti(np.zeros((8, 8, 8), np.float32)))
CLAIMS[40:56] = np.array([3, 8, 8, 30_000, 30_000, 1, 1, 1], "<i2").tobytes()


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (without("PixelData"), "without pixels"),
        (without("Rows"), "broken DICOM"),
        (UNKNOWN, "transfer syntax|broken DICOM"),
        (dicom(RAMP)[:-500], "transfer syntax|broken DICOM"),
        (dicom(RAMP, NumberOfFrames=10**9), "frames|unpacked"),
        (dicom(RAMP, Rows=60_000, Columns=60_000), "60,000 x 60,000 pixels"),
        (b"\0" * 128 + b"DICM", "broken DICOM|without pixels"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 5_000, "broken DICOM|without pixels"),
        (bytes(CLAIMS), "all of it there|broken NIfTI"),
        (nifti(np.zeros((8, 8, 8), np.float32))[:600], "all of it there|broken NIfTI"),
        (gzip.compress(bytes(1_000_000)), "not a picture"),
        (gzip.compress(nifti(np.random.default_rng(0).normal(size=(8, 8, 8))))[:2_000], "broken NIfTI|all of it there|not a picture"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_without_the_patient(cell: bytes, said: str) -> None:
    with pytest.raises(Fault, match=said) as caught:
        grey(cell)
    for word in ("Doe", "王小明", "4711", "1970"):
        assert word not in str(caught.value)


def test_nothing_of_a_patient_is_kept_anywhere(tmp_path: Path) -> None:
    rows = []
    (tmp_path / "scans").mkdir()
    for at in range(40):
        pixels = np.full((32, 32), 3_000 if at % 2 else 500, np.uint16) + np.random.default_rng(at).integers(0, 200, (32, 32)).astype(
            np.uint16
        )
        (tmp_path / "scans" / f"{at}.dcm").write_bytes(dicom(pixels, WindowCenter=2_000, WindowWidth=4_000) if at != 7 else UNKNOWN)
        rows.append([f"scans/{at}.dcm", "ill" if at % 2 else "well"])
    table = write_csv(tmp_path / "t.csv", ["scan", "finding"], rows)
    profile = pm.inspect(table, target="finding")
    assert "image" in profile.text()
    model = pm.train(table, "training.epochs=8", "data.split.folds=2", target="finding", out=tmp_path / "run")
    assert model.metrics["validation"]["tasks"]["finding"]["accuracy"] > 0.9
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file():
            body = path.read_bytes()
            for word in ("Doe", "王小明", "ID-4711", "19700101"):
                assert word.encode() not in body, path
    assert "8,scan," in (tmp_path / "run" / "faults.csv").read_text()


def test_without_the_package_a_file_is_a_fault_that_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['pydicom'] = None\nfrom polymodal.modalities import Image, ImageConfig, Roots\nfrom polymodal.errors import Fault\n"
        "image = Image(ImageConfig(column='x'), {'size': 8, 'channels': 3, 'mean': [0.0], 'std': [1.0], 'form': 'pixels'}, Roots())\n"
        "try:\n    image.read(b'\\0' * 128 + b'DICM' + bytes(99))\nexcept Fault as fault:\n    print(fault)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'polymodal[medical]'" in found.stdout, found.stderr


def test_files_without_an_ending_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    from polymodal.data.sources import open_source
    from polymodal.inspection.columns import describe, look

    (tmp_path / "scans").mkdir()
    rows = []
    for at in range(12):
        name = f"1.2.840.113619.{at}"
        (tmp_path / "scans" / name).write_bytes(dicom(RAMP))
        rows.append([f"scans/{name}", "yes" if at % 2 else "no"])
    source = open_source(write_csv(tmp_path / "t.csv", ["scan", "ill"], rows))
    column = describe(source, look(source), Roots([tmp_path]), ["ill"], {}, {})[0]
    assert (column.modality, column.role, column.why) == ("image", "feature", "100% of the files looked at begin as pictures do")
