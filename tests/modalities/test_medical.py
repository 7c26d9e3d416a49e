"""Tests of medical pictures: the grey values of DICOM and NIfTI files, and no data of a patient in any output."""

from __future__ import annotations

import gzip
import io
import itertools
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, convert_color_space
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

import polymodal as pm
from builders.dicom import RAMP, dicom
from builders.tables import write_csv
from polymodal.errors import Fault
from polymodal.modalities import Image, ImageConfig, Roots
from polymodal.modalities.medical import is_medical, open_medical
from polymodal.quiet import ignore_warnings_of


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


# -- the transformations of a DICOM ------------------------------------------------------------------------------------------

SMALL = np.arange(16, dtype=np.uint8).reshape(4, 4)
FALLING = [255 - 17 * at for at in range(16)]


def opened(body: bytes, channels: int = 1, window: Any = None, frame: str = "middle") -> np.ndarray:
    return np.asarray(open_medical(body, 10**6, channels, window, frame)).astype(int)


def readable_or_told(body: bytes) -> bool:
    try:
        return opened(body, 3).size > 0
    except Fault as fault:
        return len(str(fault)) < 250


def read_back(body: bytes) -> Any:
    return pydicom.dcmread(io.BytesIO(body))


def words(values: Any) -> bytes:
    return np.asarray(values, "<u2").tobytes()


def lut(descriptor: list[int], data: bytes, **facts: Any) -> Any:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = descriptor, data
    for name, value in facts.items():
        setattr(item, name, value)
    return Sequence([item])


def modality_lut(descriptor: list[int], data: bytes) -> Any:
    return lut(descriptor, data, ModalityLUTType="US")


def item(**facts: Any) -> Any:
    made = Dataset()
    for name, value in facts.items():
        setattr(made, name, value)
    return made


def by_pydicom(body: bytes, low: float, high: float) -> np.ndarray:
    file = read_back(body)
    ignore_warnings_of("pydicom")
    return scaled(apply_voi_lut(apply_modality_lut(file.pixel_array, file), file), low, high)


@pytest.mark.parametrize(
    ("facts", "top"),
    [
        ({"ModalityLUTSequence": modality_lut([16, 0, 16], words([257 * x for x in FALLING])), "WindowCenter": 30_000, "WindowWidth": 50_000}, 65_535),
        ({"VOILUTSequence": lut([16, 0, 16], words([257 * x for x in FALLING]))}, 65_535),
        ({"VOILUTSequence": lut([16, 0, 8], words(FALLING))}, 255),
        ({"VOILUTSequence": lut([8, 4, 12], words([100, 4_095, 0, 7, 2_000, 3_000, 1, 50]))}, 4_095),
        ({"VOILUTSequence": lut([16, 5, 10], words(range(100, 1_023, 60))), "RescaleSlope": 2, "RescaleIntercept": -5}, 1_023),
        ({"VOILUTSequence": lut([16, 0, 16], words([257 * x for x in FALLING])), "WindowCenter": 8, "WindowWidth": 9}, 65_535),
    ],
    ids=["modality", "voi", "8 bits in 16", "a part of the range", "after a rescale", "before a window"],
)  # fmt: skip
def test_lookup_tables_give_what_pydicom_gives(facts: dict[str, Any], top: int) -> None:
    body = dicom(SMALL, bits=8, **facts)
    expected = by_pydicom(body, 0, top)
    assert len(np.unique(expected)) > 4
    np.testing.assert_allclose(opened(body), expected, atol=1)


def test_a_lookup_table_wins_over_the_file_s_window_and_the_config_s_over_both() -> None:
    facts: dict[str, Any] = {"VOILUTSequence": lut([16, 0, 8], words(FALLING)), "WindowCenter": 8, "WindowWidth": 9}
    assert opened(dicom(SMALL, bits=8, **facts)).ravel().tolist() == FALLING
    np.testing.assert_allclose(opened(dicom(SMALL, bits=8, **facts), window=(7.5, 15)), scaled(SMALL, 0, 15), atol=1)


