// One task: its browser, its steps, its output and files, and what can be done with it.
async function readTask(id) {
  const path = encodeURIComponent(id);
  const [task, more, pictures_] = await Promise.all([
    ask(API + "/task/" + path), ask("/admin/overview/" + path), ask(API + "/task/" + path + "/screenshots"),
  ]);
  const media = task.finished_at ? await ask(API + "/task/" + path + "/media") : { recordings: [] };
  return { ...task, ...more, screenshots: pictures_.screenshots || [], recordings: media.recordings || [] };
}

// The next step judges what a step did; the last one of a failed task holds the reason itself.
function judged(task) {
  return task.steps.map((step, number) => {
    const next = task.steps[number + 1];
    const isReason = next && task.failure && number + 2 === task.steps.length;
    const isEnd = !next && task.failure;
    const { taken_at, cost_cents } = task.steps_more[number] || {};
    const begun = number ? (task.steps_more[number - 1] || {}).taken_at : task.created_at;
    const took = taken_at && begun ? duration(begun, taken_at) : "";
    return { ...step, took, cost: cost_cents === null || cost_cents === undefined ? "" : price(cost_cents), next_goal: step.next_goal || (isEnd ? "Gave up" : "(no goal)"), judgement: isEnd ? task.failure : next && !isReason ? next.evaluation_previous_goal : "" };
  });
}

function Steering({ task, refresh }) {
  const [asks, ask_] = useState(false);
  if (task.finished_at || !may("run")) return null;
  const order = (name, done) => attempt(() => ask(API + "/" + name + "-task?task_id=" + encodeURIComponent(task.id), { method: "PUT" }), done).then(refresh);
  return html`${task.status === "running" && html`<button type="button" onClick=${() => order("pause", "Paused")}>Pause</button>`}
    ${task.status === "paused" && html`<button type="button" class="strong" onClick=${() => order("resume", "It goes on")}>Resume</button>`}
    <button type="button" class="danger" onClick=${() => ask_(true)}>Stop</button>
    ${asks && html`<${Confirm} title="Stop this task?" text="A stopped task cannot go on. What it has cost so far is spent." word="Stop for good" close=${() => ask_(false)} work=${() => order("stop", "Stopped")} />`}`;
}

// Whoever has the link sees the task without a key. It can be made later than the task, and taken back.
function ShareDialog({ task, close, refresh }) {
  const [problem, setProblem] = useState("");
  const change_ = async (method, done) => {
    setProblem("");
    try {
      await ask("/admin/shares/" + encodeURIComponent(task.id), { method });
    } catch (error) {
      return setProblem(problemOf(error));
    }
    tell(done);
    refresh();
  };
  const link = task.public_share_url;
  return html`<${Dialog} title="Share this task" close=${close}>
    <p>${link ? "Whoever has this link sees" : "Whoever has the link would see"} the browser, the steps and the output, without a key. Nobody can steer with it.</p>
    ${link && html`<pre tabindex="0" aria-label="Public link">${link}</pre>`}
    ${alertOf(problem)}
    <div class="actions end">${link
      ? html`${may("run") && html`<button type="button" class="danger" onClick=${() => change_("DELETE", "The public link is taken back")}>Take it back</button>`}<${Copy} text=${link} look="strong" label="Copy the public link">Copy<//>`
      : html`<button type="button" class="strong" onClick=${() => change_("PUT", "The public link is made")}>Make a public link</button>`}</div><//>`;
}

function TaskActions({ task, refresh }) {
  const [showsCode, showCode] = useState(false);
  const [shares, share] = useState(false);
  const again = () => {
    change({ draft: formOf(task.request) });
    go("/");
  };
  return html`<${Steering} task=${task} refresh=${refresh} />
    ${(task.public_share_url || may("run")) && html`<button type="button" onClick=${() => share(true)}>Share</button>`}
    <button type="button" onClick=${() => showCode(true)}>As code</button>
    ${may("run") && html`<button type="button" onClick=${again}>Run again</button>`}
    ${shares && html`<${ShareDialog} task=${task} close=${() => share(false)} refresh=${refresh} />`}
    ${showsCode && html`<${CodeDialog} request=${task.request} close=${() => showCode(false)} />`}`;
}

