"""The exceptions of polymodal, as a tree.

::

    PolymodalError
    ├── UserError              the caller can fix it: exit code 2, HTTP 4xx, never a traceback
    │   ├── ConfigError        a setting is wrong
    │   ├── DataError          a table, a column or a cell is wrong
    │   ├── BundleError        a saved model cannot be used
    │   └── MissingDependency  an optional package is absent or broken
    ├── TrainingError          an error during training
    └── Fault                  one cell cannot be read; becomes a DataError, or a line in faults.csv

A message has the form ``<place>: <what was found>; <what was expected>; <how to fix it>``.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType, ModuleType

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class PolymodalError(Exception):
    """The base class of all exceptions that polymodal defines."""


class UserError(PolymodalError):
    """An error that the caller can fix."""


class ConfigError(UserError):
    """A setting is unknown, has the wrong type, or conflicts with another setting."""


class DataError(UserError):
    """A table, a column, a row or a cell is not as expected."""


class BundleError(UserError):
    """A saved model is absent, was altered, or has a newer format."""


class MissingDependency(UserError):
    """An optional package is absent, or installed but broken."""


class TrainingError(PolymodalError):
    """Training could not continue."""


class Fault(PolymodalError):
    """One cell cannot be read. The message states what was found and what was expected, but not the place of the cell."""


_is_command = False


@contextmanager
def on_command_line() -> Iterator[None]:
    """Let ``spelled`` return flags until the end: the caller is a command."""
    global _is_command  # threads and callbacks of the command see it too, unlike a ``ContextVar``
    before, _is_command = _is_command, True
    try:
        yield
    finally:
        _is_command = before


def spelled(flag: str, argument: str) -> str:
    """Return how the caller writes an option, for messages that state how to fix an error.

    :param flag: on the command line, such as ``--overwrite``
    :param argument: in Python, such as ``overwrite=True``
    """
    return flag if _is_command else argument


_SYNONYMS = tuple(
    frozenset(line.split())
    for line in """
    lr learning_rate learningrate base_lr max_lr peak_lr eta 学习率
    epochs n_epochs num_epochs max_epochs num_train_epochs nepochs 轮数 训练轮数
    batch_size batch bs batchsize train_batch_size per_device_train_batch_size minibatch 批大小 批量
    weight_decay wd l2 decay
    workers num_workers n_workers jobs n_jobs threads num_threads
    device gpu gpus cuda accelerator 设备 显卡
    precision amp fp16 bf16 half mixed_precision dtype
    patience early_stopping early_stop
    clip grad_clip clip_grad gradient_clip max_grad_norm clip_norm
    warmup warmup_steps warmup_ratio warmup_epochs
    accumulate grad_accum accumulation_steps gradient_accumulation gradient_accumulation_steps
    augment augmentation augmentations aug data_augmentation
    init initial_weights from_checkpoint finetune fine_tune finetune_from
    seed random_state random_seed manual_seed rng 随机种子 种子
    time_limit timeout max_time time_budget budget 时间限制
    folds n_folds num_folds k_folds kfold kfolds k_fold cv n_splits
    valid val validation dev val_size valid_size validation_size validation_split val_split
    test test_size test_split
    width hidden_size hidden_dim d_model embed_dim embedding_dim embedding_size hidden_units
    depth layers num_layers n_layers
    heads num_heads n_heads
    hidden hidden_size hidden_dim hidden_units
    size image_size img_size imgsz resolution input_size
    max_chars max_length max_len maxlen
    max_tokens max_length max_len maxlen max_seq_len
    rate sample_rate sampling_rate sr
    model model_name backbone architecture arch network 模型
    encoders encoder
    fusion fusion_method fusion_type 融合
    balance balancing
    metric metrics scoring eval_metric score
    class_weight class_weights
    out output outdir out_dir output_dir output_path save_dir save_path savedir save run_dir log_dir logdir folder 输出
    target targets target_column label labels y response outcome predict label_column label_col
    ignore drop exclude skip skip_columns drop_columns ignore_columns
    column columns col type types dtypes
    root roots data_dir image_dir image_root images_dir base_dir data_root
    quiet silent
    overwrite exist_ok replace
    resume continue
    table data dataset input train train_data training_data file csv data_path train_file path config config_file yaml cfg
    cuda gpu nvidia
    zh cn chinese zh_cn zh_hans 中文 汉语
    en english en_us 英文 英语
    tensorflow tf tflite litert keras
    openvino vino
    executorch pte
    mps metal apple
    float16 fp16 half
    bfloat16 bf16
    float32 fp32 full single float64 fp64 double
    random shuffle shuffled stratified stratify holdout
    folds cross_validation crossvalidation
    time temporal chronological
    f1 f1_score macro_f1 f1_macro
    roc_auc auc auroc rocauc
    average_precision ap auprc map
    log_loss logloss cross_entropy nll
    r2 r_squared
    text string str txt sentence 文本
    image img jpg png 图像
    number numeric numerical float int integer num double 数字 数值
    category categorical cat enum factor bool boolean nominal string str text object
    date datetime timestamp
    audio wav mp3 speech
    series timeseries time_series signal sequence sequences
    points pointcloud point_cloud pointclouds lidar
    pictures images imgs gallery
    tabular table numeric_table
    multiclass classification classifier classify multi_class
    regression regressor
    multilabel multi_label
    convnet cnn conv resnet resnet18 resnet34 resnet50 resnet101 efficientnet efficientnet_b0 mobilenet densenet vgg vgg16
    convnet convnext inception shufflenet squeezenet
    vit vision_transformer swin deit transformer
    text_transformer transformer lstm gru rnn bilstm gpt
    bag bow bag_of_words tfidf tf_idf fasttext ngrams ngram
    tabular mlp dense linear fc xgboost lightgbm catboost gbm random_forest
    tabular_transformer transformer ft_transformer tabtransformer
    series_transformer transformer lstm gru rnn tcn cnn
    spectrogram cnn ast melspectrogram mel
    pointnet pointnet2 pointnet++ dgcnn point_transformer
    frames resnet3d r3d c3d i3d slowfast
    pretrained bert roberta distilbert clip dino dinov2 whisper wav2vec wav2vec2 hubert
    late average avg mean vote voting ensemble ensembling late_fusion decision decision_level
    gated sum add weighted weighted_sum gate gating gmu
    concat concatenate concatenation cat early early_fusion feature_level simple
    attention transformer self_attention selfattention multihead mha
    cross_attention crossattention co_attention coattention mult
    lowrank low_rank lmf bilinear
    tensor tfn outer product multiply mul outer_product hadamard
    mixture moe mixture_of_experts experts
    """.strip().splitlines()
)
"""Groups of words for settings, their values and kinds; if one word of a group is unknown, another one is suggested. Closer groups come
first.
"""
_OF_COLUMNS = tuple(
    frozenset(line.split())
    for line in """
    price cost 价格 价錢 价钱 價格 单价 售价 金额
    title headline 标题 標題 题目 题名
    name 名称 名字 姓名 名稱
    category kind 类别 類別 分类 分類 种类 品类 类目
    label annotation tag 标签 標籤 标注 标记
    class 类 班级 类别
    type 类型
    target y outcome 目标 目标值 预测目标
    text content body 文本 文字 内容 正文
    description desc summary 描述 说明 简介 摘要
    comment review 评论 评价 点评
    question query 问题 提问
    answer reply 答案 回答 回复
    image photo picture pic img 图片 图像 照片 图
    audio sound recording 音频 声音 录音
    video clip movie 视频 影片
    file path filename 文件 路径 文件名
    date day 日期
    time 时间
    year 年 年份
    month 月 月份
    age 年龄
    gender sex 性别
    size 尺寸 大小 尺码
    color colour 颜色
    brand 品牌
    quantity count amount 数量 件数
    weight 重量 体重 权重
    height 高度 身高
    length 长度
    width 宽度
    area 面积
    temperature 温度
    city 城市
    country 国家
    address location 地址 地点 位置
    score rating grade stars 评分 得分 分数 打分
    sentiment emotion 情感 情绪
    status state 状态
    result 结果
    group 组 分组
    split 划分 数据划分
    level 等级 级别
    diagnosis disease 诊断 疾病
    patient 患者 病人
    user customer 用户 客户 顾客
    product item goods 商品 产品
    shop store 店铺 商店
    sales 销量 销售额
    income salary 收入 工资
    language 语言
    label category class target outcome 标签 类别 分类 目标 结果
    """.strip().splitlines()
)
"""Common names of columns in English and Chinese; closer groups come first."""


def nearest(word: str, words: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the candidate that ``word`` most likely stands for, or an empty string.

    Candidates are tried in this order: an almost identical spelling, a synonym (``learning_rate``: ``lr``, ``类别``: ``category``), a
    similar spelling.

    :param word: the unknown word
    :param words: the candidates
    """
    candidate = nearest_of(word, words)
    return f"; did you mean {candidate!r}?" if candidate is not None else ""


