// The API, from the OpenAPI document: parameters, bodies, answers, examples, and a form to try it.
function resolve(document_, schema) {
  if (schema && schema.$ref) return document_.components.schemas[schema.$ref.split("/").pop()] || {};
  return schema || {};
}

// The schema of a field without its null.
function named(schema) {
  return (schema.anyOf || [schema]).find((each) => each.type !== "null") || schema;
}

function typeName(document_, schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const several = schema.anyOf || schema.oneOf || schema.allOf;
  if (several) return several.map((each) => typeName(document_, each)).filter((each) => each !== "null").join(" or ");
  if (schema.type === "array") return "list of " + (typeName(document_, schema.items) || "anything");
  if (schema.format) return schema.type + " (" + schema.format + ")";
  return Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || "anything";
}

function limits(schema) {
  const parts = { ...schema, ...named(schema) };
  const words = [];
  if (parts.enum) words.push("one of " + parts.enum.join(", "));
  if (parts.minimum !== undefined) words.push("from " + parts.minimum);
  if (parts.maximum < 1e12) words.push("to " + parts.maximum);
  if (parts.maxLength !== undefined) words.push("at most " + parts.maxLength + " characters");
  if (schema.default !== undefined && schema.default !== null) words.push("default " + JSON.stringify(schema.default));
  return words.join(", ");
}

function exampleOf(name, schema) {
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  const kind = named(schema);
  if (kind.enum) return kind.enum[0];
  const known = { task: "Open https://example.com and tell me its title", url: "https://example.com", query: "What is the price?", profile_name: "shopping", file_name: "prices.csv", content_type: "text/csv", schedule_type: "cron" };
  if (name in known) return known[name];
  return { integer: 1, boolean: true, array: [], object: {} }[kind.type] ?? "text";
}

function bodyExample(document_, operation) {
  const schema = resolve(document_, operation.requestBody?.content["application/json"].schema);
  const names = schema.required?.length ? schema.required : Object.keys(schema.properties || {}).slice(0, 1);
  const body = Object.fromEntries(names.map((name) => [name, exampleOf(name, resolve(document_, schema.properties[name]))]));
  if (body.schedule_type) body.cron_expression = "0 7 * * *";
  return body;
}

function FieldTable({ document_, of, title, rows }) {
  if (!rows.length) return null;
  // With roles: without a table layout, as on a telephone, screen readers would not find a table.
  return html`<h4>${title}</h4><div class="scroll" tabindex="0" role="region" aria-label=${title + " of " + of}><table class="fields" role="table"><thead role="rowgroup"><tr role="row">${["Name", "Type", "Notes"].map((name) => html`<th scope="col" role="columnheader" key=${name}>${name}</th>`)}</tr></thead><tbody role="rowgroup">
    ${rows.map((row) => html`<tr key=${row.name} role="row"><td role="cell"><code>${row.name}</code>${row.required && html`<span class="required">required</span>`}</td><td role="cell">${typeName(document_, row.schema)}</td><td role="cell">${[row.description || row.schema.description, limits({ ...resolve(document_, named(row.schema)), ...row.schema })].filter(Boolean).map((each, place) => html`<span key=${place} class=${place ? "limits" : ""}>${inline(each)}</span>`)}</td></tr>`)}</tbody></table></div>`;
}

function bodyRows(document_, operation) {
  const schema = resolve(document_, operation.requestBody?.content["application/json"].schema);
  return Object.entries(schema.properties || {}).map(([name, each]) => ({ name, schema: each, required: schema.required?.includes(name) }));
}

function answerRows(document_, operation) {
  const schema = resolve(document_, operation.responses["200"]?.content?.["application/json"].schema);
  return Object.entries(schema.properties || {}).map(([name, each]) => ({ name, schema: each }));
}

