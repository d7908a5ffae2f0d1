// Shows dots in place of the values of secrets, in fields that hold one and in text that repeats one,
// before it is painted.
((secrets) => {
  const SELECTOR = 'input, textarea, select, [contenteditable]';
  const isSecret = (text) => typeof text === 'string' && secrets.some((secret) => text.includes(secret));
  // Set anew whenever the page has set its own style: a mark would outlive what it stands for.
  const set = (element, name, value) => {
    const { style } = element;
    if (style.getPropertyValue(name) !== value || style.getPropertyPriority(name) !== 'important') style.setProperty(name, value, 'important');
  };
  const hide = (element) => {
    if (!element?.style) return;
    set(element, '-webkit-text-security', 'disc');
    if (element.matches('select')) set(element, 'color', 'transparent');
  };
  const look = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      if (isSecret(node.data)) hide(node.parentElement);
      return;
    }
    if (!(node instanceof Element || node instanceof Document || node instanceof ShadowRoot)) return;
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) look(texts.currentNode);
    const fields = node.querySelectorAll(SELECTOR);
    for (const field of node instanceof Element ? [node, ...fields] : fields) {
      if (isSecret(field.value) || isSecret(field.placeholder)) hide(field);
    }
    for (const element of node.querySelectorAll('*')) if (element.shadowRoot) watch(element.shadowRoot);
  };
  const watched = new WeakSet();
  const watch = (root) => {
    if (watched.has(root)) return;
    watched.add(root);
    new MutationObserver((changes) => {
      for (const change of changes) {
        if (change.type === 'childList') change.addedNodes.forEach(look);
        else look(change.target);
        // Text that comes in pieces is whole only in the element around it.
        const around = change.target instanceof Element ? change.target : change.target.parentElement;
        if (around && around.childElementCount === 0 && isSecret(around.textContent)) hide(around);
      }
    }).observe(root, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ['value', 'placeholder', 'style', 'class'] });
    for (const kind of ['beforeinput', 'input', 'change', 'focusin']) {
      root.addEventListener(kind, (event) => {
        const field = event.composedPath()[0];
        const typed = kind === 'beforeinput' ? event.data : field?.value ?? field?.textContent;
        if (field instanceof Element && (isSecret(typed) || isSecret(field.value))) hide(field);
      }, { capture: true });
    }
    // A script may set a value without any event.
    const again = () => {
      for (const field of root.querySelectorAll(SELECTOR)) if (isSecret(field.value)) hide(field);
      requestAnimationFrame(again);
    };
    again();
    look(root);
  };
  watch(document);
  document.addEventListener('DOMContentLoaded', () => look(document));
})
