// What the executor asks a page. The last statement is an object; a call of one of its functions is
// put behind it.
(() => {
  const CLICKABLE =
    'a[href], area[href], button, summary, label, option, [onclick], [role="button"], ' +
    '[role="link"], [role="tab"], [role="menuitem"], [role="option"], [role="checkbox"], ' +
    '[role="radio"], [role="switch"], input[type="submit"], input[type="button"], ' +
    'input[type="image"], input[type="reset"], input[type="checkbox"], input[type="radio"]';
  const FIELDS =
    'input:not([type="hidden"]):not([type="submit"]):not([type="button"])' +
    ':not([type="image"]):not([type="reset"]), textarea, select, [role="textbox"], ' +
    '[role="combobox"], [contenteditable=""], [contenteditable="true"]';
  const MOST_ELEMENTS = 3000;
  const MOST_NAME = 1000;
  const MOST_CHARACTERS = 5 * 1024 * 1024;
  const squeezed = (text) => (text || '').slice(0, 20000).replace(/\s+/g, ' ').trim().slice(0, 200);

  // Open shadow roots belong to the page. Each frame is asked by itself.
  function* roots(root) {
    yield root;
    for (const element of root.querySelectorAll('*')) if (element.shadowRoot) yield* roots(element.shadowRoot);
  }

  function* matching(selector) {
    let count = 0;
    for (const root of roots(document)) {
      for (const element of root.querySelectorAll(selector)) {
        if (!isShown(element)) continue;
        if (++count > MOST_ELEMENTS) return;
        yield element;
      }
    }
  }

  function isShown(element) {
    if (element.tagName === 'OPTION') return false;
    // Designers hide checkboxes and file inputs behind their labels.
    if (['checkbox', 'radio', 'file'].includes(element.type)) return true;
    return element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  }

  function labelled(element) {
    const ids = (element.getAttribute('aria-labelledby') || '').split(/\s+/).filter(Boolean);
    const texts = ids.map((id) => element.getRootNode().getElementById?.(id)?.innerText || '');
    return squeezed(texts.join(' '));
  }

  function nameOf(element) {
    if (element.labels && element.labels.length && element.type !== 'submit') {
      return squeezed(Array.from(element.labels, (label) => label.innerText).join(' '));
    }
    const picture = element.querySelector?.('img[alt], svg title');
    return squeezed(element.getAttribute('aria-label')) || labelled(element) ||
      (element.tagName === 'INPUT' && ['submit', 'button', 'reset'].includes(element.type) && element.value) ||
      (['INPUT', 'SELECT', 'TEXTAREA'].includes(element.tagName) ? '' : squeezed(element.innerText)) ||
      squeezed(picture?.alt || picture?.textContent) || squeezed(element.alt);
  }

  function hintOf(element) {
    const hints = [element.getAttribute('placeholder'), element.title, element.name, element.id];
    return squeezed(hints.filter((hint) => typeof hint === 'string').join(' '));
  }

  function described(element) {
    return {
      text: squeezed(nameOf(element)),
      hint: hintOf(element),
      url: /^https?:/.test(element.href) ? element.href : '',
      tag: element.tagName.toLowerCase(),
      type: (element.getAttribute('type') || '').toLowerCase(),
      disabled: element.disabled === true,
    };
  }

  function list(selector) {
    const elements = [...matching(selector)];
    return { elements, described: elements.map(described) };
  }

  function changed(element) {
    for (const kind of ['input', 'change']) element.dispatchEvent(new Event(kind, { bubbles: true }));
  }

  function setValue(element, value) {
    const kind = { SELECT: HTMLSelectElement, TEXTAREA: HTMLTextAreaElement }[element.tagName];
    const owner = (kind || HTMLInputElement).prototype;
    Object.getOwnPropertyDescriptor(owner, 'value').set.call(element, value);
    changed(element);
  }

  function choose(element, wanted) {
    const same = (text) => squeezed(text).toLowerCase() === squeezed(wanted).toLowerCase();
    const has = (text) => squeezed(text).toLowerCase().includes(squeezed(wanted).toLowerCase());
    const options = Array.from(element.options).filter((option) => !option.disabled);
    const option = options.find((one) => same(one.text) || same(one.value)) || options.find((one) => has(one.text));
    if (!option) return options.map((one) => squeezed(one.text));
    if (element.multiple) option.selected = true;
    else element.selectedIndex = option.index;
    changed(element);
    return null;
  }

  const OUTLINES = 'browser-use-async-outlines';

  return {
    clickables: () => list(CLICKABLE),
    fields: () => list(FIELDS),
    isChecked: (element) => element.checked ?? element.getAttribute('aria-checked') === 'true',
    click(element) {
      element.click();
      return true;
    },
    save(element) {
      const link = element.closest('a[href]');
      if (link && !link.hasAttribute('download')) link.setAttribute('download', '');
      return Boolean(link);
    },
    // How the keyboard has to go on: 'type' for text, 'done' if the value stands, or what there is
    // to choose from.
    prepare(element, value) {
      element.scrollIntoView({ block: 'center', behavior: 'instant' });
      if (element.disabled || element.readOnly) return { how: 'locked' };
      element.focus();
      if (element.tagName === 'SELECT') {
        const options = choose(element, value);
        return options ? { how: 'missing', options } : { how: 'done' };
      }
      if (['date', 'time', 'month', 'week', 'datetime-local', 'color', 'range'].includes(element.type)) {
        setValue(element, value);
        return { how: element.value === value ? 'done' : 'misfit' };
      }
      if (typeof element.select === 'function') element.select();
      else element.ownerDocument.getSelection().selectAllChildren(element);
      return { how: 'type' };
    },
    // A form is sent as a person sends it: with its button, so that the page can object.
    submit() {
      const forms = document.forms;
      const form = document.activeElement?.form || (forms.length ? forms[forms.length - 1] : null);
      if (!form) return false;
      const button = form.querySelector('button:not([type]), [type="submit"], [type="image"]');
      if (button) button.click();
      else form.requestSubmit();
      return true;
    },
    scroll(to) {
      const page = document.scrollingElement;
      const by = { down: innerHeight * 0.9, up: -innerHeight * 0.9, top: -page.scrollHeight, bottom: page.scrollHeight };
      page.scrollBy({ top: by[to], behavior: 'instant' });
      return page.scrollTop;
    },
    title: () => document.title.slice(0, MOST_NAME),
    text: () => squeezedText(),
    read() {
      const kind = document.contentType;
      const isMarkup = kind === 'text/html' || kind === 'application/xhtml+xml';
      const text = isMarkup ? document.documentElement.outerHTML : document.body?.innerText || '';
      return { url: location.href.slice(0, MOST_NAME), kind, text: text.slice(0, MOST_CHARACTERS) };
    },
    draw() {
      const text = squeezedText();
      let number = 0;
      const cover = document.createElement(OUTLINES);
      cover.style.cssText =
        'all: initial; position: fixed; inset: 0; z-index: 2147483647; pointer-events: none;';
      const inside = cover.attachShadow({ mode: 'closed' });
      const colours = ['#d6336c', '#1971c2', '#2f9e44', '#e8590c', '#7048e8', '#0c8599'];
      for (const element of matching(`${CLICKABLE}, ${FIELDS}`)) {
        const box = element.getBoundingClientRect();
        const { left, top } = box;
        const isOutside = top > innerHeight || left > innerWidth || top + box.height < 0 || left + box.width < 0;
        if (isOutside || box.width < 2 || box.height < 2 || element.tagName === 'LABEL') continue;
        const colour = colours[number++ % colours.length];
        const outline = document.createElement('div');
        outline.style.cssText =
          `position: fixed; left: ${left - 2}px; top: ${top - 2}px; width: ${box.width}px; ` +
          `height: ${box.height}px; border: 2px solid ${colour}; border-radius: 3px;`;
        const label = document.createElement('div');
        label.textContent = String(number);
        label.style.cssText =
          `position: absolute; right: -2px; top: -2px; padding: 0 3px; background: ${colour}; ` +
          'color: white; font: bold 11px/14px sans-serif; border-radius: 0 3px 0 3px;';
        outline.append(label);
        inside.append(outline);
      }
      document.documentElement.append(cover);
      return text;
    },
    erase() {
      for (const cover of document.querySelectorAll(OUTLINES)) cover.remove();
      return true;
    },
  };

  function squeezedText() {
    const texts = [];
    for (const root of roots(document)) texts.push((root.body || root.firstElementChild)?.innerText || '');
    return texts.join('\n').slice(0, MOST_CHARACTERS);
  }
})()