def nearest_folder(folder: Path) -> str:
    """Return ``"; did you mean 'x'?"`` for the most similarly named folder beside a folder that does not exist, or an empty string."""
    try:
        beside = [one.name for one in folder.absolute().parent.iterdir() if one.is_dir()] if not folder.exists() else []
    except OSError:
        return ""
    name = nearest_of(folder.name, beside)
    return f"; did you mean {str(folder.parent / name)!r}?" if name is not None else ""


def nearest_of(word: str, words: Iterable[str], cutoff: float = 0.6, *, columns: bool = True) -> str | None:
    """Return the candidate that ``nearest`` suggests, or None.

    :param cutoff: the least similarity (0 to 1) of two words that merely look alike
    :param columns: whether the words may be names of columns, which have synonyms of their own
    """
    folded = {_folded(candidate): str(candidate) for candidate in words}
    given = _folded(word)
    for candidate in (_alike(given, folded, 0.9), _synonym(given, folded, columns), _alike(given, folded, cutoff)):
        if candidate is not None:
            return folded[candidate]
    return None


def _folded(word: object) -> str:
    """Return a word in the form in which words are compared: in lower case, its parts separated by one underscore."""
    return re.sub(r"[\s_-]+", "_", str(word).strip().casefold()).strip("_") or str(word)


