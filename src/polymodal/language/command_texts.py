"""The texts that commands print besides those of training and measuring, English and Chinese side by side.

Names of columns and files, commands and settings are shown as they are in either language.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMAND_TEXTS: Mapping[str, tuple[str, str]] = {
    "wrote": ("wrote {path}", "已写入 {path}"),
    "wrote.rows": ("wrote {path}: {rows:,} {rows:row|rows}{parts}{files}", "已写入 {path}：{rows:,} 行{parts}{files}"),
    "wrote.parts": (" ({parts})", "（{parts}）"),
    "wrote.part": ("{rows:,} {name}", "{name} {rows:,} 行"),
    "wrote.no_split": ("without a split", "未划分"),
    "wrote.files": (", and files in {folder}", "，文件在 {folder} 中"),
    "interrupted_at_once": ("interrupted at once", "已立即中断"),
    "error": ("error:", "错误："),
    # check
    "check.ok": ("{name}: nothing found that would stop the run", "{name}：没有发现会使运行停止的问题"),
    "check.stops": ("{name}: this would stop the run", "{name}：以下问题会使运行停止"),
    "check.more": ("... {count:,} in column {column!r}", "……列 {column!r} 共 {count:,} 个"),
    "check.fault": ("{message} ({consequence})", "{message}（{consequence}）"),
    "check.stops_run": ("stops the run", "使运行停止"),
    "check.row_left_out": ("the row is left out", "不使用该行"),
    "check.cell_missing": ("the cell counts as missing", "该单元格按缺失处理"),
    "check.row_without_target": ("the row has no target", "该行没有目标值"),
    "check.table_unmeasured": ("the table is not measured", "该表不评估"),
    "check.column_of": ("{column} of {table}", "{table} 的 {column}"),
    "check.guessed": (
        "column {column!r}: {count:,} of {cells:,} {cells:cell|cells} cannot be read and count as missing; state the type of the column "
        "({fix})",
        "列 {column!r}：{cells:,} 个单元格中有 {count:,} 个无法读取，按缺失处理；请说明该列的类型（{fix}）",
    ),
    "check.some": (
        "column {column!r}: {count:,} of {cells:,} {cells:cell|cells} looked at cannot be read; a run stops where that is more than "
        "{limit:.0%} of all (data.max_faults)",
        "列 {column!r}：抽查的 {cells:,} 个单元格中有 {count:,} 个无法读取；超过全部的 {limit:.0%} 时运行会停止（data.max_faults）",
    ),
    "check.untried": ("no model was tried: {error}", "没有试训模型：{error}"),
    "check.few_rows": (
        "too few rows were looked at to try a model: no estimate of time and memory",
        "查看的行太少，无法试训模型：不估计时间和内存",
    ),
    "check.rows": ("rows", "行"),
    "check.models": ("models", "模型"),
    "check.time": ("time", "时间"),
    "check.memory": ("memory", "内存"),
    "check.disk": ("disk", "磁盘"),
    "check.device": ("device", "设备"),
    "check.precision": ("precision", "精度"),
    "check.to_train": ("{rows:,} to train on", "训练 {rows:,} 行"),
    "check.to_validate": ("{rows:,} to validate on", "验证 {rows:,} 行"),
    "check.to_select": ("{rows:,} to select the epoch", "选择轮次 {rows:,} 行"),
    "check.to_calibrate": ("{rows:,} to calibrate on", "校准 {rows:,} 行"),
    "check.to_test": ("{rows:,} to test on", "测试 {rows:,} 行"),
    "check.models_value": ("{members} of all fields{alone}; up to {course}", "全部字段 {members} 个{alone}；最多 {course}"),
    "check.alone": (
        ", and {alone} of each of {fields} single {fields:field|fields}",
        "，{fields} 个单字段各 {alone} 个",
    ),
    "check.course": (
        "{epochs} {epochs:epoch|epochs} of {steps:,} {steps:step|steps}",
        "{epochs} 轮，每轮 {steps:,} 步",
    ),
    "check.time_value": (
        "about {total} at most ({parts}); validation often stops it sooner{bound}",
        "最多约 {total}（{parts}）；验证常使它提前结束{bound}",
    ),
    "check.reading": ("reading {time}", "读取 {time}"),
    "check.frozen": (
        "frozen backbones {time} (less for cells that are known)",
        "冻结主干 {time}（已处理过的单元格更少）",
    ),
    "check.all_fields": ("all fields {time}", "全部字段 {time}"),
    "check.single_fields": ("single fields {time}", "单字段 {time}"),
    "check.bound": (
        "; training.time_limit ends it after {time}, with fewer models or epochs",
        "；training.time_limit 在 {time} 后结束训练，模型或轮次会更少",
    ),
    "check.hours": ("{hours:.1f} h", "{hours:.1f} 小时"),
    "check.memory_value": (
        "about {most:,.0f} MiB ({trial:,.0f} in a trial of a few steps, {tables:,.0f} for the rows)",
        "约 {most:,.0f} MiB（试训几步用 {trial:,.0f}，数据行用 {tables:,.0f}）",
    ),
    "check.disk_value": (
        "about {most:,.0f} MiB while it trains (samples {samples:,.0f}, checkpoints and bundle {saved:,.0f}); {free:,.0f} GiB free in "
        "{place}",
        "训练时约 {most:,.0f} MiB（样本 {samples:,.0f}，检查点和模型文件 {saved:,.0f}）；{place} 可用 {free:,.0f} GiB",
    ),
    "check.device_value": ("{device}, {threads} {threads:thread|threads}", "{device}，{threads} 个线程"),
    "check.precision_value": ("{precision}: {why}", "{precision}：{why}"),
    "precision.requested": ("requested (training.precision)", "按要求（training.precision）"),
    "precision.gpu": ("this GPU supports bfloat16 natively", "此 GPU 原生支持 bfloat16"),
    "precision.gpu_without": ("this GPU does not support bfloat16 natively", "此 GPU 不原生支持 bfloat16"),
    "precision.cpu_plain": ("the default on a CPU", "CPU 上的默认值"),
    "precision.cpu": (
        "on a CPU; pictures train faster with training.precision=bfloat16",
        "在 CPU 上；设 training.precision=bfloat16 可使图片训练更快",
    ),
    "precision.cpu_without": ("on a CPU; this one has no native bfloat16", "在 CPU 上；此 CPU 不原生支持 bfloat16"),
    "precision.other": ("the default on every device except CUDA", "除 CUDA 以外所有设备的默认值"),
    "check.bundle": (
        "bundle: whole, {models} {models:model|models}, answers {targets}",
        "模型文件：完整，{models} 个模型，预测 {targets}",
    ),
    "check.broken_bundle": ("bundle: {error}", "模型文件：{error}"),
    "check.not_begun": ("training had not begun; to begin it: {command}", "训练尚未开始；开始训练：{command}"),
    "check.ended": ("training has ended: there is nothing to resume", "训练已结束：没有可继续的"),
    "check.trained": ("trained completely: {models}", "已训练完成：{models}"),
    "check.in_training": (
        "in training: {unit}, epoch {epoch}, after step {step:,}",
        "正在训练：{unit}，第 {epoch} 轮，第 {step:,} 步之后",
    ),
    "check.resume": ("to resume it: {command}", "继续运行：{command}"),
    "check.from_memory": (
        "its table came from memory: give it again (polymodal train TABLE --resume RUN)",
        "它的表来自内存：请再次给出（polymodal train TABLE --resume RUN）",
    ),
    # table
    "table.read_as": ("{path}: read as {format} ({why})", "{path}：按 {format} 读取（{why}）"),
    "table.target": ("{target} is the column to predict: {names}", "{target} 是要预测的列：{names}"),
    "table.tar": ("a .tar file", ".tar 文件"),
    "table.tars": (".tar files", ".tar 文件"),
    "table.tfrecord": ("a TFRecord file", "TFRecord 文件"),
    "table.tfrecords": ("TFRecord files", "TFRecord 文件"),
    "table.huggingface": (
        "dataset_dict.json, or state.json and dataset_info.json",
        "dataset_dict.json，或 state.json 和 dataset_info.json",
    ),
    "table.tfds": ("features.json and dataset_info.json", "features.json 和 dataset_info.json"),
    "table.coco": ("annotations of COCO", "COCO 的标注"),
    "table.parquet": ("Parquet or Arrow files", "Parquet 或 Arrow 文件"),
    "table.media": ("{kind} {kind:file|files} in folders", "文件夹中的 {kind} 文件"),
    "table.media_metadata": ("{kind} {kind:file|files} and their metadata", "{kind} 文件及其元数据"),
    # init, export, serve
    "init.train": ("wrote {path}; train it: {command}", "已写入 {path}；训练：{command}"),
    "export.wrote": ("wrote {folder}: compared on {rows}", "已写入 {folder}：在 {rows} 上与模型比较"),
    "export.table_rows": ("{rows:,} {rows:row|rows} of {table}", "{table} 的 {rows:,} 行"),
    "export.made_up": (
        "{rows:,} made-up {rows:row|rows}, because there is no training table",
        "{rows:,} 个构造的行（没有训练表）",
    ),
    "export.difference": ("{target}: largest difference {difference:.1e}{rounded}", "{target}：最大差异 {difference:.1e}{rounded}"),
    "export.rounded": (", with 8 bits {difference:.1e}", "，8 位时 {difference:.1e}"),
    "export.before": ("{target}, before quantisation: {metrics}", "{target}，量化前：{metrics}"),
    "export.after": ("{target}, after quantisation: {metrics}", "{target}，量化后：{metrics}"),
    "serve.model": ("model {name!r}: {folder}, version {version}", "模型 {name!r}：{folder}，版本 {version}"),
    "serve.listening": (
        "listening on {address}  (open it in a browser; routes for programs: /openapi.json; stop: Ctrl-C)",
        "正在监听 {address}（用浏览器打开；程序接口：/openapi.json；停止：Ctrl-C）",
    ),
    "serve.loaded_again": ("model {name!r}: loaded again, version {version}", "模型 {name!r}：已重新加载，版本 {version}"),
    "serve.not_loaded_again": (
        "model {name!r}: not loaded again, and version {version} stays: {error}",
        "模型 {name!r}：没有重新加载，继续使用版本 {version}：{error}",
    ),
    "serve.replaced": ("{message}; another one takes its place", "{message}；由另一个进程代替"),
    "serve.replaced_later": (
        "{message}; another one takes its place in {seconds} s",
        "{message}；{seconds} 秒后由另一个进程代替",
    ),
    # demo
    "demo.data": (
        "easy-VQA: pictures of synthetic shapes with yes/no questions; {train:,} {train:row|rows} to train on, {test:,} to test on.",
        "easy-VQA：合成图形的图片和是非问题；{train:,} 行用于训练，{test:,} 行用于测试。",
    ),
    "demo.tables": ("tables: {train}, {test}", "表：{train}、{test}"),
    "demo.first": ("Each single field is trained alone as well, as in every run.", "与每次运行一样，也单独训练每个字段。"),
    "demo.second": (
        "The same encoders, concatenation and one linear layer: the same with {settings}",
        "相同的编码器，拼接加一个线性层：同上，另加 {settings}",
    ),
    "demo.interrupted": ("interrupted; begin again: {command}", "已中断；重新开始：{command}"),
    "demo.accuracy": ("test accuracy", "测试 accuracy"),
    "demo.image_only": ("picture only", "仅图片"),
    "demo.text_only": ("text only", "仅文本"),
    "demo.concat": ("concatenation + one linear layer", "拼接 + 一个线性层"),
    "demo.default": ("the default of `polymodal train`", "`polymodal train` 的默认设置"),
    "demo.meaning": (
        "The text-only model predicts from the frequency of yes for each question; the picture-only model does not know the question. "
        "Concatenation adds the contributions of both, which do not determine the answer. A fusion that multiplies them learns it.",
        "仅文本的模型按每个问题回答“是”的频率预测；仅图片的模型不知道问题。"
        "拼接把两者的贡献相加，这不能决定答案。把两者相乘的融合可以学会。",
    ),
    "demo.results": (
        "results: {metrics}, {picture} (learning curves, rows with their answers)",
        "结果：{metrics}、{picture}（学习曲线，带答案的行）",
    ),
    "demo.seconds": ("all of it took {seconds:.0f} s", "总共用时 {seconds:.0f} 秒"),
    "demo.next": ("next, on your own table:", "下一步，用自己的表："),
    # Why a metric is undefined
    "undefined.two_classes": ("needs rows of two classes or more", "需要两个或更多类别的行"),
    "undefined.no_known_class": ("no row of a class that was seen in training", "没有训练时见过的类别的行"),
    "undefined.differ": ("needs targets that differ", "需要不同的目标值"),
    "undefined.no_answer": ("no row has an answer of the vocabulary", "没有一行的答案在词表中"),
    "undefined.some_label": ("needs a label that some row has", "需要至少一行有的标签"),
    "undefined.label_anywhere": (
        "needs a label that some row has, in truth or in the answer",
        "需要至少一行有的标签，在真实值或预测中",
    ),
    "undefined.label_both": (
        "needs a label that some rows have and some have not",
        "需要有的行有、有的行没有的标签",
    ),
}
