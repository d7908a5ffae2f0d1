// A new task, and the same request as code.
import { html, useEffect, useState } from "htm/preact";
import { API, ask, attempt, change, DATA, here, Refused, store } from "./core.js";
import { Check, Field, Select, useForm } from "./parts.js";
import { CodeDialog } from "./request.js";

export const MODELS = JSON.parse(DATA.models).map((each) => [each, each]);
export const COUNTRIES = JSON.parse(DATA.countries).map((each) => [each, each.toUpperCase()]);
const AS_PROFILE = ["", "As the profile says"];
const BLANK = {
  task: "",
  model: "",
  schema: "",
  domains: "",
  profile: "",
  files: [],
  steps: "",
  metadata: "",
  secrets: "",
  share: false,
  saves: false,
  adblock: "",
  proxy: "",
  country: "",
  script: "",
  inputs: "",
};

export function lines(text) {
  return text.split(/[\n,]/).map((each) => each.trim()).filter(Boolean);
}

function pairs(text) {
  const split = text.split("\n").map((line) => line.split(/=(.*)/s));
  const found = split.filter((each) => each.length > 1 && each[0].trim());
  return found.length ? Object.fromEntries(found.map(([name, value]) => [name.trim(), value.trim()])) : undefined;
}

function choice(text) {
  return text === "" ? undefined : text === "yes";
}

// The pairs of metadata by which a task names its script, as `script=` and `inputs=` of the SDK set them.
const OWN_PAIRS = "bu_async.";
const [SCRIPT, INPUTS] = [OWN_PAIRS + "script", OWN_PAIRS + "inputs"];

export function withScript({ script, inputs }, more) {
  if (!script.trim()) return more;
  const values = pairs(inputs);
  return { ...more, [SCRIPT]: script.trim(), ...(values ? { [INPUTS]: JSON.stringify(values) } : {}) };
}

// The values stand in the text, too, so that the first task can be done and recorded.
export function withInputs(text, { script, inputs }) {
  const values = (script.trim() && pairs(inputs)) || {};
  return text.trim().replace(/\{([A-Za-z_][\w.-]{0,63})\}/g, (found, name) =>
    (Object.hasOwn(values, name) ? values[name] : found));
}

function scriptOf(metadata) {
  let values = {};
  try {
    values = JSON.parse(metadata[INPUTS] || "{}") || {};
  } catch {
    // written by hand: the person sees no inputs, and gives them again
  }
  return { script: metadata[SCRIPT] || "", inputs: Object.entries(values).map((each) => each.join("=")).join("\n") };
}

// Empty fields are not sent.
function requestOf(form) {
  const request = {
    task: withInputs(form.task, form),
    llm_model: form.model || undefined,
    structured_output_json: form.schema.trim() || undefined,
    allowed_domains: lines(form.domains).length ? lines(form.domains) : undefined,
    browser_profile_id: form.profile || undefined,
    included_file_names: form.files.length ? form.files : undefined,
    max_agent_steps: form.steps ? Number(form.steps) : undefined,
    metadata: withScript(form, pairs(form.metadata)),
    secrets: pairs(form.secrets),
    enable_public_share: form.share || undefined,
    save_browser_data: form.saves || undefined,
    use_adblock: choice(form.adblock),
    use_proxy: choice(form.proxy),
    proxy_country_code: form.country || undefined,
  };
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
}

export function formOf(request) {
  const said = (flag) => (flag === undefined || flag === null ? "" : flag ? "yes" : "no");
  return {
    ...BLANK,
    task: request.task,
    model: request.llm_model || "",
    schema: request.structured_output_json || "",
    domains: (request.allowed_domains || []).join("\n"),
    profile: request.browser_profile_id || "",
    files: request.included_file_names || [],
    steps: request.max_agent_steps ? String(request.max_agent_steps) : "",
    metadata: Object.entries(request.metadata || {}).filter(([name]) => !name.startsWith(OWN_PAIRS))
      .map((each) => each.join("=")).join("\n"),
    ...scriptOf(request.metadata || {}),
    share: Boolean(request.enable_public_share),
    saves: Boolean(request.save_browser_data),
    adblock: said(request.use_adblock),
    proxy: said(request.use_proxy),
    country: request.proxy_country_code || "",
  };
}

