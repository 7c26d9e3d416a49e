"""Small data sets in the formats of other libraries, written by hand, byte for byte as these libraries write them."""

from __future__ import annotations

import io
import json
import struct
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from .tables import COLORS, sentence

CLASSES = tuple(COLORS)
"""The classes of the samples."""
FAST = ("training.epochs=2", "data.split.folds=2", "training.baselines=false", "model.width=16")


@dataclass(frozen=True)
class Sample:
    """A picture of one colour, a text, a number, and the class, which is the colour."""

    png: bytes
    text: str
    price: float
    label: int

    @property
    def name(self) -> str:
        return CLASSES[self.label]


def samples(count: int, seed: int = 0) -> list[Sample]:
    """Samples of all classes in turn."""
    rng = np.random.default_rng(seed)
    made = []
    for at in range(count):
        label = at % len(CLASSES)
        pixels = np.clip(np.array(COLORS[CLASSES[label]]) + rng.normal(0, 12, (16, 16, 3)), 0, 255).astype(np.uint8)
        made.append(Sample(png(pixels), sentence(rng), round(float(rng.normal(5, 1)), 2), label))
    return made


def png(pixels: Any) -> bytes:
    """Pixels as the bytes of a PNG file."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(out, "PNG")
    return out.getvalue()


# -- WebDataset --------------------------------------------------------------------------------------------------------------


def shard(path: Path, members: Sequence[tuple[str, bytes]], mode: str = "w", **changes: Any) -> Path:
    """A tar file of members in order; ``changes`` are attributes of the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for at, (name, body) in enumerate(members):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            for attribute, value in changes.items() if at == len(members) - 1 else ():
                setattr(info, attribute, value)
            archive.addfile(info, io.BytesIO(body))
    return path


def sample_members(key: str, sample: Sample) -> list[tuple[str, bytes]]:
    """The members of a sample, as ``webdataset.ShardWriter`` orders them."""
    facts = json.dumps({"price": sample.price, "shop": {"city": "上海"}}, ensure_ascii=False).encode()
    return [
        (f"{key}.cls", str(sample.label).encode()),
        (f"{key}.json", facts),
        (f"{key}.png", sample.png),
        (f"{key}.txt", sample.text.encode()),
    ]


# -- TFRecord ----------------------------------------------------------------------------------------------------------------


def checksum(data: bytes) -> int:
    """The masked CRC-32C of data, bit by bit."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    state ^= 0xFFFFFFFF
    return ((state >> 15 | state << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(body: bytes) -> bytes:
    """A record of a TFRecord file."""
    length = struct.pack("<Q", len(body))
    return length + struct.pack("<I", checksum(length)) + body + struct.pack("<I", checksum(body))


def varint(value: int) -> bytes:
    """A number of variable length; negative numbers have ten bytes."""
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def chunk(number: int, body: bytes) -> bytes:
    """A field of bytes of a message."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def feature(values: Sequence[Any]) -> bytes:
    """A ``tf.train.Feature``: texts and bytes, floats, or whole numbers (packed, as TensorFlow writes them)."""
    if not len(values):
        return b""
    if isinstance(values[0], (str, bytes)):
        return chunk(1, b"".join(chunk(1, value.encode() if isinstance(value, str) else value) for value in values))
    if isinstance(values[0], float):
        return chunk(2, chunk(1, struct.pack(f"<{len(values)}f", *values)))
    return chunk(3, chunk(1, b"".join(map(varint, values))))


def entry(name: str, body: bytes) -> bytes:
    """An entry of a map."""
    return chunk(1, chunk(1, name.encode()) + chunk(2, body))


def example(features: Mapping[str, Sequence[Any]]) -> bytes:
    """A ``tf.train.Example``."""
    return chunk(1, b"".join(entry(name, feature(values)) for name, values in features.items()))


