"""Backbones of the transformers library for pictures, texts and sounds, including each tower of a CLIP.

Only code of the library is run (``trust_remote_code`` is always off), and weights are read only from safetensors. The processing of cells
by a model's processor is described by facts (size, mean, the tokenizer's JSON data, the sampling rate), which the modality applies.

Shapes: ``U`` distinct cells, ``C`` channels, ``S`` the side of a picture, ``L`` tokens, ``N`` samples of a sound, ``M`` bands, ``T``
frames, ``D`` width.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigError
from ..flow import Features, Form
from ..layers.mel import log_mel
from ..layers.patches import Normalise
from ..quiet import ignore_warnings_of
from .backbone import POOLS, Backbone, BackboneOptions, Facts, bounded_parts, check_allocation, check_plain, cost_of, plain, width_of
from .hub import check_complete, digest, library, loaded, locate, read_json, weights_of

_TOWER: dict[str, str] = {"pixels": "vision_model", "tokens": "text_model", "waveform": "audio_model"}
_INPUT = {"pixels": ("pixel_values",), "tokens": ("input_ids",), "waveform": ("input_values", "input_features")}
_PRETRAINED_POOLERS = ("clip", "siglip", "dinov2", "dinov3", "resnet", "convnext", "regnet", "swin", "efficientnet", "mobilenet")
_TEXT_TOWERS = ("clip_text_model", "siglip_text_model", "siglip2_text_model", "metaclip_2_text_model")
_LONGEST_TEXT = 512
_LARGEST_ID = 2**24
_DETERMINISTIC = {"apply_spec_augment": False, "layerdrop": 0.0, "encoder_layerdrop": 0.0}
"""Settings that switch off operations whose random numbers do not come from torch."""


def describe(options: BackboneOptions) -> dict[str, Any]:
    """Return the settings of a model for the modality, and its facts under ``backbone``.

    :raises ConfigError: the model cannot be found or used
    """
    transformers = library()
    model, form = options.model, options.form
    folder = locate(model, options.revision, options.download)
    files = weights_of(folder, model) if options.weights == "usual" else []
    config = read_json(folder / "config.json", model)
    if "model_type" not in config:
        raise ConfigError(f"model {model!r}: its config.json names no model_type; expected a model that transformers saved")
    if config["model_type"] not in transformers.CONFIG_MAPPING:
        raise ConfigError(
            f"model {model!r}: of the type {config['model_type']!r}, which transformers {transformers.__version__} does not include (code "
            f"that comes with a model is never run); choose another model, or a newer version of transformers"
        )
    facts: Facts = {"library": "transformers", "model": model, "revision": options.revision, "form": form,
                    "weights": options.weights, "sha256": digest(files)}  # fmt: skip
    facts["config"] = plain(config) | {name: value for name, value in _DETERMINISTIC.items() if name in config}
    backbone = _build(facts | {"width": 0, "pool": "tokens"}, "meta")
    needs = _NEEDS[form](folder, model, backbone, options.max_tokens)
    facts |= needs.pop("own", {})
    patch = getattr(backbone.network.config, "patch_size", None)
    sides = needs.get("size", 0) / (patch if isinstance(patch, int) else 16)
    tokens = {"pixels": sides**2, "tokens": needs.get("max_tokens", 0) / 2}.get(form, 50 * (needs.get("seconds") or 5.0))
    facts["cost"] = cost_of(backbone.network, tokens)
    facts["pool"] = _usual_pool(folder, form, backbone) if options.pool == "auto" else options.pool
    facts["width"] = width_of(facts["pool"], _own_width(backbone))
    if facts["pool"].startswith("pooler") and not backbone.makes_vector:
        raise ConfigError(f"model {model!r}: has no pooler of its own; expected pool: auto, mean, first or tokens")
    return {**needs, "backbone": facts}


def build(facts: Facts) -> Backbone:
    """Build the network that the facts describe, without loading its pretrained weights.

    :raises ValueError: ``describe`` cannot have made the facts
    """
    check_plain(facts["config"])
    sketch = _build(facts, "meta")
    _check_facts(facts, sketch)
    return sketch if torch.get_default_device().type == "meta" else _build(facts, None)


def _build(facts: Facts, device: str | None) -> Transformers:
    """Build the network on a device; None = the default device."""
    transformers = library()
    try:
        config = transformers.AutoConfig.for_model(**facts["config"])
        ignore_warnings_of("transformers", "torch.nn.init")
        with torch.device(device or torch.get_default_device()), bounded_parts():
            whole = transformers.AutoModel.from_config(config, dtype=torch.float32)
    except Exception as error:  # the library raises errors of many types
        why = " ".join(str(error).split())[:200]
        raise ConfigError(f"model {facts['model']!r}: transformers cannot build it ({why}); choose another model") from None
    part = _tower(whole, facts)
    if device == "meta":
        check_allocation(whole, part)
    return Transformers(facts, part)


def _check_facts(facts: Facts, sketch: Transformers) -> None:
    """Raise ``ValueError`` for facts, other than the config, that ``describe`` cannot have made for this network."""
    own = sketch.network.config
    if facts["pool"] not in POOLS or facts["width"] != width_of(facts["pool"], _own_width(sketch)):
        raise ValueError(f"a backbone pooled by {facts['pool']!r} to a width of {facts['width']}")
    if facts["pool"].startswith("pooler") and not sketch.makes_vector:
        raise ValueError("a backbone without a pooler of its own")
    if facts["form"] == "tokens" and (facts["filled"] != _filled(own) or not 0 <= facts["pad"] <= _LARGEST_ID):
        raise ValueError(f"a backbone of texts that are padded to {facts['filled']} tokens with {facts['pad']}")
    if (
        facts["form"] == "waveform"
        and facts["sound"] == "log_mel"
        and (facts["mels"] != own.num_mel_bins or not 8_000 <= facts["rate"] <= 192_000)
    ):
        raise ValueError(f"a backbone that reads {facts['mels']} mel bands at {facts['rate']} Hz")


def _tower(whole: Any, facts: Facts) -> Any:
    """Return the part of a model that reads cells of a form. Raise ``ConfigError`` if it has none."""
    form = facts["form"]
    part = getattr(whole, _TOWER[form], None)
    if part is None or isinstance(part, torch.Tensor):
        part = whole.get_encoder() if whole.config.is_encoder_decoder else whole
    reads = getattr(part, "main_input_name", None) or getattr(whole, "main_input_name", "")
    if part is whole and reads not in _INPUT[form]:
        raise ConfigError(
            f"model {facts['model']!r}: a {whole.config.model_type}, which reads {reads!r}; this field makes {form}; "
            f"choose a model that reads {form}"
        )
    if form == "tokens" and getattr(part, "pooler", None) is not None:
        part.pooler = None  # pretrained for next sentence prediction; not used here
    return part


class Transformers(Backbone):
    """A model of transformers, or one tower of it."""

    network: Any

    def __init__(self, facts: Facts, network: Any) -> None:
        super().__init__()
        self.facts, self.network = facts, network
        self.width, self.pool, self.form = facts["width"], facts["pool"], facts["form"]
        self.normalise = Normalise(facts["mean"], facts["std"]) if "mean" in facts else None
        name = str(getattr(network.config, "model_type", ""))
        self.most = (_rows(network) or _LARGEST_ID) - 1 if facts["form"] == "tokens" else 0
        self.makes_vector = name in _TEXT_TOWERS if facts["form"] == "tokens" else facts["form"] == "pixels" and _has_pooler(name)
        if facts["form"] == "pixels" and not self.makes_vector and getattr(network, "pooler", None) is not None:
            network.pooler = None  # usually not pretrained, or for another purpose

    def encode(self, values: Mapping[str, Tensor]) -> tuple[Features, Tensor | None]:
        """Return the tokens (U, L, D) of pixels (U, C, S, S), ids (U, L) or a waveform (U, N), and the model's own pooling, if it is
        used."""
        if self.form == "pixels":
            assert self.normalise is not None
            output = self.network(pixel_values=self.normalise(values["pixels"]))
            tokens = output.last_hidden_state
            tokens = tokens.flatten(2).transpose(1, 2) if tokens.dim() == 4 else tokens
            pooled = output.pooler_output.flatten(1) if self.makes_vector else None
            return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)), pooled
        if self.form == "tokens":
            mask_UL = values["ids"] > 0
            ids_UL = (values["ids"] - 1).clamp(min=0, max=self.most)
            ids_UL = torch.where(mask_UL, ids_UL, torch.full_like(ids_UL, self.facts["pad"]))
            if self.facts["filled"]:  # pretrained on texts of one length, without an attention mask
                ids_UL = functional.pad(ids_UL, (0, self.facts["filled"] - ids_UL.shape[1]), value=self.facts["pad"])
                output = self.network(input_ids=ids_UL)
            else:
                output = self.network(input_ids=ids_UL, attention_mask=mask_UL.long())
            tokens = output.last_hidden_state[:, : mask_UL.shape[1]]
            return Features(tokens, mask_UL), output.pooler_output if self.makes_vector else None
        return self._of_sound(values["waveform"].float() / 32_768, values["length"]), None

    def _of_sound(self, wave_UN: Tensor, length_U: Tensor) -> Features:
        """Return the tokens of waveforms (U, N) with their lengths in samples."""
        real_UN = torch.arange(wave_UN.shape[1], device=wave_UN.device) < length_U.unsqueeze(1)
        if self.facts["sound"] == "log_mel":
            frames = 2 * self.network.config.max_source_positions
            mel_UMT = log_mel(wave_UN * real_UN, frames, self.facts["mels"], self.facts["rate"])
            tokens = self.network(mel_UMT).last_hidden_state
            count_U = (length_U / 320).ceil().clamp(1, tokens.shape[1])  # a token is two frames of 10 ms
            return Features(tokens, torch.arange(tokens.shape[1], device=tokens.device) < count_U.unsqueeze(1))
        if self.facts["scaled"]:
            samples_U1 = length_U.unsqueeze(1).clamp(min=1)
            mean_U1 = (wave_UN * real_UN).sum(1, keepdim=True) / samples_U1
            std_U1 = (((wave_UN - mean_U1) * real_UN).square().sum(1, keepdim=True) / samples_U1 + 1e-7).sqrt()
            wave_UN = (wave_UN - mean_U1) / std_U1
        wave_UN = wave_UN * real_UN
        options = {"attention_mask": real_UN.long()} if self.facts["masked"] else {}
        tokens = self.network(wave_UN, **options).last_hidden_state
        count_U = self.network._get_feat_extract_output_lengths(length_U).clamp(1, tokens.shape[1])
        return Features(tokens, torch.arange(tokens.shape[1], device=tokens.device) < count_U.unsqueeze(1))

    def load(self, download: bool) -> None:
        """Load the weights from the folder or the cache; nothing is loaded for random weights."""
        if self.facts["weights"] == "random":
            return
        whole, missing, others = loaded(self.facts, download)
        part = _tower(whole, self.facts)
        own_names = {name.replace(".base_layer.", "."): name for name in self.network.state_dict()}  # ".base_layer" is added by adapters
        lacking = [name for name in missing if ".pooler" not in f".{name}"]
        check_complete(self.facts, [name for name in lacking if any(name.endswith(own) for own in own_names)], others)
        weights = {own_names[name]: value for name, value in part.state_dict().items() if name in own_names}
        self.network.load_state_dict(weights, strict=len(weights) == len(self.network.state_dict()))

    def depths(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Yield each parameter with its depth in the longest list of blocks. Parameters before the blocks are deeper than all of them, and
        the depth of those after the blocks is 0."""
        name, blocks = max(
            ((name, module) for name, module in self.network.named_modules() if isinstance(module, nn.ModuleList)),
            key=lambda pair: len(pair[1]), default=("", nn.ModuleList()),
        )  # fmt: skip
        seen_blocks = False
        for path, parameter in self.network.named_parameters():
            if name and path.startswith(name + "."):
                seen_blocks = True
                yield parameter, len(blocks) - 1 - int(path.removeprefix(name + ".").partition(".")[0])
            else:
                yield parameter, 0 if seen_blocks else len(blocks)


