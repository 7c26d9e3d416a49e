// The page: its models, its views, and the view that predicts one row.

import { brief, fieldsOf, partsOf, predictionOf } from "./answer.js";
import { batchView } from "./batch.js";
import { alertWith, element } from "./elements.js";
import { inputOf } from "./inputs.js";
import { reportView } from "./report.js";
import { routesView } from "./routes.js";
import { json, route } from "./server.js";
import { chooseLanguage, otherLanguage, word } from "./words.js";

const VIEWS = { predict: predictView, table: batchView, report: reportView, api: routesView };
const main = document.getElementById("main");
const tabs = document.getElementById("tabs");
const chooser = document.getElementById("model");
const languageButton = document.getElementById("language");

let models = [];
let model = null;
let view = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "predict";
let shown = 0; // the number of the view that is shown: a later one replaces an earlier one that is still made

/** Show the view that is chosen. */
async function render() {
  const number = ++shown;
  alertWith("");
  document.title = `${model.name} · polymodal`;
  languageButton.textContent = word("language");
  languageButton.lang = document.documentElement.lang === "en" ? "zh-Hans" : "en";
  tabs.setAttribute("aria-label", word("views"));
  chooser.setAttribute("aria-label", word("model"));
  tabs.replaceChildren(...Object.keys(VIEWS).map(tab));
  main.setAttribute("aria-labelledby", `tab-${view}`);
  main.replaceChildren(element("p", { className: "soft" }, word("loading")));
  try {
    const made = await VIEWS[view](model);
    if (number === shown) main.replaceChildren(made);
  } catch (error) {
    if (number !== shown) return;
    main.replaceChildren();
    alertWith(error.message);
  }
}

/** Return the tab of a view. Arrow keys move between tabs. */
function tab(name) {
  const isChosen = name === view;
  const button = element("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-selected": String(isChosen), "aria-controls": "main" }, word(name));
  button.tabIndex = isChosen ? 0 : -1;
  button.addEventListener("click", () => open(name));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = Object.keys(VIEWS);
    open(names[(names.indexOf(name) + step + names.length) % names.length]);
    document.getElementById(`tab-${view}`).focus();
  });
  return button;
}

/** Choose a view. */
function open(name) {
  view = name;
  history.replaceState(null, "", `#${name}`);
  render();
}

/** Return the view that predicts one row. */
async function predictView(chosen) {
  const inputs = chosen.columns.map((column) => inputOf(column, () => output.classList.add("stale")));
  const button = element("button", { type: "submit", className: "main" }, word("predict"));
  const clear = element("button", { type: "button" }, word("clear"));
  const output = element("div", { className: "card", "aria-live": "polite", "aria-label": word("answer"), role: "region" });
  const answer = new Answer(chosen, output);
  const form = element(
    "form",
    { className: "card", "aria-label": word("inputs") },
    element("h2", {}, word("inputs")),
    element("p", { className: "soft" }, word("empty")),
    await examples(chosen, inputs, () => form.requestSubmit()),
    inputs.map((input) => input.element),
    element("div", { className: "actions" }, button, clear),
  );
  clear.addEventListener("click", () => {
    inputs.forEach((input) => input.set(null));
    answer.clear();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    alertWith("");
    button.disabled = true;
    try {
      await answer.predict(rowOf(inputs));
    } catch (error) {
      alertWith(error.message);
    } finally {
      button.disabled = false;
    }
  });
  answer.clear();
  return element("div", { className: "grid" }, form, output);
}

/** Return the cells of a row by column. A row without any value has one empty cell. */
function rowOf(inputs) {
  const row = {};
  for (const input of inputs) {
    const cell = input.value();
    if (cell !== undefined) row[input.column.name] = cell;
  }
  if (!Object.keys(row).length) row[inputs[0].column.name] = null;
  return row;
}

/** Return buttons that fill in rows that training kept; null if there are none. */
async function examples(chosen, inputs, submit) {
  if (!chosen.examples) return null;
  const { rows } = await json(route(chosen.name, "examples"));
  const buttons = rows.map((row, at) => {
    const button = element("button", { type: "button" }, word("example", at + 1));
    button.addEventListener("click", () => {
      inputs.forEach((input) => input.set(row[input.column.name]));
      submit();
    });
    return button;
  });
  return rows.length ? element("div", { className: "actions cell", role: "group", "aria-label": word("examples") }, buttons) : null;
}

