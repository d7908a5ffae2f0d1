// A new task, and the same request as code.
const MODELS = JSON.parse(DATA.models);
const COUNTRIES = JSON.parse(DATA.countries);
const BLANK = { task: "", model: "", schema: "", domains: "", profile: "", files: [], steps: "", metadata: "", secrets: "", share: false, saves: false, adblock: "", proxy: "", country: "" };

function lines(text) {
  return text.split(/[\n,]/).map((each) => each.trim()).filter(Boolean);
}

function pairs(text) {
  const found = text.split("\n").map((line) => line.split(/=(.*)/s)).filter((each) => each.length > 1 && each[0].trim());
  return found.length ? Object.fromEntries(found.map(([name, value]) => [name.trim(), value.trim()])) : undefined;
}

function choice(text) {
  return text === "" ? undefined : text === "yes";
}

// Empty fields are not sent.
function requestOf(form) {
  const request = {
    task: form.task.trim(),
    llm_model: form.model || undefined,
    structured_output_json: form.schema.trim() || undefined,
    allowed_domains: lines(form.domains).length ? lines(form.domains) : undefined,
    browser_profile_id: form.profile || undefined,
    included_file_names: form.files.length ? form.files : undefined,
    max_agent_steps: form.steps ? Number(form.steps) : undefined,
    metadata: pairs(form.metadata),
    secrets: pairs(form.secrets),
    enable_public_share: form.share || undefined,
    save_browser_data: form.saves || undefined,
    use_adblock: choice(form.adblock),
    use_proxy: choice(form.proxy),
    proxy_country_code: form.country || undefined,
  };
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
}

function formOf(request) {
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
    metadata: Object.entries(request.metadata || {}).map((each) => each.join("=")).join("\n"),
    share: Boolean(request.enable_public_share),
    saves: Boolean(request.save_browser_data),
    adblock: said(request.use_adblock),
    proxy: said(request.use_proxy),
    country: request.proxy_country_code || "",
  };
}

