// Browser profiles: kept cookies, and the proxy.
const NEW_PROFILE = { profile_name: "", description: "", persist: true, ad_blocker: true, proxy: true, proxy_country_code: "us", browser_viewport_width: 1280, browser_viewport_height: 960 };

function ProfileDialog({ profile, close, refresh }) {
  const [form, setForm] = useState(profile || NEW_PROFILE);
  const set = (name, read = (field) => field.value) => (event) => setForm({ ...form, [name]: read(event.currentTarget) });
  const number = (field) => Number(field.value);
  const save = async (event) => {
    event.preventDefault();
    const body = Object.fromEntries(Object.keys(NEW_PROFILE).map((name) => [name, form[name]]));
    const path = API + "/browser-profiles" + (profile ? "/" + encodeURIComponent(profile.profile_id) : "");
    const done = await attempt(() => ask(path, { method: profile ? "PUT" : "POST", body }), profile ? "The profile is changed" : "The profile is added");
    if (!done) return;
    close();
    refresh();
  };
  return html`<${Dialog} title=${profile ? "Edit profile" : "New profile"} close=${close}><form onSubmit=${save} class="form">
    <${Field} label="Name"><input required value=${form.profile_name} onInput=${set("profile_name")} /><//>
    <${Field} label="Description"><input value=${form.description} onInput=${set("description")} /><//>
    <div class="pair"><${Field} label="Width"><input type="number" min="1" required value=${form.browser_viewport_width} onInput=${set("browser_viewport_width", number)} /><//><${Field} label="Height"><input type="number" min="1" required value=${form.browser_viewport_height} onInput=${set("browser_viewport_height", number)} /><//></div>
    <${Field} label="Country of the proxy"><select value=${form.proxy_country_code} onChange=${set("proxy_country_code")}>${COUNTRIES.map((each) => html`<option key=${each} value=${each}>${each.toUpperCase()}</option>`)}</select><//>
    <div class="checks"><${Check} label="Keep cookies between tasks" checked=${form.persist} onChange=${(persist) => setForm({ ...form, persist })} />
    <${Check} label="Block advertisements" checked=${form.ad_blocker} onChange=${(ad_blocker) => setForm({ ...form, ad_blocker })} />
    <${Check} label="Use a proxy" checked=${form.proxy} onChange=${(proxy) => setForm({ ...form, proxy })} /></div>
    <div class="actions end"><button type="button" onClick=${close}>Cancel</button><button type="submit" class="strong">${profile ? "Save" : "Add profile"}</button></div></form><//>`;
}

function ProfileRow({ profile, edit, refresh }) {
  const [asks, ask_] = useState(false);
  const remove = () => attempt(() => ask(API + "/browser-profiles/" + encodeURIComponent(profile.profile_id), { method: "DELETE" }), "The profile is deleted").then(refresh);
  return html`<li class="item"><div class="item-main"><p class="row-title"><span>${profile.profile_name}</span></p>${profile.description && html`<p class="news">${profile.description}</p>`}
    <p class="facts"><span>${profile.persist ? "keeps cookies" : "keeps nothing"}</span>${profile.ad_blocker && html`<span>blocks advertisements</span>`}<span>${profile.proxy ? "proxy in " + profile.proxy_country_code.toUpperCase() : "no proxy"}</span><span>${profile.browser_viewport_width} × ${profile.browser_viewport_height}</span></p></div>
    ${may("run") && html`<div class="actions"><button type="button" aria-label=${"Edit: " + profile.profile_name} onClick=${() => edit(profile)}>Edit</button><button type="button" class="danger" aria-label=${"Delete: " + profile.profile_name} onClick=${() => ask_(true)}>Delete</button></div>`}
    ${asks && html`<${Confirm} title=${"Delete " + profile.profile_name + "?"} text="Its cookies are lost. Schedules that use it need another one." word="Delete" close=${() => ask_(false)} work=${remove} />`}</li>`;
}

function ProfilesPage() {
  const [page, choose] = usePage();
  const [edited, edit] = useState(null);
  const { value, problem, refresh } = useLive(() => ask(API + "/browser-profiles?limit=20&page=" + page), 10000, [page]);
  const add = may("run") && html`<button type="button" class="strong" onClick=${() => edit("new")}><${Icon} name="plus" />New profile</button>`;
  return html`<${Heading} actions=${add} note=${value ? count(value.total_count, "profile") : " "}>Profiles<//>${alertOf(problem)}${loading(value, problem)}
    ${value && !value.profiles.length && html`<${Empty} title="No profile yet"><p>Tasks run with the defaults. Add one here, or from a shell:</p><pre>browser-use-async profiles create shopping</pre><//>`}
    <ul class="items">${(value ? value.profiles : []).map((each) => html`<${ProfileRow} key=${each.profile_id} profile=${each} edit=${edit} refresh=${refresh} />`)}</ul>
    ${value && html`<${Pager} page=${page} pages=${value.total_pages} choose=${choose} />`}
    ${edited && html`<${ProfileDialog} profile=${edited === "new" ? null : edited} close=${() => edit(null)} refresh=${refresh} />`}`;
}