function StepPicture({ task, step }) {
  const link = task.screenshots[step];
  if (!link) return html`<div class="stage none"><p>${task.steps.length ? "There is no picture of this step." : task.finished_at ? "It ended before its first step." : "No picture yet: it comes with the first step."}</p></div>`;
  const without = html`<p>The picture of this step cannot be shown.</p>`;
  return html`<figure class="stage"><${Picture} src=${pictureAt(link)} without=${without} alt=${"The page at step " + (step + 1)} width=${task.viewport[0]} height=${task.viewport[1]} /></figure>`;
}

// The frame of a page of this origin is as tall as what is in it; another server's cannot be measured.
function fit(event) {
  const frame = event.currentTarget;
  if (!frame.contentDocument) return;
  const body = frame.contentDocument.body;
  new ResizeObserver(() => { frame.style.height = body.offsetHeight + 4 + "px"; }).observe(body);
}

// A server that joined the fleet after this page was loaded may not be shown in a frame of it.
function Live({ task }) {
  const [isBlocked, block] = useState(false);
  useEffect(() => {
    const refused = (event) => event.effectiveDirective === "frame-src" && block(true);
    document.addEventListener("securitypolicyviolation", refused);
    return () => document.removeEventListener("securitypolicyviolation", refused);
  }, []);
  if (isBlocked) return html`<div class="stage none"><p>Another server shows this browser: <a href=${here(task.live_url)} target="_blank" rel="noreferrer">open its live page</a>.</p></div>`;
  return html`<iframe class="live" onLoad=${fit} src=${here(task.live_url) + "#browser"} title="The browser of the task" style=${{ "--ratio": task.viewport[0] / task.viewport[1] }}></iframe>`;
}

function Scrubber({ task, step, choose }) {
  const last = task.steps.length;
  if (last < 2) return null;
  return html`<div class="scrubber"><button type="button" class="square" aria-label="Step before" disabled=${step <= 0} onClick=${() => choose(step - 1)}>‹</button>
    <input type="range" min="1" max=${last} value=${step + 1} aria-label="Step" aria-valuetext=${"Step " + (step + 1) + " of " + last} onInput=${(event) => choose(Number(event.currentTarget.value) - 1)} />
    <button type="button" class="square" aria-label="Next step" disabled=${step >= last - 1} onClick=${() => choose(step + 1)}>›</button>
    <span class="note">${step + 1} / ${last}</span></div>`;
}

// What is to be seen: the browser live, the film or the picture of a step; and which step that is. A step
// that is picked is sought in the film, where that is shown and has it.
function useStage(task) {
  const [wanted, want] = useState("");
  const [picked, choose] = useState(null);
  const [played, play] = useState(0);
  const video = useRef(null);
  if (!task) return null;
  const views = ["Steps"];
  if (task.recordings.length) views.unshift("Recording");
  if (!task.finished_at && task.live_url) views.unshift("Live");
  const view = picked !== null ? "Steps" : views.includes(wanted) ? wanted : views[0];
  const spans = spansOf(task);
  const isFilm = view === "Recording" && spans.some(Boolean);
  const last = task.steps.length - 1;
  const show = (name) => {
    want(name);
    if (name === "Recording" && picked !== null) play(picked);
    choose(name === "Steps" ? picked ?? Math.max(0, isFilm ? played : last) : null);
  };
  const pick = (number) => {
    if (!isFilm || !spans[number]) return choose(number);
    video.current.currentTime = spans[number].from;
    play(number);
  };
  return { views, view, show, pick, spans, video, play, played, step: isFilm ? played : picked, pictured: picked ?? last };
}

