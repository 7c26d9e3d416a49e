"""The texts of the pages, English and Chinese side by side. The Chinese terms are those of ``docs/glossary.md``.

Placeholders in braces are filled by ``Words``. Names of columns, classes and metrics, cells, commands and messages of faults are data: they
are shown as they are in either language.
"""

from __future__ import annotations

from collections.abc import Mapping

PAGE_TEXTS: Mapping[str, tuple[str, str]] = {
    # Texts of several pages
    "colon": ("{name}: {value}", "{name}：{value}"),
    "comma": (", ", "，"),
    "sentence_space": (" ", ""),
    "list_separator": ("; ", "；"),
    "enumeration": (", ", "、"),
    "all_fields": ("all fields", "全部字段"),
    "only": ("only {field}", "仅 {field}"),
    "without": ("without {field}", "不含 {field}"),
    "rows_of_a_point": ("{rows:,} {rows:row|rows}", "{rows:,} 行"),
    "sampled": (
        "{sampled:,} of {with_target:,} {with_target:row|rows} with a target (seed {seed}).",
        "有目标值的行共 {with_target:,} 行，测量了其中 {sampled:,} 行（随机种子 {seed}）。",
    ),
    "field": ("field", "字段"),
    # The report of a run: the head
    "run.rows": (
        "{rows:,} {rows:row|rows} in the table, {training:,} training {training:row|rows} for each model, seed {seed}",
        "表共 {rows:,} 行，每个模型用 {training:,} 行训练，随机种子 {seed}",
    ),
    "run.seconds": ("{seconds:,.0f} s", "用时 {seconds:,.0f} 秒"),
    # The report of a run that has not ended
    "run.interrupted": ("This run was interrupted before its end.", "本次运行在结束之前中断。"),
    "run.running": ("This run is still in training.", "本次运行仍在训练。"),
    "run.not_begun": ("Training had not begun, so that there are no figures.", "训练尚未开始，因此没有任何指标。"),
    "run.partial": (
        "The figures below are those of the models that were trained until then.",
        "以下指标只包含到那时为止已训练的模型。",
    ),
    "run.unmeasured": ("No model had been measured, so that there are no metrics.", "还没有模型经过测量，因此没有指标。"),
    "run.in_training": (
        "In training: {model}, after epoch {epoch} of at most {epochs}.",
        "正在训练：{model}，已完成第 {epoch} 轮，最多 {epochs} 轮。",
    ),
    "run.models": ("models", "模型"),
    "run.trained": ("trained", "已训练"),
    "run.planned": ("planned", "计划"),
    "run.resume": ("To resume it:", "继续训练："),
    # The report of a run: the metrics
    "run.metrics": ("Metrics", "指标"),
    "run.validation_rows": ("{rows:,} validation {rows:row|rows}", "验证行 {rows:,} 行"),
    "run.pooled": ("mean of all models, {rows:,} calibration {rows:row|rows}", "所有模型的平均，校准行 {rows:,} 行"),
    "run.single_models": ("single models, the same rows", "单个模型，同样的行"),
    "run.test_rows": ("all fields, test rows", "全部字段，测试行"),
    "run.leaderboard": ("Leaderboard on validation rows", "验证行上的排名"),
    "run.value": ("value ± standard error", "数值 ± 标准误"),
    "run.model_difference": ("all fields minus it", "全部字段减去它"),
    "run.model_verdict": ("verdict", "结论"),
    "run.model_better": ("all fields are better", "全部字段更好"),
    "run.model_worse": ("all fields are worse", "全部字段更差"),
    "run.model_same": ("within noise of all fields", "与全部字段差别在噪声内"),
    "run.leaderboard_rows": ("rows", "行数"),
    "run.leaderboard_seconds": ("seconds", "秒"),
    "run.network": ("network{number}", "网络{number}"),
    "run.trees": ("boosted trees", "提升树"),
    "run.vote_of": ("vote of {field}", "{field} 的投票"),
    # The report of a run: training
    "run.learning": ("Learning curves", "学习曲线"),
    "run.fused": ("fused", "融合模型"),
    "run.fold": ("{model}, fold {fold}", "{model}，第 {fold} 折"),
    "run.fold_of": ("fold {fold}", "第 {fold} 折"),
    "run.epoch": ("epoch", "轮（epoch）"),
    "run.training_loss": ("training loss", "训练损失"),
    "run.monitored": ("monitored metric after each epoch, 0 = perfect", "每轮之后监控的指标（0 为最佳）"),
    "run.fields_in_training": ("Training of each field", "各字段的训练过程"),
    "run.own_loss": ("loss of the field's own vote, training rows", "该字段自身投票的损失（训练行）"),
    "run.own_validation_loss": ("loss of the field's own vote, validation rows", "该字段自身投票的损失（验证行）"),
    "run.gradient": ("share of the gradient", "梯度份额"),
    "run.balance": ("What each field learned in the fused model", "各字段在融合模型中学到了多少"),
    "run.alone": ("trained alone", "单独训练"),
    "run.vote": ("its vote in the fused model", "在融合模型中的投票"),
    "run.constant": ("constant prediction", "常数预测"),
    "run.stopped": ("stopped learning", "停止学习"),
    # The report of a run: predictions
    "run.predictions": ("Predictions on validation rows", "验证行上的预测"),
    "run.confusion": ("Confusion matrix: a row for each true class", "混淆矩阵：每行对应一个真实类别"),
    "run.most_frequent": ("{shown} most frequent of {classes} {classes:class|classes}", "{classes} 个类别中最常见的 {shown} 个"),
    "run.most_confused": (
        "the {shown} of {classes} {classes:class|classes} with the most errors; the others are summed",
        "{classes} 个类别中错误最多的 {shown} 个，其余类别合并",
    ),
    "run.other_classes": ("{count:,} other {count:class|classes}", "其余 {count:,} 个类别"),
    "run.other_classes_note": (
        "The last cell, of the other classes with themselves, includes their correct predictions and the confusions among them.",
        "最后一格是其余类别之间的合计，既包含正确的预测，也包含它们之间的混淆。",
    ),
    "run.confusions": ("Most frequent confusions", "最常见的混淆"),
    "run.share_of_class": ("share of class", "占该类比例"),
    "run.roc": ("ROC curve", "ROC 曲线"),
    "run.false_positives": ("false positive rate", "假阳性率"),
    "run.true_positives": ("true positive rate", "真阳性率"),
    "run.precision_recall": ("Precision and recall", "精确率与召回率"),
    "run.recall": ("recall", "召回率"),
    "run.precision": ("precision", "精确率"),
    "run.scatter": ("Prediction against truth", "预测值与真实值"),
    "run.truth": ("truth", "真实值"),
    "run.prediction": ("prediction", "预测值"),
    "run.calibration": ("Calibration", "校准"),
    "run.accuracy": ("share of correct predictions", "预测正确的比例"),
    "run.confidence": ("confidence", "置信度"),
    "run.calibration_both": ("Calibration before and after scaling", "缩放前后的校准"),
    "run.before": ("before scaling", "缩放前"),
    "run.after": ("after scaling", "缩放后"),
    "run.scaled": (
        "The votes are multiplied by {scale:.2f}. Each of the {rows:,} validation rows is scaled by a factor that was fitted on other "
        "rows "
        "(cross-fitting). The ece of a perfectly calibrated model on as many rows is {chance:z.4f} by chance.",
        "投票乘以 {scale:.2f}。{rows:,} 个验证行各自使用在其他行上拟合的系数（交叉拟合）。"
        "完全校准的模型在同样多的行上，ece 的偶然值为 {chance:z.4f}。",
    ),
    "run.pooled_scale": (
        "The figures above are those of single models. The mean of all models is multiplied by {scale:.2f}, which was fitted on {rows:,} "
        "calibration rows that no model was trained on.",
        "以上是单个模型的结果。所有模型的平均乘以 {scale:.2f}，该系数在 {rows:,} 个校准行上拟合，这些行没有训练过任何模型。",
    ),
    "run.pooled_calibration": (
        "On these rows, ece {ece_before} and log_loss {log_before} before scaling, ece {ece_after} and log_loss "
        "{log_after} after it (ece by chance: {chance:z.4f}).",
        "在这些行上，缩放前 ece {ece_before}，log_loss {log_before}；缩放后 ece {ece_after}，log_loss {log_after}"
        "（ece 偶然值：{chance:z.4f}）。",
    ),
    "run.sets": ("Prediction sets and intervals", "预测集合与预测区间"),
    "run.split_conformal": (
        "split conformal prediction, on {rows:,} {rows:row|rows} that no model was trained on: a set of coverage c contains the truth "
        "of a new row of "
        "the same distribution with probability c at least",
        "分裂共形预测，依据 {rows:,} 个没有训练过任何模型的行：对同分布的新行，覆盖率为 c 的集合包含真实值的概率至少为 c",
    ),
    "run.cv_plus": (
        "CV+, on {rows:,} {rows:row|rows}, each predicted by the model that was not trained on it: a set of coverage c contains the "
        "truth of a new "
        "row of the same distribution with probability 2c - 1 at least, and about c or more in practice",
        "CV+，依据 {rows:,} 行，每行由没有用它训练的模型预测：对同分布的新行，覆盖率为 c 的集合包含真实值的概率至少为 2c - 1，"
        "实际约为 c 或更高",
    ),
    "run.largest_errors": ("Rows with the largest errors", "误差最大的行"),
    "run.row": ("row {row:,}", "第 {row:,} 行"),
    "run.predicted": ("prediction", "预测"),
    "run.probability": ("probability {share:.0%}", "概率 {share:.0%}"),
    # The model card
    "card.what": (
        "A model trained with polymodal {version} on a table. It reads any of its fields, each of which may be missing.",
        "由 polymodal {version} 在表格上训练的模型。它可读取下列任意字段，每个字段都允许缺失。",
    ),
    "card.predicts": ("What it predicts", "预测目标"),
    "card.number": ("{column}: a number", "{column}：数值"),
    "card.classes": ("{column}: {count} {count:class|classes}:", "{column}：{count} 个类别："),
    "card.more": (", and {more:,} more", "，另有 {more:,} 个"),
    "card.reads": ("What it reads", "输入字段"),
    "card.missing": (
        "A field that is missing, or a cell that cannot be read, changes only the prediction of its own row.",
        "缺失的字段或无法读取的单元格，只影响它所在行的预测。",
    ),
    "card.kind": ("kind", "类型"),
    "card.encoder": ("encoder", "编码器"),
    "card.columns": ("columns", "列"),
    "card.training": ("Training", "训练"),
    "card.members": ("models: {members}; fusion: {fusion}", "模型数：{members}；融合方式：{fusion}"),
    "card.validation": (
        "Metrics on validation rows, which trained none of the models that predict them, beside those of each single field.",
        "以下为验证行上的指标：这些行没有训练过对其进行预测的模型；并列出各单字段模型的指标。",
    ),
    "card.use": ("How to use it", "使用方法"),
    "card.limits": ("Limits", "局限"),
    "card.limits.text": (
        "The metrics hold for new rows of the same distribution as the training table. Measure the model on rows of your own before you "
        "rely on it: `polymodal evaluate`. Classes that are not listed above are never predicted.",
        "以上指标适用于与训练表格同分布的新数据。在依赖该模型之前，请用自己的数据评估：`polymodal evaluate`。"
        "模型不会预测上面未列出的类别。",
    ),
    # The report of a run: fields
    "run.contribution": ("What each field contributes", "各字段的作用"),
    "run.shapley": ("contribution of each field (Shapley values)", "各字段的贡献（Shapley 值）"),
    "run.too_many_fields": (
        "The model has {fields} {fields:field|fields}, and not every set of them was measured. To compute the contribution of each "
        "field, run: "
        "polymodal explain RUN TABLE",
        "模型有 {fields} 个字段，没有测量字段的所有组合。要计算各字段的贡献，请运行：polymodal explain RUN TABLE",
    ),
    "run.shapley_sum": (
        "{metric} is {nothing:z.4f} without any field and {whole:z.4f} with all fields; the bars sum to the difference.",
        "没有任何字段时 {metric} 为 {nothing:z.4f}，有全部字段时为 {whole:z.4f}；各条之和等于两者之差。",
    ),
    "run.present": ("which fields are present", "存在哪些字段"),
    "run.by_missing": ("by share of missing cells", "随缺失比例的变化"),
    "run.share_missing": ("share of missing cells", "缺失单元格的比例"),
    # The report of a run: faults and reproduction
    "run.faults": ("Cells that could not be read", "无法读取的单元格"),
    "run.some_faults": ("{shown:,} of {faults:,}", "共 {faults:,} 个，显示 {shown:,} 个"),
    "run.fault_row": ("row", "行"),
    "run.fault_column": ("column", "列"),
    "run.fault": ("fault", "读取错误"),
    "run.made": ("How the run was made", "运行环境与设置"),
    "run.threads": ("threads", "线程数"),
    "run.table": ("table", "表"),
    "run.command": ("command", "命令"),
    "run.data": ("digests of the data", "数据摘要"),
    "run.plan": ("plan", "训练计划"),
    "run.plan_models": ("models of all fields: {members}", "全部字段的模型：{members} 个"),
    "run.plan_alone": ("models of each single field: {alone}", "每个单字段的模型：{alone} 个"),
    "run.plan_no_alone": ("no models of single fields", "没有单字段模型"),
    "run.plan_epochs": ("at most {epochs} {epochs:epoch|epochs} for each model", "每个模型最多 {epochs} 轮"),
    "run.plan_trees": ("boosted trees: about {trees:.0f} s for each model", "提升树：每个模型约 {trees:.0f} 秒"),
    "run.notes": ("notes and warnings of the log", "日志中的说明与警告"),
    # The page of explain
    "explain.title": ("Contribution of each field: {table}", "各字段的贡献：{table}"),
    "explain.rows": ("{rows:,} {rows:row|rows} in the table.", "表共 {rows:,} 行。"),
    "explain.members": (
        "{rows:,} {rows:row|rows} in the table; the mean of {members} {members:model|models}.",
        "表共 {rows:,} 行；{members} 个模型的平均。",
    ),
    "explain.legend": (
        "The Shapley values of the fields of a row sum to the difference between its prediction and that of a row without any field. The "
        "value of a word, a column or a place of a picture is what the prediction loses when that part alone is removed. Blue parts "
        "support the prediction, orange parts oppose it.",
        "一行中各字段的 Shapley 值之和，等于该行的预测与没有任何字段时的预测之差。"
        "一个词、一列或图片中一块的值，是单独去掉它时预测失去的部分。蓝色支持该预测，橙色反对该预测。",
    ),
    "explain.metric": (
        "{metric} is {whole} with all fields and {nothing} without any, over {rows:,} {rows:row|rows}.",
        "在 {rows:,} 行上，有全部字段时 {metric} 为 {whole}，没有任何字段时为 {nothing}。",
    ),
    "explain.share": ("share", "占比"),
    "explain.shapley": ("Shapley value", "Shapley 值"),
    "explain.alone": ("alone", "仅此字段"),
    "explain.without": ("without it", "去掉它"),
    "explain.permuted": ("permuted", "打乱"),
    "explain.perceptual": ("perceptual score", "感知分数"),
    "explain.additive": (
        "The nearest sum of one function of each field (EMAP, {rows:,} {rows:row|rows}) has {metric} {value}; the model with "
        "interactions has "
        "{whole}.",
        "与模型最接近的、各字段单独贡献之和（EMAP，{rows:,} 行）的 {metric} 为 {value}；含交互的模型为 {whole}。",
    ),
    "explain.orders": (
        "Shapley values from {orders} sampled orders of the fields, ± standard error.",
        "Shapley 值由 {orders} 个抽样的字段次序估计，± 为标准误。",
    ),
    "explain.row": ("Row {row:,}", "第 {row:,} 行"),
    "explain.faults": ("Cells that cannot be read: {faults}", "无法读取的单元格：{faults}"),
    "explain.skipped": ("The row was skipped: no prediction.", "该行被跳过：没有预测。"),
    "explain.probability": ("{prediction}; probability {score:z.4f}", "{prediction}；概率 {score:z.4f}"),
    "explain.label_probability": ("{prediction}; {label}: probability {score:z.4f}", "{prediction}；{label} 的概率 {score:z.4f}"),
    "explain.whole": ("{unit} {whole}; without any field {nothing}.", "{unit} {whole}；没有任何字段时 {nothing}。"),
    # The page of evaluate --robustness
    "robustness.title": ("Robustness to corrupted and missing cells: {table}", "单元格损坏或缺失时的稳健性：{table}"),
    "robustness.against": ("The baseline is {baseline}.", "基线：{baseline}。"),
    "robustness.legend": (
        "Severity 0 is the cells as they are. Relative robustness is the area under a curve divided by its width: the mean of the metric "
        "over severities. Effective robustness is how much less the model loses than the baseline. A corruption of one field leaves the "
        "other fields as they are.",
        "严重程度 0 表示单元格保持原样。相对稳健性是曲线下的面积除以宽度，即指标在各严重程度上的平均。有效稳健性是模型比基线少损失多少。"
        "一个字段损坏时，其他字段保持原样。",
    ),
    "robustness.severity": ("severity", "严重程度"),
    "robustness.missing": ("missing cells", "缺失的单元格"),
    "robustness.share_missing": ("share of missing cells", "缺失单元格的比例"),
    "robustness.corruption": ("corruption", "损坏方式"),
    "robustness.relative": ("relative", "相对"),
    "robustness.effective": ("effective", "有效"),
    # The page of compare
    "compare.title": ("Does fusion help? {table}", "融合有用吗？{table}"),
    "compare.facts": (
        "a table of {rows:,} {rows:row|rows}; {seconds:,.0f} s; seed {seed}",
        "表共 {rows:,} 行；用时 {seconds:,.0f} 秒；随机种子 {seed}",
    ),
    "compare.facts_limited": (
        "a table of {rows:,} {rows:row|rows}; {seconds:,.0f} of {limit:,.0f} s; seed {seed}",
        "表共 {rows:,} 行；用时 {seconds:,.0f} 秒，时限 {limit:,.0f} 秒；随机种子 {seed}",
    ),
    "compare.contender": ("contender", "候选模型"),
    "compare.spread": ("± over rounds", "各轮次的标准差"),
    "compare.difference": ("against the chosen single field", "相对选出的单字段"),
    "compare.interval": ("95 % interval", "95% 区间"),
    "compare.seconds": ("seconds", "秒"),
    "compare.parameters": ("parameters", "参数量"),
    "compare.settings": ("settings", "设置"),
    "compare.best_alone": ("the chosen single field", "选出的单字段"),
    "compare.as_configured": ("as configured", "原配置"),
    "compare.ends": ("{low} to {high}", "{low} 至 {high}"),
    "compare.note": (
        "* and bold: the single field and the fusion that are best on the selection rows, which are not measured; another one may measure "
        "better. Each interval alone has a coverage of 95 %; among many contenders, one may look good by chance. Values above 0 are better "
        "than the chosen single field. The interval of the sentence above also contains the uncertainty of the choice of the two. A "
        "constant prediction has {metric} {constant}.",
        "* 和粗体：在选择行上最好的单字段和融合，选择行不参与测量；测量时另一个可能更好。"
        "每个区间单独来看覆盖率为 95%；候选模型很多时，其中一个可能只是偶然看起来好。"
        "大于 0 表示比选出的单字段好。上面结论中的区间还包括选择这两个模型的不确定性。常数预测的 {metric} 为 {constant}。",
    ),
    "compare.change": ("{contender} against {other}: {difference} ({ends}).", "{contender} 相对 {other}：{difference}（{ends}）。"),
    "compare.every_metric": ("every metric", "全部指标"),
    "compare.not_measured": ("Not measured", "没有测量"),
    "compare.failed": ("training failed: {reason}", "训练失败：{reason}"),
    "compare.left_out": (
        "left out after the search ({scores}). It was trained on {rows:,} {rows:row|rows} and scored on selection rows, so that the "
        "scores cannot be "
        "compared with those of the rounds.",
        "搜索之后被淘汰（{scores}）。它在 {rows:,} 行上训练，在选择行上计分，因此分数不能与各轮次的指标比较。",
    ),
    "compare.no_scores": ("no score is defined", "没有可用的分数"),
    "compare.search_score": ("{target}: {score}, the best of the same stage {best}", "{target}：{score}，同一阶段最好的为 {best}"),
}

