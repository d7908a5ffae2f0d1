// Browser profiles: kept cookies, and the proxy.
import { html, useState } from "htm/preact";
import { usePage } from "./address.js";
import { COUNTRIES } from "./composer.js";
import { API, ask, attempt, may, useLive } from "./core.js";
import { count } from "./format.js";
import {
  alertOf, Check, Confirm, Dialog, Empty, Field, FormEnd, Heading, Icon, loading, Pager, Select, useForm,
} from "./parts.js";

const NEW_PROFILE = {
  profile_name: "",
  description: "",
  persist: true,
  ad_blocker: true,
  proxy: true,
  proxy_country_code: "us",
  browser_viewport_width: 1280,
  browser_viewport_height: 960,
};

function pathOf(profile) {
  return API + "/browser-profiles/" + encodeURIComponent(profile.profile_id);
}

function SizeField({ label, value, set }) {
  return html`<${Field} label=${label}><input type="number" min="1" required value=${value}
    onInput=${(event) => set(Number(event.currentTarget.value))} /><//>`;
}

function ProfileDialog({ profile, close, refresh }) {
  const { form, set, typed } = useForm(profile || NEW_PROFILE);
  const save = async (event) => {
    event.preventDefault();
    const body = Object.fromEntries(Object.keys(NEW_PROFILE).map((name) => [name, form[name]]));
    const work = profile
      ? () => ask(pathOf(profile), { method: "PUT", body })
      : () => ask(API + "/browser-profiles", { method: "POST", body });
    const done = await attempt(work, profile ? "The profile is changed" : "The profile is added");
    if (!done) return;
    close();
    refresh();
  };
  const setTo = (name) => (value) => set({ [name]: value });
  const title = profile ? "Edit profile" : "New profile";
  return html`<${Dialog} title=${title} close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Name"><input required value=${form.profile_name} onInput=${typed("profile_name")} /><//>
    <${Field} label="Description"><input value=${form.description} onInput=${typed("description")} /><//>
    <div class="pair">
      <${SizeField} label="Width" value=${form.browser_viewport_width} set=${setTo("browser_viewport_width")} />
      <${SizeField} label="Height" value=${form.browser_viewport_height} set=${setTo("browser_viewport_height")} />
    </div>
    <${Field} label="Country of the proxy"><${Select} value=${form.proxy_country_code}
      onChange=${typed("proxy_country_code")} choices=${COUNTRIES} /><//>
    <div class="checks">
      <${Check} label="Keep cookies between tasks" checked=${form.persist} onChange=${setTo("persist")} />
      <${Check} label="Block advertisements" checked=${form.ad_blocker} onChange=${setTo("ad_blocker")} />
      <${Check} label="Use a proxy" checked=${form.proxy} onChange=${setTo("proxy")} /></div>
    <${FormEnd} close=${close} word=${profile ? "Save" : "Add profile"} /></form><//>`;
}

function ProfileRow({ profile, edit, refresh }) {
  const [asks, ask_] = useState(false);
  const { profile_name: name, description, persist, ad_blocker, proxy } = profile;
  const remove = () =>
    attempt(() => ask(pathOf(profile), { method: "DELETE" }), "The profile is deleted").then(refresh);
  return html`<li class="item"><div class="item-main"><p class="row-title"><span>${name}</span></p>
    ${description && html`<p class="news">${description}</p>`}
    <p class="facts"><span>${persist ? "keeps cookies" : "keeps nothing"}</span>
      ${ad_blocker && html`<span>blocks advertisements</span>`}
      <span>${proxy ? "proxy in " + profile.proxy_country_code.toUpperCase() : "no proxy"}</span>
      <span>${profile.browser_viewport_width} × ${profile.browser_viewport_height}</span></p></div>
    ${may("run") && html`<div class="actions">
      <button type="button" aria-label=${"Edit: " + name} onClick=${() => edit(profile)}>Edit</button>
      <button type="button" class="danger" aria-label=${"Delete: " + name} onClick=${() => ask_(true)}>Delete</button>
      </div>`}
    ${asks && html`<${Confirm} title=${"Delete " + name + "?"} word="Delete"
      text="Its cookies are lost. Schedules that use it need another one."
      close=${() => ask_(false)} work=${remove} />`}</li>`;
}

export function ProfilesPage() {
  const [page, choose] = usePage();
  const [edited, edit] = useState(null);
  const read = () => ask(API + "/browser-profiles?limit=20&page=" + page);
  const { value, problem, refresh } = useLive(read, 10000, [page]);
  const add = may("run") && html`<button type="button" class="strong" onClick=${() => edit("new")}>
    <${Icon} name="plus" />New profile</button>`;
  return html`<${Heading} actions=${add} note=${value ? count(value.total_count, "profile") : " "}>Profiles<//>
    ${alertOf(problem)}${loading(value, problem)}
    ${value && !value.profiles.length && html`<${Empty} title="No profile yet">
      <p>Tasks run with the defaults. Add one here, or from a shell:</p>
      <pre>browser-use-async profiles create shopping</pre><//>`}
    <ul class="items">${(value ? value.profiles : []).map((each) =>
      html`<${ProfileRow} key=${each.profile_id} profile=${each} edit=${edit} refresh=${refresh} />`)}</ul>
    ${value && html`<${Pager} page=${page} pages=${value.total_pages} choose=${choose} />`}
    ${edited && html`<${ProfileDialog} profile=${edited === "new" ? null : edited}
      close=${() => edit(null)} refresh=${refresh} />`}`;
}