function Stage({ task, stage }) {
  const { views, view, show, pick, pictured } = stage;
  const film = () => html`<${Recording} ...${stage} task=${task} first=${stage.played} goals=${judged(task).map((each) => each.next_goal)} />`;
  return html`<section class="card stage-card" aria-label="The browser">
    ${views.length > 1 && html`<${Tabs} label="View" names=${views} chosen=${view} choose=${show} panel="stage" />`}
    <div id="stage" ...${views.length > 1 ? { role: "tabpanel", "aria-label": view } : {}}>${view === "Live" ? html`<${Live} task=${task} />` : view === "Recording" ? film() : html`<${StepPicture} task=${task} step=${pictured} />`}</div>
    ${view === "Steps" && html`<${Scrubber} task=${task} step=${pictured} choose=${pick} />`}
    ${task.status !== "created" && !task.finished_at && html`<p class="current"><span class="pulse" aria-hidden="true"></span>${task.status === "paused" ? "Paused after step " + task.steps.length : task.doing ? "Now: " + task.doing : "Step " + (task.steps.length + 1) + " is under way"}, ${duration(task.created_at, Date.now())} since the start</p>`}
  </section>`;
}

// What a person is asked for: the task has paused for it.
function askedOf(task) {
  const last = task.status === "paused" && task.steps[task.steps.length - 1];
  return last ? /^Ask a person \(([\w -]+)\): ([^]*)$/.exec(last.next_goal) : null;
}

function askedFor(task) {
  const asked = askedOf(task);
  if (!asked) return null;
  return html`<div class="alert wait asked" role="status"><p><b>It waits for you: ${asked[1]}</b></p><p>${asked[2]}</p>
    <p>${may("run") ? "Do it in the browser below with “Take control”, and then press Resume." : "It takes a key with the scope run to do it."}</p></div>`;
}

// What the step under way sets out to do, where the executor says so, and for how long it has been at it.
function Now({ task }) {
  const last = task.steps_more[task.steps_more.length - 1];
  const since = (last && last.taken_at) || task.created_at;
  const words = task.status === "paused" ? (askedOf(task) ? "Waits for you" : "Paused") : task.status === "created" ? "Waits for a place" : task.doing || "At work";
  return html`<div class="step"><span class="number">${task.steps.length + 1}</span><span class="step-text"><span class="goal">${words}</span><span class="facts"><span>${task.status === "running" ? "now, for " : "for "}${duration(since, Date.now())}</span></span></span></div>`;
}

// Beside the stage the list moves along with the film; under it, on a telephone, the stage comes into view.
function Timeline({ task, step, choose }) {
  const list = useRef(null);
  const steps = judged(task);
  useEffect(() => {
    const current = list.current && list.current.querySelector("[aria-current]");
    if (!current) return;
    const { top, bottom } = current.getBoundingClientRect();
    const edge = list.current.getBoundingClientRect();
    list.current.scrollTop += Math.min(0, top - edge.top) + Math.max(0, bottom - edge.bottom);
  }, [step]);
  const pick = (number) => {
    choose(number);
    document.querySelector(".stage-card").scrollIntoView({ block: "nearest" });
  };
  if (!steps.length && task.finished_at) return html`<p class="note">None.</p>`;
  return html`<ol class="timeline" ref=${list}>${steps.map((each, number) => html`<li key=${each.id} class=${task.failure && number === steps.length - 1 ? "bad" : ""}>
    <button type="button" class="step" aria-current=${step === number ? "step" : null} onClick=${() => pick(number)}>
      <span class="number">${each.step}</span>
      <span class="step-text"><span class="goal">${each.next_goal}</span>${each.judgement && html`<span class="judgement">${each.judgement}</span>`}${each.url && html`<span class="address">${each.url}</span>`}
      <span class="facts">${[each.took, each.cost].filter(Boolean).map((fact) => html`<span key=${fact}>${fact}</span>`)}</span></span>
    </button></li>`)}
    ${!task.finished_at && html`<li class="now"><${Now} task=${task} /></li>`}</ol>`;
}

