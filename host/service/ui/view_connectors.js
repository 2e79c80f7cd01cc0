// Connectors that are installed, and what their users should know.
import {h} from "./dom.js";
import {markdown} from "./markdown.js";
import {failure} from "./parts.js";

export function viewConnectors(model) {
  return h("div", null, h("div", {class: "head"}, h("h1", null, "Connectors")),
    model.connectors instanceof Error ? failure(model.connectors) : h("ul", {class: "cards"}, (model.connectors || []).map(each => h("li", {"data-key": each.name},
      h("a", {href: `#/connectors/${encodeURIComponent(each.name)}`}, each.name), h("span", {class: "quiet"}, each.path)))),
    model.connectors ? null : h("p", {class: "quiet"}, "Loading"));
}

export function viewConnector(model) {
  const docs = model.docs;
  return h("div", null, h("p", {class: "crumbs"}, h("a", {href: "#/connectors"}, "Connectors")), h("div", {class: "head"}, h("h1", null, model.name)),
    docs instanceof Error ? failure(docs) : !docs ? h("p", {class: "quiet"}, "Loading") : markdown(docs));
}