# -- settings of the modality that correspond to the model's processor -----------------------------------------------------


def _has_pooler(name: str) -> bool:
    """Whether the pooler of this type of models is pretrained."""
    return any(word in name for word in _PRETRAINED_POOLERS)


def _pictures(folder: Path, model: str, backbone: Transformers, _: int | None) -> dict[str, Any]:
    """Return the size, the resizing and the normalisation of pictures."""
    processor = read_json(folder / "preprocessor_config.json", model) if (folder / "preprocessor_config.json").exists() else {}
    own = getattr(backbone.network.config, "image_size", None)
    own = own if isinstance(own, int) else own[0] if isinstance(own, (list, tuple)) else 224
    size = processor.get("size", own)
    size = {"height": size, "width": size} if isinstance(size, int) and not processor.get("do_center_crop") else size
    size = {"shortest_edge": size} if isinstance(size, int) else size
    crop = processor.get("crop_size", {}) if processor.get("do_center_crop") else {}
    crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
    if "crop_pct" in processor and size.get("shortest_edge", 384) < 384:  # ConvNeXt: resized to a larger edge, then cropped
        crop = {"height": size["shortest_edge"], "width": size["shortest_edge"]}
        size = {"shortest_edge": int(size["shortest_edge"] / processor["crop_pct"])}
    elif "crop_pct" in processor:
        size = {"height": size["shortest_edge"], "width": size["shortest_edge"]}
    final = crop or size
    side = final.get("height", final.get("shortest_edge"))
    if not isinstance(side, int) or final.get("width", side) != side or not 4 <= side <= 1_024:
        raise ConfigError(
            f"model {model!r}: its processor makes pictures of {final}; expected a square of 4 to 1,024 pixels; choose another model"
        )
    edge = size.get("shortest_edge")
    unit = 1 / processor.get("rescale_factor", 1 / 255) if processor.get("do_rescale", True) else 1.0
    scaled = processor.get("do_normalize", True)
    mean = [value * unit for value in (processor.get("image_mean") or [0.5] * 3)] if scaled else [0.0] * 3
    std = [value * unit for value in (processor.get("image_std") or [0.5] * 3)] if scaled else [unit] * 3
    resize = {"edge": edge, "resample": int(processor.get("resample", 2) or 2)}
    return {"size": side, "channels": 3, "mean": mean, "std": std, "resize": resize, "own": {"mean": mean, "std": std}}


