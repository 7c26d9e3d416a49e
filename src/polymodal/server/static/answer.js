// Shows a prediction: classes with their probabilities, sets and intervals, the contribution of each field and of its parts.

import { element } from "./elements.js";
import { numeral, share, word } from "./words.js";

const FIRST = 8; // classes that are shown at once

/** Return the answer of one target as one line of text. */
export function brief(target, record) {
  const at = target.classes ? target.classes.indexOf(record[target.columns.answer]) : -1;
  const text = answerText(target, record);
  return at < 0 ? text : `${text} (${share(record[target.columns.scores[at]])})`;
}

/** Return the answer of one target as text: a class, a list of labels, or a number. */
function answerText(target, record) {
  const answer = record[target.columns.answer];
  if (!target.classes) return numeral(answer);
  return Array.isArray(answer) ? answer.join(", ") || word("none") : String(answer);
}

/** Return the elements that show the prediction of all targets. */
export function predictionOf(model, record) {
  return model.targets.map((target) => {
    const answer = element("div", { className: "answer" }, answerText(target, record));
    const made = element("section", {}, element("h3", {}, target.name), answer);
    if (target.classes) made.append(...classes(target, record, model.coverage));
    else made.append(...interval(target, record, model.coverage));
    return made;
  });
}

function classes(target, record, coverage) {
  const answer = [record[target.columns.answer]].flat();
  const rows = target.classes
    .map((label, at) => ({ label, score: record[target.columns.scores[at]] }))
    .sort((one, other) => other.score - one.score)
    .map(({ label, score }) =>
      element(
        "tr",
        { className: answer.includes(label) ? "best" : "" },
        element("td", {}, String(label)),
        element("td", {}, element("div", { className: "bar", "aria-hidden": "true", style: { width: `${100 * score}%` } })),
        element("td", { className: "number" }, share(score)),
      ),
    );
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, word("class")),
    element("td", {}),
    element("th", { scope: "col", className: "number" }, word("probability")),
  );
  const body = element("tbody", {}, rows.slice(0, FIRST));
  const made = [element("table", { className: "bars" }, element("thead", {}, head), body)];
  if (rows.length > FIRST) {
    const button = element("button", { type: "button", className: "quiet" }, word("more", rows.length));
    button.addEventListener("click", () => {
      body.replaceChildren(...rows);
      button.remove();
    });
    made.push(button);
  }
  const set = target.columns.sets.length ? record[target.columns.sets[0]] : undefined;
  if (set) {
    const text = set.length ? `${word("set", share(coverage))} ${set.join(", ")}` : word("set.empty", share(coverage));
    made.push(element("p", { className: "soft" }, text));
  }
  return made;
}

function interval(target, record, coverage) {
  if (target.columns.sets.length !== 2) return [];
  const [low, high] = target.columns.sets.map((name) => record[name]);
  const value = record[target.columns.answer];
  const text = word("interval", share(coverage), low === null ? "−∞" : numeral(low), high === null ? "∞" : numeral(high));
  if (low === null || high === null || value === null || high <= low) return [element("p", { className: "soft" }, text)];
  const margin = 0.25 * (Math.max(high, value) - Math.min(low, value));
  const from = Math.min(low, value) - margin;
  const place = (at) => `${(100 * (at - from)) / (Math.max(high, value) + margin - from)}%`;
  const line = element(
    "div",
    { className: "interval", "aria-hidden": "true" },
    element("i", {}),
    element("i", { className: "span", style: { left: place(low), right: `calc(100% - ${place(high)})` } }),
    element("b", { style: { left: place(value) } }),
  );
  return [line, element("p", { className: "soft" }, text)];
}

/** Return the table of the fields of a model, with a switch for each.
 *
 * `hidden` is the set of fields that are switched off, `present` the fields that the row has, `facts` the contributions to a target or
 * null, and `toggle` is called with a field.
 */
