// The words of the page, in English and Chinese.

const WORDS = {
  predict: ["Predict", "预测"],
  table: ["Table", "表格"],
  report: ["Report", "报告"],
  api: ["API", "接口"],
  language: ["中文", "English"],
  model: ["Model", "模型"],
  views: ["Views", "视图"],
  token: ["This server needs a token", "此服务器需要访问令牌"],
  "token.refused": ["The token is not correct. Enter it again", "令牌不正确，请重新输入"],
  continue: ["Continue", "继续"],
  inputs: ["Input", "输入"],
  answer: ["Prediction", "预测结果"],
  empty: ["Fill in what you know. A field that is left empty counts as missing.", "填写已知内容即可；留空的字段按缺失处理。"],
  examples: ["Examples", "示例"],
  example: ["Example {0}", "示例 {0}"],
  clear: ["Clear", "清空"],
  choose: ["Choose a file", "选择文件"],
  "choose.several": ["Choose files", "选择文件"],
  drop: ["or drop it here", "或拖放到此处"],
  camera: ["Camera", "拍照"],
  take: ["Take the picture", "拍摄"],
  cancel: ["Cancel", "取消"],
  record: ["Record", "录音"],
  stop: ["Stop ({0} s)", "停止（{0} 秒）"],
  remove: ["Remove", "移除"],
  "no.camera": ["The camera cannot be used: {0}", "无法使用摄像头：{0}"],
  "no.microphone": ["The microphone cannot be used: {0}", "无法使用麦克风：{0}"],
  "kind.number": ["number", "数值"],
  "kind.category": ["category", "类别"],
  "kind.date": ["date, such as 2024-05-01", "日期，例如 2024-05-01"],
  "kind.text": ["text", "文本"],
  "kind.numbers": ["numbers separated by commas, or a file", "用逗号分隔的数值，或一个文件"],
  "kind.content": ["file", "文件"],
  "kind.image": ["picture", "图像"],
  "kind.audio": ["sound", "声音"],
  "kind.video": ["video", "视频"],
  "not.list": ["{0}: “{1}” is not a list of numbers, such as [1, 2.5, null]", "{0}：“{1}”不是数值列表，应如 [1, 2.5, null]"],
  "not.numbers": ["{0}: “{1}” is not a number", "{0}：“{1}”不是数值"],
  probability: ["Probability", "概率"],
  class: ["Class", "类别"],
  set: ["One of these with {0} coverage:", "以 {0} 覆盖率包含真值的集合："],
  "set.empty": ["No class is probable enough for a set of {0} coverage.", "没有类别的概率足以构成 {0} 覆盖率的集合。"],
  interval: ["With {0} coverage between {1} and {2}", "以 {0} 覆盖率介于 {1} 与 {2} 之间"],
  none: ["(none)", "（无）"],
  more: ["Show all {0} classes", "显示全部 {0} 个类别"],
  fields: ["Fields", "字段"],
  "fields.note": [
    "Switch a field off to see the prediction without it. The bars show how much each field speaks for or against the prediction.",
    "关闭某个字段，可立即查看缺少它时的预测。条形表示各字段对预测结果的支持或反对程度。",
  ],
  target: ["Contributions to the target", "对哪个目标的贡献"],
  field: ["Field", "字段"],
  used: ["Used", "使用"],
  "use.field": ["Use the field {0}", "使用字段 {0}"],
  missing: ["missing", "缺失"],
  contribution: ["Contribution", "贡献"],
  "contribution.unit": ["Contribution ({0})", "贡献（{0}）"],
  "log-odds": ["log-odds", "对数几率"],
  without: ["Without {0}", "不使用 {0}"],
  before: ["with all fields: {0}", "使用全部字段：{0}"],
  explaining: ["Computing contributions ...", "正在计算各字段的贡献……"],
  parts: ["What mattered in {0}", "{0} 中的关键部分"],
  for: ["for the prediction", "支持该预测"],
  against: ["against it", "反对该预测"],
  "table.choose": ["A table: CSV, JSON Lines, Parquet or Excel", "表格文件：CSV、JSON Lines、Parquet 或 Excel"],
  "table.files": ["The files that its cells name, if there are any", "单元格所引用的文件（如有）"],
  "table.folder": ["or a folder of such files", "或包含这些文件的文件夹"],
  "table.columns": ["Columns that are read: {0}. A column that is absent counts as missing.", "读取的列：{0}。缺少的列按缺失处理。"],
  "table.predict": ["Predict the table", "预测表格"],
  "table.none": ["Choose a table first.", "请先选择表格。"],
  "table.waits": ["Sending and opening the table ...", "正在上传并打开表格……"],
  "table.progress": ["{0} of {1} rows", "{1} 行中的 {0} 行"],
  "table.done": ["{0} rows", "共 {0} 行"],
  "table.broken": ["The answer ended after {0} of {1} rows.", "结果在 {1} 行中的第 {0} 行中断。"],
  "table.download": ["Download the predictions (CSV)", "下载预测结果（CSV）"],
  "table.first": ["The first {0} rows:", "前 {0} 行："],
  "report.none": ["This model is served from a bundle. Its run has the report.", "该模型由模型包提供服务，报告位于其训练目录中。"],
  "api.try": ["Send a request", "发送请求"],
  "api.send": ["Send", "发送"],
  "api.curl": ["The same in a terminal:", "在终端中等价的命令："],
  "api.routes": ["Routes", "路由"],
  "api.body": ["Body", "请求体"],
  "api.document": ["The whole document", "完整文档"],
  loading: ["Loading ...", "正在加载……"],
};