def _alike(given: str, words: Iterable[str], cutoff: float) -> str | None:
    """Return the word with the most similar spelling, None if the similarity of all of them is below ``cutoff``."""
    return next(iter(difflib.get_close_matches(given, list(words), n=1, cutoff=cutoff)), None)


def _synonym(given: str, words: Iterable[str], columns: bool) -> str | None:
    """Return a synonym of a word; otherwise a word of several parts of which one is a synonym (``商品标题``: ``title``).

    :param columns: whether the words may be names of columns
    """
    groups = [group for group in (*_SYNONYMS, *(_OF_COLUMNS if columns else ())) if given in group]
    for group in groups:
        for word in words:
            if word in group:
                return word
    for group in groups:
        if group not in _OF_COLUMNS:
            continue
        for word in words:
            if set(word.split("_")) & group or any(not one.isascii() and len(one) > 1 and one in word for one in group):
                return word
    return None


def requires(package: str, extra: str) -> ModuleType:
    """Import an optional package and return it.

    :param package: the name of the module
    :param extra: the extra of polymodal that installs it, for the message
    :raises MissingDependency: the package is not installed, or is broken
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package.partition(".")[0]:
            raise MissingDependency(
                f"package {package!r}: installed but broken ({error}); reinstall it: pip install 'polymodal[{extra}]'"
            ) from error
        raise MissingDependency(f"package {package!r}: not installed; this feature needs it; pip install 'polymodal[{extra}]'") from error
    except (ImportError, RuntimeError) as error:
        raise MissingDependency(
            f"package {package!r}: installed but broken ({error}); reinstall it: pip install 'polymodal[{extra}]'"
        ) from error


def counted(number: int, noun: str) -> str:
    """Return a number and a noun that agrees with it, such as ``1 row`` and ``1,000 rows``, for a message."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


_SILENT: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Let ``warn`` do nothing in this thread, as for the rows of a request, which are no table."""
    before = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(before)


def warn(text: str) -> None:
    """Issue a ``UserWarning`` that points at the line outside this package from which the package was called."""
    if _SILENT.get():
        return
    level, frame = 1, sys._getframe()
    outer: FrameType | None = frame
    while outer is not None and outer.f_code.co_filename.startswith(_PACKAGE):
        level, outer = level + 1, outer.f_back
    warnings.warn(text, UserWarning, stacklevel=level)