def test_lookup_tables_of_bytes_and_of_many_entries() -> None:
    """Where pydicom cannot read a table (one byte an entry) or wraps around (more than 256 entries of 8 bits)."""
    assert opened(dicom(SMALL, bits=8, VOILUTSequence=lut([16, 0, 8], bytes(FALLING)))).ravel().tolist() == FALLING
    assert opened(dicom(SMALL[:, :3].copy(), bits=8, VOILUTSequence=lut([15, 0, 8], bytes(FALLING)))).max() == 255
    below = {"RescaleSlope": 1, "RescaleIntercept": -10, "VOILUTSequence": lut([16, 65_526, 8], words(FALLING))}
    assert opened(dicom(SMALL, bits=8, **below)).ravel().tolist() == FALLING, "a first entry of -10, written unsigned as the pixels are"
    deep = np.array([[0, 300], [700, 1_023]], np.uint16)
    body = dicom(deep, bits=16, VOILUTSequence=lut([1_024, 0, 8], words(np.arange(1_024) // 4)))
    assert opened(body).ravel().tolist() == [0, 75, 175, 255]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", [0, 0, 128, 191, 255, 255]),  # 39.5 -+ 50, of a width of 101: (x - 39.5) / 100 + 0.5
        ("LINEAR_EXACT", [0, 0, 126, 189, 252, 255]),
        ("SIGMOID", [10, 29, 128, 186, 225, 255]),
    ],
)
def test_the_function_of_a_window_is_the_file_s(function: str, expected: list[int]) -> None:
    pixels = np.array([[0, 29, 80, 105], [130, 65_000, 80, 80]], np.uint16)
    center, width = {"LINEAR": (80.5, 101), "LINEAR_EXACT": (80.5, 101), "SIGMOID": (80, 100)}[function]
    body = dicom(pixels, bits=16, WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    np.testing.assert_allclose(opened(body).ravel()[:6], expected, atol=1)
    np.testing.assert_allclose(opened(body), by_pydicom(body, 0, 65_535), atol=1)


def test_a_width_of_one_is_a_threshold() -> None:
    pixels = np.array([[9, 10], [11, 12]], np.uint8)
    body = dicom(pixels, bits=8, WindowCenter=10.5, WindowWidth=1)
    assert opened(body).ravel().tolist() == by_pydicom(body, 0, 255).ravel().tolist() == [0, 0, 255, 255]


def enhanced(shared: Any, frames: list[Any], pixels: np.ndarray, **facts: Any) -> bytes:
    groups: dict[str, Any] = {"SharedFunctionalGroupsSequence": Sequence([shared]), "PerFrameFunctionalGroupsSequence": Sequence(frames)}
    return dicom(pixels, **groups, **facts)


def test_an_enhanced_file_keeps_window_and_rescale_in_functional_groups() -> None:
    ramp = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50
    rescale = Sequence([item(RescaleSlope=1, RescaleIntercept=-1_000, RescaleType="HU")])
    window = Sequence([item(WindowCenter=40, WindowWidth=400)])
    expected = scaled(ramp - 1_000.0, 39.5 - 199.5, 39.5 + 199.5)
    np.testing.assert_allclose(
        opened(dicom(ramp, RescaleSlope=1, RescaleIntercept=-1_000, WindowCenter=40, WindowWidth=400)), expected, atol=1
    )
    both = item(PixelValueTransformationSequence=rescale, FrameVOILUTSequence=window)
    np.testing.assert_allclose(opened(enhanced(both, [Dataset()], ramp)), expected, atol=1)
    np.testing.assert_allclose(opened(enhanced(Dataset(), [both], ramp)), expected, atol=1)
    table = Sequence([item(VOILUTSequence=lut([64, 64_536, 8], words(range(64))))])
    assert opened(enhanced(item(PixelValueTransformationSequence=rescale, FrameVOILUTSequence=table), [Dataset()], ramp)).max() == 63


def test_of_an_enhanced_file_the_groups_of_the_frame_that_is_read_count() -> None:
    frames = np.full((3, 4, 4), 100, np.uint16)
    frames[:, 0, 0] = 0
    groups = [
        item(
            PixelValueTransformationSequence=Sequence([item(RescaleSlope=slope, RescaleIntercept=0, RescaleType="US")]),
            FrameVOILUTSequence=Sequence([item(WindowCenter=500, WindowWidth=1_000, VOILUTFunction="LINEAR_EXACT")]),
        )
        for slope in (2, 4, 8)
    ]
    body = enhanced(
        item(FrameVOILUTSequence=Sequence([item(WindowCenter=1, WindowWidth=2)])), groups, frames, WindowCenter=9, WindowWidth=5
    )
    assert opened(body, frame="first")[1, 1] == 51, "100 times 2 of 1,000"
    assert opened(body)[1, 1] == 102
    fewer = enhanced(Dataset(), groups[:1], frames, WindowCenter=100, WindowWidth=201)
    assert opened(fewer)[1, 1] == pytest.approx(128, abs=1), "a frame without groups: the file's window"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_lookup_tables_of_any_byte_order_are_read(syntax: Any) -> None:
    order = ">u2" if syntax == ExplicitVRBigEndian else "<u2"
    file = read_back(dicom(SMALL.astype(np.uint16), bits=16, VOILUTSequence=lut([16, 0, 8], words(FALLING))))
    file.file_meta.TransferSyntaxUID = syntax
    for colours in (False, True):
        if colours:
            file.PhotometricInterpretation = "PALETTE COLOR"
            for name, value in palette([np.array(FALLING, order).tobytes()] * 2 + [swapped(bytes(FALLING), order)], [16, 0, 8]).items():
                setattr(file, name, value)
        file.PixelData = SMALL.astype(order).tobytes()
        file.VOILUTSequence[0].LUTData = np.array(FALLING, order).tobytes()
        out = io.BytesIO()
        pydicom.dcmwrite(out, file, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian, force_encoding=True)
        found = opened(out.getvalue(), 3).reshape(16, -1)
        assert found.T.tolist() == [FALLING] * (3 if colours else 1)


def swapped(data: bytes, order: str) -> bytes:
    """Bytes in the words of an order: the first in the low half."""
    return np.frombuffer(data, "<u2").astype(order).tobytes()


PALETTE = [[255, 0, 0, 10], [0, 255, 0, 20], [0, 0, 255, 30]]


def palette(tables: list[Any], descriptor: list[int], segmented: bool = False) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        facts[f"{colour}PaletteColorLookupTableDescriptor"] = descriptor
        facts[f"{'Segmented' * segmented}{colour}PaletteColorLookupTableData"] = table
    return facts


def test_palette_colours_are_those_of_the_palette() -> None:
    four = np.array([[0, 1], [2, 3]], np.uint8)
    colours = np.array(PALETTE).T.tolist()
    for facts in (
        palette([bytes(table) for table in PALETTE], [4, 0, 8]),
        palette([words(table) for table in PALETTE], [4, 0, 8]),
        palette([words(np.array(table) * 257) for table in PALETTE], [4, 0, 16]),
    ):
        body = dicom(four, "PALETTE COLOR", bits=8, **facts)
        assert opened(body, 3).reshape(-1, 3).tolist() == colours
        file = read_back(body)
        by_palette = apply_color_lut(file.pixel_array, file).reshape(-1, 3)
        np.testing.assert_array_equal(by_palette >> (8 if by_palette.max() > 255 else 0), colours)
    deep = np.array([[999, 1_000, 1_001], [1_002, 1_003, 60_000]], np.uint16)
    body = dicom(deep, "PALETTE COLOR", bits=16, **palette([bytes(table) for table in PALETTE], [4, 1_000, 8]))
    assert opened(body, 3).reshape(-1, 3).tolist() == [colours[0], *colours, colours[3]], "a first entry, and values beyond both ends"
    assert grey(body, channels=1).shape == (32, 32)
    assert opened(dicom(np.stack([four[::-1], four, four]), "PALETTE COLOR", bits=8, **facts), 3).reshape(-1, 3).tolist() == colours
    many = [np.arange(1_024) // 4 for _ in range(3)]
    body = dicom(
        np.array([[0, 300], [700, 1_023]], np.uint16),
        "PALETTE COLOR",
        bits=16,
        **palette([bytes(t.astype(np.uint8)) for t in many], [1_024, 0, 8]),
    )
    assert opened(body, 3)[..., 0].ravel().tolist() == [0, 75, 175, 255]


@pytest.mark.parametrize("deep", [False, True])
def test_segmented_palettes_are_expanded(deep: bool) -> None:
    """A stretch of numbers, a line to another number, and a copy of segments from before."""
    pack, unit = (words, 257) if deep else (bytes, 1)
    red = [0, 2, 0, 100 * unit, 1, 5, 200 * unit, 0, 1, 7]
    green = [0, 2, 50 * unit, 60 * unit, 1, 6, 0] + ([2, 1, 0, 0, 0, 0] if not deep else [2, 1, 0, 0])
    blue = [0, 1, 9 * unit, 1, 7, 250 * unit]
    tables = [pack(red), pack(green + [0] * (len(green) % 2)), pack(blue)]
    indices = np.arange(8, dtype=np.uint8).reshape(2, 4)
    body = dicom(indices, "PALETTE COLOR", bits=8, **palette(tables, [8, 0, 16 if deep else 8], segmented=True))
    found = opened(body, 3).reshape(-1, 3)
    assert found[:7, 0].tolist() == [0, 100, 120, 140, 160, 180, 200]
    assert found[:, 1].tolist() == [50, 60, 50, 40, 30, 20, 10, 0]
    assert found[[0, 7], 2].tolist() == [9, 250]
    short = dicom(indices, "PALETTE COLOR", bits=8, **palette([pack(blue)] * 3, [8, 0, 16 if deep else 8], segmented=True))
    file = read_back(short)
    np.testing.assert_array_equal(opened(short, 3), apply_color_lut(file.pixel_array, file) >> (8 * deep))
    copied = [0, 2, 40 * unit, 80 * unit, *([2, 1, 0, 0] if deep else [2, 1, 0, 0, 0, 0]), *[0, 4, 1, 2, 3, 4]]
    again = dicom(indices, "PALETTE COLOR", bits=8, **palette([pack(copied)] * 3, [8, 0, 16 if deep else 8], segmented=True))
    assert opened(again, 3)[0, :, 0].tolist() == [40, 80, 40, 80]


def test_inversion_is_applied_once() -> None:
    plain = opened(dicom(RAMP, WindowCenter=2_000, WindowWidth=4_000))
    for photometric, shape in (("MONOCHROME1", "INVERSE"), ("MONOCHROME1", None), ("MONOCHROME2", "INVERSE")):
        facts: dict[str, Any] = {"PresentationLUTShape": shape} if shape else {}
        np.testing.assert_array_equal(opened(dicom(RAMP, photometric, WindowCenter=2_000, WindowWidth=4_000, **facts)), 255 - plain)
    np.testing.assert_array_equal(opened(dicom(RAMP, WindowCenter=2_000, WindowWidth=4_000, PresentationLUTShape="IDENTITY")), plain)
    body = dicom(SMALL, "MONOCHROME1", bits=8, VOILUTSequence=lut([16, 0, 8], words(FALLING)))
    assert opened(body).ravel().tolist() == FALLING[::-1]


def test_padding_is_no_part_of_the_range() -> None:
    pixels = RAMP.astype(np.int16) - 1_000
    pixels[:8] = -2_000
    low, high = np.percentile(RAMP[8:] - 1_000.0, (1, 99))
    for value in (-2_000, 63_536):
        body = dicom(pixels, bits=16)
        file = read_back(body)
        file.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
        out = io.BytesIO()
        file.save_as(out)
        np.testing.assert_allclose(opened(out.getvalue()), scaled(pixels, low, high), atol=1)
    ranged = RAMP.copy()
    ranged[:4], ranged[4:8] = 65_000, 65_535
    body = dicom(ranged, bits=16, PixelPaddingValue=65_535, PixelPaddingRangeLimit=65_000)
    np.testing.assert_allclose(opened(body), scaled(ranged, *np.percentile(RAMP[8:], (1, 99))), atol=1)
    assert opened(dicom(np.full((4, 4), 7, np.uint16), bits=16, PixelPaddingValue=7)).tolist() == [[0] * 4] * 4


def test_stray_high_bits_are_no_part_of_a_value() -> None:
    stray = RAMP | np.uint16(0xF000)
    np.testing.assert_allclose(opened(dicom(stray, WindowCenter=2_048, WindowWidth=4_096)), scaled(RAMP, 0, 4_095), atol=1)
    signed = (RAMP.astype(np.int16) - 2_048) & 0x0FFF  # 12 bits, their sign not carried into the upper four
    body = dicom(signed.astype(np.int16), bits=12, WindowCenter=0, WindowWidth=4_000)
    np.testing.assert_allclose(opened(body), scaled(RAMP - 2_048.0, -2_000, 2_000), atol=1)


def test_colour_models_become_rgb() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    planes = np.ascontiguousarray(colour.transpose(2, 0, 1)).reshape(6, 8, 3)
    np.testing.assert_array_equal(opened(dicom(planes, "RGB", bits=8, PlanarConfiguration=1), 3), colour)
    ybr = convert_color_space(colour, "RGB", "YBR_FULL")
    np.testing.assert_allclose(opened(dicom(ybr, "YBR_FULL", bits=8), 3), colour, atol=2)
    deep = colour.astype(np.uint16) * 257
    np.testing.assert_array_equal(opened(dicom(deep, "RGB", bits=16), 3), colour)
    np.testing.assert_allclose(opened(dicom(deep >> 4, "RGB", bits=12), 3), colour, atol=1)
    with pytest.raises(Fault, match="colour model"):
        opened(dicom(colour, "HSV", bits=8), 3)


def test_pixels_that_are_floats_are_read() -> None:
    file = read_back(dicom(RAMP, WindowCenter=1, WindowWidth=2, VOILUTFunction="LINEAR_EXACT"))
    values = (RAMP / 2_046).astype(np.float32)
    file.BitsAllocated = 32
    for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(file, name)
    file.FloatPixelData = values.tobytes()
    out = io.BytesIO()
    file.save_as(out)
    np.testing.assert_allclose(opened(out.getvalue()), scaled(values, 0, 2), atol=1)


LOOP = [0, 1, 9] + [2, 255, 3, 0, 0, 0] * 2
"""A segment that copies itself."""


@pytest.mark.parametrize(
    "body",
    [
        dicom(SMALL, "PALETTE COLOR", bits=8),
        dicom(SMALL, "PALETTE COLOR", bits=8, **palette([b"\1\2"] * 3, [16, 0, 8])),
        dicom(SMALL, "PALETTE COLOR", bits=8, **palette([words([1, 2])] * 3, [0, 0, 16])),
        dicom(SMALL, "PALETTE COLOR", bits=8, **palette([bytes(16)] * 3, [16, 0, 33])),
        dicom(SMALL, "PALETTE COLOR", bits=8, **palette([bytes(16)] * 3, [16, 0])),
        dicom(SMALL, "PALETTE COLOR", bits=8, **palette([bytes(LOOP) + b"\0"] * 3, [60_000, 0, 8], segmented=True)),
        dicom(SMALL, "PALETTE COLOR", bits=8, **palette([bytes([1, 200, 9, 0])] * 3, [200, 0, 8], segmented=True)),
        dicom(SMALL, "PALETTE COLOR", bits=8, **palette([bytes([7, 200, 9, 0])] * 3, [200, 0, 8], segmented=True)),
        dicom(SMALL, "PALETTE COLOR", bits=8, **palette([bytes([0, 1, 9] + [1, 0, 9] * 30_000)] * 3, [200, 0, 8], segmented=True)),
        dicom(SMALL, bits=8, VOILUTSequence=lut([16, 0, 16], words([1, 2, 3]))),
        dicom(SMALL, bits=8, VOILUTSequence=lut([16, 0, 0], words(FALLING))),
        dicom(SMALL, bits=8, VOILUTSequence=lut([16, 0, 16], b"")),
        dicom(SMALL, bits=8, ModalityLUTSequence=Sequence([Dataset()])),
        dicom(SMALL, bits=8, ModalityLUTSequence=modality_lut([0, 0, 16], words(FALLING))),
        dicom(SMALL, bits=8, RescaleSlope="1e999"),
    ],
)  # fmt: skip
def test_a_broken_lookup_table_is_a_fault(body: bytes) -> None:
    with pytest.raises(Fault, match=r"lookup table|palette|rescale"):
        opened(body, 3)


def test_a_table_without_its_data_is_passed_over_and_a_large_one_costs_nothing() -> None:
    empty = Sequence([item(LUTDescriptor=[16, 0, 16])])
    body = dicom(SMALL, bits=8, VOILUTSequence=empty, WindowCenter=8, WindowWidth=17)
    np.testing.assert_allclose(opened(body), scaled(SMALL, -0.5, 15.5), atol=1)
    assert opened(dicom(SMALL, bits=8, VOILUTSequence=lut([16, 0, 16], words([0] * 15 + [65_535] * 500_000)))).ravel().tolist() == [
        0
    ] * 15 + [255]


def test_any_byte_of_a_dicom_may_be_another() -> None:
    facts = palette([bytes([*LOOP[:3], 1, 9, 200])] * 3, [10, 0, 8], segmented=True)
    bodies = [dicom(SMALL, "PALETTE COLOR", bits=8, **facts), dicom(SMALL, bits=8, VOILUTSequence=lut([16, 0, 16], words(FALLING)))]
    rng = np.random.default_rng(0)
    for body in bodies:
        for _ in range(100):
            changed = bytearray(body)
            for at in rng.integers(132, len(body), rng.integers(1, 6)):
                changed[at] = rng.integers(0, 256)
            assert readable_or_told(bytes(changed))


# -- the orientation of a NIfTI ----------------------------------------------------------------------------------------------

HEAD = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7) ** 2 % 251
"""A volume in RAS+: to the right, to the front, to the head."""


def stored_as(volume: np.ndarray, orientation: Any, affine: Any = None) -> Any:
    """A NIfTI image of the same head, its axes stored in another order and direction."""
    there = nibabel.orientations.inv_ornt_aff(orientation, volume.shape)
    affine = np.eye(4) if affine is None else affine
    return nibabel.Nifti1Image(nibabel.apply_orientation(volume, orientation), affine @ there)


ORDERS = [np.column_stack([axes, flips]) for axes in itertools.permutations(range(3)) for flips in itertools.product((1, -1), repeat=3)]


def test_a_head_is_the_same_picture_however_it_is_stored() -> None:
    expected = scaled(HEAD[:, :, 2:5], 0, 255).astype(np.uint8)[:, ::-1].transpose(1, 0, 2)
    assert len(ORDERS) == 48
    tilted = nibabel.affines.from_matvec(nibabel.eulerangles.euler2mat(0.2, -0.15, 0.3) @ np.diag([0.5, 2.0, 3.0]), [9, -30, 4])
    for orientation in ORDERS:
        for affine in (np.eye(4), tilted):
            found = opened(stored_as(HEAD, orientation, affine).to_bytes(), 3, window=(127.5, 255))
            np.testing.assert_array_equal(found, expected, err_msg=str(orientation.tolist()))
    assert opened(stored_as(HEAD, ORDERS[7]).to_bytes(), window=(127.5, 255)).tolist() == expected[..., 1].tolist()


def test_the_front_is_up_and_the_right_side_is_on_the_right() -> None:
    head = np.zeros((6, 6, 3), np.float32)
    head[4:, :2] = 1  # to the patient's right, at the back
    for codes in ("RAS", "LAS", "PSR", "ASL", "SPL", "IPR"):
        image = nibabel.Nifti1Image(head, np.eye(4)).as_reoriented(
            nibabel.orientations.ornt_transform(nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(codes))
        )
        assert "".join(nibabel.aff2axcodes(image.affine)) == codes
        found = opened(image.to_bytes(), window=(0.5, 1))
        assert found[4:, 4:].min() == 255, codes
        assert found.sum() == 4 * 255, codes


def coded(sform: Any, sform_code: int, qform: Any, qform_code: int) -> bytes:
    image = nibabel.Nifti1Image(HEAD, None)
    image.header.set_qform(qform, qform_code)
    image.header.set_sform(sform, sform_code)
    body = bytearray(image.to_bytes())
    body[:348] = image.header.binaryblock[:348]
    return bytes(body)


def test_the_sform_comes_before_the_qform_and_without_both_the_stored_order_stays() -> None:
    plain, mirrored = np.eye(4), np.diag([-1.0, 1, 1, 1])
    stored = opened(coded(plain, 1, plain, 1))
    assert not np.array_equal(stored, stored[:, ::-1])
    for body, flips in (
        (coded(mirrored, 1, plain, 1), True),
        (coded(plain, 1, mirrored, 1), False),
        (coded(mirrored, 0, plain, 1), False),
        (coded(plain, 0, mirrored, 1), True),
        (coded(mirrored, 0, mirrored, 0), False),
        (coded(np.zeros((4, 4)), 1, mirrored, 1), True),
        (coded(np.full((4, 4), np.nan), 1, mirrored, 0), False),
        (coded(np.diag([1.0, 0, 1, 1]), 2, mirrored, 0), False),
        (coded(np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), 2, mirrored, 0), False),
    ):  # fmt: skip
        np.testing.assert_array_equal(opened(body), stored[:, ::-1] if flips else stored)


def test_a_volume_of_one_slice_is_that_slice() -> None:
    plane = HEAD[:, :1]  # across the axis from back to front
    expected = scaled(plane[:, 0], 0, 255)[:, ::-1].T
    for orientation in ORDERS[::5]:
        np.testing.assert_array_equal(opened(stored_as(plane, orientation).to_bytes(), window=(127.5, 255)), expected)
    flat = nibabel.Nifti1Image(HEAD[:, :, 0], np.diag([-1.0, -1, 1, 1])).to_bytes()
    np.testing.assert_array_equal(opened(flat, window=(127.5, 255)), scaled(HEAD[:, :, 0], 0, 255)[::-1].T)


def test_the_values_of_a_nifti_are_those_that_nibabel_reads() -> None:
    expected = scaled(HEAD[:, :, 3] * 0.5 - 20, 0, 100)[:, ::-1].T
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_shape(HEAD.shape)
    for image in (
        nibabel.Nifti1Image(HEAD, np.eye(4)),
        nibabel.Nifti1Image(HEAD, np.eye(4), nibabel.Nifti1Image(HEAD, np.eye(4), header).header),
    ):
        image.header.set_slope_inter(0.5, -20)
        assert np.asarray(nibabel.Nifti1Image.from_bytes(image.to_bytes()).dataobj)[4, 5, 6] == HEAD[4, 5, 6] * 0.5 - 20
        for body in (image.to_bytes(), gzip.compress(image.to_bytes())):
            np.testing.assert_array_equal(opened(body, window=(50, 100)), expected)
    swapped = nibabel.Nifti1Image(HEAD.astype(">i2"), np.eye(4), header.copy()).to_bytes()
    assert swapped[:4] == (348).to_bytes(4, "big")
    np.testing.assert_array_equal(opened(swapped, window=(127.5, 255)), scaled(HEAD[:, :, 3], 0, 255)[:, ::-1].T)
    moving = np.stack([HEAD, 0 * HEAD], 3)
    for orientation in ORDERS[::7]:
        still = stored_as(HEAD, orientation)
        four = nibabel.Nifti1Image(nibabel.apply_orientation(moving, orientation), still.affine).to_bytes()
        np.testing.assert_array_equal(opened(four), opened(still.to_bytes()))
    turned = nibabel.Nifti1Image(HEAD.astype(np.complex64) * np.complex64(-1j), np.eye(4)).to_bytes()
    np.testing.assert_array_equal(opened(turned, window=(127.5, 255)), scaled(HEAD[:, :, 3], 0, 255)[:, ::-1].T)


def test_nifti_2_and_gzip_files_of_several_members_are_read() -> None:
    plain = nibabel.Nifti1Image(HEAD, np.eye(4)).to_bytes()
    second = nibabel.Nifti2Image(HEAD, np.eye(4)).to_bytes()
    blocks = b"".join(gzip.compress(plain[at : at + 900]) for at in range(0, len(plain), 900))  # as bgzip writes
    for body in (second, gzip.compress(second), blocks, gzip.compress(plain) + bytes(512), gzip.compress(plain) + b"junk"):
        assert is_medical(body)
        np.testing.assert_array_equal(opened(body, window=(127.5, 255)), opened(plain, window=(127.5, 255)))
    with pytest.raises(Fault, match="complete file"):
        opened(gzip.compress(plain)[:-200])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (nifti(HEAD).replace(b"n+1\0", b"ni1\0"), "another file"),
        (nibabel.Nifti2Image(HEAD, np.eye(4)).to_bytes().replace(b"n+2\0", b"ni2\0"), "another file"),
        (nifti(HEAD)[:-1], "complete file"),
        (nifti(np.zeros((4, 4, 4), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))), "of colours"),
    ],
)
def test_what_a_nifti_lacks_is_told(body: bytes, said: str) -> None:
    with pytest.raises(Fault, match=said):
        opened(body)


