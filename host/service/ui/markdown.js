// Markdown as our documents use it, as elements: headings, paragraphs, lists, tables, code, links, emphasis. What it does not know
// stays text; nothing becomes HTML by itself.
import {h} from "./dom.js";

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

function link(text, target) {
  return /^https?:\/\//.test(target) ? h("a", {href: target, rel: "noreferrer noopener", target: "_blank"}, text) : text;
}

function inline(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    parts.push(text.slice(at, match.index));
    if (match[1]) parts.push(h("code", null, match[1]));
    else if (match[2]) parts.push(h("strong", null, match[2]));
    else parts.push(link(match[3], match[4]));
    at = match.index + match[0].length;
  }
  return [...parts, text.slice(at)];
}

// "| a | b |", where a bar behind a backslash is text.
const cells = line => line.replace(/^\||\|\s*$/g, "").split(/(?<!\\)\|/).map(cell => cell.trim().replaceAll("\\|", "|"));

function table(lines) {
  const [head, , ...body] = lines.map(cells);
  return h("div", {class: "wide"}, h("table", null,
    h("thead", null, h("tr", null, head.map(cell => h("th", {scope: "col"}, inline(cell))))),
    h("tbody", null, body.map(row => h("tr", null, row.map(cell => h("td", null, inline(cell))))))));
}

function take(lines, test) {
  const taken = [];
  while (lines.length && test(lines[0])) taken.push(lines.shift());
  return taken;
}

function block(lines) {
  const line = lines[0];
  const heading = /^(#{1,6})\s+(.*)$/.exec(line);
  if (heading) return lines.shift(), h(`h${Math.min(6, heading[1].length + 1)}`, null, inline(heading[2]));
  if (line.startsWith("```")) {
    lines.shift();
    const code = take(lines, each => !each.startsWith("```"));
    lines.shift();
    return h("pre", {tabindex: 0}, h("code", null, code.join("\n")));
  }
  if (line.startsWith("|") && /^\|[\s:|-]+\|?$/.test(lines[1] || "")) return table(take(lines, each => each.startsWith("|")));
  if (/^\s*[-*] /.test(line)) {
    const items = [];
    while (lines.length && /^\s*[-*] /.test(lines[0])) {
      const first = lines.shift().replace(/^\s*[-*] /, "");
      items.push([first, ...take(lines, each => /^\s+\S/.test(each) && !/^\s*[-*] /.test(each))].join(" "));
    }
    return h("ul", null, items.map(item => h("li", null, inline(item))));
  }
  return h("p", null, inline([lines.shift(), ...take(lines, each => each.trim() && !/^(#|```|\||\s*[-*] )/.test(each))].join(" ")));
}

export function markdown(text) {
  const lines = text.split("\n"), blocks = [];
  while (take(lines, line => !line.trim()), lines.length) blocks.push(block(lines));
  return h("div", {class: "prose"}, blocks);
}