def _texts(folder: Path, model: str, backbone: Transformers, max_tokens: int | None) -> dict[str, Any]:
    """Return the tokenizer and the maximum number of tokens of texts."""
    transformers = library()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, use_fast=True)
        fast = tokenizer.backend_tokenizer
    except (AttributeError, ImportError, OSError, TypeError, ValueError) as error:
        raise ConfigError(
            f"model {model!r}: no tokenizer that can be read ({str(error)[:150]}); expected a tokenizer.json in its folder"
        ) from None
    fast.no_padding()
    fast.no_truncation()
    own = backbone.network.config
    longest = min(_LONGEST_TEXT, int(getattr(tokenizer, "model_max_length", _LONGEST_TEXT)), _positions(own))
    options = folder / "sentence_bert_config.json"
    if options.exists():
        longest = min(longest, int(read_json(options, model).get("max_seq_length") or longest))
    if max_tokens is not None and max_tokens > _positions(own):
        raise ConfigError(f"model {model!r}: max_tokens {max_tokens:,}; expected at most {_positions(own):,}, the number of its positions")
    largest, embeddings = max(tokenizer.get_vocab().values(), default=0), _rows(backbone.network)
    if embeddings and largest >= embeddings:
        raise ConfigError(
            f"model {model!r}: its tokenizer numbers tokens up to {largest:,}; expected at most {embeddings - 1:,}, because it has "
            f"{embeddings:,} embeddings; put its own tokenizer into its folder"
        )
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    filled = _filled(own)
    return {"tokenizer": json.loads(fast.to_str()), "max_tokens": max_tokens or longest, "own": {"pad": int(pad), "filled": filled}}


