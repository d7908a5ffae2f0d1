// Whether a text is cut, so that it can be offered whole: on the page of a task and on the live page.

// Tells at once, and after each change of the size. Returns what ends it.
export function watchCut(box, tell) {
  const isHidden = (each) => !each.checkVisibility();
  const watch = new ResizeObserver(() =>
    tell(box.scrollHeight > box.clientHeight + 1 || [...box.querySelectorAll(".host")].some(isHidden)));
  watch.observe(box);
  return () => watch.disconnect();
}

export function wholeWords(isOpen) {
  return isOpen ? "Less" : "Whole text";
}
