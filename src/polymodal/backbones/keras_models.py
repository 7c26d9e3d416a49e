"""Backbones of Keras: Keras Applications, and models of pictures in ``.keras`` files, with the torch backend of Keras.

With this backend, a Keras model is an ``nn.Module``, and its pictures are (U, H, W, C). It is always called in inference mode, so that
batch normalisation does not depend on other cells and dropout is off; its weights may still be trained.

Shapes: ``U`` distinct cells, ``C`` channels, ``H`` rows, ``W`` columns, ``S`` the side of a picture, ``L`` tokens, ``D`` width.
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

_FAMILIES = {  # the start of a model's name (the first that fits is used), and the module whose preprocess_input it requires
    "ResNet50V2": "resnet_v2", "ResNet101V2": "resnet_v2", "ResNet152V2": "resnet_v2", "ResNet": "resnet",
    "VGG16": "vgg16", "VGG19": "vgg19",
    "MobileNetV3": "mobilenet_v3", "MobileNetV2": "mobilenet_v2", "MobileNet": "mobilenet", "DenseNet": "densenet",
    "EfficientNetV2": "efficientnet_v2", "EfficientNet": "efficientnet", "InceptionV3": "inception_v3", "NASNet": "nasnet",
    "InceptionResNetV2": "inception_resnet_v2", "Xception": "xception", "ConvNeXt": "convnext",
}  # fmt: skip
_USUAL_SIZE = 96
_MOST_LAYERS = 4_000


def _library() -> Any:
    """Import Keras with its torch backend."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    keras: Any = requires("keras", "keras")
    if keras.backend.backend() != "torch":
        raise ConfigError(
            f"keras: its backend is {keras.backend.backend()}; expected torch; set KERAS_BACKEND=torch before keras is first imported"
        )
    return keras


def describe(options: BackboneOptions) -> dict[str, Any]:
    """Return the settings of a model for the modality, and its facts under ``backbone``.

    :raises ConfigError: the model cannot be found or used
    """
    model, form, size = options.model, options.form, options.size
    keras = _library()
    if form != "pixels":
        raise ConfigError(f"model {model!r}: Keras models read pictures; this field makes {form}; choose a model that reads {form}")
    if model.endswith(".keras"):
        network, family, source = _from_file(keras, Path(model).expanduser(), model), None, "file"
    else:
        network, family, source = _application(keras, model.removeprefix("keras:"), None, size or _USUAL_SIZE)
    shape = network.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (1, 3):
        raise ConfigError(f"model {model!r}: reads {shape}; expected one picture (height, width, 1 or 3 channels)")
    side = size or shape[1] or _USUAL_SIZE
    if (shape[1] or side) != side or (shape[2] or side) != side or not 16 <= side <= 1_024:
        raise ConfigError(f"model {model!r}: reads pictures of {shape[1]} x {shape[2]}; expected a square of 16 to 1,024; leave size out")
    out = network.output_shape
    if not isinstance(out, tuple) or len(out) not in (2, 3, 4) or not isinstance(out[-1], int):
        raise ConfigError(f"model {model!r}: returns {out}; expected one tensor of features")
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
    return {"size": side, "channels": shape[3], "backbone": facts}


def build(facts: Facts) -> Backbone:
    """Build the network that the facts describe, without loading its pretrained weights.

    :raises ValueError: it has layers that are not from Keras
    """
    _check_layers(facts["network"])
    if facts["family"] is not None and facts["family"] not in _FAMILIES.values():
        raise ValueError(f"a Keras application {facts['family']!r}")
    keras = _library()
    with _seeded(), keras.device(torch.get_default_device().type):
        return KerasModel(facts, keras.models.model_from_json(json.dumps(facts["network"])), keras)


