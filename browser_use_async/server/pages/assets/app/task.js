// One task: its browser, its steps, its output and files, and what can be done with it.
import { html, useEffect, useRef, useState } from "htm/preact";
import { askedNumber, go, inAddress, inQuery, WrongAddress, wrongIn } from "./address.js";
import { formOf } from "./composer.js";
import {
  API, ask, askedOwner, attempt, change, here, may, ofOwner, pictureAt, showToast, useLive,
} from "./core.js";
import { count, timesOf } from "./format.js";
import { watchCut, wholeWords } from "./cut.js";
import { Output } from "./json_view.js";
import {
  A, alertOf, Confirm, Copy, Crumbs, Dialog, Empty, Heading, loading, OfOwner, Picture, Status, Tabs, Title,
  useOrder,
} from "./parts.js";
import { Recording, spansOf } from "./recording.js";
import { CodeDialog } from "./request.js";
import { Behind, Facts, FileLinks } from "./task_details.js";
import { askedOf, judged, Timeline } from "./timeline.js";

const VIEWS = ["live", "recording", "steps"];

async function readTask(id) {
  const path = encodeURIComponent(id);
  const [task, more, { screenshots }] = await Promise.all([
    ask(API + "/task/" + path), ask("/admin/overview/" + path), ask(API + "/task/" + path + "/screenshots"),
  ]);
  const { recordings } = task.finished_at ? await ask(API + "/task/" + path + "/media") : {};
  return { ...task, ...more, screenshots: screenshots || [], recordings: recordings || [] };
}

function Steering({ task, refresh }) {
  const [asks, ask_] = useState(false);
  if (task.finished_at || !may("run")) return null;
  const path = (name) => API + "/" + name + "-task?task_id=" + encodeURIComponent(task.id);
  const order = (name, done) => attempt(() => ask(path(name), { method: "PUT" }), done).then(refresh);
  const button = (name, done, look, words) =>
    html`<button type="button" class=${look} onClick=${() => order(name, done)}>${words}</button>`;
  return html`${task.status === "running" && button("pause", "Paused", null, "Pause")}
    ${task.status === "paused" && button("resume", "It goes on", "strong", "Resume")}
    <button type="button" class="danger" onClick=${() => ask_(true)}>Stop</button>
    ${asks && html`<${Confirm} title="Stop this task?" word="Stop for good"
      text="A stopped task cannot go on. What it has cost so far is spent."
      close=${() => ask_(false)} work=${() => order("stop", "Stopped")} />`}`;
}

// Everyone with the link sees the task without a key. It can be made later than the task, and taken back.
function ShareDialog({ task, close, refresh }) {
  const [problem, order] = useOrder(async (method, done) => {
    await ask("/admin/shares/" + encodeURIComponent(task.id), { method });
    showToast(done);
    refresh();
  });
  const make = () => order("PUT", "The public link is made");
  const takeBack = () => order("DELETE", "The public link is taken back");
  const link = task.public_share_url;
  const who = link ? "Everyone with this link sees" : "Everyone with the link would see";
  return html`<${Dialog} title="Share this task" close=${close}>
    <p>${who} the browser, the steps and the output, without a key. It cannot steer the task.</p>
    ${link && html`<pre tabindex="0" aria-label="Public link">${link}</pre>`}
    ${alertOf(problem)}
    <div class="actions end">${link
      ? html`${may("run") && html`<button type="button" class="danger" onClick=${takeBack}>Take it back</button>`}
        <${Copy} text=${link} look="strong" label="Copy the public link">Copy<//>`
      : html`<button type="button" class="strong" onClick=${make}>Make a public link</button>`}</div><//>`;
}

function TaskActions({ task, refresh }) {
  const [showsCode, showCode] = useState(false);
  const [shares, share] = useState(false);
  const again = () => {
    change({ draft: formOf(task.request) });
    go("/");
  };
  const record = () => {
    change({ draft: { ...formOf(task.request), script: "new-script" } });
    go("/");
  };
  const isRecordable = task.status === "finished" && may("run") && !(task.metadata || {})["bu_async.script"];
  const mayShare = task.public_share_url || may("run");
  return html`<${Steering} task=${task} refresh=${refresh} />
    ${mayShare && html`<button type="button" onClick=${() => share(true)}>Share</button>`}
    <button type="button" onClick=${() => showCode(true)}>As code</button>
    ${may("run") && html`<button type="button" onClick=${again}>Run again</button>`}
    ${isRecordable && html`<button type="button" title="Run it again under the name of a script, which is recorded"
      onClick=${record}>Make a script</button>`}
    ${shares && html`<${ShareDialog} task=${task} close=${() => share(false)} refresh=${refresh} />`}
    ${showsCode && html`<${CodeDialog} request=${task.request} close=${() => showCode(false)} />`}`;
}

