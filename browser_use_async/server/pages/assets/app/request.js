// One request as curl, Python and TypeScript.
const LANGUAGES = ["curl", "Python", "TypeScript"];

function shellQuoted(text) {
  return "'" + text.replaceAll("'", "'\\''") + "'";
}

function pythonValue(value, indent) {
  if (value === null) return "None";
  if (value === true || value === false) return value ? "True" : "False";
  if (Array.isArray(value)) return "[" + value.map((each) => pythonValue(each, indent)).join(", ") + "]";
  if (typeof value === "object") return "{" + Object.entries(value).map(([name, each]) => JSON.stringify(name) + ": " + pythonValue(each, indent)).join(", ") + "}";
  return JSON.stringify(value);
}

function asCurl(method, path, body) {
  const lines = ["curl"];
  if (method !== "GET") lines[0] += " -X " + method;
  lines.push('-H "Authorization: Bearer $BROWSER_USE_API_KEY"');
  if (body) lines.push('-H "Content-Type: application/json"', "-d " + shellQuoted(JSON.stringify(body)));
  return lines.concat(shellQuoted(DATA.base + path)).join(" \\\n  ");
}

function asTypeScript(method, path, body) {
  const lines = ["const response = await fetch(" + JSON.stringify(DATA.base + path) + ", {"];
  if (method !== "GET") lines.push("  method: " + JSON.stringify(method) + ",");
  lines.push("  headers: {", "    Authorization: `Bearer ${process.env.BROWSER_USE_API_KEY}`,");
  if (body) lines.push('    "Content-Type": "application/json",');
  lines.push("  },");
  if (body) lines.push("  body: JSON.stringify(" + JSON.stringify(body, null, 2).replaceAll("\n", "\n  ") + "),");
  return lines.concat("});", "if (!response.ok) throw new Error(await response.text());", "console.log(await response.json());").join("\n");
}

function pythonSession(call) {
  return "import asyncio\n\nfrom browser_use_async import BrowserUseSession\n\n\nasync def main() -> None:\n    async with BrowserUseSession(base_url=" +
    JSON.stringify(DATA.base) + ") as session:\n" + call.split("\n").map((line) => "        " + line).join("\n") + "\n\n\nasyncio.run(main())";
}

function taskAsPython({ task, ...fields }) {
  const given = Object.entries(fields).map(([name, value]) => "    " + name + "=" + pythonValue(value) + ",");
  const call = ["task = await session.run_and_wait(", "    " + pythonValue(task) + ",", ...given, ")", "print(task.output)"];
  return pythonSession(call.join("\n"));
}

function taskAs(language, request) {
  if (language === "curl") return asCurl("POST", "/run-task", request);
  return language === "Python" ? taskAsPython(request) : asTypeScript("POST", "/run-task", request);
}

function Code({ label, languages = LANGUAGES, write }) {
  const [language, choose] = useState(languages[0]);
  const text = write(language);
  const id = "code-" + label.replace(/\W+/g, "-");
  return html`<div class="code"><div class="code-bar"><${Tabs} label=${label} names=${languages} chosen=${language} choose=${choose} panel=${id} />
    <${Copy} text=${text} label=${"Copy as " + language} /></div>
    <pre id=${id} role="tabpanel" tabindex="0" aria-label=${language}><code>${text}</code></pre></div>`;
}

function CodeDialog({ request, close }) {
  return html`<${Dialog} title="The same request as code" close=${close} wide=${true}><${Code} label="Language" write=${(language) => taskAs(language, request)} />
    <p class="hint">Secrets are in no copy: give them again where it runs.</p><//>`;
}