/** The prediction for one row: with all fields, and without those that are switched off. */
class Answer {
  #model;
  #output;
  #row = null;
  #whole = null; // the prediction with all fields
  #explained = null;
  #target = 0; // the target whose contributions are shown
  #hidden = new Set();
  #number = 0; // a later request replaces an earlier one

  constructor(chosen, output) {
    this.#model = chosen;
    this.#output = output;
  }

  /** Show no prediction. */
  clear() {
    this.#number += 1;
    this.#row = null;
    this.#output.classList.remove("stale");
    this.#output.replaceChildren(element("h2", {}, word("answer")), element("p", { className: "soft" }, "–"));
  }

  /** Predict a row, show it, and then explain it. */
  async predict(row) {
    const number = ++this.#number;
    const record = await this.#request(row, []);
    if (number !== this.#number) return;
    [this.#row, this.#whole, this.#explained, this.#hidden] = [row, record, null, new Set()];
    this.#show(record);
    const { explained } = await json(route(this.#model.name, "explain"), row);
    if (this.#row !== row) return; // another row was predicted; a field that was switched off changes no contribution
    this.#explained = explained[0].skipped ? null : explained[0];
    this.#show(this.#current ?? record);
  }

  #current = null;

  /** Return the prediction of the server for a row without some fields. Throws an Error if a cell cannot be read. */
  async #request(row, hide) {
    const options = this.#model.coverage === null ? {} : { coverage: this.#model.coverage };
    const { predictions } = await json(route(this.#model.name, "predict"), { rows: [row], hide, ...options });
    return predictions[0];
  }

  /** Switch a field on or off, and predict again. */
  async #toggle(field) {
    if (!this.#hidden.delete(field)) this.#hidden.add(field);
    const number = ++this.#number;
    try {
      const record = this.#hidden.size ? await this.#request(this.#row, [...this.#hidden]) : this.#whole;
      if (number !== this.#number) return;
      this.#show(record);
      this.#output.querySelector(`[data-field="${CSS.escape(field)}"]`)?.focus();
    } catch (error) {
      alertWith(error.message);
    }
  }

  #show(record) {
    this.#current = record;
    this.#output.classList.remove("stale");
    const heading = this.#hidden.size ? word("without", [...this.#hidden].join(", ")) : word("answer");
    const before = this.#hidden.size
      ? this.#model.targets.map((target) => element("p", { className: "soft" }, `${target.name}: ${word("before", brief(target, this.#whole))}`))
      : [];
    const present = this.#whole.present.split(";").filter(Boolean);
    this.#output.replaceChildren(
      element("h2", {}, heading),
      ...predictionOf(this.#model, record),
      ...before,
      element("h3", {}, word("fields")),
      element("p", { className: "soft" }, word("fields.note")),
      ...this.#targetChooser(),
      fieldsOf(this.#model, present, this.#hidden, this.#facts, (field) => this.#toggle(field)),
      ...(this.#explained ? partsOf(this.#explained.cells, this.#facts) : [element("p", { className: "soft" }, word("explaining"))]),
    );
  }

  /** The contributions to one target; null before they are computed. */
  get #facts() {
    return this.#explained && Object.values(this.#explained.targets)[this.#target];
  }

  /** Return a choice of the target whose contributions are shown, if there are several. */
  #targetChooser() {
    const { targets } = this.#model;
    if (targets.length < 2) return [];
    const options = targets.map((target, at) => element("option", { value: String(at), selected: at === this.#target }, target.name));
    const chooser = element("select", { "aria-label": word("target") }, options);
    chooser.addEventListener("change", () => {
      this.#target = Number(chooser.value);
      this.#show(this.#current);
      this.#output.querySelector("select").focus();
    });
    return [element("div", { className: "cell" }, chooser)];
  }
}

languageButton.addEventListener("click", () => {
  otherLanguage();
  render();
});
chooser.addEventListener("change", () => {
  model = models.find((one) => one.name === chooser.value);
  render();
});
chooseLanguage();
try {
  ({ models } = await json("/models"));
  [model] = models;
  chooser.replaceChildren(...models.map((one) => element("option", { value: one.name }, one.name)));
  chooser.hidden = models.length < 2;
  await render();
} catch (error) {
  alertWith(error.message);
}