function noPicture(task) {
  if (task.steps.length) return "There is no picture of this step.";
  return task.finished_at ? "It ended before its first step." : "No picture yet: it comes with the first step.";
}

function StepPicture({ task, step }) {
  const link = task.screenshots[step];
  if (!link) return html`<div class="stage none"><p>${noPicture(task)}</p></div>`;
  const without = html`<p>The picture of this step cannot be shown.</p>`;
  const [width, height] = task.viewport;
  return html`<figure class="stage"><${Picture} src=${pictureAt(link)} without=${without}
    alt=${"The page at step " + (step + 1)} width=${width} height=${height} /></figure>`;
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
  const address = here(task.live_url);
  if (isBlocked) {
    return html`<div class="stage none"><p>Another server shows this browser: <a href=${address} target="_blank"
      rel="noreferrer">open its live page</a>.</p></div>`;
  }
  const ratio = task.viewport[0] / task.viewport[1];
  return html`<iframe class="live" onLoad=${fit} src=${address + "#browser"} title="The browser of the task"
    style=${{ "--ratio": ratio }}></iframe>`;
}

function Scrubber({ task, step, choose }) {
  const last = task.steps.length;
  if (last < 2) return null;
  const slide = (event) => choose(Number(event.currentTarget.value) - 1);
  return html`<div class="scrubber">
    <button type="button" class="square" aria-label="Step before" disabled=${step <= 0}
      onClick=${() => choose(step - 1)}>‹</button>
    <input type="range" min="1" max=${last} value=${step + 1} aria-label="Step"
      aria-valuetext=${"Step " + (step + 1) + " of " + last} onInput=${slide} />
    <button type="button" class="square" aria-label="Next step" disabled=${step >= last - 1}
      onClick=${() => choose(step + 1)}>›</button>
    <span class="note">${step + 1} / ${last}</span></div>`;
}

function viewsOf(task) {
  const views = ["Steps"];
  if (task.recordings.length) views.unshift("Recording");
  if (!task.finished_at && task.live_url) views.unshift("Live");
  return views;
}

function wrongView(task, wanted, views) {
  if (!VIEWS.includes(wanted)) return wrongIn("view", wanted, views.map((each) => each.toLowerCase()));
  return "This task has no view “" + wanted + "” " + (task.finished_at ? "any more." : "yet.");
}

function wrongStep(task, wanted) {
  const steps = count(task.steps.length, "step") + (task.finished_at ? "." : " so far.");
  return "There is no step “" + wanted.slice(0, 60) + "”: the task has " + steps;
}

// The view: the live browser, the film, or the picture of a step. The address names the view and the step. In
// the film a chosen step is a position to seek.
function useStage(task) {
  const [played, play] = useState(0);
  const video = useRef(null);
  if (!task) return null;
  const views = viewsOf(task);
  const last = task.steps.length - 1;
  const wanted = inQuery().get("view") || "";
  const wantedStep = inQuery().get("step") || "";
  const picked = askedNumber("step", 0) - 1;
  const isThere = picked >= 0 && picked <= last;
  const named = views.find((each) => each.toLowerCase() === wanted);
  const view = named || (isThere ? "Steps" : views[0]);
  const problems = [
    wanted && !named ? wrongView(task, wanted, views) : "",
    wantedStep && !isThere ? wrongStep(task, wantedStep) : "",
  ];
  const spans = spansOf(task);
  const isFilm = view === "Recording" && spans.length > 0;
  const pictured = isThere ? picked : last;
  const show = (name) => {
    if (name === "Recording" && isThere) play(picked);
    const step = name === "Steps" ? Math.max(0, isFilm ? played : pictured) + 1 : "";
    inAddress({ view: name === views[0] ? "" : name.toLowerCase(), step });
  };
  const pick = (number) => {
    if (!isFilm) {
      return inAddress({ view: views[0] === "Steps" ? "" : "steps", step: number + 1 }, { replaces: true });
    }
    video.current.currentTime = spans[number].from;
    play(number);
  };
  const step = isFilm ? played : isThere ? picked : null;
  return { views, view, show, pick, spans, video, play, played, problems, pictured, step };
}