def _rows(network: Any) -> int:
    """Return the number of embeddings of tokens; 0 if it is not known."""
    try:
        return int(network.get_input_embeddings().num_embeddings)
    except (AttributeError, NotImplementedError, TypeError):
        return 0


def _filled(config: Any) -> int:
    """Return the length that every text is padded to; 0 = texts are not padded to one length."""
    return _positions(config) if config.model_type.startswith("siglip") else 0


def _positions(config: Any) -> int:
    """Return the maximum number of tokens of a text. RoBERTa and similar models reserve two positions."""
    count = getattr(config, "max_position_embeddings", None)
    count = count if isinstance(count, int) and count > 4 else 2**15
    return count - 2 if "roberta" in config.model_type or config.model_type in ("camembert", "mpnet", "xmod", "longformer") else count


def _sounds(folder: Path, model: str, backbone: Transformers, _: int | None) -> dict[str, Any]:
    """Return the sampling rate, the maximum length in seconds (None = no limit) and the normalisation of sounds."""
    processor = read_json(folder / "preprocessor_config.json", model) if (folder / "preprocessor_config.json").exists() else {}
    own = backbone.network.config
    rate = int(processor.get("sampling_rate", 16_000))
    settings = own.to_dict()
    if {"max_source_positions", "num_mel_bins"} <= settings.keys():
        seconds = 2 * own.max_source_positions * 160 / rate
        return {"rate": rate, "seconds": seconds, "own": {"sound": "log_mel", "mels": own.num_mel_bins, "rate": rate}}
    if "conv_stride" not in settings:
        raise ConfigError(
            f"model {model!r}: a {own.model_type}, whose input is not supported; expected a Whisper, wav2vec 2, HuBERT, WavLM or a model "
            f"with the same input"
        )
    masked = bool(processor.get("return_attention_mask", getattr(own, "feat_extract_norm", "group") == "layer"))
    scaled = bool(processor.get("do_normalize", True))
    return {"rate": rate, "seconds": None, "own": {"sound": "wave", "rate": rate, "scaled": scaled, "masked": masked}}


