// One request as curl, Python and TypeScript.
import { html, useState } from "htm/preact";
import { DATA } from "./core.js";
import { Copy, Dialog, Tabs } from "./parts.js";

const LANGUAGES = { curl: asCurl, Python: asPython, TypeScript: asTypeScript };

function shellQuoted(text) {
  return "'" + text.replaceAll("'", "'\\''") + "'";
}

function pythonValue(value) {
  if (value === null) return "None";
  if (value === true || value === false) return value ? "True" : "False";
  if (Array.isArray(value)) return "[" + value.map(pythonValue).join(", ") + "]";
  if (typeof value !== "object") return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, each]) => JSON.stringify(name) + ": " + pythonValue(each));
  return "{" + fields.join(", ") + "}";
}

function asCurl(request) {
  const lines = [
    "curl -X POST",
    '-H "Authorization: Bearer $BROWSER_USE_API_KEY"',
    '-H "Content-Type: application/json"',
    "-d " + shellQuoted(JSON.stringify(request)),
    shellQuoted(DATA.base + "/run-task"),
  ];
  return lines.join(" \\\n  ");
}

function asTypeScript(request) {
  return [
    "const response = await fetch(" + JSON.stringify(DATA.base + "/run-task") + ", {",
    '  method: "POST",',
    "  headers: {",
    "    Authorization: `Bearer ${process.env.BROWSER_USE_API_KEY}`,",
    '    "Content-Type": "application/json",',
    "  },",
    "  body: JSON.stringify(" + JSON.stringify(request, null, 2).replaceAll("\n", "\n  ") + "),",
    "});",
    "if (!response.ok) throw new Error(await response.text());",
    "console.log(await response.json());",
  ].join("\n");
}

function asPython({ task, ...fields }) {
  return [
    "import asyncio",
    "",
    "from browser_use_async import BrowserUseSession",
    "",
    "",
    "async def main() -> None:",
    "    async with BrowserUseSession(base_url=" + JSON.stringify(DATA.base) + ") as session:",
    "        task = await session.run_and_wait(",
    "            " + pythonValue(task) + ",",
    ...Object.entries(fields).map(([name, value]) => "            " + name + "=" + pythonValue(value) + ","),
    "        )",
    "        print(task.output)",
    "",
    "",
    "asyncio.run(main())",
  ].join("\n");
}

export function CodeDialog({ request, close }) {
  const [language, choose] = useState("curl");
  const text = LANGUAGES[language](request);
  return html`<${Dialog} title="The same request as code" close=${close} wide=${true}><div class="code">
    <div class="code-bar">
      <${Tabs} label="Language" names=${Object.keys(LANGUAGES)} chosen=${language} choose=${choose} panel="code" />
      <${Copy} text=${text} label=${"Copy as " + language} /></div>
    <pre id="code" role="tabpanel" tabindex="0" aria-label=${language}><code>${text}</code></pre></div>
    <p class="hint">Secrets are in no copy: give them again where it runs.</p><//>`;
}
