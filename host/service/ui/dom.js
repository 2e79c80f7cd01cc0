// Elements, and how a tree that is shown becomes another. Text from outside only ever becomes text nodes and attributes.

const SVG = "http://www.w3.org/2000/svg";
const IN_SVG = new Set(["svg", "g", "rect", "path", "line", "text", "title", "circle"]);

// h("a", {href: "#/", "data-key": 1}, "text", [more], null): attributes that are null or false are left out.
export function h(tag, attributes, ...children) {
  const element = IN_SVG.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  for (const child of children.flat(Infinity))
    if (child !== null && child !== undefined && child !== false) element.append(child instanceof Node ? child : String(child));
  return element;
}

const keyOf = node => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);

function isAlike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
}

function morphAttributes(from, to) {
  // What a person has opened stays open.
  for (const {name} of [...from.attributes])
    if (!to.hasAttribute(name) && !(name === "open" && from.nodeName === "DETAILS")) from.removeAttribute(name);
  for (const {name, value} of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
}

// Makes `from`, which is shown, like `to`, keeping elements that stay: focus, scrolling and what was typed stay with them.
export function morph(from, to) {
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  morphAttributes(from, to);
  if (from.hasAttribute("data-kept")) return;
  let at = from.firstChild;
  for (let wanted = to.firstChild; wanted;) {
    const next = wanted.nextSibling;
    let found = at;
    if (keyOf(wanted) !== null) while (found && !isAlike(found, wanted)) found = found.nextSibling;
    if (found && isAlike(found, wanted)) {
      if (found !== at) from.insertBefore(found, at);
      else at = at.nextSibling;
      morph(found, wanted);
    } else {
      from.insertBefore(wanted, at);
    }
    wanted = next;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
