"""What a page needs so that everyone can use it, computed in the browser itself."""

from tests.browser.driver import Page

__all__ = ["barriers"]

# Contrast as WCAG 2 computes it, against the nearest background that is not transparent.
_SCRIPT = """(() => {
  const found = [];
  const channel = (value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const numbers = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const background = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const parts = numbers(getComputedStyle(each).backgroundColor);
      if (parts.length === 3 || parts[3] > 0) return parts;
    }
    return [255, 255, 255];
  };
  const contrast = (element) => {
    const colours = [numbers(getComputedStyle(element).color), background(element)];
    const lights = colours.map(luminance);
    return (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
  };
  const say = (problem, element) => found.push(problem + ": " + element.outerHTML.slice(0, 120));
  const shown = [...document.body.querySelectorAll("*")].filter((each) => each.checkVisibility());

  for (const each of shown) {
    const texts = [...each.childNodes].filter((node) => node.nodeType === 3);
    const isText = texts.some((node) => node.textContent.trim()) && !each.disabled;
    if (isText && contrast(each) < 4.5) say("contrast " + contrast(each).toFixed(2), each);
    if (each.matches("button, a, input, summary")) {
      const name = each.getAttribute("aria-label") || each.textContent.trim()
        || (each.labels && [...each.labels].map((label) => label.textContent.trim()).join(" "));
      if (!name) say("no name", each);
      const box = each.getBoundingClientRect();
      const least = Math.min(box.width, box.height);
      if (each.matches("button, input") && least < 24) say("too small", each);
    }
    if (each.tagName === "IMG" && !each.alt) say("no text for the picture", each);
    if (each.tabIndex > 0) say("out of the order of the page", each);
  }
  const labelled = document.querySelectorAll("[aria-labelledby], [aria-describedby]");
  for (const each of labelled) {
    for (const name of ["aria-labelledby", "aria-describedby"]) {
      const id = each.getAttribute(name);
      if (id && !document.getElementById(id)) say("labelled by nothing", each);
    }
  }
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  if (new Set(ids).size !== ids.length) found.push("an id stands twice");
  if (!document.documentElement.lang) found.push("no language");
  if (!document.title) found.push("no title");
  if (document.querySelectorAll("main").length !== 1) found.push("not one main part");
  if (shown.filter((each) => each.tagName === "H1").length !== 1) found.push("not one heading");
  let level = 1;
  for (const each of shown.filter((each) => /^H[1-6]$/.test(each.tagName))) {
    if (Number(each.tagName[1]) > level + 1) say("a level of headings is left out", each);
    level = Number(each.tagName[1]);
  }
  const extra = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (extra > 0) found.push("wider than the window by " + extra);
  return found;
})()"""


async def barriers(page: Page) -> list[str]:
    """The barriers of a page in its present state; there may be none.

    Args:
        page: The page.
    """
    found: list[str] = await page.run(_SCRIPT)
    return found
