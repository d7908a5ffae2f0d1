// Parts of several pages.
import { html, useEffect, useRef, useState } from "htm/preact";
import { follow } from "./address.js";
import { askedOwner, problemOf, showToast } from "./core.js";
import { ago, exactly, splitAtHosts } from "./format.js";

const ICONS = {
  tasks: "M4 6h2M10 6h10M4 12h2M10 12h10M4 18h2M10 18h10",
  overview: "M4 20h16M6 16v-5M11 16V5M16 16V9",
  batches: "M4 7l8-4 8 4-8 4ZM4 12l8 4 8-4M4 17l8 4 8-4",
  schedules: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  scripts: "M6 4h12v16H6ZM9 8h6M9 12h6M9 16h3",
  profiles: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM5 20c1-4 4-5 7-5s6 1 7 5",
  webhooks: "M5 12h9M11 8l4 4-4 4M19 5v14",
  files: "M7 3h7l5 5v13H7ZM14 3v5h5",
  keys: "M14 10a4 4 0 1 0-3 3l1 1h2v2h2v2h4v-3l-6-5Z",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM16 16l4 4",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  back: "M15 5l-7 7 7 7",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;
}

// Other words than those of a task's status have the colour of one.
export function Status({ of, words = of }) {
  return html`<span class="pill" data-status=${of}>${words}</span>`;
}

export function Moment({ at, exact }) {
  return html`<time dateTime=${at} title=${exact ? null : exactly(at)}>${exact ? exactly(at) : ago(at)}</time>`;
}

// A text in which the schemes and hosts of addresses can be hidden.
export function Title({ text }) {
  return splitAtHosts(text).map((part, place) =>
    (place % 2 ? html`<span key=${place} class="host">${part}</span>` : part));
}

export function A({ href, children, ...more }) {
  return html`<a href=${href} onClick=${follow} ...${more}>${children}</a>`;
}

export function Heading({ children, actions, note }) {
  return html`<div class="heading"><div><h1 tabindex="-1">${children}</h1>
    ${note && html`<p class="note">${note}</p>`}</div>
    <div class="actions">${actions}</div></div>`;
}

export function Crumbs({ href, children }) {
  return html`<p class="crumbs"><${A} href=${href}><${Icon} name="back" />${children}<//></p>`;
}

export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children}</div>`;
}

// No components: where one of these renders nothing any more while its neighbour appears, preact puts the
// neighbour in front of the whole page.
export function alertOf(problem) {
  return problem ? html`<p class="alert" role="alert">${problem}</p>` : null;
}

export function loading(value, problem) {
  return value || problem ? null : html`<div class="waiting" aria-label="Loading"></div>`;
}

// A picture that cannot be shown is replaced by a text, not by the browser's broken image.
export function Picture({ src, without, ...more }) {
  const [broken, setBroken] = useState("");
  if (broken === src) return without;
  return html`<img src=${src} onError=${() => setBroken(src)} ...${more} />`;
}

// What is wider than the page scrolls inside, also by keys.
export function Scroll({ label, children }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}>${children}</div>`;
}

// Buttons of which one is chosen.
export function Choices({ label, choices, chosen, choose }) {
  return html`<div class="filters" role="group" aria-label=${label}>
    ${choices.map(([value, words]) => html`<button type="button" key=${value} aria-pressed=${String(value === chosen)}
      onClick=${() => choose(value)}>${words}</button>`)}</div>`;
}

// --- forms ---------------------------------------------------------------------------------

export function Field({ label, hint, children }) {
  return html`<label class="field"><span class="label">${label}</span>${children}
    ${hint && html`<span class="hint">${hint}</span>`}</label>`;
}

export function Check({ label, checked, onChange }) {
  return html`<label class="check"><input type="checkbox" checked=${checked}
    onChange=${(event) => onChange(event.currentTarget.checked)} /><span>${label}</span></label>`;
}

// Says why tasks of another owner have no buttons that change them.
export function OfOwner() {
  const owner = askedOwner();
  const whose = owner === "all" ? "all owners" : owner;
  return owner ? html`<p class="note older" id="of-owner">Tasks of ${whose}: read only.</p>` : null;
}

export function Select({ choices, ...more }) {
  return html`<select ...${more}>
    ${choices.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select>`;
}

export function FormEnd({ close, word }) {
  return html`<div class="actions end"><button type="button" onClick=${close}>Cancel</button>
    <button type="submit" class="strong">${word}</button></div>`;
}

// The fields of a form, what sets some of them, and what takes the text of one.
export function useForm(first) {
  const [form, setForm] = useState(first);
  const set = (fields) => setForm((old) => ({ ...old, ...(typeof fields === "function" ? fields(old) : fields) }));
  const typed = (name) => (event) => set({ [name]: event.currentTarget.value });
  return { form, set, typed };
}

// What a dialog asks of the server, and the problem that it shows if that is refused.
export function useOrder(work) {
  const [problem, setProblem] = useState("");
  const order = async (...inputs) => {
    setProblem("");
    try {
      await work(...inputs);
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  return [problem, order];
}

// The same for a form.
export function useSubmit(work) {
  const [problem, order] = useOrder(work);
  const submit = (event) => {
    event.preventDefault();
    return order();
  };
  return [problem, submit];
}

// --- copying, tabs, dialogs, pages of a list -------------------------------------------------

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    showToast("Copied");
  } catch {
    showToast("The browser does not allow copying here; select the text instead.");
  }
}

export function Copy({ text, children = "Copy", label, look = "quiet" }) {
  return html`<button type="button" class=${look} aria-label=${label} onClick=${() => copy(text)}>${children}</button>`;
}

// Tabs as the ARIA practices describe them: one stop of the Tab key, arrows between them.
export function Tabs({ label, names, chosen, choose, panel }) {
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = names[(names.indexOf(chosen) + step + names.length) % names.length];
    choose(next);
    requestAnimationFrame(() => event.target.parentElement?.querySelector('[aria-selected="true"]')?.focus());
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${move}>
    ${names.map((name) => html`<button type="button" role="tab" key=${name} aria-selected=${String(name === chosen)}
      aria-controls=${panel} tabindex=${name === chosen ? 0 : -1} onClick=${() => choose(name)}>${name}</button>`)}
  </div>`;
}

// The browser's own dialog keeps the focus inside, and Escape closes it.
export function Dialog({ title, close, children, wide }) {
  const box = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-label=${title} onClose=${close}
    onClick=${(event) => event.target === box.current && close()}>
    <div class="dialog"><header><h2>${title}</h2>
      <button type="button" class="quiet square" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>
    </header>
    ${children}</div></dialog>`;
}

export function Confirm({ title, text, word, close, work }) {
  const confirm = () => {
    close();
    work();
  };
  return html`<${Dialog} title=${title} close=${close}><p>${text}</p><div class="actions end">
    <button type="button" onClick=${close}>Keep it</button>
    <button type="button" class="danger" onClick=${confirm}>${word}</button></div><//>`;
}

export function Pager({ page, pages, choose }) {
  if (pages < 2) return null;
  return html`<nav class="pager" aria-label="Pages">
    <button type="button" disabled=${page <= 1} onClick=${() => choose(page - 1)}>Newer</button>
    <span class="note">Page ${page} of ${pages}</span>
    <button type="button" disabled=${page >= pages} onClick=${() => choose(page + 1)}>Older</button></nav>`;
}
