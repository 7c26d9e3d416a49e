"""The texts of the terminal, English and Chinese side by side: the progress of a run, and the results that commands print.

Names of columns and metrics, commands and paths are shown as they are in either language.
"""

from __future__ import annotations

from collections.abc import Mapping

TERMINAL_TEXTS: Mapping[str, tuple[str, str]] = {
    "warning": ("warning: {text}", "警告：{text}"),
    "time.seconds": ("{number} s", "{number} 秒"),
    "time.minutes": ("{number} min", "{number} 分钟"),
    "time.hours": ("{hours} h {minutes} min", "{hours} 小时 {minutes} 分钟"),
    # The progress of a run or a comparison
    "progress.reading": ("reading the table", "读取表"),
    "progress.measuring": ("measuring", "评估"),
    "progress.models": (
        "models, each with its metric on the rows that select its epoch, and its seconds:",
        "各个模型，及其在选择轮次（epoch）的行上的指标和用时：",
    ),
    "progress.trainings": (
        "trainings, each with its metric on the rows that select:",
        "各次训练，及其在选择行上的指标：",
    ),
    "progress.symbols": (
        "*: the best epoch so far; waiting: the share of the time in which no rows were ready",
        "*：目前最好的一轮；等待：没有就绪数据的时间占比",
    ),
    "progress.begins": ("{model}:", "{model}："),
    "progress.epoch": ("{model}, epoch {epoch} of {epochs}", "{model}，第 {epoch}/{epochs} 轮"),
    "progress.speed": ("{speed:,.0f} rows/s", "{speed:,.0f} 行/秒"),
    "progress.waiting": ("waiting {waiting:.0%}", "等待 {waiting:.0%}"),
    "progress.kept": ("epoch {epoch}/{epochs}", "第 {epoch}/{epochs} 轮"),
    "progress.seconds": ("{seconds:,.1f} s", "{seconds:,.1f} 秒"),
    "progress.many_seconds": ("{seconds:,.0f} s", "{seconds:,.0f} 秒"),
    "progress.left": ("{time} left", "剩 {time}"),
    "progress.trained_before": ("trained before", "此前已训练"),
    "progress.interrupted": ("interrupted", "已中断"),
    "progress.time_limit": ("time limit", "达到时间上限"),
    "progress.failed": ("failed", "失败"),
    "progress.round": ("round {round}", "第 {round} 轮次"),
    "progress.search": ("{stage}, trial {trial}", "{stage}，第 {trial} 组"),
    "progress.trials": (
        "trials, each with its metric on validation rows and its settings:",
        "各次试验，及其在验证行上的指标和所用的设置：",
    ),
    "progress.trial": ("trial {number}", "试验 {number}"),
    "progress.mean": ("mean", "平均"),
    "progress.repeated": ("the same as an earlier trial", "与之前的试验相同"),
    "progress.best_so_far": ("best so far", "目前最好"),
    # The results of a run
    "train.title": (
        "{target} ({kind}): metrics on {rows:,} {rows:row|rows} held out of training",
        "{target}（{kind}）：在 {rows:,} 个未用于训练的行上的指标",
    ),
    "train.pooled_title": (
        "{target}: the mean of all models, which predicts new rows, beside single models as above; on the {rows:,} {rows:row|rows} that "
        "none of them was trained on",
        "{target}：所有模型的平均（用于预测新行）与上面那样的单个模型；在任何模型都未训练过的 {rows:,} 行上",
    ),
    "train.pooled": ("mean of all models", "所有模型的平均"),
    "train.single": ("single models", "单个模型"),
    "train.test_title": ("{target}: metrics on {rows:,} test {rows:row|rows}", "{target}：在 {rows:,} 个测试行上的指标"),
    "train.leaderboard": (
        "{target}: {metric} of the model, of its votes and of single fields",
        "{target}：模型、其各个投票与单字段的 {metric}",
    ),
    "train.same_rows": ("{verdict} ({value} on its {rows:,} {rows:row|rows})", "{verdict}（在它的 {rows:,} 行上为 {value}）"),
    "train.report": ("report: {path}", "报告：{path}"),
    "train.open": ("open it: {command}", "打开：{command}"),
    "train.open_anywhere": ("open it in a browser; it needs no other file", "用浏览器打开即可，不需要其他文件"),
    "train.bundle": ("model: {path}", "模型：{path}"),
    "train.next": ("next: {command}", "下一步：{command}"),
    "train.interrupted": ("interrupted{state}; go on: {command}", "已中断{state}；继续：{command}"),
    "train.best_so_far": ("; the best weights so far are in {path}", "；目前最好的权重在 {path}"),
    "train.not_begun": (" before training began", "，训练尚未开始"),
    "legend.smaller": ("smaller is better: {names}", "越小越好：{names}"),
    "legend.undefined": ("-: undefined on these rows", "-：在这些行上没有定义"),
    "legend.error": (
        "±: the standard error; of a metric from 0 to 1, wider than the binomial one on few rows (Bonett and Price 2012)",
        "±：标准误；0 到 1 之间的指标在行数少时比二项分布的标准误大（Bonett 和 Price 2012）",
    ),
    "legend.p": ("p: two-sided, of a paired test on the same rows", "p：在相同行上的配对检验，双侧"),
    "legend.p_fields": (
        "p: two-sided, of a paired test, corrected for {fields} fields (better: Berger 1982; worse: Bonferroni)",
        "p：配对检验的双侧 p 值，已按 {fields} 个字段校正（优于：Berger 1982；不如：Bonferroni）",
    ),
    "legend.verdict": ("verdict: a paired test on the same rows", "结论：在相同行上的配对检验"),
    "legend.contenders": (
        "*: the single field and the fusion chosen on the selection rows, which are not measured; difference: to that single field, above "
        "0 is better; ±: the standard deviation over rounds; the interval in the sentence below also contains the uncertainty of "
        "the choice",
        "*：在选择行上选出的单字段和融合，选择行不参与测量；差：相对选出的单字段，大于 0 为更好；±：各轮次的标准差；"
        "下面结论中的区间还包括选择的不确定性",
    ),
    "legend.explain": (
        "share: of the difference between all fields and none; Shapley value: the contribution of the field, ± its standard error "
        "if it is estimated; "
        "permuted: with the cells of the field exchanged between rows; perceptual score: the share of the metric that is lost by that, "
        "± its spread",
        "占比：占“全部字段”与“没有任何字段”之差的比例；Shapley 值：该字段的贡献，若为估计值则 ± 为标准误；"
        "打乱：在行之间交换该字段的单元格；"
        "感知分数：打乱后指标损失的比例，± 为离散程度",
    ),
    "legend.relative_only": (
        "1, 2, ...: the metric at each severity; relative: the mean of the metric from severity 0 (unchanged) to the last one, by the "
        "trapezoidal rule",
        "1、2……：各严重程度下的指标；相对：从严重程度 0（未改变）到最后一个的平均（梯形法）",
    ),
    # inspect
    "inspect.title": ("{table}: {rows:,} {rows:row|rows}, {columns} {columns:column|columns}", "{table}：{rows:,} 行，{columns} 列"),
    "inspect.column": ("column", "列"),
    "inspect.role": ("role", "用途"),
    "inspect.modality": ("modality", "模态"),
    "inspect.missing": ("missing", "缺失"),
    "inspect.distinct": ("distinct", "不同值"),
    "inspect.why": ("why", "依据"),
    "inspect.target": ("target {target!r}: {line}", "目标 {target!r}：{line}"),
    "inspect.unreadable": ("cells that cannot be read:", "无法读取的单元格："),
    "inspect.unreadable_of": ("cells that cannot be read (of {rows:,} {rows:row|rows} read):", "无法读取的单元格（读取了 {rows:,} 行）："),
    "inspect.cell": ("row {row}, column {column!r}: {fault}", "第 {row} 行，列 {column!r}：{fault}"),
    "inspect.more": ("... and {more:,} more in column {column!r}", "……列 {column!r} 还有 {more:,} 个"),
    "inspect.suspicious": ("to be checked:", "需要检查："),
    "inspect.nothing": ("nothing suspicious found", "没有发现可疑之处"),
    "inspect.nothing_else": ("nothing suspicious found beside the cells that cannot be read", "除无法读取的单元格外，没有发现可疑之处"),
    # evaluate, predict, explain
    "evaluate.title": ("{target}, {rows}", "{target}，{rows}"),
    "evaluate.rows": ("{rows:,} {rows:row|rows}", "{rows:,} 行"),
    "evaluate.some_rows": ("{measured:,} of {rows:,} {rows:row|rows}", "共 {rows:,} 行，评估了 {measured:,} 行"),
    "evaluate.trained_on": (
        "this is the table that trained the model: metrics of new rows are usually worse; metrics.json has those of validation rows",
        "这张表训练了该模型：新行上的指标通常更差；metrics.json 中有验证行上的指标",
    ),
    "evaluate.undefined": ("{metric}: undefined here ({reason})", "{metric}：在这里没有定义（{reason}）"),
    "evaluate.rows_left_out": ("{target}: {rows:,} {rows:row is|rows are} left out, {why}", "{target}：{rows:,} 行不参与评估，{why}"),
    "evaluate.without_target": ("without a target", "没有目标值"),
    "evaluate.unreadable": ("with a target that cannot be read", "目标值无法读取"),
    "evaluate.unknown": ("{target}: {line}; they count as answered wrongly", "{target}：{line}；计为预测错误"),
    "evaluate.sampled": (
        "{table}: {sampled:,} of {with_target:,} {with_target:row|rows} with a target",
        "{table}：有目标值的行共 {with_target:,} 行，测量了 {sampled:,} 行",
    ),
    "evaluate.sampled_seed": (
        "{table}: {sampled:,} of {with_target:,} {with_target:row|rows} with a target, seed {seed}",
        "{table}：有目标值的行共 {with_target:,} 行，测量了 {sampled:,} 行，随机种子 {seed}",
    ),
    "evaluate.untouched": (
        "{target}: {metric} {value} of untouched cells, {rows:,} {rows:row|rows}",
        "{target}：单元格保持原样时 {metric} 为 {value}，{rows:,} 行",
    ),
    "evaluate.against": ("effective: how much less is lost than by {baseline}", "有效：比 {baseline} 少损失多少"),
    "predict.wrote": ("wrote {path}: {rows:,} {rows:row|rows}", "已写入 {path}：{rows:,} 行"),
    "explain.whole_line": (
        "{target}: {metric} {whole} with all fields, {nothing} with none, {rows:,} {rows:row|rows}",
        "{target}：有全部字段时 {metric} 为 {whole}，没有任何字段时为 {nothing}，{rows:,} 行",
    ),
    "explain.nearest_sum": (
        "the nearest sum of the contributions of single fields (EMAP, {rows:,} {rows:row|rows}): {metric} {value}, of {whole} with "
        "interaction",
        "与模型最接近的各字段单独贡献之和（EMAP，{rows:,} 行）：{metric} 为 {value}，含交互为 {whole}",
    ),
    "explain.row_title": ("row {row}", "第 {row} 行"),
    "explain.row_faults": ("row {row} ({faults})", "第 {row} 行（{faults}）"),
    "explain.row_skipped": ("{row}: skipped", "{row}：跳过"),
    "explain.row_line": ("{row}, {line}", "{row}，{line}"),
    "explain.row_prediction": (
        "{target}: {prediction}; {unit} {whole}, without any field {nothing}",
        "{target}：{prediction}；{unit} {whole}，没有任何字段时 {nothing}",
    ),
    "explain.row_probability": ("{prediction} (probability {score:z.4f})", "{prediction}（概率 {score:z.4f}）"),
    "explain.row_label": ("{prediction} ({label}: probability {score:z.4f})", "{prediction}（{label} 的概率 {score:z.4f}）"),
    "explain.contribution": ("contribution", "贡献"),
    "explain.strongest": ("strongest parts", "贡献最大的部分"),
    "explain.parts_legend": (
        "contribution: what the field adds to the value of the prediction; the parts are those whose removal changes it most",
        "贡献：该字段使预测的数值增加多少；列出的部分是去掉后变化最大的部分",
    ),
    "wrote_page": ("wrote {folder}/{page} and {data}", "已写入 {folder}/{page} 和 {data}"),
    "page_hint": ("for a page of it: -o FOLDER", "需要网页时加 -o 文件夹"),
    # compare
    "compare.measured": (
        "{target}: measured on {rows:,} {rows:row|rows} over {rounds} {rounds:round|rounds}",
        "{target}：在 {rounds} 个轮次中共测量 {rows:,} 行",
    ),
    "compare.short_difference": ("difference", "差"),
    "compare.rounds_spread": ("± over rounds", "± 各轮次"),
    "compare.change_line": ("{contender} against {other}: {difference}, {interval}", "{contender} 相对 {other}：{difference}，{interval}"),
    "compare.change_interval": ("95 % interval {low} to {high}", "95% 区间 {low} 至 {high}"),
    "compare.without_interval": ("no interval", "没有区间"),
    "compare.nothing": (
        "nothing to compare: no single field, or no fusion, was trained to its end",
        "没有可比较的：没有单字段或没有融合训练完成",
    ),
    "compare.train_best": ("train the best: {command}", "训练最好的：{command}"),
    "compare.interrupted": ("interrupted; go on: {command}", "已中断；继续：{command}"),
    # The results of a search
    "tune.trial": ("trial", "试验"),
    "tune.trials": (
        "the best {shown} of {trials} {trials:trial|trials}, each with its metric on validation rows and its settings",
        "{trials} 次试验中最好的 {shown} 次，及其在验证行上的指标和所用的设置",
    ),
    "tune.pruned": ("{count:,} {count:trial was|trials were} pruned", "{count:,} 次试验提前结束"),
    "tune.failed": ("{count:,} {count:trial|trials} failed: the first for this reason: {why}", "{count:,} 次试验失败，第一次的原因：{why}"),
    "tune.model": ("model: {path}", "模型：{path}"),
    "tune.train": ("train a run with these settings: {command}", "用这些设置训练：{command}"),
    "tune.interrupted": ("interrupted; the same command goes on with the search", "已中断；再次运行同一命令即可继续"),
}
