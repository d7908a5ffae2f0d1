// An output as text, formatted as its marks say, as a tree, or as a table.
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRows(value) {
  return Array.isArray(value) && value.length > 0 && value.every((each) => each && typeof each === "object" && !Array.isArray(each));
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

function Tree({ name, value, depth = 0 }) {
  const isOpen = depth < 2;
  if (value === null || typeof value !== "object") return html`<div class="leaf"><span class="json-name">${name}</span><${Scalar} value=${value} /></div>`;
  const entries = Object.entries(value);
  const size = Array.isArray(value) ? count(entries.length, "item") : count(entries.length, "field");
  return html`<details class="node" open=${isOpen}><summary><span class="json-name">${name || "output"}</span><span class="note">${size}</span></summary>
    <div class="branch">${entries.slice(0, 500).map(([key, each]) => html`<${Tree} key=${key} name=${key} value=${each} depth=${depth + 1} />`)}
    ${entries.length > 500 && html`<p class="note">${count(entries.length - 500, "more")}</p>`}</div></details>`;
}

function Table({ rows }) {
  const columns = [...new Set(rows.slice(0, 500).flatMap((row) => Object.keys(row)))];
  const cell = (value) => (value === undefined ? "" : typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Output as a table"><table><thead><tr>${columns.map((name) => html`<th scope="col" key=${name} class=${typeof rows[0][name] === "number" ? "number" : ""}>${name}</th>`)}</tr></thead>
    <tbody>${rows.slice(0, 500).map((row, number) => html`<tr key=${number}>${columns.map((name) => html`<td key=${name} class=${typeof row[name] === "number" ? "number" : ""}>${cell(row[name])}</td>`)}</tr>`)}</tbody></table></div>`;
}

function Output({ text }) {
  const value = useMemo(() => parsed(text), [text]);
  const rows = value === undefined ? null : rowsOf(value);
  const views = value === undefined ? (hasMarks(text) ? ["Formatted", "Text"] : ["Text"]) : rows ? ["Table", "Tree", "Text"] : ["Tree", "Text"];
  const [wanted, choose] = useState("");
  const view = views.includes(wanted) ? wanted : views[0];
  const copy_ = html`<${Copy} text=${text} label="Copy the output" />`;
  if (views.length === 1) return html`<div class="code"><div class="code-bar plain">${copy_}</div><div id="output" role="region" tabindex="0" aria-label="Output" class="output prose"><p>${text}</p></div></div>`;
  return html`<div class="code"><div class="code-bar"><${Tabs} label="Output as" names=${views} chosen=${view} choose=${choose} panel="output" />${copy_}</div>
    <div id="output" role="tabpanel" tabindex="0" aria-label="Output" class="output">${view === "Formatted" ? html`<${Prose} text=${text} />` : view === "Text" ? html`<pre>${value === undefined ? text : JSON.stringify(value, null, 2)}</pre>` : view === "Tree" ? html`<${Tree} value=${value} />` : html`<${Table} rows=${rows} />`}</div></div>`;
}
