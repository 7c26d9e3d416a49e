"""Backbones of Keras: its Applications, and any model of pictures in a ``.keras`` file, on Keras's torch backend.

A Keras model is then an ``nn.Module`` whose pictures are (U, H, W, C). It is always called as at prediction: its batch norms and dropouts
do nothing that depends on other cells or on chance, while its weights may learn.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ConfigError, nearest, requires
from ..flow import Features
from .backbone import POOLS, Backbone, BackboneOptions, Facts, cost_of, width_of
from .hub import digest

_FAMILIES = {  # by how a model's name starts, the first that fits: the module whose preprocess_input it wants
    "ResNet50V2": "resnet_v2", "ResNet101V2": "resnet_v2", "ResNet152V2": "resnet_v2", "ResNet": "resnet",
    "VGG16": "vgg16", "VGG19": "vgg19",
    "MobileNetV3": "mobilenet_v3", "MobileNetV2": "mobilenet_v2", "MobileNet": "mobilenet", "DenseNet": "densenet",
    "EfficientNetV2": "efficientnet_v2", "EfficientNet": "efficientnet", "InceptionV3": "inception_v3", "NASNet": "nasnet",
    "InceptionResNetV2": "inception_resnet_v2", "Xception": "xception", "ConvNeXt": "convnext",
}  # fmt: skip
_USUAL_SIZE = 96
_MOST_LAYERS = 4_000


def _library() -> Any:
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    keras: Any = requires("keras", "keras")
    if keras.backend.backend() != "torch":
        raise ConfigError(
            f"keras: runs on {keras.backend.backend()}; expected torch; set KERAS_BACKEND=torch before keras is first imported"
        )
    return keras


def describe(options: BackboneOptions) -> dict[str, Any]:
    """What the modality and the encoder must know of a model."""
    model, form, size = options.model, options.form, options.size
    keras = _library()
    if form != "pixels":
        raise ConfigError(f"model {model!r}: a Keras model, which reads pictures here; this field makes {form}; choose a model of its kind")
    if model.endswith(".keras"):
        network, family, source = _from_file(keras, Path(model).expanduser(), model), None, "file"
    else:
        network, family, source = _application(keras, model.removeprefix("keras:"), None, size or _USUAL_SIZE)
    found = network.input_shape
    if not isinstance(found, tuple) or len(found) != 4 or found[3] not in (1, 3):
        raise ConfigError(f"model {model!r}: reads {found}; expected one picture (height, width, 1 or 3 channels)")
    side = size or found[1] or _USUAL_SIZE
    if (found[1] or side) != side or (found[2] or side) != side or not 16 <= side <= 1_024:
        raise ConfigError(f"model {model!r}: reads pictures of {found[1]} x {found[2]}; expected a square of 16 to 1,024; leave size out")
    out = network.output_shape
    if not isinstance(out, tuple) or len(out) not in (2, 3, 4) or not isinstance(out[-1], int):
        raise ConfigError(f"model {model!r}: answers {out}; expected one tensor of features")
    pool = ("mean" if len(out) > 2 else "first") if options.pool == "auto" else options.pool
    if pool not in POOLS or pool.startswith("pooler"):
        raise ConfigError(f"model {model!r}: pool {pool!r}; expected auto, mean, first or tokens")
    facts: Facts = {
        "library": "keras", "model": model, "form": form, "network": json.loads(network.to_json()), "family": family, "source": source,
        "weights": options.weights, "size": side, "width": width_of(pool, out[-1]), "pool": pool, "sha256": "",
    }  # fmt: skip
    facts["cost"] = cost_of(network, (side / 16) ** 2)
    if source == "file":
        facts["sha256"] = digest([Path(model).expanduser()])
    return {"size": side, "channels": found[3], "backbone": facts}


def build(facts: Facts) -> Backbone:
    """The network that the facts describe; ``ValueError`` for one that is not of Keras's own layers."""
    _only_of_keras(facts["network"])
    if facts["family"] is not None and facts["family"] not in _FAMILIES.values():
        raise ValueError(f"a Keras application {facts['family']!r}")
    keras = _library()
    with _seeded(), keras.device(torch.get_default_device().type):
        return KerasModel(facts, keras.models.model_from_json(json.dumps(facts["network"])), keras)


