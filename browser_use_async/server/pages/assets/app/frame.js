// The frame: signing in, the navigation, and which page the address names.
import { Component, html, render, useEffect, useRef } from "htm/preact";
import { follow, go, takeKey, useTypedInto } from "./address.js";
import { BatchesPage } from "./batches.js";
import { ask, change, DATA, KEPT, signIn, signOut, store, useLive, useStore } from "./core.js";
import { FilesPage } from "./files.js";
import { money } from "./format.js";
import { KeysDialog } from "./keyboard.js";
import { KeysPage } from "./keys.js";
import { OverviewPage } from "./overview.js";
import { A, alertOf, Confirm, Empty, Field, Heading, Icon } from "./parts.js";
import { ProfilesPage } from "./profiles.js";
import { SchedulesPage } from "./schedules.js";
import { ScriptPage, ScriptsPage } from "./scripts.js";
import { TaskPage } from "./task.js";
import { TasksPage } from "./tasks.js";
import { WebhooksPage } from "./webhooks.js";

const PAGES = [
  { path: "/", name: "Tasks", icon: "tasks", page: TasksPage },
  { path: "/overview", name: "Overview", icon: "overview", page: OverviewPage },
  { path: "/batches", name: "Batches", icon: "batches", page: BatchesPage },
  { path: "/schedules", name: "Schedules", icon: "schedules", page: SchedulesPage },
  { path: "/scripts", name: "Scripts", icon: "scripts", page: ScriptsPage },
  { path: "/profiles", name: "Profiles", icon: "profiles", page: ProfilesPage },
  { path: "/files", name: "Files", icon: "files", page: FilesPage },
  { path: "/webhooks", name: "Webhooks", icon: "webhooks", page: WebhooksPage },
  { path: "/keys", name: "Keys", icon: "keys", page: KeysPage },
];

// A mistyped address may contain a percent sign that is no escape.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function currentPage() {
  const path = location.pathname.replace(/(.)\/+$/, "$1");
  const task = /^\/tasks\/([^/]+)$/.exec(path);
  if (task) return { path: "/", name: "Task", page: TaskPage, id: decoded(task[1]) };
  const script = /^\/scripts\/([^/]+)$/.exec(path);
  if (script) return { path: "/scripts", name: "Script", page: ScriptPage, id: decoded(script[1]) };
  return PAGES.find((each) => each.path === path);
}

function SignIn() {
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  const submit = (event) => {
    event.preventDefault();
    const key = field.current.value.trim();
    field.current.value = "";
    if (key) signIn(key);
  };
  return html`<main class="sign-in"><div class="card"><${Mark} /><h1>Browser tasks</h1>
    <p>Cloud API v1 of Browser Use, served by <code>browser-use-async</code>; it is not the hosted service.${" "}
      Tasks are carried out by the executor <code>${DATA.executor}</code>.</p>
    <form id="key-form" onSubmit=${submit} class="form">
    <${Field} label="API key" hint="Printed by serve when it starts, with a link that signs in. It stays in this tab.">
      <input id="key" ref=${field} type="password" autocomplete="off" spellcheck="false" required /><//>
    ${alertOf(store.notice)}<button type="submit" class="strong">Sign in</button></form>
    <p class="note">The calls are in an <a href="/openapi.json">OpenAPI document</a>.</p></div></main>`;
}