VALUES: Mapping[str, Mapping[str, str]] = {
    "unit": {"log-odds": "对数几率"},
    "role": {"feature": "特征", "target": "目标", "ignored": "不使用", "group": "分组", "split": "划分", "weight": "权重"},
    "stage": {"search": "搜索"},
    "state": {"pruned": "提前结束", "failed": "失败"},
    "baseline": {"a model": "另一个模型"},
    "corruption": {
        "all at once": "全部字段同时损坏",
        "missing cells": "单元格缺失",
        "blur": "模糊",
        "noise": "噪声",
        "dark": "变暗",
        "occlusion": "遮挡",
        "jpeg": "JPEG 压缩",
        "clipping": "削波",
        "dropouts": "断音",
        "gaps": "缺口",
        "drift": "漂移",
        "scale": "缩放",
        "dropped": "丢失",
        "swapped": "替换",
        "jitter": "抖动",
        "thinned": "稀疏化",
        "sector": "扇区缺失",
        "typos": "错字",
        "ocr": "识别错误",
    },
}
"""Chinese for values of the results, by kind; the values are English in the JSON files and on English pages."""

SENTENCES: Mapping[str, str] = {
    # metrics.json, "finding"
    "finding": (
        "{target}：全部字段的 {metric} 为 {all:z.4f}{all_beside}，{verdict}；"
        "差为 {difference:+z.4f}，标准误 {error:z.4f}，p = {p:.2g}；在相同的 {rows:,} 个验证行上比较"
    ),
    "finding.better": "优于最好的单字段 {best}（{alone:z.4f}{beside}）",
    "finding.worse": "不如最好的单字段 {best}（{alone:z.4f}{beside}）",
    "finding.same": "与最好的单字段 {best}（{alone:z.4f}{beside}）的差别在噪声范围内",
    "finding.beside": "，{metric} {value:z.4f}",
    "finding.why": "；以 {metric} 为准，因为{why}",
    "finding.untried": "；由于时间不够，没有单独训练 {fields}",
    "finding.end": "{sentence}。",
    "rare_class": "其中一个类别很少",
    # compare.json, "sentence"
    "compare.helps": "融合在这里有用，差为 {by}",
    "compare.harms": "融合在这里有害，差为 {by}；应使用 {alone}",
    "compare.same": "没有证据表明融合在这里有用：差为 {by}，其绝对值小于 {small}",
    "compare.undecided": "尚无定论：没有证据表明融合在这里有用或有害；差（{by}）可能只是噪声",
    "compare.sentence": (
        "{target}：{head}。在选择行上选出的融合和单字段的 {metric}："
        "{fused} 为 {fused_value}，{alone} 为 {alone_value}；{interval}{smaller}。"
    ),
    "compare.other_alone": "另一个单字段（{field}）没有被选中，其值为 {value}。",
    "compare.interval": "95% 区间为 {low} 至 {high}",
    "compare.no_interval": "没有区间",
    "compare.few_rounds": "没有区间（至少需要 {rounds} 个轮次）",
    "compare.smaller": "；{metric} 越小越好，差大于 0 表示融合更小",
    "compare.constant": "没有证据表明有字段能预测 {target}：常数预测的 {metric} 为 {value}。",
    "compare.why": "以 {metric} 为准，因为{why}。",
    "compare.beside": "同时给出 {metric}：{fused} 为 {fused_value}，{alone} 为 {alone_value}。",
    "compare.basis": (
        "依据：{rounds} 个轮次，每个轮次换一个随机种子，在 {trained:,} 行{of}上训练全部候选模型{epochs}，在其他行上测量；"
        "各轮次共测量 {measured:,} 行，这些行没有参与任何选择。"
        "另有 {selecting:,} 行用于选择轮（epoch）和候选模型，并从每个候选模型在 {search_rows:,} 行上试过的 {trials} 组设置中选出一组。"
    ),
    "compare.epochs": "（最多 {epochs} 轮）",
    "compare.of_trainable": "（可用 {rows:,} 行，延长 --time-limit 可用更多行）",
    "compare.points": "{value} 个百分点",
}
"""Chinese sentences that pages make of the facts of a result; the English sentence is stored in its JSON file."""
