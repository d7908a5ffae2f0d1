// An output as text, as Markdown, as a tree, or as a table. Each cell and each line of a tree is an element, and
// their number is limited: an output that a site has made large must not block the browser.
import { html, useMemo, useState } from "htm/preact";
import { inAddress, inQuery } from "./address.js";
import { count } from "./format.js";
import { Copy, Scroll, Tabs } from "./parts.js";
import { hasMarks, Prose } from "./prose.js";

const DEEPEST = 100;
const MOST_COLUMNS = 50;
const MOST_ROWS = 500;
const SHORT = 20_000; // characters of an output that is shown with its second level open

function isObject(value) {
  return typeof value === "object" && value !== null;
}

function isDeep(value) {
  let level = [value];
  for (let depth = 0; depth < DEEPEST && level.length; depth++) {
    level = level.flatMap((each) => (isObject(each) ? Object.values(each) : []));
  }
  return level.length > 0;
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return isObject(value) && !isDeep(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function columnsOf(rows) {
  return [...new Set(rows.slice(0, MOST_ROWS).flatMap((row) => Object.keys(row)))];
}

function isRows(value) {
  if (!Array.isArray(value) || !value.length) return false;
  return value.every((each) => isObject(each) && !Array.isArray(each)) && columnsOf(value).length <= MOST_COLUMNS;
}

// The rows of a table: the value itself, or the only list of objects in it.
function rowsOf(value) {
  if (isRows(value)) return value;
  const lists = value && !Array.isArray(value) ? Object.values(value).filter(isRows) : [];
  return lists.length === 1 ? lists[0] : null;
}

function Scalar({ value }) {
  return html`<span class=${"json-" + (value === null ? "null" : typeof value)}>${String(value)}</span>`;
}

// Closed parts are not drawn.
function Tree({ name, value, levels, depth = 0 }) {
  const [isOpen, open] = useState(depth < levels);
  if (!isObject(value)) {
    return html`<div class="leaf"><span class="json-name">${name}</span><${Scalar} value=${value} /></div>`;
  }
  const entries = Object.entries(value);
  const size = count(entries.length, Array.isArray(value) ? "item" : "field");
  const branch = ([key, each]) =>
    html`<${Tree} key=${key} name=${key} value=${each} levels=${levels} depth=${depth + 1} />`;
  return html`<details class="node" open=${isOpen} onToggle=${(event) => open(event.currentTarget.open)}>
    <summary><span class="json-name">${name || "output"}</span><span class="note">${size}</span></summary>
    ${isOpen && html`<div class="branch">${entries.slice(0, MOST_ROWS).map(branch)}
    ${entries.length > MOST_ROWS && html`<p class="note">${count(entries.length - MOST_ROWS, "more")}</p>`}</div>`}
    </details>`;
}

function Table({ rows }) {
  const columns = columnsOf(rows);
  const look = (value) => (typeof value === "number" ? "number" : "");
  const text = (value) => (value === undefined ? "" : isObject(value) ? JSON.stringify(value) : String(value));
  const own = (row, name) => (Object.hasOwn(row, name) ? row[name] : undefined);
  const head = (name) => html`<th scope="col" key=${name} class=${look(rows[0][name])}>${name}</th>`;
  const cell = (row, name) => html`<td key=${name} class=${look(row[name])}>${text(own(row, name))}</td>`;
  return html`<${Scroll} label="Output as a table"><table><thead><tr>${columns.map(head)}</tr></thead>
    <tbody>${rows.slice(0, MOST_ROWS).map((row, number) => html`<tr key=${number}>
      ${columns.map((name) => cell(row, name))}</tr>`)}</tbody></table><//>`;
}

function viewsOf(text, value, rows) {
  if (value === undefined) return hasMarks(text) ? ["Formatted", "Text"] : ["Text"];
  return rows ? ["Table", "Tree", "Text"] : ["Tree", "Text"];
}

export function Output({ text }) {
  const value = useMemo(() => parsed(text), [text]);
  const rows = value === undefined ? null : rowsOf(value);
  const views = viewsOf(text, value, rows);
  const view = views.find((each) => each.toLowerCase() === inQuery().get("output")) || views[0];
  const choose = (name) => inAddress({ output: name === views[0] ? "" : name.toLowerCase() });
  const copy = html`<${Copy} text=${text} label="Copy the output" />`;
  if (views.length === 1) {
    return html`<div class="code"><div class="code-bar plain">${copy}</div>
      <div id="output" role="region" tabindex="0" aria-label="Output" class="output prose"><p>${text}</p></div></div>`;
  }
  const shown = {
    Formatted: () => html`<${Prose} text=${text} />`,
    Text: () => html`<pre>${value === undefined ? text : JSON.stringify(value, null, 2)}</pre>`,
    Tree: () => html`<${Tree} value=${value} levels=${text.length < SHORT ? 2 : 1} />`,
    Table: () => html`<${Table} rows=${rows} />`,
  };
  return html`<div class="code"><div class="code-bar">
    <${Tabs} label="Output as" names=${views} chosen=${view} choose=${choose} panel="output" />${copy}</div>
    <div id="output" role="tabpanel" tabindex="0" aria-label="Output" class="output">${shown[view]()}</div></div>`;
}
