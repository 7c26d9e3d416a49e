// The view that predicts a table and gives one back.

import { alertWith, element, newId } from "./elements.js";
import { checked, route, send } from "./server.js";
import { word } from "./words.js";

const SHOWN = 20;

/** Return the view for a model. */
export function batchView(model) {
  const [table, files, folder] = [newId(), newId(), newId()];
  const tableInput = element("input", { type: "file", id: table, accept: ".csv,.tsv,.txt,.json,.jsonl,.parquet,.xlsx" });
  const filesInput = element("input", { type: "file", id: files, multiple: true });
  const folderInput = element("input", { type: "file", id: folder, webkitdirectory: true });
  const button = element("button", { type: "button", className: "main" }, word("table.predict"));
  const result = element("div", { "aria-live": "polite" });
  button.addEventListener("click", async () => {
    alertWith("");
    if (!tableInput.files.length) {
      alertWith(word("table.none"));
      return;
    }
    button.disabled = true;
    try {
      await predict(model, tableInput.files[0], [...filesInput.files, ...folderInput.files], result);
    } catch (error) {
      result.replaceChildren();
      alertWith(error.message);
    } finally {
      button.disabled = false;
    }
  });
  const cell = (id, text, input) => element("div", { className: "cell" }, element("label", { for: id }, text), input);
  const names = model.columns.map((column) => column.name).join(", ");
  return element(
    "div",
    { className: "card" },
    element("h2", {}, word("table")),
    element("p", { className: "soft" }, word("table.columns", names)),
    cell(table, word("table.choose"), tableInput),
    model.columns.some((column) => column.kind === "content" || column.kind === "numbers")
      ? [cell(files, word("table.files"), filesInput), cell(folder, word("table.folder"), folderInput)]
      : null,
    button,
    result,
  );
}

/** Send a table, and show its predictions while they arrive. */
async function predict(model, table, files, result) {
  const form = new FormData();
  form.append("table", table, table.name);
  for (const file of files) form.append("files", file, file.webkitRelativePath || file.name);
  const bar = element("progress", { "aria-label": word("table.predict") });
  const status = element("p", { className: "soft" }, word("table.waits"));
  const preview = element("div", { className: "scroll", tabIndex: 0, role: "region", hidden: true });
  preview.setAttribute("aria-label", word("answer"));
  const finished = element("div", {});
  result.replaceChildren(bar, status, finished, preview);
  const response = await checked(await send(route(model.name, "table"), { method: "POST", body: form }));
  const total = Number(response.headers.get("x-rows"));
  bar.max = Math.max(total, 1);
  const reader = response.body.getReader();
  const pieces = [];
  const records = new Records();
  let shown = -1;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      records.add(value);
      bar.value = Math.max(records.count - 1, 0);
      status.textContent = word("table.progress", bar.value, total);
      if (records.first.length !== shown) {
        shown = records.first.length;
        show(preview, records.first);
      }
    }
  } catch (error) {
    throw new Error(`${word("table.broken", Math.max(records.count - 1, 0), total)} ${error.message}`);
  }
  if (records.count - 1 !== total) throw new Error(word("table.broken", records.count - 1, total));
  bar.remove();
  status.textContent = word("table.done", total);
  const address = URL.createObjectURL(new Blob(pieces, { type: "text/csv" }));
  const name = `${table.name.replace(/\.[^.]*$/, "")}.predictions.csv`;
  finished.append(element("p", {}, element("a", { href: address, download: name }, word("table.download"))));
}

/** Show the first records as a table. */
function show(preview, [head, ...rows]) {
  preview.hidden = false;
  preview.replaceChildren(
    element(
      "table",
      {},
      element("caption", { className: "soft" }, word("table.first", rows.length)),
      element("thead", {}, element("tr", {}, (head ?? []).map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell) => element("td", { title: cell }, cell))))),
    ),
  );
}

/** Counts the records of a CSV file that arrives in pieces, and keeps the first ones. */
class Records {
  count = 0;
  first = [];
  #decoder = new TextDecoder();
  #isQuoted = false;
  #cell = "";
  #record = [];

  add(bytes) {
    for (const letter of this.#decoder.decode(bytes, { stream: true })) {
      if (letter === '"') {
        this.#isQuoted = !this.#isQuoted;
        if (this.#isQuoted && this.#cell.endsWith("\u0000")) this.#cell = `${this.#cell.slice(0, -1)}"`; // a doubled quote
        else if (!this.#isQuoted) this.#cell += "\u0000"; // the end of the quotes, unless another quote follows
      } else if (letter === "," && !this.#isQuoted) this.#endCell();
      else if (letter === "\n" && !this.#isQuoted) this.#endRecord();
      else if (letter !== "\r" || this.#isQuoted) this.#cell += letter;
    }
  }

  #endCell() {
    if (this.first.length <= SHOWN) this.#record.push(this.#cell.replaceAll("\u0000", ""));
    this.#cell = "";
  }

  #endRecord() {
    this.#endCell();
    if (this.first.length <= SHOWN) this.first.push(this.#record);
    this.#record = [];
    this.count += 1;
  }
}
