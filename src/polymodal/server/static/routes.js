// The view for programmers: a request to try, and the routes of the server.

import { element, newId } from "./elements.js";
import { json, route, send } from "./server.js";
import { described, word } from "./words.js";

const LONGEST = 120;

/** Return the view for a model. */
export async function routesView(model) {
  const api = await json("/openapi.json");
  const path = route(model.name, "predict");
  const example = api.paths[`/models/${model.name}/predict`].post.requestBody.content["application/json"].example;
  return element("div", {}, attempt(path, example), routes(api, model));
}

/** Return a form that sends a request. */
function attempt(path, example) {
  const id = newId();
  const input = element("textarea", { id, value: JSON.stringify(example, null, 1), spellcheck: false, rows: 10 });
  const curl = element("pre", { tabIndex: 0 });
  const output = element("pre", { hidden: true, tabIndex: 0 });
  const update = () => {
    const quoted = formatted(input.value, 0).replaceAll("'", "'\\''");
    curl.textContent = `curl ${location.origin}${path} -d '${quoted}'`;
  };
  input.addEventListener("input", update);
  update();
  const button = element("button", { type: "button", className: "main" }, word("api.send"));
  button.addEventListener("click", async () => {
    const response = await send(path, { method: "POST", body: input.value });
    output.hidden = false;
    output.textContent = `${response.status}\n${formatted(await response.text(), 1)}`;
  });
  return element(
    "div",
    { className: "card" },
    element("h2", {}, word("api.try")),
    element("div", { className: "cell" }, element("label", { for: id }, `POST ${path}`), input),
    button,
    output,
    element("p", { className: "soft" }, word("api.curl")),
    curl,
  );
}

/** Return a JSON text with this indent, 0 = in one line; a text that is not JSON stays as it is. */
function formatted(text, indent) {
  try {
    return JSON.stringify(JSON.parse(text), null, indent);
  } catch {
    return text;
  }
}

/** Return the routes of all models or of this one, each with its body and its answers. */
function routes(api, model) {
  const card = element("div", { className: "card", style: { marginTop: "18px" } }, element("h2", {}, word("api.routes")));
  for (const [path, methods] of Object.entries(api.paths)) {
    if (path.startsWith("/models/") && !path.startsWith(`/models/${model.name}/`) && !path.includes("{")) continue;
    for (const [method, facts] of Object.entries(methods)) {
      const summary = element("summary", {}, element("span", { className: "method" }, method.toUpperCase()), ` ${path}  `, element("small", {}, described(facts.summary)));
      const details = element("details", {}, summary);
      for (const [type, content] of Object.entries(facts.requestBody?.content ?? {})) {
        details.append(element("h4", {}, `${word("api.body")}: ${type}`), element("pre", { tabIndex: 0 }, written(content.schema)));
      }
      for (const [status, answer] of Object.entries(facts.responses ?? {})) {
        const [content] = Object.values(answer.content ?? {});
        details.append(element("h4", {}, `${status} ${described(answer.description)}`));
        if (content?.schema && Object.keys(content.schema).length) details.append(element("pre", { tabIndex: 0 }, written(content.schema)));
      }
      card.append(details);
    }
  }
  card.append(element("p", {}, element("a", { href: "/openapi.json" }, word("api.document"))));
  return card;
}

/** Return a schema as text, in which long texts are shortened. */
function written(schema) {
  return JSON.stringify(schema, (_, value) => (typeof value === "string" && value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value), 1);
}
