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
    "why.values": ("{different} different values in {cells} cells", "{cells} 个单元格中有 {different} 个不同值"),
    "why.over": ("over {values:,} different values", "超过 {values:,} 个不同值"),
    "why.rare": (
        "{values:,} different values, {once:,} of them in one row each, so that new rows have others",
        "{values:,} 个不同值，其中 {once:,} 个只在一行出现，因此新行会有其他值",
    ),
    "why.related": ("{values:,} different values that share words or beginnings", "{values:,} 个不同值，有共同的词或开头"),
    "why.recur": ("{share:.0%} of the cells occur {times} times or more", "{share:.0%} 的单元格出现 {times} 次以上"),
    "why.not_numbers": ("{share:.0%} of the cells are not numbers, such as {example}", "{share:.0%} 的单元格不是数值，例如 {example}"),
    "why.not_dates": ("{share:.0%} of the cells are not dates, such as {example}", "{share:.0%} 的单元格不是日期，例如 {example}"),
    "why.and_also": ("{why}; also {second}: {second_why}", "{why}；同时作为 {second}：{second_why}"),
    "left_out": ("column {column!r} is left out: {why}", "列 {column!r} 不使用：{why}"),
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
        "column {column!r}: {once:,} of {different:,} different values occur once, such as {example!r}: as categories they give no "
        "information on new rows; if they are numbers or dates, write them in one way; take them as text with --column {column}=text, or "
        "leave them out (--ignore)",
        "列 {column!r}：{different:,} 个不同值中有 {once:,} 个只出现一次，例如 {example!r}：作为类别，它们对新行没有信息；"
        "如果是数值或日期，请统一写法；可用 --column {column}=text 作为文本，或不使用（--ignore）",
    ),
    "suspicion.stops": ("training would stop: {error}", "训练会停止：{error}"),
    # Targets
    "target.kind": ("{kind} ({why})", "{kind}（{why}）"),
    "target.classes": ("{kind} ({why}); {shown}", "{kind}（{why}）；{shown}"),
    "target.values": ("{values:,} values, {rows:,.0f} rows each on average", "{values:,} 个值，平均每个 {rows:,.0f} 行"),
    # The notes of a run before training
    "note.field": ("field {field!r}: {kind}, encoder {encoder}", "字段 {field!r}：{kind}，编码器 {encoder}"),
    "note.field_why": ("field {field!r}: {kind}, encoder {encoder} ({why})", "字段 {field!r}：{kind}，编码器 {encoder}（{why}）"),
    "note.described": ("field {field!r}: {line}", "字段 {field!r}：{line}"),
    "note.target": ("target {target!r}: {kind}, {line}", "目标 {target!r}：{kind}，{line}"),
    "note.target_without": (
        "target {target!r}: {kind}, {line}; {rows:,} rows without",
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
    "describe.classes": ("{count} classes: {shown}", "{count} 个类别：{shown}"),
    "describe.labels": ("{count} labels: {shown}", "{count} 个标签：{shown}"),
    "describe.number": ("a number from {low:g} to {high:g}{unit}", "{low:g} 到 {high:g}{unit} 的数值"),
    "describe.pixels": ("{height} x {width} pixels, {channels} channels", "{height} x {width} 像素，{channels} 个通道"),
    "describe.ngrams": ("n-grams hashed into {buckets:,} buckets", "n-gram 哈希到 {buckets:,} 个桶"),
    "describe.subwords": ("{subwords:,} subwords, at most {most}", "{subwords:,} 个子词，最多 {most} 个"),
    "plan": ("plan: {models} of {rows:,} rows, up to {epochs}", "计划：{models}，每个用 {rows:,} 行训练，最多 {epochs}"),
    "plan.models": ("{models} models", "{models} 个模型"),
    "plan.one_model": ("one model", "一个模型"),
    "plan.epochs": ("{epochs} epochs", "{epochs} 轮（epoch）"),
    "plan.one_epoch": ("1 epoch", "1 轮（epoch）"),
    "plan.alone": ("each field alone on {models} of them", "每个字段单独训练其中 {models} 个"),
    "plan.folds": (
        "more of the {folds} folds with a longer --time-limit",
        "延长 --time-limit 可训练 {folds} 折中的更多折",
    ),
    "no_trees": ("no boosted trees: {why}", "没有提升树：{why}"),
    "no_trees.few_rows": ("{rows} training rows; trees need {least}", "训练行 {rows} 行；提升树至少需要 {least} 行"),
    # The notes of a run during and after training
    "note.continues": (
        "{model}: continues in epoch {epoch}, after step {step:,}",
        "{model}：从第 {epoch} 轮、第 {step:,} 步之后继续",
    ),
    "note.trees": ("boosted trees: {rounds:,} rounds in {seconds:.0f} s", "提升树：{rounds:,} 棵，用时 {seconds:.0f} 秒"),
    "note.votes": ("target {target!r}: weights of the votes: {weights}", "目标 {target!r}：各投票的权重：{weights}"),
    "note.pooled": (
        "target {target!r}: the mean of {models} models is multiplied by {scale:.2f}, fitted on {rows:,} rows that none of them was "
        "trained on",
        "目标 {target!r}：{models} 个模型的平均乘以 {scale:.2f}，该系数在没有训练过任何模型的 {rows:,} 行上拟合",
    ),
    "note.no_time": ("baseline {field!r}: left out, no time", "单字段 {field!r}：时间不够，没有训练"),
    "note.no_further_folds": (
        "no further folds: fold {fold} of {folds} would take about {seconds:,.0f} s{baselines}; {left:,.0f} s are left",
        "不再训练更多折：第 {fold}/{folds} 折约需 {seconds:,.0f} 秒{baselines}；还剩 {left:,.0f} 秒",
    ),
    "note.no_further_networks": (
        "no further networks: network {number} of {models} models would take about {seconds:,.0f} s{baselines}; {left:,.0f} s are left",
        "不再追加网络：{models} 个模型的第 {number} 个网络约需 {seconds:,.0f} 秒{baselines}；还剩 {left:,.0f} 秒",
    ),
    "note.and_baselines": (", and the baselines {seconds:,.0f} s", "，单字段模型约需 {seconds:,.0f} 秒"),
    "note.most_networks": (
        "every member has {networks} networks, the maximum: the rest of the time is not used",
        "每个成员已有 {networks} 个网络，达到上限：剩余时间不再使用",
    ),
    "note.silent": (
        "{model}, epoch {epoch}: field {field!r} has learned nothing so far that generalizes (its validation loss is {loss:.2f}, a "
        "constant's {constant:.2f}), while {other!r} fits the training rows ({fitting:.2f}); it is uninformative, or it stopped learning: "
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
        "{contenders} contenders (single fields: {fields}, fusions: {fusions})",
        "{contenders} 个候选模型：{fields} 个单字段，{fusions} 种融合",
    ),
    "compare.take_part_again": (
        "{contenders} contenders (single fields: {fields}, fusions: {fusions}, fusions once more with other settings: {again})",
        "{contenders} 个候选模型：{fields} 个单字段，{fusions} 种融合，其中 {again} 种以其他设置再参加一次",
    ),
    "compare.refused": ("{contender} does not take part: {why}", "{contender} 不参加：{why}"),
    "compare.divided": (
        "rows: {selecting:,} select (epochs, settings, contenders), {measured:,} others are measured over {rounds} rounds, up to "
        "{training:,} train in each round",
        "行：{selecting:,} 行用于选择（轮、设置、候选模型），另外 {measured:,} 行在 {rounds} 个轮次中测量，"
        "每个轮次至多用 {training:,} 行训练",
    ),
    "compare.goes_on": ("goes on: {trainings:,} trainings were done before", "继续：此前已完成 {trainings:,} 次训练"),
    # The notes and the conclusion of a search
    "tune.goes_on": ("goes on: {trials:,} trials were done before", "继续：此前已完成 {trials:,} 次试验"),
    "tune.all_tried": ("all {count:.0f} combinations were tried", "{count:.0f} 种组合都已试过"),
    "tune.time": ("the time limit", "达到时间上限"),
    "tune.best": ("trial {number} is the best of {trials} trials{stopped}", "第 {number} 次试验是 {trials} 次试验中最好的{stopped}"),
    "tune.only": ("trial {number} is the best of one trial{stopped}", "第 {number} 次试验是唯一的一次{stopped}"),
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
