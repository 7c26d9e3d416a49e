"""Folders of pretrained models with random weights and two small blocks, which tests load instead of downloads."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

_HELD = tempfile.TemporaryDirectory(prefix="polymodal-tiny-")
_BLOCKS: Any = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "apple", "river", "stone", "cloud", "table", "music", "paper", "window", "garden", "silver",
          "red", "green", "blue", "红色", "绿色", "蓝色"]  # fmt: skip
FORMS = {"vit": "image", "dinov2": "image", "clip": "image", "siglip": "image", "resnet": "image", "bert": "text", "xlm_roberta": "text",
         "clip_text": "text", "siglip_text": "text", "whisper": "audio", "wav2vec2": "audio"}  # fmt: skip
"""Every model of the table, and the kind of field that it reads."""
JOINT = ("visual_bert", "vilt", "lxmert")
"""The models that read texts and pictures together."""


@functools.cache
def tiny(name: str) -> Path:
    """The folder of a model: its config, its weights, and what its processor says."""
    folder = Path(_HELD.name) / name
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kind = name.removesuffix("_text")
        _model(kind).save_pretrained(folder)
    if name in JOINT or FORMS[name] == "text":
        _tokenizer().save_pretrained(folder)
    said = _PROCESSORS.get(kind)
    if said is not None and FORMS.get(name) != "text":
        (folder / "preprocessor_config.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


_PROCESSORS: dict[str, dict[str, Any]] = {
    "vit": {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
    "dinov2": {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 32}, "do_center_crop": True, "crop_size": {"height": 28, "width": 28}, "resample": 3, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
    "clip": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}, "do_center_crop": True, "crop_size": 32, "resample": 3, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]},
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}, "resample": 3, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
    "vilt": {"image_processor_type": "ViltImageProcessor", "size": {"shortest_edge": 32}, "size_divisor": 8, "resample": 3, "image_mean": [0.5, 0.4, 0.5], "image_std": [0.5, 0.5, 0.25]},
    "whisper": {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80, "sampling_rate": 16_000},
    "wav2vec2": {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 16_000, "do_normalize": True, "return_attention_mask": False},
}  # fmt: skip


def _model(kind: str) -> Any:
    import transformers as library

    vision: Any
    text: Any
    vision, text = {"image_size": 32, "patch_size": 8, **_BLOCKS}, {"vocab_size": 40, "max_position_embeddings": 64, **_BLOCKS}
    if kind == "vit":
        return library.ViTModel(library.ViTConfig(**vision))
    if kind == "dinov2":
        return library.Dinov2Model(
            library.Dinov2Config(image_size=28, patch_size=14, **{k: v for k, v in _BLOCKS.items() if k != "intermediate_size"})
        )
    if kind == "clip":
        return library.CLIPModel(library.CLIPConfig(text_config={**text, "eos_token_id": 3}, vision_config=vision, projection_dim=16))
    if kind == "siglip":
        return library.SiglipModel(library.SiglipConfig(text_config=text, vision_config=vision))
    if kind == "resnet":
        return library.ResNetModel(library.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"))
    if kind == "visual_bert":
        return library.VisualBertModel(library.VisualBertConfig(**text, visual_embedding_dim=24, pad_token_id=0))
    if kind == "vilt":
        return library.ViltModel(library.ViltConfig(**text, image_size=32, patch_size=8, pad_token_id=0))
    if kind == "lxmert":
        sizes = {name: value for name, value in text.items() if name != "num_hidden_layers"}
        return library.LxmertModel(library.LxmertConfig(**sizes, l_layers=2, r_layers=1, x_layers=1, visual_feat_dim=24, visual_pos_dim=4))
    if kind == "bert":
        return library.BertModel(library.BertConfig(**text))
    if kind == "xlm_roberta":
        return library.XLMRobertaModel(library.XLMRobertaConfig(**text, pad_token_id=0))
    if kind == "whisper":
        return library.WhisperModel(library.WhisperConfig(
            vocab_size=40, d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4,
            encoder_ffn_dim=64, decoder_ffn_dim=64, max_source_positions=100, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            decoder_start_token_id=1,
        ))  # fmt: skip
    return library.Wav2Vec2Model(library.Wav2Vec2Config(
        vocab_size=30, conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, **_BLOCKS
    ))  # fmt: skip


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordPiece({word: at for at, word in enumerate(_WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(handle_chinese_chars=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=64
    )
