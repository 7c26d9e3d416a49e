// The view of the run's report: a document without scripts, which is shown with its own style.

import { element } from "./elements.js";
import { checked, route, send } from "./server.js";
import { language, word } from "./words.js";

/** Return the view for a model. */
export async function reportView(model) {
  const card = element("div", { className: "card" });
  if (!model.report) {
    card.append(element("p", {}, word("report.none")));
    return card;
  }
  const response = await checked(await send(`${route(model.name, "report")}?language=${language()}`));
  const [styles, html] = withoutStyles(await response.text());
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  const inside = element("div", { className: "body" });
  inside.append(...document.importNode(new DOMParser().parseFromString(html, "text/html").body, true).childNodes);
  for (const styled of inside.querySelectorAll("[data-style]")) styled.style.cssText = styled.dataset.style;
  const root = card.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet];
  root.append(inside);
  new ResizeObserver(() => {
    for (const wide of inside.querySelectorAll(".card, .scroll")) wide.tabIndex = wide.scrollWidth > wide.clientWidth ? 0 : -1;
  }).observe(inside);
  card.className = "";
  return card;
}

/** Return the styles of a report and the report without them: the policy of this page applies styles only through properties. Text of a
 * report has no quotes that are not escaped, so that ` style="` occurs only in tags. */
function withoutStyles(html) {
  let styles = "";
  const rest = html.replace(/<style>([^<]*)<\/style>/g, (_, style) => {
    styles += style;
    return "";
  });
  return [styles, rest.replaceAll(' style="', ' data-style="')];
}
