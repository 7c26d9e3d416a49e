"""DICOM files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

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
    colours = photometric in ("RGB", "YBR_FULL", "HSV")
    frames = pixels.ndim == 3 and not colours
    file.Rows, file.Columns = pixels.shape[1:3] if frames else pixels.shape[:2]
    if frames:
        file.NumberOfFrames = len(pixels)
    file.SamplesPerPixel, file.PhotometricInterpretation = 3 if colours else 1, photometric
    if colours:
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