def _check_layers(network: Any) -> None:
    """Check that the JSON data of a network has only layers of Keras, because reading others would run code.

    :raises ValueError: it has others, or too many layers or settings
    """
    left, waiting = 1_000_000, [network]
    while waiting:
        node = waiting.pop()
        left -= 1
        if left < 0:
            raise ValueError("a Keras model with too many settings")
        if isinstance(node, dict):
            module, name = node.get("module"), node.get("class_name")
            if module is not None and str(module).split(".")[0] != "keras":
                raise ValueError(f"a Keras model with code from {module!r}")
            if name in ("Lambda", "function", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer"):
                raise ValueError(f"a Keras model with a {name}, which contains code")
            if isinstance(node.get("layers"), list) and len(node["layers"]) > _MOST_LAYERS:
                raise ValueError(f"a Keras model of {len(node['layers']):,} layers; expected at most {_MOST_LAYERS:,}")
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Seed the generators from which Keras samples initial weights with torch's generator, and restore their states afterwards."""
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
    """Return a model of Keras Applications without its classifier, the module whose ``preprocess_input`` scales its pictures, and its
    source.

    :raises ConfigError: there is no such model, or it does not support the size
    """
    family = next((module for start, module in _FAMILIES.items() if name.startswith(start)), None)
    application = getattr(keras.applications, name, None)
    if family is None or not callable(application):
        known = [word for word in dir(keras.applications) if word[0].isupper()]
        raise ConfigError(
            f"model 'keras:{name}': not one of Keras Applications{nearest(name, known)}; expected a name such as keras:EfficientNetV2B0"
        )
    try:
        return application(include_top=False, weights=weights, input_shape=(size, size, 3)), family, "applications"
    except ValueError as error:
        raise ConfigError(f"model 'keras:{name}': {str(error)[:200]}; choose another size") from None


def _from_file(keras: Any, path: Path, model: str) -> Any:
    """Read a model that ``model.save("x.keras")`` wrote, without its last layer if that is a classifier.

    :raises ConfigError: there is no such file, or it cannot be loaded
    """
    if not path.is_file():
        raise ConfigError(f"model {model!r}: no such file; expected a .keras file that Keras 3 wrote")
    try:
        network = keras.models.load_model(path, compile=False, safe_mode=True)
        _check_layers(json.loads(network.to_json()))
    except Exception as error:  # layers of Keras may raise any error
        raise ConfigError(
            f"model {model!r}: cannot be loaded ({' '.join(str(error).split())[:200]}); expected Keras's own layers only"
        ) from None
    if len(network.layers) > 2 and type(network.layers[-1]).__name__ == "Dense":
        network = keras.Model(network.inputs, network.layers[-2].output)
    return network


class KerasModel(Backbone):
    """A Keras model that reads pictures."""

    def __init__(self, facts: Facts, network: Any, keras: Any) -> None:
        super().__init__()
        self.facts, self.network = facts, network
        self.width, self.pool = facts["width"], facts["pool"]
        for module in network.modules():  # not used, and named by a counter of the process
            if isinstance(module, nn.ParameterDict):
                for key in [key for key in module if "seed_generator" in key]:
                    del module[key]
        family = facts["family"]
        self.scale: Any = getattr(keras.applications, family).preprocess_input if family else lambda pixels, data_format: pixels

    def encode(self, values: Mapping[str, Tensor]) -> tuple[Features, Tensor | None]:
        """Return the tokens (U, L, D) of uint8 pixels (U, C, S, S), one for each position of the last grid, and None."""
        pixels_UHWC = self.scale(values["pixels"].permute(0, 2, 3, 1).float(), data_format="channels_last")
        features = self.network(pixels_UHWC, training=False)
        tokens = features.reshape(features.shape[0], -1, features.shape[-1])
        return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)), None

    def load(self, download: bool) -> None:
        """Load the ImageNet weights from Keras's cache, or those of the file; nothing is loaded for random weights."""
        keras, facts = _library(), self.facts
        model = facts["model"]
        if facts["weights"] == "random":
            return
        if facts["source"] == "file":
            path = Path(model).expanduser()
            if not path.is_file() or digest([path]) != facts["sha256"]:
                raise ConfigError(f"model {model!r}: the file has changed since the training began; restore it, or train again")
            pretrained = _from_file(keras, path, model)
        else:
            pretrained = _pretrained(keras, model, facts["size"], download)
        values = [value for key, value in pretrained.state_dict().items() if "seed_generator" not in key]
        self.network.load_state_dict(dict(zip(self.network.state_dict(), values, strict=True)))

    def depths(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Yield each trainable parameter with its depth, 0 to 9: the parameters are divided into tenths in their order."""
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        for at, parameter in enumerate(parameters):
            yield parameter, (len(parameters) - 1 - at) * 10 // max(len(parameters), 1)


def _pretrained(keras: Any, model: str, size: int, download: bool) -> Any:
    """Return a model of Keras Applications with its ImageNet weights.

    :raises ConfigError: the weights are not on this machine and may not be downloaded, or the download fails
    """
    refused = ConfigError(
        f"model {model!r}: its ImageNet weights are not on this machine, and nothing is downloaded unless requested; expected them in "
        f"~/.keras/models; allow the download: download=true; or set weights: random to train it from scratch"
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
            f"model {model!r}: its weights cannot be downloaded ({' '.join(str(error).split())[:200]}); try again later"
        ) from None
