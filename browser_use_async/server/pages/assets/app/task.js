// One task: its browser, its steps, its output and files, and what can be done with it.
async function readTask(id) {
  const path = encodeURIComponent(id);
  const [task, more, pictures_] = await Promise.all([
    ask(API + "/task/" + path), ask("/admin/overview/" + path), ask(API + "/task/" + path + "/screenshots"),
  ]);
  const media = task.finished_at ? await ask(API + "/task/" + path + "/media") : { recordings: [] };
  return { ...task, ...more, screenshots: pictures_.screenshots || [], recordings: media.recordings || [] };
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

// Everyone with the link sees the task without a key. It can be made later than the task, and taken back.
function ShareDialog({ task, close, refresh }) {
  const [problem, setProblem] = useState("");
  const change_ = async (method, done) => {
    setProblem("");
    try {
      await ask("/admin/shares/" + encodeURIComponent(task.id), { method });
    } catch (error) {
      return setProblem(problemOf(error));
    }
    showToast(done);
    refresh();
  };
  const link = task.public_share_url;
  return html`<${Dialog} title="Share this task" close=${close}>
    <p>${link ? "Everyone with this link sees" : "Everyone with the link would see"} the browser, the steps and the output, without a key. It cannot steer the task.</p>
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

// The view: the live browser, the film, or the picture of a step. The address names the view and the step. In
// the film a chosen step is a position to seek.
function useStage(task) {
  const [played, play] = useState(0);
  const video = useRef(null);
  if (!task) return null;
  const views = ["Steps"];
  if (task.recordings.length) views.unshift("Recording");
  if (!task.finished_at && task.live_url) views.unshift("Live");
  const last = task.steps.length - 1;
  const wanted = inQuery().get("view") || "";
  const asked_ = inQuery().get("step") || "";
  const picked = askedNumber("step", 0) - 1;
  const isThere = picked >= 0 && picked <= last;
  const named = views.find((each) => each.toLowerCase() === wanted);
  const view = named || (isThere ? "Steps" : views[0]);
  const problems = [
    wanted && !named ? (["live", "recording", "steps"].includes(wanted) ? "This task has no view “" + wanted + "” " + (task.finished_at ? "any more." : "yet.") : wrongIn("view", wanted, views.map((each) => each.toLowerCase()))) : "",
    asked_ && !isThere ? "There is no step “" + asked_.slice(0, 60) + "”: the task has " + count(task.steps.length, "step") + (task.finished_at ? "." : " so far.") : "",
  ];
  const spans = spansOf(task);
  const isFilm = view === "Recording" && spans.some(Boolean);
  const pictured = isThere ? picked : last;
  const show = (name) => {
    if (name === "Recording" && isThere) play(picked);
    inAddress({ view: name === views[0] ? "" : name.toLowerCase(), step: name === "Steps" ? Math.max(0, isFilm ? played : pictured) + 1 : "" });
  };
  const pick = (number) => {
    if (!isFilm || !spans[number]) return inAddress({ view: views[0] === "Steps" ? "" : "steps", step: number + 1 }, { replaces: true });
    video.current.currentTime = spans[number].from;
    play(number);
  };
  return { views, view, show, pick, spans, video, play, played, problems, pictured, step: isFilm ? played : isThere ? picked : null };
}

function Stage({ task, stage }) {
  const { views, view, show, pick, pictured } = stage;
  const film = () => html`<${Recording} ...${stage} task=${task} first=${stage.played} goals=${judged(task).map((each) => each.next_goal)} />`;
  return html`<section class="card stage-card" aria-label="The browser">
    ${views.length > 1 && html`<${Tabs} label="View" names=${views} chosen=${view} choose=${show} panel="stage" />`}
    <div id="stage" ...${views.length > 1 ? { role: "tabpanel", "aria-label": view } : {}}>${view === "Live" ? html`<${Live} task=${task} />` : view === "Recording" ? film() : html`<${StepPicture} task=${task} step=${pictured} />`}</div>
    ${view === "Steps" && html`<${Scrubber} task=${task} step=${pictured} choose=${pick} />`}
    ${task.status !== "created" && !task.finished_at && html`<p class="current"><span class="pulse" aria-hidden="true"></span>${task.status === "paused" ? "Paused after step " + task.steps.length : task.doing ? "Now: " + task.doing : "Step " + (task.steps.length + 1) + " is under way"}, ${timesOf(task, Date.now()).active} at work${task.paused_seconds ? ", " + timesOf(task, Date.now()).paused + " paused" : ""}</p>`}
  </section>`;
}

// A long text is cut on a telephone, so that the browser is visible without scrolling.
function TaskTitle({ text }) {
  const [isOpen, open] = useState(false);
  return html`<span class=${isOpen ? "task-text is-open" : "task-text"} tabindex=${text.length > 300 ? 0 : null}>${text}</span>
    ${text.length > 90 && html`<button type="button" class="quiet whole-text" aria-expanded=${String(isOpen)} onClick=${() => open(!isOpen)}>${isOpen ? "Less" : "Whole text"}</button>`}`;
}

// What a paused task asks a person to do.
function askedOf(task) {
  const last = task.status === "paused" && task.steps[task.steps.length - 1];
  return last ? /^Ask a person \(([\w -]+)\): ([^]*)$/.exec(last.next_goal) : null;
}

function askedFor(task) {
  const asked = askedOf(task);
  if (!asked) return null;
  return html`<div class="alert wait asked" role="status"><p><b>It waits for you: ${asked[1]}</b></p><p>${asked[2]}</p>
    <p>${may("run") ? "Do it in the browser below with “Take control”, and then press Resume." : "This needs a key with the scope run."}</p></div>`;
}

function TaskPage({ id }) {
  const { value: task, problem, refresh } = useLive(() => readTask(id), (task) => (task.finished_at ? 0 : 1200), [id]);
  const stage = useStage(task);
  if (!task) {
    return problem ? html`<${Heading}>There is no such task<//><${Empty} title=${problem}><p>It may belong to another key, or it was deleted because of its age.</p><p><${A} href="/">All tasks<//></p><//>` : html`<h1 class="reader-only" tabindex="-1">Task</h1>${loading()}`;
  }
  return html`<p class="crumbs"><${A} href="/"><${Icon} name="back" />Tasks<//></p>
    <${Heading} actions=${html`<${TaskActions} task=${task} refresh=${refresh} />`} note=${html`<${Status} of=${task.status} />`}><${TaskTitle} text=${task.task} /><//>
    <${WrongAddress} problems=${stage.problems} names=${["view", "step"]} />
    ${askedFor(task)}
    ${alertOf(task.failure ? "Failed: " + task.failure : "")}
    <div class="task-grid"><div class="column">
      <${Stage} task=${task} stage=${stage} />
      ${task.output !== null && task.output !== undefined && html`<section class="card"><h2>Output</h2><${Output} text=${task.output} /></section>`}
    </div><div class="column side"><section class="card"><h2>Steps</h2><${Timeline} task=${task} step=${stage.step} choose=${stage.pick} /></section><${Facts} task=${task} /></div>
    <div class="column"><${Behind} task=${task} step=${stage.step ?? stage.pictured} /><${FileLinks} task=${task} /></div></div>`;
}
