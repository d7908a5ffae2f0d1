// The film of a task that has ended, and the place of each step in it.
import { html, useEffect, useMemo, useRef, useState } from "htm/preact";
import { here } from "./core.js";

// From which second to which each step went; one that was over before the film began stands at its beginning.
// A step goes from the one before it until it is reported.
export function spansOf(task) {
  const begun = new Date(task.recorded_from);
  const moments = task.steps_more.map((each) => each.taken_at && (new Date(each.taken_at) - begun) / 1000);
  if (!task.recorded_from || !task.recordings.length || moments.some((each) => each === null)) return [];
  return moments.map((to, number) => ({ from: Math.max(0, moments[number - 1] || 0), to: Math.max(0, to) }));
}

const NEARLY = 0.05; // After a seek the position of the film differs a little from the requested one.

// Of steps without a second in the film the chosen one stays chosen while the film stands there.
function stepAt(spans, second, played) {
  const now = spans[played];
  if (now && now.from === now.to && Math.abs(second - now.from) <= NEARLY) return played;
  return spans.findLastIndex((each) => each.from <= second + NEARLY);
}

function clock(seconds) {
  return Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");
}

const MOST_MARKS = 300; // around the step that is played

// One stop of the Tab key with arrows between the marks, as the ARIA practices describe a toolbar. Each is
// as wide as its step was long, but never too narrow to be hit.
function Marks({ spans, goals, at, played, pick }) {
  const strip = useRef(null);
  const [reached, reach] = useState(null);
  const stop = reached ?? Math.max(played, 0);
  const first = Math.max(0, Math.min(stop - MOST_MARKS / 2, spans.length - MOST_MARKS));
  const marked = spans.map((_, number) => number).slice(first, first + MOST_MARKS);
  useEffect(() => {
    const mark = strip.current.querySelector("[aria-current]");
    if (mark) strip.current.scrollLeft = mark.offsetLeft - (strip.current.clientWidth - mark.offsetWidth) / 2;
  }, [played]);
  const move = (event) => {
    const place = marked.indexOf(stop);
    const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: marked.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    strip.current.children[Math.min(Math.max(to, 0), marked.length - 1)].focus();
  };
  const mark = (number) => {
    const { from, to } = spans[number];
    const name = "Step " + (number + 1) + " at " + clock(from) + ": " + goals[number];
    const done = to > from ? Math.min(1, Math.max(0, (at - from) / (to - from))) : 1;
    return html`<button type="button" key=${number} aria-label=${name} title=${name}
      aria-current=${number === played ? "step" : null} tabindex=${number === stop ? 0 : -1}
      style=${{ flexGrow: 1000 * (to - from), "--done": done * 100 + "%" }}
      onFocus=${() => reach(number)} onClick=${() => pick(number)}>${number + 1}</button>`;
  };
  return html`<div class="film-marks" role="toolbar" aria-label="Steps in the recording" ref=${strip}
    onKeyDown=${move} onFocusOut=${() => reach(null)}>${marked.map(mark)}</div>`;
}

// Its address stays that of the first answer: with another signature it would begin anew.
export function Recording({ task, spans, goals, video, first, played, play, pick }) {
  const [at, setAt] = useState(0);
  const link = here(task.recordings[0]);
  const kept = useMemo(() => link, [link.split("?")[0]]);
  const follow = () => {
    setAt(video.current.currentTime);
    play(stepAt(spans, video.current.currentTime, played));
  };
  const begin = () => {
    if (spans[first]) video.current.currentTime = spans[first].from;
  };
  return html`<figure class="stage"><video controls preload="metadata" ref=${video} src=${kept}
      aria-label="Recording of the task" onLoadedMetadata=${begin} onTimeUpdate=${follow} onSeeking=${follow}></video>
    </figure>
    ${spans.length > 0 && html`
      <${Marks} spans=${spans} goals=${goals} at=${at} played=${played} pick=${pick} />
      <p class="film-step">${played >= 0 && html`<b>Step ${played + 1}</b> <span>${goals[played]}</span>`}</p>`}`;
}
