// API keys: by name, scopes and budget. Only for the operator of the server.
import { html, useState } from "htm/preact";
import { ask, attempt, may, store, useLive } from "./core.js";
import { count, money } from "./format.js";
import {
  alertOf, Check, Confirm, Copy, Dialog, Empty, Field, FormEnd, Heading, Icon, loading, Moment, Status, useForm,
  useSubmit,
} from "./parts.js";

const SCOPES = {
  run: "start and steer tasks, and spend money",
  read: "read everything of its own",
  admin: "administer the server",
};
const NEW_KEY = { name: "", scopes: ["run", "read"], budget: "", concurrency: "", days: "" };

function keyBody(form) {
  const body = { name: form.name.trim(), scopes: form.scopes };
  if (form.budget !== "") body.budget_cents = Math.round(Number(form.budget) * 1e6) / 1e4;
  if (form.concurrency !== "") body.concurrency = Number(form.concurrency);
  if (form.days) body.expires_in_days = Number(form.days);
  return body;
}

function KeyDialog({ close, done }) {
  const { form, set, typed } = useForm(NEW_KEY);
  const { scopes } = form;
  const others = (scope) => scopes.filter((each) => each !== scope);
  const toggle = (scope) => set({ scopes: scopes.includes(scope) ? others(scope) : [...scopes, scope] });
  const [problem, save] = useSubmit(async () => {
    done(await ask("/admin/keys", { method: "POST", body: keyBody(form) }));
  });
  return html`<${Dialog} title="New API key" close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Name" hint="Keys of one name share tasks, profiles and budget">
      <input required value=${form.name} onInput=${typed("name")} /><//>
    <fieldset><legend class="label">May</legend>${Object.entries(SCOPES).map(([scope, words]) =>
      html`<${Check} key=${scope} label=${html`<b>${scope}</b>: ${words}`} checked=${scopes.includes(scope)}
        onChange=${() => toggle(scope)} />`)}</fieldset>
    <div class="pair"><${Field} label="Budget in US dollars" hint="Of the name; empty: unchanged">
      <input type="number" min="0" step="any" value=${form.budget} onInput=${typed("budget")} /><//>
    <${Field} label="Tasks at once" hint="Of the name; empty: unchanged">
      <input type="number" min="1" value=${form.concurrency} onInput=${typed("concurrency")} /><//></div>
    <${Field} label="Days until it expires" hint="Empty: never">
      <input type="number" min="1" value=${form.days} onInput=${typed("days")} /><//>
    ${alertOf(problem)}
    <${FormEnd} close=${close} word="Make key" /></form><//>`;
}

function MadeKey({ text, close }) {
  return html`<${Dialog} title="Your new key" close=${close}>
    <p>Copy it now: it is shown this once, and kept nowhere.</p><pre tabindex="0">${text}</pre>
    <div class="actions end"><${Copy} text=${text} label="Copy the key">Copy<//>
    <button type="button" class="strong" onClick=${close}>Done</button></div><//>`;
}

function Budget({ spent, budget }) {
  if (budget === null) return html`<span>${money(spent)} spent</span>`;
  return html`<span class="budget"><progress max=${Number(budget) || 1} value=${Number(spent)}
    aria-label="Budget"></progress>${money(spent)} of ${money(budget)}</span>`;
}

function stateOf({ is_valid, revoked_at }) {
  if (is_valid) return "valid";
  return revoked_at ? "revoked" : "expired";
}

function KeyRow({ apiKey, revoke }) {
  const { name, scopes, concurrency, last_used_at, expires_at, is_valid } = apiKey;
  return html`<li class="item"><div class="item-main"><p class="row-title">
      <${Status} of=${is_valid ? "finished" : "stopped"} words=${stateOf(apiKey)} /><span>${name}</span></p>
    <p class="facts"><span>${scopes.join(", ") || "no scope"}</span>
      <span>made <${Moment} at=${apiKey.created_at} /></span>
      <${Budget} spent=${apiKey.spent_cents} budget=${apiKey.budget_cents} />
      ${concurrency !== null && html`<span>${count(concurrency, "task")} at once</span>`}
      <span>${last_used_at ? html`used <${Moment} at=${last_used_at} />` : "never used"}</span>
      ${expires_at && html`<span>expires <${Moment} at=${expires_at} /></span>`}</p></div>
    ${is_valid && html`<div class="actions"><button type="button" class="danger"
      aria-label=${"Revoke a key of " + name} onClick=${() => revoke(apiKey)}>Revoke</button></div>`}</li>`;
}

function KeyInUse({ me }) {
  return html`<section class="card"><h2>The key in use</h2><p class="row-title"><span>${me.name}</span></p>
    <p class="facts">${me.scopes.map((each) => html`<span key=${each}><b>${each}</b>: ${SCOPES[each] || ""}</span>`)}
      <span>${money(me.balance_cents)} left</span></p></section>`;
}

function keysInWords(number) {
  return number ? count(number, "other key") : "No other keys";
}

export function KeysPage() {
  const [adds, add] = useState(false);
  const [made, setMade] = useState("");
  const [revoked, revoke] = useState(null);
  const { me } = store;
  const isOperator = may("admin");
  const read = async () => (isOperator ? ask("/admin/keys") : undefined);
  const { value, problem: refusal, refresh } = useLive(read, 8000, [isOperator]);
  const problem = me && !isOperator ? "The key in use does not have the scope admin, which this needs." : refusal;
  const remove = ({ id }) => ask("/admin/keys/" + encodeURIComponent(id), { method: "DELETE" });
  const take = (key) => attempt(() => remove(key), "The key is revoked").then(refresh);
  const done = (answer) => {
    add(false);
    setMade(answer.key);
    refresh();
  };
  const button = value && html`<button type="button" class="strong" onClick=${() => add(true)}>
    <${Icon} name="plus" />New key</button>`;
  return html`<${Heading} actions=${button} note=${value ? keysInWords(value.keys.length) : " "}>Keys<//>
    ${me && html`<${KeyInUse} me=${me} />`}
    ${problem && html`<${Empty} title="Other keys are not shown here"><p>${problem}</p><//>`}
    ${loading(value, problem)}
    ${value && !value.keys.length && html`<${Empty} title="No other keys">
      <p>Make others for people and programs, with scopes and budgets of their own.</p><//>`}
    <ul class="items">${(value ? value.keys : []).map((each) =>
      html`<${KeyRow} key=${each.id} apiKey=${each} revoke=${revoke} />`)}</ul>
    ${adds && html`<${KeyDialog} close=${() => add(false)} done=${done} />`}
    ${made && html`<${MadeKey} text=${made} close=${() => setMade("")} />`}
    ${revoked && html`<${Confirm} title=${"Revoke a key of " + revoked.name + "?"} word="Revoke"
      text="Programs that use it are refused from now on."
      close=${() => revoke(null)} work=${() => take(revoked)} />`}`;
}
