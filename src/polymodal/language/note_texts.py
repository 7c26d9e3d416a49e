"""The notes of a run and the reasons of ``inspect``, English and Chinese side by side. The English is also what ``log.jsonl`` contains.

The code that finds them makes a ``Sentence`` of their key. Kinds of fields, encoders and settings are shown as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

NOTE_TEXTS: Mapping[str, tuple[str, str]] = {
    # What a column contains, and why it is used or not
    "why.requested": ("requested", "按要求"),
    "why.index": ("the index of the table", "表的索引"),
    "why.empty": ("every cell is empty", "所有单元格为空"),
    "why.same": ("every cell is the same", "所有单元格相同"),
    "why.numbers_id": (
        "different whole numbers, one after the other or in another order: an id",
        "互不相同的整数，依次递增或次序不同：编号",
    ),
    "why.code_id": ("a different code in every row: an id", "每行一个不同的代码：编号"),
    "why.unread": ("cells of {types}: no modality reads them", "单元格类型为 {types}：没有能读取它们的模态"),
    "why.pictures": (
        "{share} of the cells looked at are picture files, bytes or arrays",
        "抽查的单元格中 {share} 是图片文件、字节或数组",
    ),
    "why.several_pictures": (
        "{share} of the cells looked at are pictures, in {several:,} of them a list",
        "抽查的单元格中 {share} 是图片，其中 {several:,} 个是列表",
    ),
    "why.folders": ("{share} of the cells looked at are folders of pictures", "抽查的单元格中 {share} 是图片文件夹"),
    "why.sounds": ("{share} of the cells looked at are sound files or bytes", "抽查的单元格中 {share} 是声音文件或字节"),
    "why.videos": (
        "{share} of the cells looked at are videos (their sound: a field of kind audio)",
        "抽查的单元格中 {share} 是视频（其声音：audio 类字段）",
    ),
    "why.number_files": ("{share} of the cells looked at are files of numbers", "抽查的单元格中 {share} 是数值文件"),
    "why.point_files": ("{share} of the cells looked at are files of points", "抽查的单元格中 {share} 是点云文件"),
    "why.lists": ("{share} of the cells are lists of texts", "{share} 的单元格是文本列表"),
    "why.words": ("{words:.1f} words a cell, {share} of the cells differ", "平均每个单元格 {words:.1f} 个词，{share} 的单元格互不相同"),
    "why.numbers": ("{share} of the cells are numbers", "{share} 的单元格是数值"),
    "why.dates": ("{share} of the cells are dates", "{share} 的单元格是日期"),
    "why.values": (
        "{different} different {different:value|values} in {cells} {cells:cell|cells}",
        "{cells} 个单元格中有 {different} 个不同值",
    ),
    "why.over": ("over {values:,} different {values:value|values}", "超过 {values:,} 个不同值"),
    "why.rare": (
        "{values:,} different {values:value|values}, {once:,} of them in one row each, so that new rows have others",
        "{values:,} 个不同值，其中 {once:,} 个只在一行出现，因此新行会有其他值",
    ),
    "why.related": ("{values:,} different {values:value|values} that share words or beginnings", "{values:,} 个不同值，有共同的词或开头"),
    "why.recur": ("{share:.0%} of the cells occur {times} times or more", "{share:.0%} 的单元格出现 {times} 次以上"),
    "why.not_numbers": ("{share:.0%} of the cells are not numbers, such as {example}", "{share:.0%} 的单元格不是数值，例如 {example}"),
    "why.not_dates": ("{share:.0%} of the cells are not dates, such as {example}", "{share:.0%} 的单元格不是日期，例如 {example}"),
    "why.and_also": ("{why}; also {second}: {second_why}", "{why}；同时作为 {second}：{second_why}"),
    "left_out": ("column {column!r} is left out: {why}", "列 {column!r} 不使用：{why}"),
    "left_out.rows": (
        "{count:,} of {rows:,} {rows:row|rows} {count:has|have} no target, and {count:is|are} left out",
        "{rows:,} 行中有 {count:,} 行没有目标值，不参与训练",
    ),
    "of_column": ("{column}: {why}", "{column}：{why}"),
    "note.of_column": ("column {column!r}: {line}", "列 {column!r}：{line}"),
    "note.leak": ("column {column!r}: likely a leak: {line}", "列 {column!r}：很可能泄露目标：{line}"),
    "leak.path": (
        "its {part} predicts the target ({share:.0%} against {base:.0%} without); a path's text is never a feature",
        "{part}能预测目标（{share:.0%}，不看它时为 {base:.0%}）；路径的文字不会用作特征",
    ),
    "leak.folder": ("folder", "文件夹"),
    "leak.file_name": ("file name (without digits)", "文件名（去掉数字）"),
    "leak.rises": (
        "it rises and falls with the target ({how} above {bound}): is it known when you predict?",
        "它随目标一同升降（{how}高于 {bound}）：预测时能知道它吗？",
    ),
    "leak.correlation": ("correlation", "相关系数"),
    "leak.rank_correlation": ("rank correlation", "秩相关系数"),
    "leak.alone": (
        "alone it predicts the target in {share:.0%} of the rows: is it known when you predict?",
        "单凭它就能在 {share:.0%} 的行上预测目标：预测时能知道它吗？",
    ),
    "leak.thresholds": (
        "by thresholds alone it predicts the target in {share:.0%} of the rows: is it known when you predict?",
        "单凭阈值它就能在 {share:.0%} 的行上预测目标：预测时能知道它吗？",
    ),
    "suspicion.once": (
        "column {column!r}: {once:,} of {different:,} different {different:value|values} {once:occurs|occur} once, such as "
        "{example!r}: as categories they give no "
        "information on new rows; if they are numbers or dates, write them in one way; take them as text with --column {column}=text, or "
        "leave them out (--ignore)",
        "列 {column!r}：{different:,} 个不同值中有 {once:,} 个只出现一次，例如 {example!r}：作为类别，它们对新行没有信息；"
        "如果是数值或日期，请统一写法；可用 --column {column}=text 作为文本，或不使用（--ignore）",
    ),
    "suspicion.stops": ("training would stop: {error}", "训练会停止：{error}"),
    # Targets
    "target.kind": ("{kind} ({why})", "{kind}（{why}）"),
    "target.classes": ("{kind} ({why}); {shown}", "{kind}（{why}）；{shown}"),
    "target.values": ("{values:,} {values:value|values}, {rows:,.0f} rows each on average", "{values:,} 个值，平均每个 {rows:,.0f} 行"),
    # The notes of a run before training
    "note.field": ("field {field!r}: {kind}, encoder {encoder}", "字段 {field!r}：{kind}，编码器 {encoder}"),
    "note.field_why": ("field {field!r}: {kind}, encoder {encoder} ({why})", "字段 {field!r}：{kind}，编码器 {encoder}（{why}）"),
    "note.described": ("field {field!r}: {line}", "字段 {field!r}：{line}"),
    "note.target": ("target {target!r}: {kind}, {line}", "目标 {target!r}：{kind}，{line}"),
    "note.target_without": (
        "target {target!r}: {kind}, {line}; {rows:,} {rows:row|rows} without",
        "目标 {target!r}：{kind}，{line}；{rows:,} 行没有目标值",
    ),
    "note.setting": ("{path}: {why}", "{path}：{why}"),
    "note.plain_column": ("column {column}: {why}", "列 {column}：{why}"),
    "split.auto": ("auto takes {what}", "auto 选用 {what}"),
    "split.folds": (
        "folds: under {rows:,} rows every row should train, and every row should validate",
        "folds：少于 {rows:,} 行时，每一行都应参与训练，也都应参与验证",
    ),
    "split.random": (
        "random: {rows:,} rows are enough to use some for validation only",
        "random：{rows:,} 行足够多，可以留出一部分只用于验证",
    ),
    "describe.classes": ("{count} {count:class|classes}, of training rows {shown}", "{count} 个类别，训练行中 {shown}"),
    "describe.labels": ("{count} {count:label|labels}, of training rows {shown}", "{count} 个标签，训练行中 {shown}"),
    "describe.number": ("a number from {low:g} to {high:g}{unit}", "{low:g} 到 {high:g}{unit} 的数值"),
    "describe.pixels": ("{height} x {width} pixels, {channels} {channels:channel|channels}", "{height} x {width} 像素，{channels} 个通道"),
    "describe.ngrams": ("n-grams hashed into {buckets:,} buckets", "n-gram 哈希到 {buckets:,} 个桶"),
    "describe.subwords": ("{subwords:,} {subwords:subword|subwords}, at most {most}", "{subwords:,} 个子词，最多 {most} 个"),
    "plan": ("plan: {models} of {rows:,} {rows:row|rows}, up to {epochs}", "计划：{models}，每个用 {rows:,} 行训练，最多 {epochs}"),
    "plan.models": ("{models} {models:model|models}", "{models} 个模型"),
    "plan.one_model": ("one model", "一个模型"),
    "plan.epochs": ("{epochs} {epochs:epoch|epochs}", "{epochs} 轮（epoch）"),
    "plan.one_epoch": ("1 epoch", "1 轮（epoch）"),
    "plan.alone": ("each field alone on {models} of them", "每个字段单独训练其中 {models} 个"),
    "plan.folds": (
        "more of the {folds} folds with a longer --time-limit",
        "延长 --time-limit 可训练 {folds} 折中的更多折",
    ),
    "no_trees": ("no boosted trees: {why}", "没有提升树：{why}"),
    "no_trees.few_rows": ("{rows} training {rows:row|rows}; trees need {least}", "训练行 {rows} 行；提升树至少需要 {least} 行"),
    "no_trees.none": ("model.trees is null", "model.trees 为 null"),
    "no_trees.rule": (
        "the votes of the fusion {fusion!r} have a rule of their own",
        "融合方式 {fusion!r} 有自己的投票规则",
    ),
    "no_trees.no_field": (
        "no field has columns, n-grams, vectors or frozen features",
        "没有字段有列、n-gram、向量或冻结特征",
    ),
    "no_trees.outputs": (
        "target {target!r}: {kind} with {outputs} {outputs:output|outputs}; trees learn up to {most}",
        "目标 {target!r}：{kind}，{outputs} 个输出；提升树最多学习 {most} 个",
    ),
    "no_trees.package": (
        "LightGBM cannot be imported; install it: pip install lightgbm",
        "无法导入 LightGBM；请安装：pip install lightgbm",
    ),
    "override.dropped": (
        "kind {old} -> {new}: dropped its settings {settings}",
        "kind {old} -> {new}：不再使用其设置 {settings}",
    ),
    # Encoders and presets
    "encoder.bag": ("a bag of n-gram embeddings", "n-gram 嵌入的词袋"),
    "encoder.bag_few": (
        "a bag of n-grams with a high learning rate and strong dropout, because {rows:,} {rows:row is|rows are} few",
        "n-gram 词袋，学习率高、dropout 强，因为只有 {rows:,} 行",
    ),
    "encoder.bag_some": (
        "a bag of n-grams, because a transformer from scratch needs {needed:,} rows, and there are {rows:,}",
        "n-gram 词袋，因为从头训练 Transformer 需要 {needed:,} 行，而这里有 {rows:,} 行",
    ),
    "encoder.transformer": (
        "a transformer, because {rows:,} rows are enough to train it from scratch",
        "Transformer，因为 {rows:,} 行足够从头训练",
    ),
    "encoder.text_transformer": ("a transformer over subword tokens", "子词的 Transformer"),
    "encoder.convnet": ("a small residual network", "小型残差网络"),
    "encoder.vit": ("a vision transformer", "视觉 Transformer"),
    "encoder.word_embeddings": ("embeddings of subwords", "子词嵌入"),
    "encoder.patch_embeddings": ("embeddings of the patches of a picture", "图块嵌入"),
    "encoder.frames": ("an encoder of several pictures in a cell", "一个单元格中多张图片的编码器"),
    "encoder.pointnet": ("a network over sets of points", "点集网络"),
    "encoder.pretrained": ("an encoder with a pretrained backbone", "带预训练主干的编码器"),
    "encoder.series_transformer": ("a transformer over patches of a series", "序列分段的 Transformer"),
    "encoder.spectrogram": ("a small residual network over time and frequency", "时间和频率上的小型残差网络"),
    "encoder.tabular": ("a perceptron over embedded columns", "对各列嵌入的多层感知机"),
    "encoder.tabular_transformer": ("a transformer over columns", "各列的 Transformer"),
    "encoder.vector": ("a perceptron over a vector", "对向量的多层感知机"),
    "encoder.frozen": ("pretrained and frozen: {model}", "预训练并冻结：{model}"),
    "encoder.lora": ("pretrained, with low-rank adapters: {model}", "预训练，并训练低秩适配器：{model}"),
    "encoder.full": ("pretrained, with all its weights trained further: {model}", "预训练，并继续训练全部权重：{model}"),
    "encoder.frames_pretrained": ("each picture: {of_each}", "每张图片：{of_each}"),
    "encoder.fetched": (
        "{model}, {megabytes} MB, fetched from the Hugging Face hub unless it is on this machine",
        "{model}，{megabytes} MB，本机没有时从 Hugging Face Hub 获取",
    ),
    "zoo.encoder": ("that of {preset}, from scratch", "{preset} 的编码器，从头训练"),
    "zoo.encoder_weights": ("that of {preset}, with the weights of {model}", "{preset} 的编码器，使用 {model} 的权重"),
    "zoo.network": ("its network", "其网络"),
    "zoo.text": ("texts", "文本"),
    "zoo.image": ("pictures", "图片"),
    "zoo.text_by": ("texts by {encoder}", "文本由 {encoder} 编码"),
    "zoo.image_by": ("pictures by {encoder}", "图片由 {encoder} 编码"),
    "zoo.weights": ("{what} with the weights of {model}", "{what}，使用 {model} 的权重"),
    "zoo.scratch": ("{what} from scratch{size}", "{what}，从头训练{size}"),
    "zoo.size": (" ({sizes})", "（{sizes}）"),
    "zoo.hidden": ("{number} wide", "宽 {number}"),
    "zoo.depth": ("{number} {number:block|blocks}", "{number} 层"),
    "zoo.heads": ("{number} {number:head|heads}", "{number} 个注意力头"),
    "zoo.start": ("{setting}=FOLDER starts with the weights of a model", "{setting}=FOLDER 可从已有模型的权重开始"),
    "zoo.left_out": ("it does not read {fields}", "它不读取 {fields}"),
    # The notes of a run during and after training
    "note.init": (
        "init: {count} of {tensors} {tensors:tensor|tensors} taken from {weights}",
        "init：{tensors} 个张量中有 {count} 个取自 {weights}",
    ),
    "note.too_large": (
        "the weights of {networks} {networks:network|networks} of {models} {models:model|models} would exceed {most:,} MiB: the rest "
        "of the time is not used",
        "{models} 个模型、每个 {networks} 个网络的权重将超过 {most:,} MiB：剩余时间不再使用",
    ),
    "note.frozen_part": (
        "field {field!r}: {done:,} of {total:,} {total:cell|cells} seen by the frozen backbone, {left:.0f} s to go",
        "字段 {field!r}：冻结主干已处理 {done:,}/{total:,} 个单元格，还需 {left:.0f} 秒",
    ),
    "note.frozen": (
        "field {field!r}: {total:,} {total:cell|cells} seen by the frozen backbone{known}, {seconds:.1f} s",
        "字段 {field!r}：冻结主干处理了 {total:,} 个单元格{known}，用时 {seconds:.1f} 秒",
    ),
    "note.frozen_known": (", {known:,} of them known from before", "，其中 {known:,} 个此前已处理"),
    "note.checkpoint_ignored": ("{path}: ignored, {why}", "{path}：不使用，{why}"),
    "resume.forced": ("resumed all the same (--force): {difference}", "仍然继续（--force）：{difference}"),
    "resume.was": ("{place}: was {old}, is {new}", "{place}：原为 {old}，现为 {new}"),
    "resume.were": ("{place}: were {old}, are {new}", "{place}：原有 {old}，现有 {new}"),
    "resume.other_data": ("{place}: other data than before", "{place}：数据与此前不同"),
    "track.wandb": ("tracked by wandb: {url}", "wandb 记录：{url}"),
    "track.wandb_offline": (
        "tracked by wandb without a server: {place}; to upload it: wandb sync {place}",
        "wandb 记录（不连服务器）：{place}；上传：wandb sync {place}",
    ),
    "track.wandb_silent": ("wandb: the server does not answer ({error})", "wandb：服务器没有应答（{error}）"),
    "track.wandb_rest": (
        "wandb: not uploaded completely; to upload the rest: wandb sync {place}",
        "wandb：没有全部上传；上传其余部分：wandb sync {place}",
    ),
    "track.tensorboard": ("curves for TensorBoard: {folder}", "TensorBoard 曲线：{folder}"),
    "track.run": ("the run", "本次运行"),
    "track.results": ("the results", "结果"),
    "track.end": ("the end of the run", "运行的结束"),
    "track.failed": (
        "{tracker}: {what} could not be tracked ({error}); training continues, and nothing more is tracked by {tracker}",
        "{tracker}：{what}无法记录（{error}）；训练继续，{tracker} 不再记录",
    ),
    "track.mlflow": ("tracked by mlflow: run {run} in {place}", "mlflow 记录：{place} 中的运行 {run}"),
    # Warnings during training
    "warning.at_epoch": ("{model}, epoch {epoch}", "{model}，第 {epoch} 轮"),
    "warning.at_step": ("{model}, epoch {epoch}, step {step:,}", "{model}，第 {epoch} 轮，第 {step:,} 步"),
    "warning.loss": ("the loss is {value}, in rows {rows}", "损失为 {value}，在第 {rows} 行"),
    "warning.gradient": ("the gradient is {value}, in rows {rows}", "梯度为 {value}，在第 {rows} 行"),
    "warning.predictions": (
        "its predictions for validation rows are not finite",
        "对验证行的预测不是有限数",
    ),
    "warning.gave_up": (
        "{place}: {what}; the weights of epoch {epoch} are used; lower training.lr",
        "{place}：{what}；使用第 {epoch} 轮的权重；请降低 training.lr",
    ),
    "warning.step": ("{place}: {what}; {report}", "{place}：{what}；{report}"),
    "warning.step_undone": ("step undone and skipped", "撤销并跳过这一步"),
    "warning.restored": ("the weights of epoch {epoch} are restored", "恢复第 {epoch} 轮的权重"),
    "warning.memory": (
        "{place}: out of memory; from now on a batch is computed {rows} {rows:row|rows} at a time (training.accumulate={parts})",
        "{place}：内存不足；此后每批一次计算 {rows} 行（training.accumulate={parts}）",
    ),
    "warning.checkpoint": (
        "{model}, step {step:,}: checkpoint not written ({why}); the one before it is valid; training continues; free some disk space",
        "{model}，第 {step:,} 步：检查点没有写入（{why}）；之前的检查点有效；训练继续；请清理磁盘空间",
    ),
    "warning.first_checkpoint": (
        "{model}, step {step:,}: checkpoint not written ({why}); there is none before it; training continues; free some disk space",
        "{model}，第 {step:,} 步：检查点没有写入（{why}）；之前没有检查点；训练继续；请清理磁盘空间",
    ),
    "warning.member_checkpoint": (
        "{model}: checkpoint not written ({why}); resumed, it would be trained again; free some space",
        "{model}：检查点没有写入（{why}）；恢复运行时需要重新训练它；请清理磁盘空间",
    ),
    "warning.log": ("{path}: cannot be written ({why}); events are not logged", "{path}：无法写入（{why}）；事件不再记录"),
    "warning.report": (
        "report.html was not written ({why}); make it later: polymodal report {folder}",
        "report.html 没有写入（{why}）；以后可以生成：polymodal report {folder}",
    ),
    "warning.no_test": ("the test table was not measured: {error}", "测试表没有评估：{error}"),
    "note.continues": (
        "{model}: continues in epoch {epoch}, after step {step:,}",
        "{model}：从第 {epoch} 轮、第 {step:,} 步之后继续",
    ),
    "note.trees": ("boosted trees: {rounds:,} {rounds:round|rounds} in {seconds:.0f} s", "提升树：{rounds:,} 棵，用时 {seconds:.0f} 秒"),
    "note.vote": ("{voter} {weight:.2f}", "{voter} {weight:.2f}"),
    "note.votes": ("target {target!r}: weights of the votes: {weights}", "目标 {target!r}：各投票的权重：{weights}"),
    "note.pooled": (
        "target {target!r}: the mean of {models} {models:model|models} is multiplied by {scale:.2f}, fitted on {rows:,} "
        "{rows:row|rows} that none of them was "
        "trained on",
        "目标 {target!r}：{models} 个模型的平均乘以 {scale:.2f}，该系数在没有训练过任何模型的 {rows:,} 行上拟合",
    ),
    "note.no_time": ("baseline {field!r}: left out, no time", "单字段 {field!r}：时间不够，没有训练"),
    "note.no_further_folds": (
        "no further folds: fold {fold} of {folds} would take about {seconds:,.0f} s{baselines}; {left:,.0f} s are left",
        "不再训练更多折：第 {fold}/{folds} 折约需 {seconds:,.0f} 秒{baselines}；还剩 {left:,.0f} 秒",
    ),
    "note.no_further_networks": (
        "no further networks: network {number} of {models} {models:model|models} would take about {seconds:,.0f} s{baselines}; "
        "{left:,.0f} s are left",
        "不再追加网络：{models} 个模型的第 {number} 个网络约需 {seconds:,.0f} 秒{baselines}；还剩 {left:,.0f} 秒",
    ),
    "note.and_baselines": (", and the baselines {seconds:,.0f} s", "，单字段模型约需 {seconds:,.0f} 秒"),
    "note.most_networks": (
        "every member has {networks} {networks:network|networks}, the maximum: the rest of the time is not used",
        "每个成员已有 {networks} 个网络，达到上限：剩余时间不再使用",
    ),
    "note.silent": (
        "{model}, epoch {epoch}: field {field!r} has learned nothing so far that generalizes (its validation loss is {loss:.2f}, a "
        "constant's {constant:.2f}), while {other!r} fits the training rows ({fitting:.2f}); it is uninformative, or it stopped "
        "learning: "
        "{fix}",
        "{model}，第 {epoch} 轮：字段 {field!r} 至今没有学到可泛化的内容（验证损失 {loss:.2f}，常数预测为 {constant:.2f}），"
        "而 {other!r} 已能拟合训练行（{fitting:.2f}）；它没有信息，或停止了学习：{fix}",
    ),
    "note.silent_baseline": (
        "its baseline, trained after this model, will show which",
        "随后训练的单字段模型会说明是哪一种",
    ),
    "note.silent_alone": ("a model of it alone would show which", "单独训练它的模型可以说明是哪一种"),
    "note.stopped": (
        "field {field!r} stopped learning beside the others: alone it reaches {metric} {alone:.4f} of {task}, its vote inside the fused "
        "model {vote:.4f} (a constant {constant:.4f}), on the same {rows:,} held-out rows{because}; try a larger training.auxiliary, or "
        "training.balance.kind={fix}",
        "字段 {field!r} 在其他字段旁停止了学习：单独训练时 {task} 的 {metric} 为 {alone:.4f}，它在融合模型里的投票为 {vote:.4f}"
        "（常数预测为 {constant:.4f}），"
        "在相同的 {rows:,} 个验证行上{because}；可试较大的 training.auxiliary，或 training.balance.kind={fix}",
    ),
    "note.fits": (
        "; {field!r} fits the training rows since epoch {epoch} (its own loss {loss:.3f}, here {here:.3f})",
        "；{field!r} 从第 {epoch} 轮起已能拟合训练行（其自身损失 {loss:.3f}，此字段 {here:.3f}）",
    ),
    # The notes of a comparison
    "compare.take_part": (
        "{contenders} {contenders:contender|contenders} (single fields: {fields}, fusions: {fusions})",
        "{contenders} 个候选模型：{fields} 个单字段，{fusions} 种融合",
    ),
    "compare.take_part_again": (
        "{contenders} {contenders:contender|contenders} (single fields: {fields}, fusions: {fusions}, fusions once more with other "
        "settings: {again})",
        "{contenders} 个候选模型：{fields} 个单字段，{fusions} 种融合，其中 {again} 种以其他设置再参加一次",
    ),
    "compare.refused": ("{contender} does not take part: {why}", "{contender} 不参加：{why}"),
    "compare.divided": (
        "rows: {selecting:,} select (epochs, settings, contenders), {measured:,} others are measured over {rounds} {rounds:round|rounds}, "
        "up to {training:,} train in each round",
        "行：{selecting:,} 行用于选择（轮、设置、候选模型），另外 {measured:,} 行在 {rounds} 个轮次中测量，"
        "每个轮次至多用 {training:,} 行训练",
    ),
    "compare.goes_on": (
        "goes on: {trainings:,} {trainings:training was|trainings were} done before",
        "继续：此前已完成 {trainings:,} 次训练",
    ),
    # The notes and the conclusion of a search
    "tune.begins": (
        "{trials:,} {trials:trial|trials} with other values of {paths}, each a run on {rows:,} {rows:row|rows}",
        "{trials:,} 次试验，每次以不同的 {paths} 在 {rows:,} 行上训练",
    ),
    "tune.goes_on": ("goes on: {trials:,} {trials:trial was|trials were} done before", "继续：此前已完成 {trials:,} 次试验"),
    "tune.all_tried": ("all {count:.0f} {count:combination was|combinations were} tried", "{count:.0f} 种组合都已试过"),
    "tune.time": ("the time limit", "达到时间上限"),
    "tune.best": (
        "trial {number} is the best of {trials} {trials:trial|trials}{stopped}",
        "第 {number} 次试验是 {trials} 次试验中最好的{stopped}",
    ),
    "tune.only": ("trial {number} is the best of one trial{stopped}", "第 {number} 次试验是唯一的一次{stopped}"),
    "tune.why_pruned": (
        "after epoch {epoch}: worse than the median of the other trials",
        "第 {epoch} 轮之后：不如其他试验的中位数",
    ),
    "tune.stopped": (" ({why})", "（{why}）"),
    "tune.optimistic": (
        "its validation figure is optimistic, since it was selected by this figure",
        "它的验证指标偏乐观，因为它正是按这一指标选出的",
    ),
    "tune.no_test": (
        "for a figure without selection, keep test rows: --test TABLE, or data.split.test=0.2",
        "要得到没有选择偏差的指标，请保留测试行：--test TABLE，或 data.split.test=0.2",
    ),
    "tune.test": ("on {rows:,} test rows, which selected nothing: {figures}", "在 {rows:,} 个没有参与选择的测试行上：{figures}"),
}