def _only_of_keras(network: Any) -> None:
    """``ValueError`` for what is not made of Keras's own layers alone: reading it would run code."""
    left, waiting = 1_000_000, [network]
    while waiting:
        node = waiting.pop()
        left -= 1
        if left < 0:
            raise ValueError("a Keras model of too many settings")
        if isinstance(node, dict):
            module, name = node.get("module"), node.get("class_name")
            if module is not None and str(module).split(".")[0] != "keras":
                raise ValueError(f"a Keras model with code from {module!r}")
            if name in ("Lambda", "function", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer"):
                raise ValueError(f"a Keras model with a {name}, which holds code")
            if isinstance(node.get("layers"), list) and len(node["layers"]) > _MOST_LAYERS:
                raise ValueError(f"a Keras model of {len(node['layers']):,} layers")
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Keras draws first weights from generators of its own: here they follow torch's, and are as before afterwards."""
    states = random.getstate(), np.random.get_state()
    seed = int(torch.randint(2**31 - 1, (1,), device="cpu"))
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _application(keras: Any, name: str, weights: str | None, size: int) -> tuple[Any, str | None, str]:
    """A model of Keras Applications without its classes, and the module that says how pictures are scaled for it."""
    family = next((module for start, module in _FAMILIES.items() if name.startswith(start)), None)
    made = getattr(keras.applications, name, None)
    if family is None or not callable(made):
        known = [word for word in dir(keras.applications) if word[0].isupper()]
        raise ConfigError(
            f"model 'keras:{name}': not one of Keras Applications{nearest(name, known)}; expected such as keras:EfficientNetV2B0"
        )
    try:
        return made(include_top=False, weights=weights, input_shape=(size, size, 3)), family, "applications"
    except ValueError as error:
        raise ConfigError(f"model 'keras:{name}': {str(error)[:200]}; choose another size") from None


def _from_file(keras: Any, path: Path, model: str) -> Any:
    """A model that ``model.save("x.keras")`` wrote; what classifies at its end is cut off."""
    if not path.is_file():
        raise ConfigError(f"model {model!r}: no such file; expected a .keras file that Keras 3 wrote")
    try:
        network = keras.models.load_model(path, compile=False, safe_mode=True)
        _only_of_keras(json.loads(network.to_json()))
    except Exception as error:  # Keras raises whatever its layers do
        raise ConfigError(
            f"model {model!r}: cannot be loaded ({' '.join(str(error).split())[:200]}); expected Keras's own layers only"
        ) from None
    if len(network.layers) > 2 and type(network.layers[-1]).__name__ == "Dense":
        network = keras.Model(network.inputs, network.layers[-2].output)
    return network


class KerasModel(Backbone):
    """A Keras model of pictures."""

    def __init__(self, facts: Facts, network: Any, keras: Any) -> None:
        super().__init__()
        self.facts, self.network = facts, network
        self.width, self.pool = facts["width"], facts["pool"]
        for module in network.modules():  # never drawn from, and numbered by how many a process has made
            if isinstance(module, nn.ParameterDict):
                for key in [key for key in module if "seed_generator" in key]:
                    del module[key]
        family = facts["family"]
        self.scale: Any = getattr(keras.applications, family).preprocess_input if family else lambda pixels, data_format: pixels

    def encode(self, values: Mapping[str, Tensor]) -> tuple[Features, Tensor | None]:
        """uint8 pixels (U, C, S, S) -> (U, L, D), L the cells of the last grid."""
        pixels_UHWC = self.scale(values["pixels"].permute(0, 2, 3, 1).float(), data_format="channels_last")
        found = self.network(pixels_UHWC, training=False)
        tokens = found.reshape(found.shape[0], -1, found.shape[-1])
        return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)), None

    def load(self, download: bool) -> None:
        """ImageNet's from Keras's own cache, or those of the file; none where they are to be random."""
        keras, facts = _library(), self.facts
        model = facts["model"]
        if facts["weights"] == "random":
            return
        if facts["source"] == "file":
            path = Path(model).expanduser()
            if not path.is_file() or digest([path]) != facts["sha256"]:
                raise ConfigError(f"model {model!r}: no longer the file that it was when this began; put that back, or train anew")
            given = _from_file(keras, path, model)
        else:
            given = _fetched(keras, model, facts["size"], download)
        values = [value for key, value in given.state_dict().items() if "seed_generator" not in key]
        self.network.load_state_dict(dict(zip(self.network.state_dict(), values, strict=True)))

    def depths(self) -> Iterator[tuple[nn.Parameter, int]]:
        """By tenths of its parameters, in their order."""
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        for at, parameter in enumerate(parameters):
            yield parameter, (len(parameters) - 1 - at) * 10 // max(len(parameters), 1)


def _fetched(keras: Any, model: str, size: int, download: bool) -> Any:
    refused = ConfigError(
        f"model {model!r}: its ImageNet weights are not on this machine, and nothing is fetched unasked; expected them in ~/.keras/models; "
        f"let them be fetched: download=true; or say weights: random to train it from the start"
    )
    guard = contextlib.nullcontext() if download else mock.patch("keras.src.utils.file_utils.urlretrieve", side_effect=refused)
    try:
        with guard:
            return _application(keras, model.removeprefix("keras:"), "imagenet", size)[0]
    except ConfigError:
        raise
    except Exception as error:
        if error is refused or "urlretrieve" in str(error) or not download:
            raise refused from None
        raise ConfigError(
            f"model {model!r}: its weights cannot be fetched ({' '.join(str(error).split())[:200]}); try again later"
        ) from None
