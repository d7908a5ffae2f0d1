"""Texts that attack a page which does not treat them as text."""

__all__ = ["PAYLOADS", "TAKEN"]

TAKEN = "globalThis.taken === undefined"
"""Whether no script of a payload has run in a page, in JavaScript."""

PAYLOADS = (
    "<script>taken=1</script>",
    "<ScRiPt >taken=1</sCrIpT >",
    "</script><script>taken=1</script>",
    "<img src=x onerror=taken=1>",
    '"><img src=x onerror="taken=1">',
    "' autofocus onfocus='taken=1",
    "<svg onload=taken=1>",
    "<svg><script>taken=1</script></svg>",
    "<svg><animate onbegin=taken=1 attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.taken=1</script>'></iframe>",
    "<iframe src=javascript:parent.taken=1></iframe>",
    "<details open ontoggle=taken=1>",
    "<input autofocus onfocus=taken=1>",
    "<style>@keyframes x{}</style><b style='animation:x 1s' onanimationstart=taken=1>x</b>",
    "<a href=javascript:taken=1>x</a>",
    "javascript:taken=1//https://shop.example/",
    "</textarea></title></style></pre><img src=x onerror=taken=1>",
    "<!--><img src=x onerror=taken=1>-->",
    "<math><mtext><table><mglyph><style><img src=x onerror=taken=1>",
    "${taken=1}{{constructor.constructor('taken=1')()}}<%= taken=1 %>\u2028taken=1",
)
"""Twenty ways: tags, attributes, ends of elements, frames, addresses, comments and templates."""
