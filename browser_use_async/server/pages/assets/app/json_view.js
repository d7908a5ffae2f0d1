// An output as text, as Markdown, as a tree, or as a table. Each cell and each line of a tree is an element, and
// their number is limited: an output that a site has made large must not block the browser.
const DEEPEST = 100;
const MOST_COLUMNS = 50;
const SHORT = 20_000; // characters of an output that is shown with its second level open

function isDeep(value) {
  let level = [value];
  for (let depth = 0; depth < DEEPEST && level.length; depth++) level = level.flatMap((each) => (each && typeof each === "object" ? Object.values(each) : []));
  return level.length > 0;
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !isDeep(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function columnsOf(rows) {
  return [...new Set(rows.slice(0, 500).flatMap((row) => Object.keys(row)))];
}

function isRows(value) {
  return Array.isArray(value) && value.length > 0 && value.every((each) => each && typeof each === "object" && !Array.isArray(each)) && columnsOf(value).length <= MOST_COLUMNS;
}

// The rows of a table: the value itself, or the only list of objects in it.
function rowsOf(value) {
  if (isRows(value)) return value;
  const lists = value && !Array.isArray(value) ? Object.values(value).filter(isRows) : [];
  return lists.length === 1 ? lists[0] : null;
}

function Scalar({ value }) {
  return html`<span class=${"json-" + (value === null ? "null" : typeof value)}>${typeof value === "string" ? value : String(value)}</span>`;
}

// Closed parts are not drawn.
function Tree({ name, value, levels, depth = 0 }) {
  const [isOpen, open] = useState(depth < levels);
  if (value === null || typeof value !== "object") return html`<div class="leaf"><span class="json-name">${name}</span><${Scalar} value=${value} /></div>`;
  const entries = Object.entries(value);
  const size = Array.isArray(value) ? count(entries.length, "item") : count(entries.length, "field");
  return html`<details class="node" open=${isOpen} onToggle=${(event) => open(event.currentTarget.open)}><summary><span class="json-name">${name || "output"}</span><span class="note">${size}</span></summary>
    ${isOpen && html`<div class="branch">${entries.slice(0, 500).map(([key, each]) => html`<${Tree} key=${key} name=${key} value=${each} levels=${levels} depth=${depth + 1} />`)}
    ${entries.length > 500 && html`<p class="note">${count(entries.length - 500, "more")}</p>`}</div>`}</details>`;
}

function Table({ rows }) {
  const columns = columnsOf(rows);
  const cell = (value) => (value === undefined ? "" : typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Output as a table"><table><thead><tr>${columns.map((name) => html`<th scope="col" key=${name} class=${typeof rows[0][name] === "number" ? "number" : ""}>${name}</th>`)}</tr></thead>
    <tbody>${rows.slice(0, 500).map((row, number) => html`<tr key=${number}>${columns.map((name) => html`<td key=${name} class=${typeof row[name] === "number" ? "number" : ""}>${cell(Object.hasOwn(row, name) ? row[name] : undefined)}</td>`)}</tr>`)}</tbody></table></div>`;
}

function Output({ text }) {
  const value = useMemo(() => parsed(text), [text]);
  const rows = value === undefined ? null : rowsOf(value);
  const views = value === undefined ? (hasMarks(text) ? ["Formatted", "Text"] : ["Text"]) : rows ? ["Table", "Tree", "Text"] : ["Tree", "Text"];
  const view = views.find((each) => each.toLowerCase() === inQuery().get("output")) || views[0];
  const choose = (name) => inAddress({ output: name === views[0] ? "" : name.toLowerCase() });
  const copy_ = html`<${Copy} text=${text} label="Copy the output" />`;
  if (views.length === 1) return html`<div class="code"><div class="code-bar plain">${copy_}</div><div id="output" role="region" tabindex="0" aria-label="Output" class="output prose"><p>${text}</p></div></div>`;
  return html`<div class="code"><div class="code-bar"><${Tabs} label="Output as" names=${views} chosen=${view} choose=${choose} panel="output" />${copy_}</div>
    <div id="output" role="tabpanel" tabindex="0" aria-label="Output" class="output">${view === "Formatted" ? html`<${Prose} text=${text} />` : view === "Text" ? html`<pre>${value === undefined ? text : JSON.stringify(value, null, 2)}</pre>` : view === "Tree" ? html`<${Tree} value=${value} levels=${text.length < SHORT ? 2 : 1} />` : html`<${Table} rows=${rows} />`}</div></div>`;
}