function withoutSecrets({ secrets, ...request }) {
  return secrets ? { ...request, secrets: Object.fromEntries(Object.keys(secrets).map((name) => [name, "…"])) } : request;
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

async function upload(file) {
  const body = { file_name: file.name, content_type: file.type || "application/octet-stream" };
  const { upload_url } = await ask(API + "/uploads/presigned-url", { method: "POST", body });
  const answer = await window.fetch(here(upload_url), { method: "PUT", body: file, headers: { "Content-Type": body.content_type } });
  if (!answer.ok) throw new Refused(file.name + " was not uploaded: the server answered " + answer.status);
  return file.name;
}

function Files({ names, change: set }) {
  const add = async (event) => {
    const field = event.currentTarget;
    for (const file of [...field.files]) {
      const name = await attempt(() => upload(file), file.name + " is uploaded");
      if (name) set((old) => [...old.filter((each) => each !== name), name]);
    }
    field.value = "";
  };
  return html`<div class="field"><label class="label" for="files">Files the task may read</label><input id="files" type="file" multiple onChange=${add} />
    ${names.length > 0 && html`<ul class="chips">${names.map((name) => html`<li key=${name}>${name}<button type="button" class="quiet" aria-label=${"Leave out " + name} onClick=${() => set((old) => old.filter((each) => each !== name))}>×</button></li>`)}</ul>`}</div>`;
}

function YesNo({ label, value, onChange }) {
  return html`<${Field} label=${label}><select value=${value} onChange=${(event) => onChange(event.currentTarget.value)}><option value="">As the profile says</option><option value="yes">Yes</option><option value="no">No</option></select><//>`;
}

function Options({ form, set, profiles }) {
  const typed = (name) => (event) => set({ [name]: event.currentTarget.value });
  return html`<div class="options">
    <${Field} label="Browser profile"><select value=${form.profile} onChange=${typed("profile")}><option value="">Default</option>${profiles.map((each) => html`<option key=${each.profile_id} value=${each.profile_id}>${each.profile_name}</option>`)}</select><//>
    <${Field} label="Most steps" hint="1 to 200; 75 unless said"><input type="number" min="1" max="200" value=${form.steps} onInput=${typed("steps")} /><//>
    <${Field} label="Allowed domains" hint="One a line; *.example.com for subdomains"><textarea rows="3" spellcheck="false" value=${form.domains} onInput=${typed("domains")}></textarea><//>
    <${Field} label="Output schema" hint=${schemaProblem(form.schema) || "A JSON schema that the output follows"}><textarea rows="3" class="mono" spellcheck="false" value=${form.schema} onInput=${typed("schema")}></textarea><//>
    <${Field} label="Secrets" hint="name=value, one a line; typed into pages, never shown"><textarea rows="3" class="mono" spellcheck="false" autocomplete="off" value=${form.secrets} onInput=${typed("secrets")}></textarea><//>
    <${Field} label="Metadata" hint="name=value, one a line; comes back with the task"><textarea rows="3" class="mono" spellcheck="false" value=${form.metadata} onInput=${typed("metadata")}></textarea><//>
    <${YesNo} label="Block advertisements" value=${form.adblock} onChange=${(adblock) => set({ adblock })} />
    <${YesNo} label="Use a proxy" value=${form.proxy} onChange=${(proxy) => set({ proxy })} />
    <${Field} label="Country of the proxy"><select value=${form.country} onChange=${typed("country")}><option value="">As the profile says</option>${COUNTRIES.map((each) => html`<option key=${each} value=${each}>${each.toUpperCase()}</option>`)}</select><//>
    <${Files} names=${form.files} change=${(next) => set((old) => ({ files: next(old.files) }))} />
    <div class="field checks"><${Check} label="Make a public link" checked=${form.share} onChange=${(share) => set({ share })} />
    <${Check} label="Keep cookies with the task" checked=${form.saves} onChange=${(saves) => set({ saves })} /></div>
  </div>`;
}

function Composer({ created }) {
  const [form, setForm] = useState(() => store.draft || BLANK);
  const [isOpen, open] = useState(false);
  const [isUsed, use] = useState(Boolean(form.task)); // on a telephone it is one line until then
  const [showsCode, showCode] = useState(false);
  const [isBusy, busy] = useState(false);
  const [profiles, setProfiles] = useState([]);
  const set = (fields) => setForm((old) => ({ ...old, ...(typeof fields === "function" ? fields(old) : fields) }));
  useEffect(() => { change({ draft: null }); }, []);
  useEffect(() => { if (isOpen) attempt(() => ask(API + "/browser-profiles?limit=100")).then((answer) => answer && setProfiles(answer.profiles)); }, [isOpen]);
  const send = async (event) => {
    event.preventDefault();
    if (!form.task.trim() || isBusy) return;
    busy(true);
    const made = await attempt(() => ask(API + "/run-task", { method: "POST", body: requestOf(form) }), "The task has started");
    busy(false);
    if (!made) return;
    setForm(BLANK);
    use(false);
    created();
  };
  const press = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event); };
  return html`<form class=${isUsed ? "composer card is-used" : "composer card"} aria-label="New task" onSubmit=${send} onFocusIn=${() => use(true)}>
    <label class="reader-only" for="new-task">What should be done?</label>
    <textarea id="new-task" rows="2" placeholder="What should be done? For example: open https://example.com and tell me its title" value=${form.task} onInput=${(event) => set({ task: event.currentTarget.value })} onKeyDown=${press}></textarea>
    ${isOpen && html`<${Options} form=${form} set=${set} profiles=${profiles} />`}
    <div class="composer-bar"><label class="inline"><span class="reader-only">Model</span><select value=${form.model} onChange=${(event) => set({ model: event.currentTarget.value })}><option value="">Default model</option>${MODELS.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>
    <button type="button" aria-expanded=${String(isOpen)} onClick=${() => open(!isOpen)}>Options</button>
    <button type="button" onClick=${() => showCode(true)}>As code</button>
    <button type="submit" class="strong" disabled=${isBusy || !form.task.trim()}>${isBusy ? "Starting…" : "Run task"}</button></div>
    ${showsCode && html`<${CodeDialog} request=${withoutSecrets(requestOf({ ...form, task: form.task || "Open https://example.com and tell me its title" }))} close=${() => showCode(false)} />`}
  </form>`;
}