def test_any_byte_of_a_nifti_s_header_may_be_another() -> None:
    body, rng = nifti(HEAD), np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(body)
        for at in rng.integers(0, 352, rng.integers(1, 6)):
            changed[at] = rng.integers(0, 256)
        assert readable_or_told(bytes(changed))


# -- warnings ----------------------------------------------------------------------------------------------------------------


def test_reading_in_many_threads_leaves_the_warnings_of_others_on() -> None:
    body = dicom(RAMP, WindowCenter=2_000, WindowWidth=1_000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        warnings.simplefilter("always")
        threads = [threading.Thread(target=lambda: [opened(body) for _ in range(20)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        warnings.warn("one of ours", UserWarning, stacklevel=1)
        warnings.warn_explicit("not for users", UserWarning, "x.py", 1, "pydicom.filereader")
        warnings.warn_explicit("another package", UserWarning, "x.py", 1, "pydicom_more")
        assert [str(warning.message) for warning in caught] == ["one of ours", "another package"]
        before = list(warnings.filters)
        ignore_warnings_of("pydicom", "nibabel")
        assert warnings.filters == before, "a filter is inserted once"
        assert all(filter[:2] != ("ignore", None) or filter[2] is UserWarning for filter in warnings.filters)


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
        (bytes(CLAIMS), "complete file|broken NIfTI"),
        (nifti(np.zeros((8, 8, 8), np.float32))[:600], "complete file|broken NIfTI"),
        (gzip.compress(bytes(1_000_000)), "not a picture"),
        (gzip.compress(nifti(np.random.default_rng(0).normal(size=(8, 8, 8))))[:2_000], "broken NIfTI|complete file|not a picture"),
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
            for word in ("Doe^", "Doe ", "王小明", "ID-4711", "19700101"):
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
    from polymodal.inspection.columns import look
    from polymodal.inspection.roles import describe

    (tmp_path / "scans").mkdir()
    rows = []
    for at in range(12):
        name = f"1.2.840.113619.{at}"
        (tmp_path / "scans" / name).write_bytes(dicom(RAMP))
        rows.append([f"scans/{name}", "yes" if at % 2 else "no"])
    source = open_source(write_csv(tmp_path / "t.csv", ["scan", "ill"], rows))
    column = describe(source, look(source), Roots([tmp_path]), ["ill"], {}, {})[0]
    assert (column.modality, column.role, column.why) == ("image", "feature", "100% of the files looked at begin as pictures do")
