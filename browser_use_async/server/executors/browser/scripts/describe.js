// What a script asks a page: how to identify an element, and what is visible on the page. The
// last statement is an object; a call of one of its functions is put behind it.
(() => {
  const MOST_CHARACTERS = 200;
  const MOST_NODES = 10000;
  const MOST_DEPTH = 195;
  const MOST_OPTIONS = 300;
  const KEPT = ['id', 'class', 'role', 'itemprop', 'data-testid', 'datetime', 'aria-label', 'title', 'colspan', 'rowspan'];
  const LEFT_OUT = /^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE|SVG|HEAD|OPTION|SELECT)$/i;
  const ACTING = 'a[href], button, summary, label, select, [role=button], [role=link], [role=tab], [role=menuitem]';
  const HEADINGS = 'h1, h2, h3, h4, legend, caption, [role=heading]';
  const BOXES = 'dialog, [role=dialog]';
  const ROWS = 'li, tr, article, [role=listitem], [role=row]';
  const ROLES = { BUTTON: 'button', TEXTAREA: 'textbox', SUMMARY: 'button', IMG: 'img' };
  const TYPED = {
    checkbox: 'checkbox', radio: 'radio', submit: 'button', button: 'button', image: 'button',
    reset: 'button', search: 'searchbox', number: 'spinbutton', range: 'slider',
  };

  const words = (text) => (text || '').replace(/\s+/g, ' ').trim().slice(0, MOST_CHARACTERS);

  function isShown(element) {
    if (/^(TR|TBODY|THEAD|TFOOT)$/.test(element.tagName)) return element.checkVisibility?.() ?? true;
    if (getComputedStyle(element).display === 'contents') return true;
    return element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  }

  // Like `closest`, and on through the shadow roots that a page has opened.
  function around(element, selector) {
    for (let each = element; each; each = each.parentElement || each.getRootNode?.().host)
      if (each.matches?.(selector)) return each;
    return null;
  }

  function roleOf(element) {
    const given = element.getAttribute('role');
    if (given) return given;
    if (element.tagName === 'A') return element.hasAttribute('href') ? 'link' : '';
    if (element.tagName === 'SELECT') return element.multiple ? 'listbox' : 'combobox';
    if (element.tagName === 'INPUT') return TYPED[element.type] || 'textbox';
    return ROLES[element.tagName] || (element.isContentEditable ? 'textbox' : '');
  }

  function labelOf(element) {
    const ids = element.getAttribute('aria-labelledby');
    if (ids) return words(ids.split(/\s+/).map((id) => element.getRootNode().getElementById?.(id)?.innerText || '').join(' '));
    if (element.getAttribute('aria-label')) return words(element.getAttribute('aria-label'));
    const label = element.labels?.[0];
    if (!label) return '';
    const others = [...label.childNodes].filter((each) => each !== element && !each.contains?.(element));
    return words(others.map((each) => each.innerText ?? each.textContent).join(' '));
  }

  function nameOf(element) {
    const label = labelOf(element);
    if (label) return label;
    const isField = /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);
    if (isField) return words(/submit|button|reset/.test(element.type) ? element.value : element.placeholder || element.title);
    return words(element.innerText || element.querySelector('[alt]')?.alt || element.title);
  }

  function headingOf(element) {
    let last = '';
    for (const each of (around(element, BOXES) || document).querySelectorAll(HEADINGS)) {
      if (!(each.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING)) break;
      if (isShown(each)) last = words(each.innerText);
    }
    return last;
  }

  function formOf(element) {
    const form = around(element, `form, [role=search], ${BOXES}`);
    if (!form) return '';
    const named = [...form.querySelectorAll('legend, h1, h2, h3, button, [type=submit]')];
    return named.map((each) => words(each.innerText || each.value)).find((each) => each) || words(form.getAttribute('aria-label'));
  }

  function itemOf(element) {
    const item = element.parentElement && around(element.parentElement, ROWS);
    if (!item) return '';
    const named = item.querySelector('h1, h2, h3, h4, th, b, strong, a, td');
    return words((named || item).innerText);
  }

  function treeOf(element, left, depth = 1) {
    const attributes = {};
    for (const name of KEPT) if (element.getAttribute(name)) attributes[name] = words(element.getAttribute(name));
    const content = [];
    let root = element.shadowRoot || element;
    if (element.tagName === 'IFRAME') {
      try { root = element.contentDocument?.body; } catch { root = null; } // of another site
    }
    for (const each of root?.childNodes || []) {
      if (each.nodeType === Node.TEXT_NODE) {
        const text = (each.data || '').replace(/\s+/g, ' ').trim();
        if (text) content.push(text.slice(0, 100000));
      } else if (each.nodeType === Node.ELEMENT_NODE && !LEFT_OUT.test(each.tagName)) {
        if (left.nodes <= 0 || depth >= MOST_DEPTH) left.isCut = true;
        else if (left.nodes-- > 0 && isShown(each)) content.push(treeOf(each, left, depth + 1));
      }
    }
    for (const name of ['href', 'alt', 'aria-label']) {
      const value = name === 'href' ? element.href : element.getAttribute(name);
      if (value && typeof value === 'string') content.push([`@${name}`, {}, [value.slice(0, 2000)]]);
    }
    return [element.tagName.toLowerCase(), attributes, content];
  }

  return {
    // What is clicked in a button or a link stands for it.
    owner: (element) => (element.matches?.('input, textarea') ? element : element.closest?.(ACTING) || element),
    // What is typed into a label goes to its field.
    field: (element) => (element.matches?.('label') && element.control) || element,
    // The names of those that can be seen. Boxes to tick are often hidden behind their labels.
    names: (elements) => [...elements].slice(0, 3000)
      .filter((each) => /checkbox|radio|file/.test(each.type) || isShown(each)).map(nameOf),
    describe(element) {
      const name = nameOf(element);
      const item = itemOf(element);
      const options = element.tagName === 'SELECT' ? [...element.options].slice(0, MOST_OPTIONS).map((each) => words(each.text)) : [];
      return {
        role: roleOf(element), name, label: labelOf(element),
        placeholder: words(element.getAttribute('placeholder')),
        test_id: words(element.dataset?.testid), field: words(element.getAttribute('name')),
        id: words(element.id), tag: element.tagName.toLowerCase(),
        type: words(element.getAttribute('type')).toLowerCase(),
        href: (element.getAttribute('href') || '').slice(0, 1000), heading: headingOf(element),
        form: formOf(element), item: item === name ? '' : item,
        frame: window === window.top ? '' : location.href.slice(0, 1000), options,
        disabled: Boolean(element.disabled),
      };
    },
    snapshot() {
      const left = { nodes: MOST_NODES, isCut: false };
      const body = document.body ? treeOf(document.body, left) : ['body', {}, []];
      const described = document.querySelector('meta[name=description i]')
        || document.querySelector('meta[property="og:description"]');
      return {
        url: location.href.slice(0, 1000), kind: document.contentType,
        tree: ['html', left.isCut ? { cut: 'yes' } : {}, [
          ['title', {}, [words(document.title)]],
          ['description', {}, [words(described?.content)]],
          body,
        ]],
      };
    },
  };
})()
