// What the executor asks a page. The last statement is an object; a call of one of its functions is
// put behind it.
(() => {
  const MOST_ELEMENTS = 3000;
  const MOST_NAME = 1000;
  const MOST_CHARACTERS = 5 * 1024 * 1024;
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
    return element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  }

  const OUTLINES = 'browser-use-async-outlines';

  return {
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
    draw(selector) {
      this.erase();  // what a picture that failed has left
      let number = 0;
      // Also in a document that is an SVG picture or XML.
      const make = (tag) => document.createElementNS('http://www.w3.org/1999/xhtml', tag);
      const cover = make(OUTLINES);
      cover.style.cssText =
        'all: initial; position: fixed; inset: 0; z-index: 2147483647; pointer-events: none;';
      const inside = cover.attachShadow({ mode: 'closed' });
      const colours = ['#d6336c', '#1971c2', '#2f9e44', '#e8590c', '#7048e8', '#0c8599'];
      for (const element of matching(selector)) {
        const box = element.getBoundingClientRect();
        const { left, top } = box;
        const isOutside = top > innerHeight || left > innerWidth || top + box.height < 0 || left + box.width < 0;
        if (isOutside || box.width < 2 || box.height < 2 || element.tagName === 'LABEL') continue;
        const colour = colours[number++ % colours.length];
        const outline = make('div');
        outline.style.cssText =
          `position: fixed; left: ${left - 2}px; top: ${top - 2}px; width: ${box.width}px; ` +
          `height: ${box.height}px; border: 2px solid ${colour}; border-radius: 3px;`;
        const label = make('div');
        label.textContent = String(number);
        label.style.cssText =
          `position: absolute; right: -2px; top: -2px; padding: 0 3px; background: ${colour}; ` +
          'color: white; font: bold 11px/14px sans-serif; border-radius: 0 3px 0 3px;';
        outline.append(label);
        inside.append(outline);
      }
      document.documentElement.append(cover);
    },
    erase() {
      for (const cover of document.querySelectorAll(OUTLINES)) cover.remove();
      return true;
    },
  };

  function squeezedText() {
    const texts = [];
    for (const root of roots(document)) {
      const whole = root.body || root.firstElementChild;
      texts.push((whole?.innerText ?? whole?.textContent) || '');  // XML has no text as it is shown
    }
    return texts.join('\n').slice(0, MOST_CHARACTERS);
  }
})()
