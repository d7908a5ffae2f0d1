// Scripts: what the first task with a name did, its versions side by side, and the results of playing them.
import { html, useState } from "htm/preact";
import { go } from "./address.js";
import { ask, attempt, may, showToast, useLive } from "./core.js";
import { count } from "./format.js";
import {
  A, alertOf, Confirm, Crumbs, Dialog, Empty, Field, FormEnd, Heading, loading, Moment, useSubmit,
} from "./parts.js";

const ORIGINS = { recorded: "recorded by a task", edited: "edited by a person", loaded: "loaded from a file" };
const EXAMPLE =
  'browser-use-async run "Find the head office of {company}" --script office --input company=ACME';
const LOST = "All of its versions are lost. The next task that names it is done by the agent and recorded.";
const MOST_CELLS = 4e6; // lines of one text times lines of the other

function pathOf(name) {
  return "/admin/scripts/" + encodeURIComponent(name);
}

function played(script) {
  const facts = [count(script.plays, "play"), count(script.steps, "step") + " without a model"];
  if (script.failures) facts.push(script.failures + " did not fit");
  if (script.model_calls) facts.push(count(script.model_calls, "question") + " to the model");
  return facts.map((fact) => html`<span key=${fact}>${fact}</span>`);
}

function made({ origin, made_at }) {
  return html`${ORIGINS[origin]} <${Moment} at=${made_at} />`;
}

function ScriptRow({ script }) {
  return html`<li class="item"><div class="item-main"><p class="row-title">
      <${A} href=${"/scripts/" + encodeURIComponent(script.name)}>${script.name}<//></p>
    <p class="facts"><span>version ${script.version}, ${made(script)}</span>${played(script)}</p></div></li>`;
}

export function ScriptsPage() {
  const { value, problem } = useLive(() => ask("/admin/scripts"), 8000, []);
  return html`<${Heading} note=${value ? count(value.scripts.length, "script") : " "}>Scripts<//>
    ${alertOf(problem)}${loading(value, problem)}
    ${value && !value.scripts.length && html`<${Empty} title="No script yet">
      <p>The first task with a name is recorded, and the next ones play it without a model:</p>
      <pre>${EXAMPLE}</pre><//>`}
    <ul class="items">${(value ? value.scripts : []).map((each) =>
      html`<${ScriptRow} key=${each.name} script=${each} />`)}</ul>`;
}

// How many lines the rests of two texts share at most, for each line of both.
function sharedLines(a, b) {
  const shared = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      shared[i][j] = a[i] === b[j] ? shared[i + 1][j + 1] + 1 : Math.max(shared[i + 1][j], shared[i][j + 1]);
    }
  }
  return shared;
}

// Which lines two texts share, by their longest common part; very long ones stand side by side without marks.
function compare(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  if (a.length * b.length > MOST_CELLS) {
    const size = Math.max(a.length, b.length);
    return Array.from({ length: size }, (_, row) => [a[row] ?? null, b[row] ?? null, false]);
  }
  const shared = sharedLines(a, b);
  const rows = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const last = rows[rows.length - 1];
    if (i < a.length && j < b.length && a[i] === b[j]) rows.push([a[i++], b[j++], false]);
    else if (j >= b.length || (i < a.length && shared[i + 1][j] >= shared[i][j + 1])) rows.push([a[i++], null, true]);
    else if (last && last[1] === null) last[1] = b[j++];
    else rows.push([null, b[j++], true]);
  }
  return rows;
}

function Versions({ before, after }) {
  const alone = () => after.text.split("\n").map((line) => [null, line, false]);
  const rows = before ? compare(before.text, after.text) : alone();
  const head = ({ version, origin }) => html`<th scope="col">Version ${version}
    <span class="note">, ${ORIGINS[origin]}</span></th>`;
  const cell = (line, isChanged) => html`<td class=${line !== null && isChanged ? "changed" : null}>${line}</td>`;
  return html`<div class="script" tabindex="0"><table>
    <thead><tr>${before && head(before)}${head(after)}</tr></thead>
    <tbody>${rows.map(([left, right, isChanged], number) => html`<tr key=${number}>
      ${before && cell(left, isChanged)}${cell(right, before && isChanged)}</tr>`)}</tbody></table></div>`;
}

function ScriptEditor({ name, first, close, refresh }) {
  const [text, setText] = useState(first);
  const [problem, save] = useSubmit(async () => {
    const { version } = await ask(pathOf(name), { method: "PUT", body: { text } });
    showToast("Version " + version + " is played from now on");
    close();
    refresh();
  });
  return html`<${Dialog} title=${"Edit " + name} close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Text"><textarea required rows="16" spellcheck="false" class="code" value=${text}
      onInput=${(event) => setText(event.currentTarget.value)}></textarea><//>
    ${alertOf(problem)}
    <${FormEnd} close=${close} word="Save as a new version" /></form><//>`;
}

