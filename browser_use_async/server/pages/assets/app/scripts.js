// Scripts: what the first task with a name did, its versions side by side, and the results of playing them.
const ORIGINS = { recorded: "recorded by a task", edited: "edited by a person", loaded: "loaded from a file" };

function played(script) {
  const facts = [count(script.plays, "play"), count(script.steps, "step") + " without a model"];
  if (script.failures) facts.push(script.failures + " did not fit");
  if (script.model_calls) facts.push(count(script.model_calls, "question") + " to the model");
  return facts.map((fact) => html`<span key=${fact}>${fact}</span>`);
}

function ScriptRow({ script }) {
  return html`<li class="item"><div class="item-main"><p class="row-title"><${A} href=${"/scripts/" + encodeURIComponent(script.name)}>${script.name}<//></p>
    <p class="facts"><span>version ${script.version}, ${ORIGINS[script.origin]} <${Moment} at=${script.made_at} /></span>${played(script)}</p></div></li>`;
}

function ScriptsPage() {
  const { value, problem } = useLive(() => ask("/admin/scripts"), 8000, []);
  return html`<${Heading} note=${value ? count(value.scripts.length, "script") : " "}>Scripts<//>${alertOf(problem)}${loading(value, problem)}
    ${value && !value.scripts.length && html`<${Empty} title="No script yet"><p>The first task with a name is recorded, and the next ones play it without a model:</p><pre>browser-use-async run "Find the head office of {company}" --script office --input company=ACME</pre><//>`}
    <ul class="items">${(value ? value.scripts : []).map((each) => html`<${ScriptRow} key=${each.name} script=${each} />`)}</ul>`;
}

// Which lines two texts share, by their longest common part; very long ones stand side by side without marks.
function compare(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  if (a.length * b.length > 4e6) return Array.from({ length: Math.max(a.length, b.length) }, (_, row) => [a[row] ?? null, b[row] ?? null, false]);
  const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--) length[i][j] = a[i] === b[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
  const rows = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) rows.push([a[i++], b[j++], false]);
    else if (j >= b.length || (i < a.length && length[i + 1][j] >= length[i][j + 1])) rows.push([a[i++], null, true]);
    else if (rows.length && rows[rows.length - 1][1] === null) rows[rows.length - 1][1] = b[j++];
    else rows.push([null, b[j++], true]);
  }
  return rows;
}

function Versions({ before, after }) {
  const rows = before ? compare(before.text, after.text) : after.text.split("\n").map((line) => [null, line, false]);
  const head = (version) => html`<th scope="col">Version ${version.version}<span class="note">, ${ORIGINS[version.origin]}</span></th>`;
  const cell = (line, isChanged) => html`<td class=${line !== null && isChanged ? "changed" : null}>${line}</td>`;
  return html`<div class="script" tabindex="0"><table><thead><tr>${before && head(before)}${head(after)}</tr></thead>
    <tbody>${rows.map(([left, right, isChanged], number) => html`<tr key=${number}>${before && cell(left, isChanged)}${cell(right, before && isChanged)}</tr>`)}</tbody></table></div>`;
}

function ScriptEditor({ script, close, refresh }) {
  const [text, setText] = useState(script.text);
  const [problem, setProblem] = useState("");
  const save = async (event) => {
    event.preventDefault();
    setProblem("");
    try {
      const made = await ask("/admin/scripts/" + encodeURIComponent(script.name), { method: "PUT", body: { text } });
      showToast("Version " + made.version + " is played from now on");
    } catch (error) {
      return setProblem(problemOf(error));
    }
    close();
    refresh();
  };
  return html`<${Dialog} title=${"Edit " + script.name} close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Text"><textarea required rows="16" spellcheck="false" class="code" value=${text} onInput=${(event) => setText(event.currentTarget.value)}></textarea><//>
    ${alertOf(problem)}
    <div class="actions end"><button type="button" onClick=${close}>Cancel</button><button type="submit" class="strong">Save as a new version</button></div></form><//>`;
}

// The texts of a version, of the one before it, and of the latest one, which is edited.
async function readTexts(path, script, version) {
  if (!script) return undefined;
  const numbers = script.versions.map((each) => each.version);
  const read = (number) => (numbers.includes(number) ? ask(path + "/" + number) : null);
  const [after, before, latest] = await Promise.all([read(version), read(version - 1), read(numbers[0])]);
  return { after, before, latest };
}

function ScriptPage({ id: name }) {
  const [edits, edit] = useState(false);
  const [asks, ask_] = useState(false);
  const [chosen, choose] = useState(null);
  const path = "/admin/scripts/" + encodeURIComponent(name);
  const { value, problem, refresh } = useLive(() => ask(path), 8000, [name]);
  const shown = value && (value.versions.find((each) => each.version === chosen) || value.versions[0]).version;
  const { value: texts, problem: unread } = useLive(() => readTexts(path, value, shown), 0, [name, shown, value && value.versions[0].version]);
  const crumbs = html`<p class="crumbs"><${A} href="/scripts"><${Icon} name="back" />Scripts<//></p>`;
  if (!value) return html`${crumbs}<${Heading}>${name}<//>${problem ? html`<${Empty} title=${problem}><p>Another key may have it, or it was deleted.</p><//>` : loading()}`;
  const remove = () => attempt(() => ask(path, { method: "DELETE" }), "The script is deleted").then(() => go("/scripts"));
  const actions = may("run") && html`<button type="button" onClick=${() => edit(true)}>Edit</button><button type="button" class="danger" onClick=${() => ask_(true)}>Delete</button>`;
  return html`${crumbs}<${Heading} actions=${actions} note=${count(value.versions.length, "version")}>${name}<//>
    <ul class="items" id="versions">${value.versions.map((each) => html`<li key=${each.version} class="item"><div class="item-main"><p class="row-title"><button type="button" class="quiet" aria-pressed=${each.version === shown} onClick=${() => choose(each.version)}>Version ${each.version}</button></p>
      <p class="facts"><span>${ORIGINS[each.origin]} <${Moment} at=${each.made_at} /></span>${played(each)}${each.task_id && html`<span><${A} href=${"/tasks/" + each.task_id}>its task<//></span>`}</p></div></li>`)}</ul>
    <section class="card" aria-label="Text">${alertOf(unread)}${texts ? html`<${Versions} before=${texts.before} after=${texts.after} />` : loading(texts, unread)}</section>
    ${edits && texts && html`<${ScriptEditor} script=${{ name, text: texts.latest.text }} close=${() => edit(false)} refresh=${refresh} />`}
    ${asks && html`<${Confirm} title=${"Delete " + name + "?"} text="All of its versions are lost. The next task that names it is done by the agent and recorded." word="Delete" close=${() => ask_(false)} work=${remove} />`}`;
}
