// Requests to the server, with the token if it needs one.

import { element } from "./elements.js";
import { word } from "./words.js";

const KEY = "polymodal token";

/** Return the headers of a request, with the token that was given. */
function withToken(headers = {}) {
  const token = sessionStorage.getItem(KEY);
  return token ? { ...headers, authorization: `Bearer ${token}` } : headers;
}

/** Return the response to a request. A refused token is requested from the user, and the request is sent again. */
export async function send(path, options = {}) {
  for (;;) {
    const response = await fetch(path, { ...options, headers: withToken(options.headers) });
    if (response.status !== 401) return response;
    await requestToken(sessionStorage.getItem(KEY) !== null);
  }
}

/** Return the response to a request as JSON. Throws an Error with the message of the server. */
export async function json(path, body, options = {}) {
  const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const response = await send(path, { ...sent, ...options });
  return checked(response).then((ok) => ok.json());
}

/** Return a response whose status is a success. Throws an Error with the message of the server otherwise. */
export async function checked(response) {
  if (response.ok) return response;
  let text = `${response.status} ${response.statusText}`;
  try {
    text = (await response.json()).error ?? text;
  } catch {
    // not JSON: the status is the message
  }
  throw new Error(text);
}

/** Show a dialog for the token, and return when it was given. */
function requestToken(wasRefused) {
  return new Promise((resolve) => {
    const input = element("input", { type: "password", id: "token", autocomplete: "off" });
    const form = element(
      "form",
      { method: "dialog" },
      element("div", { className: "cell" }, element("label", { for: "token" }, word(wasRefused ? "token.refused" : "token")), input),
      element("button", { className: "main" }, word("continue")),
    );
    const dialog = element("dialog", { "aria-label": word("token") }, form);
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEY, input.value.trim());
      dialog.remove();
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Return the URL path of a model's route. */
export const route = (model, name) => `/models/${encodeURIComponent(model)}/${name}`;