// The form as code, also while it has no task yet.
function codeOf(form) {
  const task = form.task || "Open https://example.com and tell me its title";
  const { secrets, ...request } = requestOf({ ...form, task });
  if (!secrets) return request;
  return { ...request, secrets: Object.fromEntries(Object.keys(secrets).map((name) => [name, "…"])) };
}

function schemaProblem(text) {
  if (!text.trim()) return "";
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return "Not JSON yet: " + error.message;
  }
}

// --- files ---------------------------------------------------------------------------------

async function upload(file) {
  const body = { file_name: file.name, content_type: file.type || "application/octet-stream" };
  const { upload_url } = await ask(API + "/uploads/presigned-url", { method: "POST", body });
  const sent = { method: "PUT", body: file, headers: { "Content-Type": body.content_type } };
  const answer = await window.fetch(here(upload_url), sent);
  if (!answer.ok) throw new Refused(file.name + " was not uploaded: the server answered " + answer.status);
  return file.name;
}

// Uploads the files of a field, one after the other, and tells the name of each that has arrived.
export async function uploadAll(field, arrived) {
  for (const file of [...field.files]) {
    const name = await attempt(() => upload(file), file.name + " is uploaded");
    if (name) arrived(name);
  }
  field.value = "";
}

function Files({ names, change: set }) {
  const without = (name) => set((old) => old.filter((each) => each !== name));
  const add = (event) =>
    uploadAll(event.currentTarget, (name) => set((old) => [...old.filter((each) => each !== name), name]));
  return html`<div class="field"><label class="label" for="files">Files the task may read</label>
    <input id="files" type="file" multiple onChange=${add} />
    ${names.length > 0 && html`<ul class="chips">${names.map((name) => html`<li key=${name}>${name}
      <button type="button" class="quiet" aria-label=${"Leave out " + name} onClick=${() => without(name)}>×</button>
      </li>`)}</ul>`}</div>`;
}

// --- fields that schedules have, too ---------------------------------------------------------

export function ProfileField({ value, onChange }) {
  const [profiles, setProfiles] = useState([]);
  useEffect(() => {
    const read = () => ask(API + "/browser-profiles?limit=100");
    attempt(read).then((answer) => answer && setProfiles(answer.profiles));
  }, []);
  const choices = [["", "Default"], ...profiles.map((each) => [each.profile_id, each.profile_name])];
  return html`<${Field} label="Browser profile">
    <${Select} value=${value} onChange=${onChange} choices=${choices} /><//>`;
}

const SCRIPT_HINT = "It is played without a model. A new name: this task is recorded as it";

// A script by its name, and its inputs; a new name records one.
export function ScriptFields({ form, typed }) {
  const [names, setNames] = useState([]);
  useEffect(() => {
    attempt(() => ask("/admin/scripts")).then((answer) => answer && setNames(answer.scripts.map(({ name }) => name)));
  }, []);
  return html`<${Field} label="Script" hint=${SCRIPT_HINT}>
      <input list="script-names" autocomplete="off" spellcheck="false" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}"
        value=${form.script} onInput=${typed("script")} />
      <datalist id="script-names">${names.map((name) => html`<option key=${name} value=${name} />`)}</datalist><//>
    ${form.script.trim() && html`<${Field} label="Inputs of the script"
      hint="name=value, one a line; {name} stands for it in the task">
      <textarea rows="2" class="mono" spellcheck="false" value=${form.inputs} onInput=${typed("inputs")}></textarea>
      <//>`}`;
}

export function StepsField({ value, onInput }) {
  return html`<${Field} label="Step limit" hint="1 to 200, default 75">
    <input type="number" min="1" max="200" value=${value} onInput=${onInput} /><//>`;
}

export function DomainsField({ value, onInput, rows }) {
  return html`<${Field} label="Allowed domains" hint="One a line; *.example.com for subdomains">
    <textarea rows=${rows} spellcheck="false" value=${value} onInput=${onInput}></textarea><//>`;
}

// --- the form ------------------------------------------------------------------------------

