"""Backbones of timm, which requires a torchvision that is compatible with torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError, nearest, requires
from ..flow import Features
from ..layers.patches import Normalise
from .backbone import Backbone, BackboneOptions, Facts, cost_of, width_of
from .hub import quiet

_RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}


def _library() -> Any:
    """Import timm."""
    quiet()
    return requires("timm", "timm")


def _make(facts: Facts, pretrained: bool) -> Any:
    """Build a model of timm without its classifier."""
    timm = _library()
    name = facts["model"].removeprefix("timm:")
    if not timm.is_model(name):
        known = timm.list_models(f"*{name[:4]}*")
        raise ConfigError(f"model {facts['model']!r}: not a model of timm {timm.__version__}{nearest(name, known)}; see timm.list_models()")
    return timm.create_model(name, pretrained=pretrained, num_classes=0)


def describe(options: BackboneOptions) -> dict[str, Any]:
    """Return the settings of a model for the modality, and its facts under ``backbone``.

    :raises ConfigError: the model cannot be found or used
    """
    model = options.model
    if options.form != "pixels":
        raise ConfigError(
            f"model {model!r}: timm's models read pictures; this field makes {options.form}; choose a model that reads {options.form}"
        )
    facts: Facts = {"library": "timm", "model": model, "form": options.form, "weights": options.weights, "sha256": ""}
    network = _make(facts, pretrained=False)
    data = _library().data.resolve_model_data_config(network)
    channels, height, side = data["input_size"]
    if height != side or channels != 3:
        raise ConfigError(f"model {model!r}: reads {data['input_size']}; expected a square picture of 3 channels; choose another model")
    mean, std = ([255 * value for value in data[name]] for name in ("mean", "std"))
    resize = {"edge": int(side / data["crop_pct"]), "resample": _RESAMPLE.get(data["interpolation"], 3)}
    pool = "pooler" if options.pool == "auto" else options.pool
    if pool == "pooler_and_mean":
        raise ConfigError(f"model {model!r}: pool {pool!r}; expected auto, pooler, mean, first, first_and_mean or tokens")
    facts |= {"mean": mean, "std": std, "pool": pool, "cost": cost_of(network, (side / 16) ** 2)}
    facts["width"] = width_of(pool, _head_width(network, side) if pool == "pooler" else int(network.num_features))
    return {"size": side, "channels": 3, "mean": mean, "std": std, "resize": resize, "backbone": facts}


@torch.inference_mode()
def _head_width(network: Any, side: int) -> int:
    """Return the width of the model's own pooling, which some models follow by another layer."""
    return int(network.eval().forward_head(network.forward_features(torch.zeros(1, 3, side, side)), pre_logits=True).shape[1])


def build(facts: Facts) -> Backbone:
    """Build the network that the facts describe, without loading its pretrained weights."""
    return Timm(facts, _make(facts, pretrained=False))


class Timm(Backbone):
    """A model of timm without its classifier."""

    def __init__(self, facts: Facts, network: Any) -> None:
        super().__init__()
        self.facts, self.network = facts, network
        self.width, self.pool = facts["width"], facts["pool"]
        self.normalise = Normalise(facts["mean"], facts["std"])

    def encode(self, values: Mapping[str, Tensor]) -> tuple[Features, Tensor | None]:
        """Return the tokens of uint8 pixels (U, 3, S, S), and their pooling by the model."""
        features = self.network.forward_features(self.normalise(values["pixels"]))
        if features.dim() == 4:  # (U, D, H, W), or (U, H, W, D) for Swin
            features_UHWD = features.permute(0, 2, 3, 1) if features.shape[1] == self.network.num_features else features
            tokens = features_UHWD.flatten(1, 2)
        else:
            tokens = features
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Features(tokens, mask), self.network.forward_head(features, pre_logits=True)

    def load(self, download: bool) -> None:
        """Load the weights from the hub's cache, or download them if that is requested."""
        if self.facts["weights"] == "random":
            return
        import huggingface_hub.constants as hub

        before, hub.HF_HUB_OFFLINE = hub.HF_HUB_OFFLINE, not download or hub.HF_HUB_OFFLINE
        try:
            self.network.load_state_dict(_make(self.facts, pretrained=True).state_dict())
        except Exception as error:  # timm does not catch errors of the hub and of the network
            raise ConfigError(
                f"model {self.facts['model']!r}: its weights are not on this machine ({type(error).__name__}), and nothing is "
                f"downloaded unless requested; allow the download: download=true"
            ) from None
        finally:
            hub.HF_HUB_OFFLINE = before

    def depths(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Yield each parameter with its depth, 0 to 9: the parameters are divided into tenths in their order."""
        parameters = list(self.network.parameters())
        for at, parameter in enumerate(parameters):
            yield parameter, (len(parameters) - 1 - at) * 10 // max(len(parameters), 1)
