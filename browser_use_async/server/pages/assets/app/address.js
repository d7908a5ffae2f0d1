// What a page shows stands in its address, so that a reload, Back, and a pasted link show the same again.
import { html, useEffect, useRef, useState } from "htm/preact";
import { change, signIn, store } from "./core.js";

export function go(path) {
  keepPlace();
  history.pushState(null, "", path);
  change({});
  window.scrollTo(0, 0);
  // The next Tab begins with the new page, and a screen reader says its title.
  requestAnimationFrame(() => document.getElementById("main")?.focus({ preventScroll: true }));
}

export function follow(event) {
  if (event.defaultPrevented || event.button) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(event.currentTarget.getAttribute("href"));
}

// Back restores the scroll position of a list and the number of its rows.
export function keepPlace(more) {
  history.replaceState({ ...history.state, top: window.scrollY, ...more }, "");
}

// A link that is opened in this tab may change only the part after #, which loads no page.
window.addEventListener("popstate", () => {
  takeKey();
  change({});
});
window.addEventListener("pagehide", () => keepPlace());

export function inQuery() {
  return new URLSearchParams(location.search);
}

// Back undoes a choice; text that is typed and film positions replace the address. Empty values are left out.
export function inAddress(fields, { replaces = false } = {}) {
  const query = inQuery();
  for (const [name, value] of Object.entries(fields)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  const address = location.pathname + (text ? "?" + text : "") + location.hash;
  if (address === location.pathname + location.search + location.hash) return;
  history[replaces ? "replaceState" : "pushState"](null, "", address);
  change({});
}

// Removes choices from the address.
export function leaveOut(names) {
  inAddress(Object.fromEntries(names.map((name) => [name, ""])));
}

// A number in the address, such as that of a page of a list.
export function askedNumber(name, otherwise) {
  const text = inQuery().get(name);
  return /^[1-9]\d{0,8}$/.test(text || "") ? Number(text) : otherwise;
}

// The page of a list that the address names, and a function that opens another one.
export function usePage() {
  return [askedNumber("page", 1), (page) => inAddress({ page: page > 1 ? page : "" })];
}

// Reports an unknown value in the address, with the known ones.
export function wrongIn(name, value, known) {
  if (!value || known.includes(value)) return "";
  return "“" + value.slice(0, 60) + "” is no " + name + "; the address can have " + known.join(", ") + ".";
}

export function WrongAddress({ problems, names }) {
  const found = problems.filter(Boolean);
  if (!found.length) return null;
  return html`<div class="alert wait wrong-address" role="alert"><p>${found.join(" ")}</p>
    <button type="button" onClick=${() => leaveOut(names)}>Show all</button></div>`;
}

// Typed text goes into the address after a pause, or never with a pause of `null`; Back updates the field, too.
export function useTypedInto(name, pause) {
  const there = inQuery().get(name) || "";
  const [typed, type] = useState(there);
  const settled = useRef(there);
  useEffect(() => {
    if (there === settled.current) return;
    settled.current = there;
    type(there);
  }, [there]);
  useEffect(() => {
    const text = typed.trim();
    if (text === settled.current || pause === null) return;
    const timer = setTimeout(() => {
      settled.current = text;
      inAddress({ [name]: text, before: "" }, { replaces: true });
    }, pause);
    return () => clearTimeout(timer);
  }, [typed]);
  return [typed, type];
}

// The part after # was never sent to the server; here it is removed from the address bar as well.
// A link may come from anybody: a key that is in use is replaced only after a question.
export function takeKey() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (!store.key) signIn(key);
  else if (key !== store.key) change({ offered: key });
}