function Mark() {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect x="2" y="4" width="28" height="24" rx="6" />
    <path d="M2 12h28M12 17l5 3-5 3Z" /></svg>`;
}

function Account() {
  useLive(async () => change({ me: await ask("/admin/key") }), 5000, [store.key]);
  const { me } = store;
  return html`<div class="account">${me && html`<span class="executor" title="Executor">${me.executor}</span>
    <span class="balance"><span class="reader-only">Balance </span>
    <b id="balance">${money(me.balance_cents)}</b></span>`}
    <button type="button" id="sign-out" class="quiet" onClick=${() => signOut()}>Sign out</button></div>`;
}

// On the list of tasks it searches while a person types; on other pages Enter opens the list.
function Search() {
  const isList = location.pathname === "/";
  const [typed, type] = useTypedInto("text", isList ? 150 : null);
  const submit = (event) => {
    event.preventDefault();
    if (!isList) go("/?" + new URLSearchParams({ text: typed.trim() }));
  };
  return html`<form class="search" role="search" onSubmit=${submit}><${Icon} name="search" />
    <input id="search" type="search" aria-label="Search tasks" aria-keyshortcuts="/" placeholder="Search tasks"
      autocomplete="off" value=${typed} onInput=${(event) => type(event.currentTarget.value)} />
    <kbd aria-hidden="true">/</kbd></form>`;
}

function Navigation({ current }) {
  const list = useRef(null);
  // On a telephone the names do not fit side by side: the chosen one is brought into view.
  useEffect(() => {
    const chosen = list.current.querySelector("[aria-current]");
    if (chosen) list.current.parentElement.scrollLeft = chosen.offsetLeft - 48;
  }, [current && current.path]);
  const link = ({ path, name, icon }) => html`<li key=${path}><a href=${path} onClick=${follow}
    aria-current=${current && current.path === path ? "page" : null}>
    <${Icon} name=${icon} /><span>${name}</span></a></li>`;
  return html`<nav class="nav" aria-label="Pages"><ul ref=${list}>${PAGES.map(link)}
    <li class="keys-button"><button type="button" class="quiet" aria-keyshortcuts="?"
      onClick=${() => change({ showsKeys: true })}>Shortcuts <kbd aria-hidden="true">?</kbd></button></li></ul></nav>`;
}

function Missing() {
  return html`<${Heading}>There is no page here<//>
    <${Empty} title="The address may have been mistyped"><p><${A} href="/">All tasks<//></p><//>`;
}

class Guarded extends Component {
  componentDidCatch(error) {
    console.error(error);
    this.setState({ error });
  }

  render({ children }, { error }) {
    if (!error) return children;
    return html`<${Heading}>This page has failed<//><${Empty} title=${String(error.message || error)}>
      <p><a href="/">Load it again</a></p><//>`;
  }
}

const OTHER_KEY =
  "The link that you opened contains a different API key. With it, this tab shows the tasks of that key's owner, " +
  "and that owner sees what you enter here.";

function KeyQuestion({ offered }) {
  const replace = () => {
    signOut();
    signIn(offered);
  };
  return html`<${Confirm} title="Use another API key?" text=${OTHER_KEY} word="Use the other key"
    close=${() => change({ offered: "" })} work=${replace} />`;
}

function skip(event) {
  event.preventDefault();
  document.querySelector("main").focus();
}

function titleOf(key, current) {
  if (!key) return "Browser tasks";
  return (current ? current.name : "Not found") + " · Browser tasks";
}

function App() {
  const { key, offered, offline, toast, showsKeys } = useStore();
  const current = currentPage();
  useEffect(() => { document.title = titleOf(key, current); });
  useEffect(() => { if (store.me) sessionStorage.setItem(KEPT, store.key); }, [store.me]);
  if (!key) return html`<${SignIn} />`;
  const place = key + location.pathname;
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the page</a>
    <header class="top">
      <${A} href="/" class="brand" aria-label="Browser tasks"><${Mark} /><span>Browser tasks</span><//>
      <${Search} /><${Account} key=${key} /></header>
    <div class="frame"><${Navigation} current=${current} /><main id="main" tabindex="-1">
    <p class="alert wait" id="offline" role="status" hidden=${!offline}>The server does not answer; trying again.</p>
    <${Guarded} key=${location.pathname}>
      ${current ? html`<${current.page} key=${place} id=${current.id} />` : html`<${Missing} />`}<//></main></div>
    <div class="toast" role="status" aria-live="polite">${toast && html`<span>${toast}</span>`}</div>
    ${showsKeys && html`<${KeysDialog} />`}${offered && html`<${KeyQuestion} offered=${offered} />`}`;
}

store.key = sessionStorage.getItem(KEPT) || "";
takeKey();
render(html`<${App} />`, document.getElementById("app"));
