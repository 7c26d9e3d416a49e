// The inputs of a model: one for each column, made from what the column contains.

import { openCamera } from "./camera.js";
import { element, newId } from "./elements.js";
import { recordButton } from "./sound.js";
import { word } from "./words.js";

/** Return an input for a column: its `element`, `value()` (a cell as JSON, undefined = missing) and `set(cell)`. */
export function inputOf(column, changed) {
  if (column.kind === "content") return fileInput(column, changed);
  if (column.kind === "numbers") return numbersInput(column, changed);
  return textInput(column, changed);
}

/** Return what an input is for, beside the name of its column. */
function hint(column) {
  const media = column.kind === "content" ? column.media.split("/")[0] : "";
  return element("small", {}, word(`kind.${media || column.kind}`));
}

function textInput(column, changed) {
  const id = newId();
  const long = column.kind === "text";
  const input = element(long ? "textarea" : "input", { id, autocomplete: "off", spellcheck: false, oninput: changed });
  if (!long) input.type = "text";
  if (column.kind === "number") input.inputMode = "decimal";
  const made = element("div", { className: "cell" }, element("label", { for: id }, column.name, hint(column)), input);
  if (column.values.length) {
    const list = newId();
    made.append(element("datalist", { id: list }, column.values.map((value) => element("option", { value: String(value) }))));
    input.setAttribute("list", list);
  }
  return {
    column,
    element: made,
    value: () => (input.value.trim() === "" ? undefined : input.value),
    set: (cell) => {
      input.value = cell === null || cell === undefined ? "" : String(cell);
    },
  };
}

/** Return a place for files: its `element`, `contents()` as `{b64, name, type}`, `add(file)`, `put(contents)`, `addButton(button)`. */
function dropPlace(label, accept, several, changed) {
  const id = newId();
  const shown = element("div", { className: "shown" });
  let contents = [];
  const input = element("input", { type: "file", id, accept, multiple: several, onchange: () => addAll([...input.files]) });
  const button = element("label", { className: "file", for: id }, word(several ? "choose.several" : "choose"));
  input.setAttribute("aria-label", label);
  const hint = element("span", { className: "soft" }, word("drop"));
  const place = element("div", { className: "drop" }, input, button, hint, shown);
  place.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    addAll([...event.dataTransfer.files]);
  });

  async function addAll(files) {
    const read = await Promise.all((several ? files : files.slice(0, 1)).map(contentOf));
    input.value = "";
    if (read.length) put(several ? [...contents, ...read] : read);
    changed();
  }

  function put(given) {
    contents = given;
    shown.replaceChildren(...contents.map((content) => figureOf(content, () => put(contents.filter((one) => one !== content)), changed)));
  }

  return { element: place, contents: () => contents, put, add: (file) => addAll([file]), addButton: (made) => hint.before(made) };
}

/** Return the content of a file in base64, with its name and type. */
function contentOf(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(reader.error);
    reader.onload = () => resolve({ b64: reader.result.slice(reader.result.indexOf(",") + 1), name: file.name, type: file.type });
    reader.readAsDataURL(file);
  });
}

/** Return a figure that shows the content of a file, with a button to remove it. */
function figureOf(content, remove, changed) {
  const kind = content.type.split("/")[0];
  const source = `data:${content.type || "application/octet-stream"};base64,${content.b64}`;
  const caption = element("figcaption", {}, content.name || "", " ");
  const button = element("button", { type: "button", className: "quiet", "aria-label": `${word("remove")} ${content.name || ""}` }, "✕");
  button.addEventListener("click", () => {
    remove();
    changed();
  });
  caption.append(button);
  const figure = element("figure", {}, caption);
  if (kind === "image") figure.prepend(element("img", { src: source, alt: content.name || "", onerror: (event) => event.target.remove() }));
  if (kind === "audio") figure.prepend(element("audio", { src: source, controls: true }));
  if (kind === "video") figure.prepend(element("video", { src: source, controls: true }));
  return figure;
}

function fileInput(column, changed) {
  const place = dropPlace(column.name, column.media, column.several, changed);
  const label = element("div", { className: "label" }, column.name, hint(column));
  const made = element("div", { className: "cell" }, label, place.element);
  if (column.media === "image/*") {
    place.addButton(element("button", { type: "button", onclick: () => openCamera(place.add) }, word("camera")));
  }
  if (column.media === "audio/*") place.addButton(recordButton(place.add));
  return {
    column,
    element: made,
    value: () => {
      const sent = place.contents().map(({ b64 }) => ({ b64 }));
      return sent.length ? (column.several ? sent : sent[0]) : undefined;
    },
    set: (cell) => place.put(asContents(cell, column.media)),
  };
}

/** Return a cell of an example as contents of files. */
function asContents(cell, media) {
  const parts = cell === null || cell === undefined ? [] : Array.isArray(cell) ? cell : [cell];
  return parts.filter((part) => part && part.b64).map(({ b64 }) => ({ b64, name: "", type: typeOf(b64, media) }));
}

/** Return the type of a file that browsers show, from the media type of its column and its first bytes. */
function typeOf(b64, media) {
  const starts = { iVBORw: "image/png", "/9j/": "image/jpeg", R0lGOD: "image/gif", UklGR: media === "audio/*" ? "audio/wav" : "image/webp" };
  const found = Object.keys(starts).find((start) => b64.startsWith(start));
  return found ? starts[found] : { "audio/*": "audio/mpeg", "video/*": "video/mp4" }[media] ?? media;
}

function numbersInput(column, changed) {
  const id = newId();
  const input = element("textarea", { id, autocomplete: "off", spellcheck: false, oninput: changed });
  const place = dropPlace(column.name, undefined, false, changed);
  const label = element("label", { for: id }, column.name, hint(column));
  return {
    column,
    element: element("div", { className: "cell" }, label, input, place.element),
    value: () => {
      if (place.contents().length) return { b64: place.contents()[0].b64 };
      return input.value.trim().startsWith("[") ? listIn(input.value, column.name) : numbersIn(input.value, column.name);
    },
    set: (cell) => {
      const isFile = cell !== null && typeof cell === "object" && !Array.isArray(cell);
      place.put(isFile ? asContents(cell, "") : []);
      input.value = Array.isArray(cell) ? JSON.stringify(cell) : typeof cell === "string" ? cell : "";
    },
  };
}

/** Return the list that a JSON text contains, which may be nested and contain null. */
function listIn(text, name) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(word("not.list", name, text.trim().slice(0, 40)));
  }
}

/** Return the numbers of a text that commas, semicolons or spaces separate; undefined = none. */
function numbersIn(text, name) {
  const parts = text.split(/[\s,;，；]+/).filter(Boolean);
  const wrong = parts.find((part) => !Number.isFinite(Number(part)));
  if (wrong !== undefined) throw new Error(word("not.numbers", name, wrong));
  return parts.length ? parts.map(Number) : undefined;
}
