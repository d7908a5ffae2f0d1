// API keys: by name, scopes and budget. Only for the operator of the server.
const SCOPES = { run: "start and steer tasks, and spend money", read: "read everything of its own", admin: "administrate the server" };

const NEW_KEY = { name: "", scopes: ["run", "read"], budget: "", concurrency: "", days: "" };

function keyBody(form) {
  const body = { name: form.name.trim(), scopes: form.scopes };
  if (form.budget !== "") body.budget_cents = Math.round(Number(form.budget) * 1e6) / 1e4;
  if (form.concurrency !== "") body.concurrency = Number(form.concurrency);
  if (form.days) body.expires_in_days = Number(form.days);
  return body;
}

function KeyDialog({ close, done }) {
  const [form, setForm] = useState(NEW_KEY);
  const [problem, setProblem] = useState("");
  const set = (name) => (event) => setForm({ ...form, [name]: event.currentTarget.value });
  const toggle = (scope) => setForm({ ...form, scopes: form.scopes.includes(scope) ? form.scopes.filter((each) => each !== scope) : [...form.scopes, scope] });
  const save = async (event) => {
    event.preventDefault();
    setProblem("");
    try {
      done(await ask("/admin/keys", { method: "POST", body: keyBody(form) }));
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  return html`<${Dialog} title="New API key" close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Name" hint="Keys of one name share tasks, profiles and budget"><input required value=${form.name} onInput=${set("name")} /><//>
    <fieldset><legend class="label">May</legend>${Object.entries(SCOPES).map(([scope, words]) => html`<${Check} key=${scope} label=${html`<b>${scope}</b>: ${words}`} checked=${form.scopes.includes(scope)} onChange=${() => toggle(scope)} />`)}</fieldset>
    <div class="pair"><${Field} label="Budget in US dollars" hint="Of the name; empty: unchanged"><input type="number" min="0" step="any" value=${form.budget} onInput=${set("budget")} /><//><${Field} label="Tasks at once" hint="Of the name; empty: unchanged"><input type="number" min="1" value=${form.concurrency} onInput=${set("concurrency")} /><//></div>
    <${Field} label="Days until it expires" hint="Empty: never"><input type="number" min="1" value=${form.days} onInput=${set("days")} /><//>
    ${alertOf(problem)}
    <div class="actions end"><button type="button" onClick=${close}>Cancel</button><button type="submit" class="strong">Make key</button></div></form><//>`;
}

function MadeKey({ text, close }) {
  return html`<${Dialog} title="Your new key" close=${close}><p>Copy it now: it is shown this once, and kept nowhere.</p><pre tabindex="0">${text}</pre>
    <div class="actions end"><${Copy} text=${text} label="Copy the key">Copy<//><button type="button" class="strong" onClick=${close}>Done</button></div><//>`;
}

function Budget({ spent, budget }) {
  if (budget === null) return html`<span>${money(spent)} spent</span>`;
  return html`<span class="budget"><progress max=${Number(budget) || 1} value=${Number(spent)} aria-label="Budget"></progress>${money(spent)} of ${money(budget)}</span>`;
}

function KeyRow({ apiKey, revoke }) {
  const state = apiKey.is_valid ? "finished" : "stopped";
  return html`<li class="item"><div class="item-main"><p class="row-title"><span class="pill" data-status=${state}>${apiKey.is_valid ? "valid" : apiKey.revoked_at ? "revoked" : "expired"}</span><span>${apiKey.name}</span></p>
    <p class="facts"><span>${apiKey.scopes.join(", ") || "no scope"}</span><span>made <${Moment} at=${apiKey.created_at} /></span><${Budget} spent=${apiKey.spent_cents} budget=${apiKey.budget_cents} />${apiKey.concurrency !== null && html`<span>${count(apiKey.concurrency, "task")} at once</span>`}
    <span>${apiKey.last_used_at ? html`used <${Moment} at=${apiKey.last_used_at} />` : "never used"}</span>${apiKey.expires_at && html`<span>expires <${Moment} at=${apiKey.expires_at} /></span>`}</p></div>
    ${apiKey.is_valid && html`<div class="actions"><button type="button" class="danger" aria-label=${"Revoke a key of " + apiKey.name} onClick=${() => revoke(apiKey)}>Revoke</button></div>`}</li>`;
}

function KeysPage() {
  const [adds, add] = useState(false);
  const [made, setMade] = useState("");
  const [revoked, revoke] = useState(null);
  const isOperator = may("admin");
  const { value, problem: refusal, refresh } = useLive(async () => (isOperator ? ask("/admin/keys") : undefined), 8000, [isOperator]);
  const problem = store.me && !isOperator ? "The key in use does not have the scope admin, which this needs." : refusal;
  const take = (id) => attempt(() => ask("/admin/keys/" + encodeURIComponent(id), { method: "DELETE" }), "The key is revoked").then(refresh);
  const button = value && html`<button type="button" class="strong" onClick=${() => add(true)}><${Icon} name="plus" />New key</button>`;
  const mine = store.me && html`<section class="card"><h2>The key in use</h2><p class="row-title"><span>${store.me.name}</span></p><p class="facts">${store.me.scopes.map((each) => html`<span key=${each}><b>${each}</b>: ${SCOPES[each] || ""}</span>`)}<span>${money(store.me.balance_cents)} left</span></p></section>`;
  return html`<${Heading} actions=${button} note=${value ? count(value.keys.length, "more key") : " "}>Keys<//>
    ${mine}
    ${problem && html`<${Empty} title="Other keys are not shown here"><p>${problem}</p><//>`}
    ${loading(value, problem)}
    ${value && !value.keys.length && html`<${Empty} title="One key opens everything"><p>Make others for people and programs, with scopes and budgets of their own.</p><//>`}
    <ul class="items">${(value ? value.keys : []).map((each) => html`<${KeyRow} key=${each.id} apiKey=${each} revoke=${revoke} />`)}</ul>
    ${adds && html`<${KeyDialog} close=${() => add(false)} done=${(answer) => { add(false); setMade(answer.key); refresh(); }} />`}
    ${made && html`<${MadeKey} text=${made} close=${() => setMade("")} />`}
    ${revoked && html`<${Confirm} title=${"Revoke a key of " + revoked.name + "?"} text="Programs that use it are refused from now on." word="Revoke" close=${() => revoke(null)} work=${() => take(revoked.id)} />`}`;
}
