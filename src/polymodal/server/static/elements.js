// Makes elements. Text from data becomes text nodes, never HTML.

/** Return an element with properties, listeners (`onclick`), attributes (`aria-...`, `role`, `for`) and children. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(made.style, value);
    else if (name in made && !name.startsWith("aria-")) made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

let count = 0;
/** Return an id that no other element has. */
export const newId = () => `e${++count}`;

/** Show a message of what went wrong; "" removes it. */
export function alertWith(text) {
  document.getElementById("alert").textContent = text;
}