// The descriptions in /openapi.json, which is English, in Chinese.
const DESCRIBED = {
  "Counters for Prometheus": "供 Prometheus 采集的计数器",
  "Explain the prediction for one row": "解释一行的预测",
  "Predict a table that is sent as a file": "预测以文件形式上传的表格",
  "Predict rows": "预测若干行",
  "Predict rows (Open Inference Protocol)": "预测若干行（Open Inference Protocol）",
  "Return the fused representation of rows": "返回各行的融合表示",
  "Rows to try, kept by training unless they are private": "可供试用的行，由训练保留；私有数据除外",
  "The inputs and outputs of a model (Open Inference Protocol)": "模型的输入与输出（Open Inference Protocol）",
  "The models, with the columns that they read and the targets that they predict": "各模型及其读取的列与预测的目标",
  "The report of the run that trained a model, as HTML": "训练该模型的运行的报告（HTML）",
  "The server (Open Inference Protocol)": "服务器信息（Open Inference Protocol）",
  "Whether a model is loaded (Open Inference Protocol)": "模型是否已加载（Open Inference Protocol）",
  "Whether the models are loaded": "各模型是否已加载",
  "Whether the models are loaded (Open Inference Protocol)": "各模型是否已加载（Open Inference Protocol）",
  "Whether the process answers": "进程是否响应",
  "Whether the process answers (Open Inference Protocol)": "进程是否响应（Open Inference Protocol）",
  "Successful Response": "成功",
  "no JSON": "不是 JSON",
  "too slow": "发送过慢",
  "too large": "过大",
  "cells that cannot be read": "有无法读取的单元格",
  "too many rows wait": "等待的行过多",
  "An error: 4xx for a request that cannot be answered, 503 where too many wait.": "错误：4xx 表示请求无法处理，503 表示等待的行过多。",
};

const LANGUAGES = ["en", "zh"];
let at = 0;

/** Choose the language: that of the address (?language=zh), the one that was chosen before, or that of the browser. */
export function chooseLanguage() {
  const wished = new URLSearchParams(location.search).get("language") ?? localStorage.getItem("polymodal language");
  at = LANGUAGES.indexOf(wished);
  if (at < 0) at = (navigator.languages ?? [navigator.language])[0]?.toLowerCase().startsWith("zh") ? 1 : 0;
  document.documentElement.lang = at ? "zh-Hans" : "en";
}

/** Change to the other language, and keep the choice. */
export function otherLanguage() {
  at = 1 - at;
  localStorage.setItem("polymodal language", LANGUAGES[at]);
  document.documentElement.lang = at ? "zh-Hans" : "en";
}

/** Return the language, "en" or "zh". */
export const language = () => LANGUAGES[at];

/** Return a text of the page; {0}, {1} ... are replaced by values. */
export function word(key, ...values) {
  return WORDS[key][at].replace(/\{(\d)\}/g, (_, place) => values[Number(place)]);
}

/** Return a description of /openapi.json in the language of the page. */
export const described = (text) => (at && DESCRIBED[text]) || (text ?? "");

/** Return a number as text, with at most six significant digits. */
export function numeral(value) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(language(), { maximumSignificantDigits: 6 }).format(value);
}

/** Return a share as per cent. */
export function share(value, digits = 1) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: digits }).format(value);
}