function FileLinks({ task }) {
  const names = task.output_files || [];
  const given = task.user_uploaded_files || [];
  if (!names.length && !given.length && !task.recordings.length) return null;
  const open = (name) => attempt(async () => {
    const answer = await ask(API + "/task/" + encodeURIComponent(task.id) + "/output-file/" + encodeURIComponent(name));
    const link = document.createElement("a");
    link.href = here(answer.download_url);
    link.download = name;
    link.click();
  });
  return html`<section class="card"><h2>Files</h2><ul class="files">
    ${names.map((name) => html`<li key=${name}><span>${name}${name === "trace.zip" && html` <span class="note">for Playwright's trace viewer</span>`}</span><button type="button" onClick=${() => open(name)} aria-label=${"Download " + name}>Download</button></li>`)}
    ${task.recordings.map((link) => html`<li key=${link}><span>Recording</span><a class="button" href=${here(link)} download>Download</a></li>`)}
    ${given.map((name) => html`<li key=${"given " + name}><span>${name}</span><span class="note">given to the task</span></li>`)}</ul></section>`;
}

// The script that the task names, and how many of its steps were played without a model.
function scriptOf(task) {
  const name = (task.metadata || {})["bu_async.script"];
  if (!name) return {};
  const steps = task.steps.filter((each) => each.next_goal.startsWith("Script: ")).length;
  return { Script: html`<${A} href=${"/scripts/" + encodeURIComponent(name)}>${name}<//>${steps ? ", played " + count(steps, "step") : ", recorded or done anew"}` };
}

function Facts({ task }) {
  const pairs = Object.entries(task.metadata || {}).filter(([name]) => !name.startsWith("bu_async."));
  const facts = {
    Created: html`<${Moment} at=${task.created_at} exact=${true} />`,
    [task.finished_at ? "Took" : "Running for"]: duration(task.created_at, task.finished_at || Date.now()),
    Cost: price(task.cost_cents),
    Steps: task.steps.length + " of at most " + task.max_agent_steps,
    Model: task.llm_model,
    ...(task.request.allowed_domains?.length ? { Domains: task.request.allowed_domains.join(", ") } : {}),
    ...scriptOf(task),
    ...(pairs.length ? { Metadata: pairs.map((each) => each.join("=")).join(", ") } : {}),
    Id: html`<code>${task.id}</code> <${Copy} text=${task.id} label="Copy the id" />`,
  };
  return html`<dl class="facts-list card">${Object.entries(facts).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function TaskPage({ id }) {
  const { value: task, problem, refresh } = useLive(() => readTask(id), (task) => (task.finished_at ? 0 : 1200), [id]);
  const stage = useStage(task);
  if (!task) {
    return problem ? html`<${Heading}>There is no such task<//><${Empty} title=${problem}><p>It may belong to another key, or it was deleted because of its age.</p><p><${A} href="/">All tasks<//></p><//>` : html`<h1 class="reader-only" tabindex="-1">Task</h1>${loading()}`;
  }
  return html`<p class="crumbs"><${A} href="/"><${Icon} name="back" />Tasks<//></p>
    <${Heading} actions=${html`<${TaskActions} task=${task} refresh=${refresh} />`} note=${html`<${Status} of=${task.status} />`}><span class="task-text" tabindex=${task.task.length > 300 ? 0 : null}>${task.task}</span><//>
    ${askedFor(task)}
    ${alertOf(task.failure ? "Failed: " + task.failure : "")}
    <div class="task-grid"><div class="column">
      <${Stage} task=${task} stage=${stage} />
      ${task.output !== null && task.output !== undefined && html`<section class="card"><h2>Output</h2><${Output} text=${task.output} /></section>`}
      <${FileLinks} task=${task} />
    </div><div class="column side"><section class="card"><h2>Steps</h2><${Timeline} task=${task} step=${stage.step} choose=${stage.pick} /></section><${Facts} task=${task} /></div></div>`;
}