function Stage({ task, stage }) {
  const { views, view, show, pick, played, pictured } = stage;
  const shown = {
    Live: () => html`<${Live} task=${task} />`,
    Recording: () => {
      const goals = judged(task).map((each) => each.next_goal);
      return html`<${Recording} ...${stage} task=${task} first=${played} goals=${goals} />`;
    },
    Steps: () => html`<${StepPicture} task=${task} step=${pictured} />`,
  };
  const panel = views.length > 1 ? { role: "tabpanel", "aria-label": view } : {};
  return html`<section class="card stage-card" aria-label="The browser">
    ${views.length > 1 && html`<${Tabs} label="View" names=${views} chosen=${view} choose=${show} panel="stage" />`}
    <div id="stage" ...${panel}>${shown[view]()}</div>
    ${view === "Steps" && html`<${Scrubber} task=${task} step=${pictured} choose=${pick} />`}
    ${task.status !== "created" && !task.finished_at && html`<p class="current">
      <span class="pulse" aria-hidden="true"></span>${nowOf(task)}</p>`}
  </section>`;
}

// What a task does, and for how long it has been at work.
function nowOf(task) {
  const { active, paused } = timesOf(task, Date.now());
  const number = task.steps.length;
  const doing = task.doing ? "Now: " + task.doing : "Step " + (number + 1) + " is under way";
  const what = task.status === "paused" ? "Paused after step " + number : doing;
  return what + ", " + active + " at work" + (paused ? ", " + paused + " paused" : "");
}

// A long text is cut on a telephone, so that the answer is visible without scrolling.
function TaskTitle({ text }) {
  const [isOpen, open] = useState(false);
  const [isCut, cut] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    if (isOpen) return undefined;
    return watchCut(box.current, cut);
  }, [text, isOpen]);
  const look = isOpen ? "task-text is-open" : "task-text";
  return html`<span ref=${box} class=${look} tabindex=${text.length > 300 ? 0 : null}><${Title} text=${text} /></span>
    ${(isCut || isOpen) && html`<button type="button" class="quiet whole-text" aria-expanded=${String(isOpen)}
      onClick=${() => open(!isOpen)}>${wholeWords(isOpen)}</button>`}`;
}

function askedFor(task) {
  const asked = askedOf(task);
  if (!asked) return null;
  const how = may("run")
    ? "Do it in the browser below with “Take control”, and then press Resume."
    : "This needs a key with the scope run.";
  return html`<div class="alert wait asked" role="status"><p><b>It waits for you: ${asked[1]}</b></p><p>${asked[2]}</p>
    <p>${how}</p></div>`;
}

function NoTask({ problem }) {
  return html`<${Heading}>There is no such task<//><${Empty} title=${problem}>
    <p>It may belong to another key, or it was deleted because of its age.</p>
    <p><${A} href="/">All tasks<//></p><//>`;
}

export function TaskPage({ id }) {
  const pause = (task) => (task.finished_at ? 0 : 1200);
  const { value: task, problem, refresh } = useLive(() => readTask(id), pause, [id]);
  const stage = useStage(task);
  if (!task && problem) return html`<${NoTask} problem=${problem} />`;
  if (!task) return html`<h1 class="reader-only" tabindex="-1">Task</h1>${loading()}`;
  const actions = html`<${TaskActions} task=${task} refresh=${refresh} />`;
  const hasOutput = task.output !== null && task.output !== undefined;
  return html`<${Crumbs} href=${"/" + ofOwner(askedOwner())}>Tasks<//>
    <${Heading} actions=${actions} note=${html`<${Status} of=${task.status} />`}><${TaskTitle} text=${task.task} /><//>
    <${OfOwner} />
    <${WrongAddress} problems=${stage.problems} names=${["view", "step"]} />
    ${askedFor(task)}
    ${alertOf(task.failure ? "Failed: " + task.failure : "")}
    <div class="task-grid"><div class="column">
      ${hasOutput && html`<section class="card answer"><h2>Output</h2><${Output} text=${task.output} /></section>`}
      <${Stage} task=${task} stage=${stage} /></div><div class="column side">
      <section class="card"><h2>Steps</h2><${Timeline} task=${task} step=${stage.step} choose=${stage.pick} /></section>
      <${Facts} task=${task} /></div>
    <div class="column"><${Behind} task=${task} step=${stage.step ?? stage.pictured} /><${FileLinks} task=${task} />
    </div></div>`;
}