export function fieldsOf(model, present, hidden, facts, toggle) {
  const largest = facts ? Math.max(...Object.values(facts.fields).map((one) => Math.abs(one.shapley ?? 0)), 1e-12) : 1;
  const rows = model.fields.map((field) => {
    const has = present.includes(field) || hidden.has(field);
    const input = element("input", { type: "checkbox", role: "switch", className: "switch", checked: has && !hidden.has(field), disabled: !has });
    input.setAttribute("aria-label", word("use.field", field));
    input.dataset.field = field;
    input.addEventListener("change", () => toggle(field));
    const value = facts?.fields[field]?.shapley;
    const isKnown = has && value !== undefined && value !== null;
    return element(
      "tr",
      {},
      element("td", {}, input),
      element("td", { className: hidden.has(field) ? "off" : "" }, field, has ? null : element("small", {}, ` ${word("missing")}`)),
      element("td", {}, signedBar(isKnown ? value : null, largest)),
      element("td", { className: "number" }, isKnown ? signed(value) : ""),
    );
  });
  const unit = facts ? (facts.unit === "log-odds" ? word("log-odds") : facts.unit) : null;
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, word("used")),
    element("th", { scope: "col" }, word("field")),
    element("th", { scope: "col" }, unit ? word("contribution.unit", unit) : word("contribution")),
    element("td", {}),
  );
  return element("table", { className: "bars fields" }, element("thead", {}, head), element("tbody", {}, rows));
}

/** Return a bar from the middle: to the right for the prediction, to the left against it; only the middle if the value is null. */
function signedBar(value, largest) {
  const style = { width: `${(100 * Math.abs(value)) / largest}%` };
  const bar = value === null ? null : element("div", { className: value < 0 ? "bar against" : "bar", style });
  return element("div", { className: "two", "aria-hidden": "true" }, bar);
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

/** Return the elements that show which parts of each field's cell mattered for a target. */
export function partsOf(cells, facts) {
  const made = [];
  for (const [field, one] of Object.entries(facts.fields)) {
    const parts = cells[field].parts;
    if (!parts || !one.parts) continue;
    const largest = Math.max(...one.parts.map(Math.abs), 1e-12);
    const shown = parts.picture ? pictureMap(parts, one.parts, largest) : parts.between.length ? wordMap(parts, one.parts, largest) : partTable(parts, one.parts, largest);
    made.push(element("h4", {}, word("parts", field)), shown);
  }
  if (made.length) {
    const colour = (name) => element("i", { style: { background: `var(--${name})` } });
    made.push(element("p", { className: "legend" }, colour("for"), word("for"), colour("against"), word("against")));
  }
  return made;
}

/** Return a colour for a contribution, stronger where it is larger: up to `most` per cent. */
function shade(value, largest, most) {
  const strength = Math.round((most * Math.abs(value)) / largest);
  return `color-mix(in srgb, var(--${value < 0 ? "against" : "for"}) ${strength}%, transparent)`;
}

function pictureMap(parts, values, largest) {
  const [rows, columns] = parts.grid;
  const places = values.map((value) => element("span", { style: { background: shade(value, largest, 70) } }));
  const style = { gridTemplateColumns: `repeat(${columns}, 1fr)`, gridTemplateRows: `repeat(${rows}, 1fr)` };
  return element("div", { className: "map" }, element("img", { src: parts.picture, alt: "" }), element("div", { style }, places));
}

function wordMap(parts, values, largest) {
  const made = element("p", { className: "words" }, parts.between[0]);
  parts.names.forEach((name, at) => {
    made.append(element("span", { title: signed(values[at]), style: { background: shade(values[at], largest, 40) } }, name), parts.between[at + 1]);
  });
  return made;
}

function partTable(parts, values, largest) {
  const rows = parts.names
    .map((name, at) => ({ name, value: values[at] }))
    .sort((one, other) => Math.abs(other.value) - Math.abs(one.value))
    .slice(0, 20)
    .map(({ name, value }) => {
      const bar = element("td", {}, signedBar(value, largest));
      return element("tr", {}, element("td", {}, name), bar, element("td", { className: "number" }, signed(value)));
    });
  return element("table", { className: "bars" }, element("tbody", {}, rows));
}