def sequence_example(context: Mapping[str, Sequence[Any]], lists: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    """A ``tf.train.SequenceExample``."""
    body = b"".join(entry(name, b"".join(chunk(1, feature(step)) for step in steps)) for name, steps in lists.items())
    return example(context) + chunk(2, body)


def sample_example(sample: Sample) -> bytes:
    """The Example of a sample."""
    return example({"image/encoded": [sample.png], "text": [sample.text], "price": [sample.price], "label": [sample.label]})


# -- TensorFlow Datasets -----------------------------------------------------------------------------------------------------

_PACKAGE = "tensorflow_datasets.core.features"


def tfds_feature(kind: str, **facts: Any) -> dict[str, Any]:
    """A feature of ``features.json`` with the description that TFDS writes."""
    names = {"image": "image_feature.Image", "classLabel": "class_label_feature.ClassLabel", "text": "text_feature.Text",
             "tensor": "tensor_feature.Tensor", "audio": "audio_feature.Audio", "sequence": "sequence_feature.Sequence",
             "featuresDict": "features_dict.FeaturesDict", "video": "video_feature.Video",
             "boundingBox": "bounding_boxes.BBoxFeature", "translation": "translation_feature.Translation"}  # fmt: skip
    return {"pythonClassName": f"{_PACKAGE}.{names[kind]}", kind: facts}


def tensor(dtype: str, *shape: int, encoding: str = "none") -> dict[str, Any]:
    """A feature ``Tensor``."""
    return tfds_feature("tensor", dtype=dtype, encoding=encoding, shape={"dimensions": list(map(str, shape))} if shape else {})


def tfds_folder(
    folder: Path, features: Mapping[str, Any], splits: Mapping[str, Sequence[bytes]], labels: Mapping[str, Sequence[str]] = {}
) -> Path:
    """The folder of a data set of TFDS, with one shard for each split."""
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.parent.name
    facts = {
        "fileFormat": "tfrecord", "moduleName": "__main__", "name": name, "version": folder.name,
        "splits": [{"filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}", "name": split, "numBytes": "1",
                    "shardLengths": [str(len(bodies))]} for split, bodies in splits.items()],
    }  # fmt: skip
    (folder / "dataset_info.json").write_text(json.dumps(facts, indent=2))
    (folder / "features.json").write_text(json.dumps(tfds_feature("featuresDict", features=dict(features))))
    for feature_name, names in labels.items():
        (folder / f"{feature_name}.labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    for split, bodies in splits.items():
        (folder / f"{name}-{split}.tfrecord-00000-of-00001").write_bytes(b"".join(map(record, bodies)))
    return folder


# -- Hugging Face ------------------------------------------------------------------------------------------------------------

FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""The Arrow type of the features Image, Audio and Video."""


def value(dtype: str) -> dict[str, Any]:
    """A feature ``Value``."""
    return {"dtype": dtype, "_type": "Value"}


def arrow_table(rows: Sequence[Mapping[str, Any]], features: Mapping[str, Any], types: Mapping[str, Any]) -> pa.Table:
    """Rows with the schema and the metadata of ``datasets``."""
    notes = {b"huggingface": json.dumps({"info": {"features": dict(features)}}).encode()}
    return pa.Table.from_pylist(list(rows), pa.schema([pa.field(name, kind) for name, kind in types.items()], notes))


def save_to_disk(
    folder: Path, table: pa.Table, features: Mapping[str, Any], shards: int = 1, split: str | None = None, batch: int = 1000
) -> Path:
    """The folder that ``Dataset.save_to_disk`` writes: Arrow streams, and descriptions."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [f"data-{at:05d}-of-{shards:05d}.arrow" for at in range(shards)]
    size = -(-table.num_rows // shards)
    for at, name in enumerate(files):
        with pa.ipc.new_stream(folder / name, table.schema) as writer:
            writer.write_table(table.slice(at * size, size), batch)
    state: dict[str, Any] = {"_data_files": [{"filename": name} for name in files], "_fingerprint": "0ecbc0f65dc66a7c", "_format_columns": None,
             "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False, "_split": split}  # fmt: skip
    (folder / "state.json").write_text(json.dumps(state, indent=2))
    info = {"citation": "", "description": "", "features": dict(features), "homepage": "", "license": ""}
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2))
    return folder


SAMPLE_FEATURES: dict[str, Any] = {
    "image": {"_type": "Image"}, "text": value("string"), "price": value("float32"), "label": {"names": list(CLASSES), "_type": "ClassLabel"},
}  # fmt: skip
SAMPLE_TYPES = {"image": FILE, "text": pa.string(), "price": pa.float32(), "label": pa.int64()}


def sample_table(made: Sequence[Sample]) -> pa.Table:
    """Samples as a table of ``datasets``."""
    rows = [{"image": {"bytes": one.png, "path": None}, "text": one.text, "price": one.price, "label": one.label} for one in made]
    return arrow_table(rows, SAMPLE_FEATURES, SAMPLE_TYPES)


def dataset_dict(folder: Path, splits: Mapping[str, Sequence[Sample]]) -> Path:
    """The folder that ``DatasetDict.save_to_disk`` writes."""
    for split, made in splits.items():
        save_to_disk(folder / split, sample_table(made), SAMPLE_FEATURES, split=None)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    return folder


def write_parquet(path: Path, table: pa.Table) -> Path:
    """A Parquet file with the metadata of its schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)
    return path


# -- COCO and folders of classes ---------------------------------------------------------------------------------------------


def coco(folder: Path, of_set: str, made: Sequence[Sample], captions: int = 2, instances: bool = True) -> Path:
    """The annotations and pictures of one set of COCO: two captions a picture, and objects of its class."""
    notes = folder / "annotations"
    notes.mkdir(parents=True, exist_ok=True)
    (folder / of_set).mkdir(exist_ok=True)
    pictures = []
    for at, one in enumerate(made):
        name = f"{at:012d}.png"
        (folder / of_set / name).write_bytes(one.png)
        pictures.append({"license": 1, "file_name": name, "height": 16, "width": 16, "id": 500 + at})
    head = {"info": {"year": 2017}, "images": pictures, "licenses": [{"id": 1, "name": "none"}]}
    texts = [{"image_id": 500 + at, "id": 10 * at + number, "caption": f"{one.text} {number}\n"}
             for at, one in enumerate(made) for number in range(captions)]  # fmt: skip
    (notes / f"captions_{of_set}.json").write_text(json.dumps({**head, "annotations": texts}))
    if instances:
        objects = [{"segmentation": [[1.0, 2.0]], "area": 2.5, "iscrowd": 0, "image_id": 500 + at, "bbox": [0, 0, 1, 1], "category_id": 3 + one.label,
                    "id": 2 * at + twice} for at, one in enumerate(made) for twice in range(2)]  # fmt: skip
        categories = [{"supercategory": "colour", "id": 3 + at, "name": name} for at, name in enumerate(CLASSES)]
        (notes / f"instances_{of_set}.json").write_text(json.dumps({**head, "annotations": objects, "categories": categories}))
    return folder


def class_folders(folder: Path, made: Sequence[Sample], split: str) -> Path:
    """Pictures in a folder for each class, below that of a split."""
    for at, one in enumerate(made):
        path = folder / split / one.name / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.png)
    return folder
