"""The notes and warnings on tables, columns, cells and files, English and Chinese side by side. The English is also in ``log.jsonl``.

Messages of faults, which state why one cell cannot be read, are shown as they are, as errors are.
"""

from __future__ import annotations

from collections.abc import Mapping

DATA_TEXTS: Mapping[str, tuple[str, str]] = {
    # Files of tables
    "table.line": ("{table}, {line}", "{table}：{line}"),
    "table.encoding": (
        "{place}: not UTF-8 text; read as {encoding}, as in {shown}; if that is wrong, {fix}",
        "{place}：不是 UTF-8 文本；按 {encoding} 读取，例如 {shown}；如果不对，{fix}",
    ),
    "table.no_encoding": (
        "{place}: the encoding {encoding} has no effect: the characters of Excel, Parquet and Feather files are Unicode",
        "{place}：编码 {encoding} 不起作用：Excel、Parquet 和 Feather 文件的字符都是 Unicode",
    ),
    "table.encoding_fix": (
        "name its encoding: encoding=gb18030 (Chinese Windows), cp1252 (Western Windows), ... (--encoding), or write it again as UTF-8",
        "请指定编码：encoding=gb18030（中文 Windows）、cp1252（西文 Windows）等（--encoding），或另存为 UTF-8",
    ),
    "table.other_encoding": ("name another encoding of the file (encoding=, --encoding)", "请指定文件的其他编码（encoding=、--encoding）"),
    "table.export_again": ("export the table again, as UTF-8", "请重新导出该表，编码用 UTF-8"),
    "table.export_workbook": ("export the workbook again", "请重新导出工作簿"),
    "garbled": (
        "{place}, column {column!r}: {count:,} of {cells:,} cells {what}, such as {example!r}{meant}; {fix}",
        "{place}，列 {column!r}：{cells:,} 个单元格中有 {count:,} 个{what}，例如 {example!r}{meant}；{fix}",
    ),
    "garbled.meant": (" (which may have been {text!r})", "（原文可能是 {text!r}）"),
    "garbled.lost": (
        "contain U+FFFD or {lost}: characters that were lost before the file was written",
        "含有 U+FFFD 或“{lost}”：写入文件之前字符已经丢失",
    ),
    "garbled.control": (
        "contain control characters, which text decoded in a wrong encoding does",
        "含有控制字符，以错误编码读取的文本会出现这种情况",
    ),
    "garbled.wrong": ("seem to have been decoded in a wrong encoding", "似乎是以错误编码读取的"),
    "table.archive_media": (
        "{path}: {count:,} {count:picture, sound or video|pictures, sounds or videos} beside the table {count:is|are} not read from the "
        "archive; cells that name files are read below {folder}; unpack the archive there",
        "{path}：表旁边的 {count:,} 个图片、声音或视频不从压缩包中读取；单元格中的文件名在 {folder} 下查找；请把压缩包解压到那里",
    ),
    "table.no_columns": ("{table}: no column {columns}; missing in every row{hint}", "{table}：没有列 {columns}；每一行都按缺失处理{hint}"),
    "table.meant": ("; did you mean {names}?", "；是否指 {names}？"),
    "bundle.frozen_elsewhere": (
        "field {field!r}: its frozen weights are not in the bundle, but taken from {model}; they are those of the training",
        "字段 {field!r}：冻结的权重不在模型文件中，取自 {model}；与训练时的权重相同",
    ),
    # How the cells of a column are read
    "cells.compact_dates": ("digits such as {example} are read as dates", "{example} 这样的数字按日期读取"),
    "cells.comma": (
        "the comma is read as the decimal sign, as in {example!r}; to change it, set {place}decimal='.'",
        "逗号按小数点读取，例如 {example!r}；如需更改，请设置 {place}decimal='.'",
    ),
    "cells.currencies": (
        "amounts in several currencies ({names}) are read without conversion",
        "不同币种（{names}）的金额不换算，直接读取",
    ),
    "cells.bounds": (
        "bounds and approximate numbers, such as {example!r}, are read as the number in them",
        "上下限和近似值（例如 {example!r}）按其中的数读取",
    ),
    "cells.order": (
        "no cell shows whether the day or the month comes first, as in {example}; the {first} is read first; to change it, set "
        "{place}date_format={other}",
        "无法从单元格判断日和月的先后，例如 {example}；按先{first}的次序读取；如需更改，请设置 {place}date_format={other}",
    ),
    "cells.day": ("day", "日"),
    "cells.month": ("month", "月"),
    "cells.year": ("year", "年"),
    "cells.other_numbers": (
        "{count:,} of {cells:,} {cells:cell|cells} are not numbers ({shown}); they count as missing",
        "{cells:,} 个单元格中有 {count:,} 个不是数值（{shown}）；按缺失处理",
    ),
    "cells.other_dates": (
        "{count:,} of {cells:,} {cells:cell|cells} are not dates ({shown}); they count as missing",
        "{cells:,} 个单元格中有 {count:,} 个不是日期（{shown}）；按缺失处理",
    ),
    "cells.as_categories_numbers": (
        "{count:,} of {cells:,} {cells:cell|cells} are not numbers, such as {example}, so that all are read as categories; to read "
        "numbers, and the "
        "others as missing, use {fix}",
        "{cells:,} 个单元格中有 {count:,} 个不是数值，例如 {example}，因此全部按类别读取；若要读取数值、其余按缺失处理，请用 {fix}",
    ),
    "cells.as_categories_dates": (
        "{count:,} of {cells:,} {cells:cell|cells} are not dates, such as {example}, so that all are read as categories; to read "
        "dates, and the "
        "others as missing, use {fix}",
        "{cells:,} 个单元格中有 {count:,} 个不是日期，例如 {example}，因此全部按类别读取；若要读取日期、其余按缺失处理，请用 {fix}",
    ),
    "column.unused": (
        "column {column!r} is not used: {why}; expected numbers, text, dates, files, bytes, pictures, sounds, or lists of numbers or "
        "texts; convert its cells, or leave it out (--ignore)",
        "列 {column!r} 不使用：{why}；应为数值、文本、日期、文件、字节、图片、声音，或数值、文本的列表；"
        "请转换其单元格，或不使用该列（--ignore）",
    ),
    "faults": (
        "{table}, column {column!r}: {count:,} of {cells:,} {cells:cell|cells} cannot be read (first in row {row}: {message})",
        "{table}，列 {column!r}：{cells:,} 个单元格中有 {count:,} 个无法读取（首先在第 {row} 行：{message}）",
    ),
    "faults.targets": ("{line}; those rows have no target (faults.csv lists them)", "{line}；这些行没有目标值（faults.csv 中列出）"),
    "faults.listed": ("{line}; faults.csv lists them", "{line}；faults.csv 中列出"),
    "faults.columns": (
        "{line}; they count as missing; state what the column is (--column {column}=category), or leave it out (--ignore)",
        "{line}；按缺失处理；请说明该列的类型（--column {column}=category），或不使用该列（--ignore）",
    ),
    "why.begin_pictures": (
        "{share} of the files looked at begin as pictures do",
        "抽查的文件中 {share} 的开头与图片相同",
    ),
    "why.begin_sounds": ("{share} of the files looked at begin as sounds do", "抽查的文件中 {share} 的开头与声音相同"),
    "why.picture_arrays": ("arrays of height x width x channels", "高 x 宽 x 通道的数组"),
    "why.sound_track": ("files with a sound track and no moving pictures", "有声音而没有活动画面的文件"),
    "why.number_lists": (
        "lists of numbers, {least:,} to {most:,} {most:step|steps} of {channels} {channels:channel|channels}",
        "数值列表，{least:,} 至 {most:,} 步，{channels} 个通道",
    ),
    "why.few_letters": ("few cells hold letters", "很少有单元格含有字母"),
    "why.declared_vectors": (
        "lists of {length:,} {length:number|numbers}, a length that the column's type declares",
        "长度为 {length:,} 的数值列表，长度由该列的类型给出",
    ),
    "why.vectors": ("lists of {length:,} {length:number|numbers} each", "每个单元格是长度为 {length:,} 的数值列表"),
    "why.uncorrelated_vectors": (
        "lists of {length:,} {length:number|numbers} whose neighbours do not correlate (lag-1 autocorrelation {correlation:.2f}): "
        "vectors (--column "
        "NAME=series)",
        "长度为 {length:,} 的数值列表，相邻数值不相关（一阶自相关 {correlation:.2f}）：向量（--column NAME=series）",
    ),
    "why.ngrams_beside": ("the n-grams of {field!r}, beside its pretrained features", "{field!r} 的 n-gram，与其预训练特征并用"),
    "describe.waveform": ("{seconds:g} s at most, resampled to {rate:,} Hz", "最长 {seconds:g} 秒，重采样到 {rate:,} Hz"),
    "describe.spectrogram": (
        "{seconds:g} s at most, {bands} mel bands, resampled to {rate:,} Hz",
        "最长 {seconds:g} 秒，{bands} 个 mel 频带，重采样到 {rate:,} Hz",
    ),
    "describe.series": (
        "{channels} {channels:channel|channels}{unit}, {steps:,} {steps:step|steps} at most{rate}",
        "{channels} 个通道{unit}，最多 {steps:,} 步{rate}",
    ),
    "describe.rate": (", {rate:g} a second", "，每秒 {rate:g} 步"),
    "describe.vector": ("vectors of {length:,} {length:number|numbers}", "长度为 {length:,} 的向量"),
    "describe.points": (
        "{points:,} {points:point|points} at most, of {channels} {channels:number|numbers} each",
        "最多 {points:,} 个点，每点 {channels} 个数",
    ),
    "describe.pictures": ("{pictures} {pictures:picture|pictures} at most, {pixels}", "最多 {pictures} 张图片，{pixels}"),
    "describe.frames": ("{frames} {frames:frame|frames} of a clip, {pixels}", "每段取 {frames} 帧，{pixels}"),
    "describe.elongated": (
        "{height} pixels high and {width} wide, {channels} {channels:channel|channels}",
        "高 {height} 像素，宽 {width} 像素，{channels} 个通道",
    ),
    "describe.wide": (
        "{pixels} (most pictures are about {ratio:.1f} times as wide as high)",
        "{pixels}（多数图片的宽约为高的 {ratio:.1f} 倍）",
    ),
    "describe.high": (
        "{pixels} (most pictures are about {ratio:.1f} times as high as wide)",
        "{pixels}（多数图片的高约为宽的 {ratio:.1f} 倍）",
    ),
    "describe.column.number": ("{count} {count:number|numbers}", "{count} 列数值"),
    "describe.column.category": ("{count} {count:category|categories}", "{count} 列类别"),
    "describe.column.date": ("{count} {count:date|dates}", "{count} 列日期"),
    "describe.with": ("{column!r} with {formats}", "{column!r}：{formats}"),
    "describe.comma": ("a decimal comma", "逗号作小数点"),
    "describe.unit": ("the unit {unit!r}", "单位 {unit!r}"),
    "describe.dates": ("dates {form}", "日期{form}"),
    "describe.such_as": ("such as {example}", "形如 {example}"),
    "describe.format": ("in the format {form}", "格式为 {form}"),
    "describe.missing": ("{words} as missing", "{words} 按缺失处理"),
    "describe.a_number": ("a number", "数值"),
    "describe.answers": (
        "{count:,} {count:answer|answers}: {shown}; {people:.4g} people a row, {covered:.0%} of whose answers are among these",
        "{count:,} 种答案：{shown}；每行 {people:.4g} 人，其答案的 {covered:.0%} 在其中",
    ),
    # Targets
    "target.answers": (
        "its cells are lists in which answers recur, as those of several people do",
        "单元格是列表，其中的答案会重复，如同多人的答案",
    ),
    "target.lists": ("its cells are lists", "单元格是列表"),
    "target.separated": ("its cells are labels with {separator!r} between them", "单元格是以 {separator!r} 分隔的标签"),
    "target.places": (
        "{count} {count:label|labels} by place: its cells are lists of 0 and 1",
        "按位置的 {count} 个标签：单元格是 0 和 1 的列表",
    ),
    "target.named_places": (
        "{count} {count:label|labels} by place: its cells are lists of 0 and 1, by name",
        "按位置的 {count} 个标签：单元格是 0 和 1 的列表，按名称",
    ),
    "target.numbers": ("{count:,} different {count:number|numbers}", "{count:,} 个不同的数值"),
    "target.over_numbers": ("over {count:,} different {count:number|numbers}", "超过 {count:,} 个不同的数值"),
    "target.no_numbers": (
        "{numbers}, and {others:,} {others:cell that is|cells that are} no number ({shown}): {others:that row has|those rows have} no "
        "target",
        "{numbers}，另有 {others:,} 个单元格不是数值（{shown}）：这些行没有目标值",
    ),
    "target.comma": ("the comma is read as the decimal sign", "逗号按小数点读取"),
    "target.rare_class": ("{share:.2g} % of the rows are of the rarer class", "较少的类别占 {share:.2g}% 的行"),
    "missing.word": ("{word!r} in {rows:,} {rows:row|rows}", "{word!r}（{rows:,} 行）"),
    "missing.set": ("{words}: no target ({setting})", "{words}：没有目标值（{setting}）"),
    "missing.beside_numbers": (
        "{words}: no target, since every other value is a number; to make a class of each: {setting}=[]",
        "{words}：没有目标值，因为其他值都是数值；若要各作一个类别：{setting}=[]",
    ),
    "missing.for_number": (
        "{words}: no target, since a number is expected; to make a class of each: {setting}=[]",
        "{words}：没有目标值，因为应为数值；若要各作一个类别：{setting}=[]",
    ),
    "missing.class": (
        "{words}: a class, since other values are words; to leave out those rows: {setting}={override}",
        "{words}：作为类别，因为其他值也是词；若要不使用这些行：{setting}={override}",
    ),
    "missing.label": (
        "{words}: a label, since other values are words; to leave out those rows: {setting}={override}",
        "{words}：作为标签，因为其他值也是词；若要不使用这些行：{setting}={override}",
    ),
    "note.of_target": ("target {target!r}: {line}", "目标 {target!r}：{line}"),
    "classes.rare": ("classes of fewer than {few} rows: {classes}", "少于 {few} 行的类别：{classes}"),
    "classes.untrained": ("classes that some folds do not train on: {classes}", "有的折没有用来训练的类别：{classes}"),
    "classes.unknown": (
        "classes unknown to the model, since no training row has them: {classes}",
        "模型不认识的类别（训练行中没有）：{classes}",
    ),
    "classes.advice": (
        "target {target!r}: {lines}; bring more rows of them, or merge them with other classes",
        "目标 {target!r}：{lines}；请增加这些类别的行，或与其他类别合并",
    ),
    "classes.in_part": ("{classes} in {part} {part:row|rows}", "{part}行中有 {classes}"),
    "classes.part.training": ("training", "训练"),
    "classes.part.selection": ("selection", "选择"),
    "classes.part.calibration": ("calibration", "校准"),
    "classes.part.validation": ("validation", "验证"),
    "classes.part.test": ("test", "测试"),
    "classes.part.these": ("these", "这些"),
    "classes.more": ("{classes}, and {more:,} more", "{classes}，另有 {more:,} 个"),
    # The split, copies and near duplicates
    "split.column": (
        "column {column!r} assigns rows to training, validation and test",
        "列 {column!r} 指定各行用于训练、验证还是测试",
    ),
    "split.shared_file": (
        "{many:.1f} rows share a file of {column!r}: they stay in one part, or validation would be optimistic",
        "平均 {many:.1f} 行共用 {column!r} 的一个文件：它们留在同一部分，否则验证会偏乐观",
    ),
    "split.fast": ("random: the preset fast trains one model", "random：预设 fast 只训练一个模型"),
    "split.time": (
        "folds: the time limit pays for several models of {rows:,} {rows:row|rows} without files; each row trains some and validates one",
        "folds：时间上限足够为 {rows:,} 行（没有文件）训练多个模型；每一行参与训练其中几个，并验证一个",
    ),
    "split.best": (
        "folds: the preset best trains several models of {rows:,} {rows:row|rows} without files; each row trains some and validates one",
        "folds：预设 best 为 {rows:,} 行（没有文件）训练多个模型；每一行参与训练其中几个，并验证一个",
    ),
    "usual.number": ("null takes {number} for {rows:,} {rows:row|rows}", "null 表示按 {rows:,} 行取 {number}"),
    "copies.across": (
        "{copies:,} of {measured:,} validation and test rows {copies:is a copy|are copies} of training rows, since the split is by "
        "{kind}: "
        "results may be worse on new rows; remove the copies from the table, or split otherwise (data.split.kind=auto)",
        "{measured:,} 个验证和测试行中有 {copies:,} 个是训练行的副本，因为划分方式是 {kind}：在新行上结果可能更差；"
        "请从表中删除副本，或改用其他划分（data.split.kind=auto）",
    ),
    "copies.between": (
        "{table}: {copies:,} of {rows:,} {rows:row|rows} {copies:is a copy|are copies} of training rows: results may be worse on new rows; "
        "leave the copies out",
        "{table}：{rows:,} 行中有 {copies:,} 行是训练行的副本：在新行上结果可能更差；请去掉这些副本",
    ),
    "copies.together": (
        "{rows:,} of {count:,} {count:row|rows} {why}; they stay in one part of the split (data.split.copies=ignore splits them like "
        "all other rows)",
        "{count:,} 行中有 {rows:,} 行{why}；它们留在划分的同一部分（data.split.copies=ignore 则与其他行一样划分）",
    ),
    "copies.are": ("are copies of another row", "是另一行的副本"),
    "copies.share": ("share {what} with another row", "与另一行共用{what}"),
    "copies.file": ("a file (column {column!r})", "一个文件（列 {column!r}）"),
    "copies.text": ("a long text (column {column!r})", "一段长文本（列 {column!r}）"),
    "copies.share_file": ("share a file of column {column!r} with another row", "与另一行共用列 {column!r} 的一个文件"),
    "copies.apart": (
        "{rows:,} of {count:,} {count:row|rows} {what}, but there {different:is|are} only {different:,} different "
        "{different:one|ones}: too few, or "
        "too frequent, to stay in one part of the split; results may be worse on new ones; name a column that groups rows "
        "(data.split.group)",
        "{count:,} 行中有 {rows:,} 行{what}，但只有 {different:,} 种不同的：太少或太频繁，无法留在划分的同一部分；"
        "在新内容上结果可能更差；请指定一个分组列（data.split.group）",
    ),
    "copies.all": (
        "all {count:,} {count:row|rows} are equal in every column that fields read: no model can distinguish them; add other columns",
        "全部 {count:,} 行在字段读取的每一列上都相同：任何模型都无法区分；请增加其他列",
    ),
    "or": (" or ", "或"),
    "near": (
        "column {column!r}: {pairs:,} {pairs:pair|pairs} of {what} {pairs:is|are} (nearly) the same, but in different parts of the split "
        "(rows {rows}; {compared:,} {compared:row|rows} compared): results may be worse on new rows; name a column that groups such rows "
        "(--group, data.split.group)",
        "列 {column!r}：{pairs:,} 对{what}（几乎）相同，却在划分的不同部分（第 {rows} 行；比较了 {compared:,} 行）："
        "在新行上结果可能更差；请指定一个把这些行分为一组的列（--group、data.split.group）",
    ),
    "near.pictures": ("pictures", "图片"),
    "near.texts": ("texts", "文本"),
    "near.rows": ("{left} and {right}", "{left} 和 {right}"),
    # Cells of another table than the training table
    "drift.scale": (
        "column {column!r}: numbers of another scale than in the training rows: here {low:,.6g} to {high:,.6g}, mean {mean:,.4g}; there "
        "{training_low:,.6g} to {training_high:,.6g}, mean {training_mean:,.4g}; check the unit",
        "列 {column!r}：数值的量级与训练行不同：这里为 {low:,.6g} 至 {high:,.6g}，平均 {mean:,.4g}；"
        "训练时为 {training_low:,.6g} 至 {training_high:,.6g}，平均 {training_mean:,.4g}；请检查单位",
    ),
    "drift.outside": (
        "column {column!r}: {outside:,} of {seen:,} {seen:number|numbers} {outside:is|are} outside the range of the training rows "
        "({training_low:,.6g} to {training_high:,.6g}); here {low:,.6g} to {high:,.6g}, mean {mean:,.4g}{ratio}; check the unit",
        "列 {column!r}：{seen:,} 个数值中有 {outside:,} 个超出训练行的范围（{training_low:,.6g} 至 {training_high:,.6g}）；"
        "这里为 {low:,.6g} 至 {high:,.6g}，平均 {mean:,.4g}{ratio}；请检查单位",
    ),
    "drift.ratio": (", {factor:,.3g} times that of training", "，是训练时的 {factor:,.3g} 倍"),
    "drift.categories": (
        "column {column!r}: {new:,} of {seen:,} {seen:cell has|cells have} a category that fewer than two training rows have ({names}); "
        "they count as 'other'",
        "列 {column!r}：{seen:,} 个单元格中有 {new:,} 个的类别在训练行中不到两行（{names}）；按 'other' 处理",
    ),
    "predict.empty_sets": (
        "target {target!r}: {empty:,} of {sets:,} {sets:set|sets} {empty:is|are} empty: no class is probable enough there for a coverage "
        "of {coverage:g}, as happens where more answers are right than that; ask for more coverage",
        "目标 {target!r}：{sets:,} 个集合中有 {empty:,} 个为空：对覆盖率 {coverage:g} 而言，其中没有一个类别的概率足够大，"
        "正确的预测多于这一比例时会这样；请提高覆盖率",
    ),
    # Folders with a known layout
    "layout.files": (
        "{folder}, column {column!r}: {missing:,} of {files:,} {files:file does|files do} not exist, or {files:is|are} outside the "
        "folder (first {first!r})",
        "{folder}，列 {column!r}：{files:,} 个文件中有 {missing:,} 个不存在或在文件夹之外（第一个是 {first!r}）",
    ),
    "layout.empty_cells": ("{line}; those cells are empty", "{line}；这些单元格为空"),
    "layout.leak": (
        "CheXpert labels were extracted from the text of the report: a model that receives {sections} can read the label from the text; "
        "expected a target from another source, or a section that was written before the picture was examined (indication, history)",
        "CheXpert 标签是从报告文本中提取的：能看到 {sections} 的模型可以从文本中读出标签；"
        "应使用其他来源的目标，或检查图像之前写的章节（indication、history）",
    ),
    "and": (" and ", "和"),
    "layout.pickles": (
        "{count:,} {count:member|members} .{extension} {count:is|are} pickles, which can run code; {count:it is|they are} left out",
        "{count:,} 个 .{extension} 成员是 pickle，可能会运行代码；不读取",
    ),
    "layout.unread": (
        "{count:,} {count:member|members} .{extension} {count:is|are} of a format that is not read; {count:it is|they are} left out",
        "{count:,} 个 .{extension} 成员的格式不受支持；不读取",
    ),
    "layout.again": (
        "{folder}: {count:,} {count:row has|rows have} the {column} of an earlier row; {count:it is|they are} left out",
        "{folder}：{count:,} 行的 {column} 与前面的行相同；不写入",
    ),
    "layout.outside": (
        "{count:,} {count:file is|files are} not in the data set but below {folder}; train with --root {folder}",
        "{count:,} 个文件不在数据集中，而在 {folder} 下；训练时请加 --root {folder}",
    ),
    "layout.shards": (
        "{place}: {absent:,} of {count:,} {count:shard is|shards are} absent (first {first}); their rows are left out",
        "{place}：{count:,} 个分片中缺少 {absent:,} 个（第一个缺少的是 {first}）；其中的行不写入",
    ),
    "layout.unlisted": (
        "{folder}: {count:,} of {files:,} {files:file is|files are} in no row of the metadata; they are not in the table",
        "{folder}：{files:,} 个文件中有 {count:,} 个不在元数据的任何行中；不写入表",
    ),
    "layout.as_stored": (
        "{folder}/features.json: {feature!r} is a {type}, which is read as it is stored",
        "{folder}/features.json：{feature!r} 的类型为 {type}，按存储的形式读取",
    ),
    "layout.section": (
        "{empty:,} of {count:,} {count:row has|rows have} no report with a section {section!r}; those cells are empty",
        "{count:,} 行中有 {empty:,} 行的报告没有 {section!r} 一节；这些单元格为空",
    ),
    "layout.no_objects": (
        "{place}: no object within {within:g} m in any sample; the targets are empty",
        "{place}：所有样本在 {within:g} 米内都没有物体；目标为空",
    ),
    "workbook.formulas": (
        "{place}: {count:,} {count:formula without a computed value is an empty cell|formulas without a computed value are empty cells}; "
        "open the workbook in a spreadsheet and save it",
        "{place}：{count:,} 个公式没有计算结果，按空单元格处理；请用电子表格软件打开工作簿并保存",
    ),
    "workbook.merged": (
        "{place}: {count:,} {count:range|ranges} of merged cells (first {first}), of which only the first cell has a value; unmerge them, "
        "and write the value into every cell",
        "{place}：{count:,} 处合并单元格（第一处是 {first}），只有其中第一个单元格有值；请取消合并，并在每个单元格中填入该值",
    ),
    "bundle.no_pooler": (
        "model {model!r}: its files lack the pooler ({names}), which starts with random weights and is trained",
        "模型 {model!r}：文件中没有池化层（{names}），该层从随机权重开始训练",
    ),
}