// The texts of a version, of the one before it, and of the latest one, which is edited.
async function readTexts(path, script, version) {
  if (!script) return undefined;
  const numbers = script.versions.map((each) => each.version);
  const read = (number) => (numbers.includes(number) ? ask(path + "/" + number) : null);
  const [after, before, latest] = await Promise.all([read(version), read(version - 1), read(numbers[0])]);
  return { after, before, latest };
}

function VersionRow({ version, isShown, choose }) {
  const task = version.task_id && html`<span><${A} href=${"/tasks/" + version.task_id}>its task<//></span>`;
  return html`<li class="item"><div class="item-main"><p class="row-title">
      <button type="button" class="quiet" aria-pressed=${isShown} onClick=${() => choose(version.version)}>
      Version ${version.version}</button></p>
    <p class="facts"><span>${made(version)}</span>${played(version)}${task}</p></div></li>`;
}

export function ScriptPage({ id: name }) {
  const [edits, edit] = useState(false);
  const [asks, ask_] = useState(false);
  const [chosen, choose] = useState(null);
  const path = pathOf(name);
  const { value, problem, refresh } = useLive(() => ask(path), 8000, [name]);
  const versions = value ? value.versions : [];
  const [latest] = versions;
  const shown = value && (versions.find((each) => each.version === chosen) || latest).version;
  const read = () => readTexts(path, value, shown);
  const { value: texts, problem: unread } = useLive(read, 0, [name, shown, latest && latest.version]);
  const crumbs = html`<${Crumbs} href="/scripts">Scripts<//>`;
  if (!value) {
    return html`${crumbs}<${Heading}>${name}<//>${problem
      ? html`<${Empty} title=${problem}><p>Another key may have it, or it was deleted.</p><//>`
      : loading()}`;
  }
  const take = () => ask(path, { method: "DELETE" });
  const remove = () => attempt(take, "The script is deleted").then(() => go("/scripts"));
  const actions = may("run") && html`<button type="button" onClick=${() => edit(true)}>Edit</button>
    <button type="button" class="danger" onClick=${() => ask_(true)}>Delete</button>`;
  return html`${crumbs}<${Heading} actions=${actions} note=${count(versions.length, "version")}>${name}<//>
    <ul class="items" id="versions">${versions.map((each) => html`<${VersionRow} key=${each.version} version=${each}
      isShown=${each.version === shown} choose=${choose} />`)}</ul>
    <section class="card" aria-label="Text">${alertOf(unread)}
      ${texts ? html`<${Versions} before=${texts.before} after=${texts.after} />` : loading(texts, unread)}</section>
    ${edits && texts && html`<${ScriptEditor} name=${name} first=${texts.latest.text}
      close=${() => edit(false)} refresh=${refresh} />`}
    ${asks && html`<${Confirm} title=${"Delete " + name + "?"} word="Delete" text=${LOST}
      close=${() => ask_(false)} work=${remove} />`}`;
}
