"""What on a page is not there to be read."""

from browser_use_async.server.reading.tree import Element

_UNSEEN = frozenset(
    "canvas datalist embed head iframe noscript object script style svg template title".split()
)
_CONTROLS = frozenset({"button", "input", "select", "textarea"})
_SURROUNDINGS = frozenset({"aside", "footer", "nav"})
_SURROUNDING_ROLES = frozenset({"banner", "complementary", "contentinfo", "navigation"})


def is_unseen(element: Element) -> bool:
    """Whether a person would not see an element.

    Args:
        element: The element.
    """
    attributes = element.attributes
    if element.tag in _UNSEEN or "hidden" in attributes:
        return True
    if attributes.get("aria-hidden", "").lower() == "true":
        return True
    style = "".join(attributes.get("style", "").lower().split())
    return "display:none" in style or "visibility:hidden" in style


def is_noise(element: Element) -> bool:
    """Whether an element is unseen, a control, or the surroundings of what there is to read.

    Args:
        element: The element.
    """
    if element.tag in _SURROUNDINGS or element.tag in _CONTROLS or is_unseen(element):
        return True
    return element.attributes.get("role", "").lower() in _SURROUNDING_ROLES


def content_root(root: Element) -> Element:
    """The element that holds what there is to read: the main part, the only article, or all.

    Args:
        root: The whole document.
    """
    elements = list(root.walk(is_unseen))
    mains = [one for one in elements if one.tag == "main" or one.attributes.get("role") == "main"]
    articles = [one for one in elements if one.tag == "article"]
    for candidates in (mains, articles):
        if len(candidates) == 1 and candidates[0].text(is_noise):
            return candidates[0]
    return root
