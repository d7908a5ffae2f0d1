// The key, requests, and what is read repeatedly.
import { useEffect, useRef, useState } from "htm/preact";

export const DATA = document.body.dataset;
export const API = DATA.api;
export const KEPT = "browser-use-async key"; // in this tab only, and gone with it

export class Refused extends Error {}

export const store = {
  key: "",
  offered: "",
  me: null,
  notice: "",
  offline: false,
  draft: null,
  toast: "",
  showsKeys: false,
  watchers: new Set(),
};

export function change(fields) {
  Object.assign(store, fields);
  for (const watcher of store.watchers) watcher();
}

export function useStore() {
  const [, draw] = useState(0);
  useEffect(() => {
    const watcher = () => draw((count) => count + 1);
    store.watchers.add(watcher);
    return () => store.watchers.delete(watcher);
  }, []);
  return store;
}

let toastTimer = 0;
export function showToast(toast) {
  clearTimeout(toastTimer);
  change({ toast });
  toastTimer = setTimeout(() => change({ toast: "" }), 6000);
}

export function signIn(key) {
  change({ key, offered: "", notice: "", me: null });
}

export function signOut(notice = "") {
  sessionStorage.clear();
  change({ key: "", offered: "", me: null, notice, draft: null, offline: false, showsKeys: false });
}

// The owner whose tasks the operator looks at, which the address has: they are read, and not changed.
export function askedOwner() {
  return new URLSearchParams(location.search).get("owner") || "";
}

export function ofOwner(owner) {
  return owner ? "?owner=" + encodeURIComponent(owner) : "";
}

export function may(scope) {
  return store.me !== null && store.me.scopes.includes(scope) && !(scope === "run" && askedOwner());
}

// --- asking --------------------------------------------------------------------------------

function inWords(status, body) {
  const detail = body && body.detail;
  if (status === 401 || (status === 403 && /authenticat/i.test(String(detail)))) {
    if (typeof detail === "string" && !/authenticat/i.test(detail) && detail !== "Invalid API key") return detail;
    return "The server does not know this key. The program that started it has the right one.";
  }
  if (typeof detail === "string") return detail;
  if (Array.isArray(detail)) return detail.map((each) => [...each.loc.slice(1), each.msg].join(": ")).join("; ");
  return "The server answered " + status;
}

export async function ask(path, { method = "GET", body } = {}) {
  // The key can be forgotten between two requests; nothing is asked for without it.
  if (!store.key) throw Object.assign(new Refused("No key"), { wrongKey: true, silent: true });
  const headers = { Authorization: "Bearer " + store.key };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const text = body === undefined ? undefined : JSON.stringify(body);
  if (method === "GET" && askedOwner() && (path + "/").match("^(/admin/overview|" + API + "/task/)")) {
    path += ofOwner(askedOwner()).replace("?", path.includes("?") ? "&" : "?");
  }
  const answer = await window.fetch(path, { method, headers, cache: "no-store", body: text });
  const read = await answer.json().catch(() => null);
  if (answer.ok) return read;
  const { status } = answer;
  throw Object.assign(new Refused(inWords(status, read)), { wrongKey: status === 401, status });
}

export function problemOf(error) {
  if (error instanceof Refused) return error.message;
  if (error instanceof TypeError) return "The server does not answer; trying again.";
  throw error;
}

// Carry out an action of a person; a refusal is shown as a message.
export async function attempt(work, done) {
  try {
    const value = await work();
    if (done) showToast(done);
    return value;
  } catch (error) {
    if (error.wrongKey) signOut(error.silent ? "" : error.message);
    else showToast(error instanceof TypeError ? "The server does not answer; nothing was done." : problemOf(error));
    return undefined;
  }
}

// Read now and at an interval, while the page is visible. A late answer to an older request is dropped.
export function useLive(read, every, inputs) {
  const [state, set] = useState({ value: undefined, problem: "" });
  const refresh = useRef(() => {});
  useEffect(() => {
    let timer = 0;
    let round = 0;
    let pause = every;
    const look = async () => {
      clearTimeout(timer);
      const mine = ++round;
      try {
        const value = await read();
        if (mine !== round) return;
        set({ value, problem: "" });
        pause = typeof every === "function" ? every(value) : every;
        if (store.offline) change({ offline: false });
      } catch (error) {
        if (mine !== round) return;
        if (error.wrongKey) return signOut(error.silent ? "" : error.message);
        if (error instanceof Refused) set((old) => ({ ...old, problem: error.message }));
        else if (error instanceof TypeError) change({ offline: true });
        else throw error;
        pause = error.status === 403 || error.status === 404 ? 0 : 2000; // these stay
      }
      if (pause && !document.hidden) timer = setTimeout(look, pause);
    };
    const shown = () => (document.hidden ? clearTimeout(timer) : look());
    refresh.current = look;
    document.addEventListener("visibilitychange", shown);
    look();
    return () => {
      round = -Infinity;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, inputs);
  return { ...state, refresh: () => refresh.current() };
}

// --- links to files ------------------------------------------------------------------------

// Links to files name the server's public address; the page may have been opened by another.
export function here(link) {
  const address = new URL(link, location.href);
  return address.pathname + address.search;
}

// A picture has another signature in each answer; the first one stays good for an hour.
const pictures = new Map();
export function pictureAt(link) {
  const path = new URL(link, location.href).pathname;
  const kept = pictures.get(path);
  if (kept && Date.now() - kept.at < 600000) return kept.link;
  if (pictures.size > 5000) pictures.clear();
  pictures.set(path, { link: here(link), at: Date.now() });
  return pictures.get(path).link;
}