_NEEDS = {"pixels": _pictures, "tokens": _texts, "waveform": _sounds}


def _own_width(backbone: Transformers) -> int:
    """Return the width of the network's tokens. Raise ``ConfigError`` if its config does not state it."""
    config = backbone.network.config
    for name in ("hidden_size", "d_model", "n_embd", "dim"):
        if isinstance(getattr(config, name, None), int):
            return int(getattr(config, name))
    sizes = getattr(config, "hidden_sizes", None) or getattr(config, "embed_dims", None)
    if isinstance(sizes, (list, tuple)) and sizes:
        return int(sizes[-1])
    raise ConfigError(f"model {backbone.facts['model']!r}: its config states no width (hidden_size); choose another model")


def _usual_pool(folder: Path, form: Form, backbone: Transformers) -> str:
    """Return the pooling that suits the model best."""
    if form == "pixels":
        if backbone.makes_vector:
            conv = any(word in backbone.network.config.model_type for word in ("resnet", "convnext", "regnet", "swin", "net"))
            return "pooler" if conv else "pooler_and_mean"
        return "first_and_mean"
    if form == "tokens" and backbone.makes_vector:
        return "pooler"
    pooling = folder / "1_Pooling" / "config.json"
    if form == "tokens" and pooling.exists() and read_json(pooling, "1_Pooling").get("pooling_mode_cls_token"):
        return "first"
    return "mean"