function CodeField({ label, hint, ...more }) {
  return html`<${Field} label=${label} hint=${hint}>
    <textarea rows="3" class="mono" spellcheck="false" ...${more}></textarea><//>`;
}

function YesNo({ label, value, onChange }) {
  const choices = [AS_PROFILE, ["yes", "Yes"], ["no", "No"]];
  return html`<${Field} label=${label}><${Select} value=${value} onChange=${onChange} choices=${choices} /><//>`;
}

function Options({ form, set, typed }) {
  const schemaHint = schemaProblem(form.schema) || "A JSON schema that the output follows";
  const countries = [AS_PROFILE, ...COUNTRIES];
  return html`<div class="options">
    <${ProfileField} value=${form.profile} onChange=${typed("profile")} />
    <${StepsField} value=${form.steps} onInput=${typed("steps")} />
    <${ScriptFields} form=${form} typed=${typed} />
    <${DomainsField} rows="3" value=${form.domains} onInput=${typed("domains")} />
    <${CodeField} label="Output schema" hint=${schemaHint} value=${form.schema} onInput=${typed("schema")} />
    <${CodeField} label="Secrets" hint="name=value, one a line; typed into pages, never shown" autocomplete="off"
      value=${form.secrets} onInput=${typed("secrets")} />
    <${CodeField} label="Metadata" hint="name=value, one a line; comes back with the task"
      value=${form.metadata} onInput=${typed("metadata")} />
    <${YesNo} label="Block advertisements" value=${form.adblock} onChange=${typed("adblock")} />
    <${YesNo} label="Use a proxy" value=${form.proxy} onChange=${typed("proxy")} />
    <${Field} label="Country of the proxy">
      <${Select} value=${form.country} onChange=${typed("country")} choices=${countries} /><//>
    <${Files} names=${form.files} change=${(next) => set((old) => ({ files: next(old.files) }))} />
    <div class="field checks">
      <${Check} label="Make a public link" checked=${form.share} onChange=${(share) => set({ share })} />
      <${Check} label="Keep cookies with the task" checked=${form.saves} onChange=${(saves) => set({ saves })} />
    </div></div>`;
}

export function Composer({ created }) {
  const { form, set, typed } = useForm(() => store.draft || BLANK);
  const [isOpen, open] = useState(Boolean(form.script));
  const [isUsed, use] = useState(Boolean(form.task)); // on a telephone it is one line until then
  const [showsCode, showCode] = useState(false);
  const [isBusy, busy] = useState(false);
  useEffect(() => { change({ draft: null }); }, []);
  const send = async (event) => {
    event.preventDefault();
    if (!form.task.trim() || isBusy) return;
    busy(true);
    const run = () => ask(API + "/run-task", { method: "POST", body: requestOf(form) });
    const made = await attempt(run, "The task has started");
    busy(false);
    if (!made) return;
    set(BLANK);
    use(false);
    created();
  };
  const press = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event);
  };
  const models = [["", "Default model"], ...MODELS];
  return html`<form class=${isUsed ? "composer card is-used" : "composer card"} aria-label="New task"
    onSubmit=${send} onFocusIn=${() => use(true)}>
    <label class="reader-only" for="new-task">What should be done?</label>
    <textarea id="new-task" rows="2" value=${form.task} onInput=${typed("task")} onKeyDown=${press}
      placeholder="What should be done? For example: open https://example.com and tell me its title"></textarea>
    ${isOpen && html`<${Options} form=${form} set=${set} typed=${typed} />`}
    <div class="composer-bar"><label class="inline"><span class="reader-only">Model</span>
      <${Select} value=${form.model} onChange=${typed("model")} choices=${models} /></label>
    <button type="button" aria-expanded=${String(isOpen)} onClick=${() => open(!isOpen)}>Options</button>
    <button type="button" onClick=${() => showCode(true)}>As code</button>
    <button type="submit" class="strong" disabled=${isBusy || !form.task.trim()}>
      ${isBusy ? "Starting…" : "Run task"}</button></div>
    ${showsCode && html`<${CodeDialog} request=${codeOf(form)} close=${() => showCode(false)} />`}
  </form>`;
}