function filled(path, parameters, values) {
  let address = path;
  const query = new URLSearchParams();
  for (const each of parameters) {
    const value = values[each.name] ?? "";
    if (each.in === "path") address = address.replace("{" + each.name + "}", value ? encodeURIComponent(value) : "{" + each.name + "}");
    else if (value !== "") query.set(each.name, value);
  }
  const text = query.toString();
  return address + (text ? "?" + text : "");
}

function TryIt({ document_, call }) {
  const { method, path, operation, parameters } = call;
  const [values, setValues] = useState({});
  const [body, setBody] = useState(operation.requestBody ? JSON.stringify(bodyExample(document_, operation), null, 2) : "");
  const [answer, setAnswer] = useState(null);
  const send = async (event) => {
    event.preventDefault();
    const headers = store.key ? { Authorization: "Bearer " + store.key } : {};
    if (body) headers["Content-Type"] = "application/json";
    const started = performance.now();
    try {
      const got = await window.fetch(filled(path, parameters, values), { method, headers, body: body || undefined, cache: "no-store" });
      const text = await got.text();
      setAnswer({ status: got.status, ms: Math.round(performance.now() - started), text: parsed(text) ? JSON.stringify(parsed(text), null, 2) : text });
    } catch (error) {
      setAnswer({ status: 0, ms: 0, text: "The server does not answer: " + error.message });
    }
  };
  const spends = method !== "GET" && call.more.price !== "free";
  return html`<details class="try"><summary>Try it</summary><form onSubmit=${send} class="form">
    ${!store.key && operation.security && html`<p class="note">This call needs a key: <${A} href="/">enter it<//> first.</p>`}
    ${parameters.map((each) => html`<${Field} key=${each.name} label=${each.name} hint=${typeName(document_, each.schema)}><input required=${each.required} value=${values[each.name] || ""} onInput=${(event) => setValues({ ...values, [each.name]: event.currentTarget.value })} /><//>`)}
    ${operation.requestBody && html`<${Field} label="Body"><textarea class="mono" rows="6" spellcheck="false" value=${body} onInput=${(event) => setBody(event.currentTarget.value)}></textarea><//>`}
    <div class="actions"><button type="submit" class=${spends ? "danger" : "strong"}>${spends ? "Send, and pay " + call.more.price : "Send"}</button></div></form>
    ${answer && html`<div role="status"><p><span class="pill" data-status=${answer.status >= 200 && answer.status < 300 ? "finished" : "failed"}>${answer.status || "no answer"}</span> <span class="note">${answer.ms} ms</span></p><pre tabindex="0" aria-label="Answer">${answer.text.slice(0, 20000)}</pre></div>`}</details>`;
}

function callAs(language, call, document_) {
  const body = call.operation.requestBody ? bodyExample(document_, call.operation) : undefined;
  const path = call.path.slice(API.length);
  if (language === "curl") return asCurl(call.method, path, body);
  if (language === "TypeScript") return asTypeScript(call.method, path, body);
  return "# Any HTTP client; browser_use_async has a method for each call.\nimport os\n\nimport httpx\n\nresponse = httpx.request(\n    " + JSON.stringify(call.method) + ",\n    " + JSON.stringify(DATA.base + path) +
    ",\n    headers={\"Authorization\": f\"Bearer {os.environ['BROWSER_USE_API_KEY']}\"}," + (body ? "\n    json=" + pythonValue(body) + "," : "") + "\n)\nresponse.raise_for_status()\nprint(response.json())";
}

function CallCard({ document_, call }) {
  const { operation } = call;
  const notes = [call.more.price, call.more.subscription && "needs a subscription", operation.security ? operation["x-scope"] && "needs the scope " + operation["x-scope"] : "needs no key"].filter(Boolean);
  return html`<article class="call card" id=${operation.operationId}>
    <h3><span class="method" data-method=${call.method}>${call.method}</span><code>${call.path}</code><a href=${"#" + operation.operationId} aria-label=${"Link to " + operation.summary}>#</a></h3>
    <p>${operation.description}</p><p class="facts">${notes.map((each) => html`<span key=${each}>${each}</span>`)}</p>
    <${FieldTable} document_=${document_} of=${operation.operationId} title="Parameters" rows=${call.parameters} />
    <${FieldTable} document_=${document_} of=${operation.operationId} title="Body" rows=${bodyRows(document_, operation)} />
    <h4>Answers</h4><ul class="answers">${Object.entries(operation.responses).map(([status, each]) => html`<li key=${status}><b>${status}</b> ${each.description}${status === "200" && each.content ? html` <span class="note">${typeName(document_, each.content["application/json"].schema)}</span>` : ""}</li>`)}</ul>
    <${FieldTable} document_=${document_} of=${operation.operationId + ", the answer"} title="Fields of the answer" rows=${answerRows(document_, operation)} />
    <h4>Example</h4><${Code} label=${"Example of " + operation.operationId} write=${(language) => callAs(language, call, document_)} />
    <${TryIt} document_=${document_} call=${call} /></article>`;
}

function callsOf(document_, text) {
  const more = JSON.parse(DATA.calls);
  const calls = Object.entries(document_.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({
    path, method: method.toUpperCase(), operation, parameters: operation.parameters || [], more: more[operation.operationId],
  })));
  const sought = text.toLowerCase();
  return calls.filter((call) => (call.path + call.operation.description + call.operation.summary).toLowerCase().includes(sought));
}

// Beside the calls where there is room, else above them and folded.
const WIDE = window.matchMedia("(min-width: 66.01rem)");

function CallList({ sections }) {
  const [isWide, widen] = useState(WIDE.matches);
  useEffect(() => {
    const changed = () => widen(WIDE.matches);
    WIDE.addEventListener("change", changed);
    return () => WIDE.removeEventListener("change", changed);
  }, []);
  const lists = [...sections].map(([name, calls]) => html`<section key=${name}><h2>${name}</h2><ul>${calls.map((call) => html`<li key=${call.operation.operationId}><a href=${"#" + call.operation.operationId}>${call.operation.summary}</a></li>`)}</ul></section>`);
  return html`<nav class="toc" aria-label="Calls">${isWide ? lists : html`<details class="card"><summary>All calls</summary>${lists}</details>`}</nav>`;
}

function CallsPage() {
  const [document_, setDocument] = useState(null);
  const [text, setText] = useTypedInto("call", 150);
  useEffect(() => {
    window.fetch("/openapi.json").then((answer) => answer.json()).then(setDocument, () => change({ offline: true }));
  }, []);
  useEffect(() => { if (document_ && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView(); }, [document_]);
  const sections = new Map();
  for (const call of document_ ? callsOf(document_, text) : []) {
    if (!sections.has(call.more.section)) sections.set(call.more.section, []);
    sections.get(call.more.section).push(call);
  }
  return html`<${Heading} actions=${html`<a class="button" href="/openapi.json">OpenAPI document</a> <a class="button" href="/admin/openapi.json">Administration</a>`} note=${html`The base URL is <code>${DATA.base}</code>. Every call but ping needs the key: <code>Authorization: Bearer KEY</code>. Prices are the published ones, in US dollars.`}>API<//>
    <div class="tools"><div class="search"><${Icon} name="search" /><input type="search" aria-label="Search calls" placeholder="Search calls" value=${text} onInput=${(event) => setText(event.currentTarget.value)} /></div></div>
    ${loading(document_)}
    ${document_ && !sections.size && html`<${Empty} title="No call matches" />`}
    <div class="calls"><${CallList} sections=${sections} />
    <div class="call-list">${[...sections].map(([name, calls]) => html`<section key=${name} aria-label=${name}><h2>${name}</h2>${calls.map((call) => html`<${CallCard} key=${call.operation.operationId} document_=${document_} call=${call} />`)}</section>`)}</div></div>`;
}
