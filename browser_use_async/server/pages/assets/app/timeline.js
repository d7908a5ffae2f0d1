// The steps of a task as a list, of which only what is near the view is drawn.
import { html, useEffect, useMemo, useRef, useState } from "htm/preact";
import { count, duration, price } from "./format.js";

// The result of a step stands in the next one; the last step of a failed task has the reason.
export function judged(task) {
  return task.steps.map((step, number) => {
    const next = task.steps[number + 1];
    const isReason = next && task.failure && number + 2 === task.steps.length;
    const isEnd = !next && task.failure;
    const { taken_at, cost_cents } = task.steps_more[number] || {};
    const begun = number ? (task.steps_more[number - 1] || {}).taken_at : task.created_at;
    return {
      ...step,
      took: taken_at && begun ? duration(begun, taken_at) : "",
      cost: cost_cents === undefined ? "" : price(cost_cents),
      next_goal: step.next_goal || (isEnd ? "Gave up" : "(no goal)"),
      judgement: isEnd ? task.failure : next && !isReason ? next.evaluation_previous_goal : "",
    };
  });
}

// What a paused task asks a person to do.
export function askedOf(task) {
  const last = task.status === "paused" && task.steps[task.steps.length - 1];
  return last ? /^Ask a person \(([\w -]+)\): ([^]*)$/.exec(last.next_goal) : null;
}

// The goal of the step under way, if the executor reports it, and for how long it has worked on it.
function Now({ task }) {
  const last = task.steps_more[task.steps_more.length - 1];
  const since = (last && last.taken_at) || task.created_at;
  const words = {
    paused: askedOf(task) ? "Waits for you" : "Paused",
    created: "Waits for a place",
  }[task.status] || task.doing || "At work";
  return html`<div class="step"><span class="number">${task.steps.length + 1}</span><span class="step-text">
    <span class="goal">${words}</span><span class="facts">
    <span>${task.status === "running" ? "now, for " : "for "}${duration(since, Date.now())}</span></span></span></div>`;
}

function StepItem({ each, number, isBad, isCurrent, problems, pick }) {
  const facts = [each.took, each.cost].filter(Boolean);
  return html`<li class=${isBad ? "bad" : ""}>
    <button type="button" class="step" aria-current=${isCurrent ? "step" : null} onClick=${() => pick(number)}>
    <span class="number">${each.step}</span>
    <span class="step-text"><span class="goal">${each.next_goal}</span>
    ${each.judgement && html`<span class="judgement">${each.judgement}</span>`}
    ${each.url && html`<span class="address">${each.url}</span>`}
    <span class="facts">${facts.map((fact) => html`<span key=${fact}>${fact}</span>`)}
    ${problems > 0 && html`<span class="problems">${count(problems, "problem")}</span>`}</span></span>
  </button></li>`;
}

const GROUP = 50; // steps that are drawn together
const STEP_PIXELS = 76; // as high as most steps are; a group that was drawn is known better

// A group out of view is replaced by an empty item of the same height.
function useWindow(list, groups) {
  const [near, setNear] = useState(() => new Set([groups - 1]));
  useEffect(() => {
    if (groups < 2) return undefined;
    const watch = new IntersectionObserver((changes) => setNear((old) => {
      const next = new Set(old);
      for (const { target, isIntersecting } of changes) {
        const group = Number(target.dataset.group);
        if (isIntersecting) next.add(group);
        else next.delete(group);
      }
      return next;
    }), { root: list.current, rootMargin: "1000px" });
    for (const each of list.current.querySelectorAll("[data-group]")) watch.observe(each);
    return () => watch.disconnect();
  }, [groups]);
  return near;
}

// Beside the stage the list scrolls along with the film; under it, on a telephone, the stage comes into view.
export function Timeline({ task, step, choose }) {
  const list = useRef(null);
  const heights = useRef(new Map());
  const steps = useMemo(() => judged(task), [task]);
  const groups = Math.max(1, Math.ceil(steps.length / GROUP));
  const near = useWindow(list, groups);
  const at = step === null ? -1 : Math.floor(step / GROUP);
  useEffect(() => {
    const current = list.current && list.current.querySelector("[aria-current]");
    if (!current) return;
    const { top, bottom } = current.getBoundingClientRect();
    const edge = list.current.getBoundingClientRect();
    list.current.scrollTop += Math.min(0, top - edge.top) + Math.max(0, bottom - edge.bottom);
  }, [step]);
  useEffect(() => {
    const drawn = list.current ? list.current.querySelectorAll("[data-group].drawn") : [];
    for (const each of drawn) heights.current.set(Number(each.dataset.group), each.offsetHeight);
  });
  const pick = (number) => {
    choose(number);
    document.querySelector(".stage-card").scrollIntoView({ block: "nearest" });
  };
  if (!steps.length && task.finished_at) return html`<p class="note">None.</p>`;
  const items = (group) => steps.slice(group * GROUP, (group + 1) * GROUP).map((each, place) => {
    const number = group * GROUP + place;
    const { problems } = task.steps_more[number] || {};
    const isBad = task.failure && number === steps.length - 1;
    return html`<${StepItem} key=${each.id} each=${each} number=${number} isBad=${isBad}
      isCurrent=${step === number} problems=${problems} pick=${pick} />`;
  });
  const now = !task.finished_at && html`<li class="now"><${Now} task=${task} /></li>`;
  if (groups === 1) return html`<ol class="timeline" ref=${list}>${items(0)}${now}</ol>`;
  const section = (group) => {
    const isDrawn = near.has(group) || group === at;
    const size = Math.min(GROUP, steps.length - group * GROUP);
    const first = group * GROUP + 1;
    const height = { height: (heights.current.get(group) || size * STEP_PIXELS) + "px" };
    return html`<section key=${group} data-group=${group} class=${isDrawn ? "drawn" : ""}
      aria-label=${"Steps " + first + " to " + (first + size - 1)} style=${isDrawn ? null : height}>
      ${isDrawn && html`<ol start=${first}>${items(group)}${group === groups - 1 ? now : ""}</ol>`}</section>`;
  };
  return html`<div class="timeline" ref=${list}>
    ${Array.from({ length: groups }, (_, group) => section(group))}</div>`;
}
