"""The HTML pages of the server.

Their scripts are ES modules in `assets/app` and `assets/live`, which the browser takes as they are:
nothing is built. A module imports another one by a relative path, and Preact by the import map of
`scripts`. `app/frame.js` knows the pages, `app/core.js` the key and each request, `app/format.js`
how amounts and times are written, and `app/parts.js` what several pages show. The content policy of
a page lets run what has the nonce of the one answer.
"""

from browser_use_async.server.pages.home import SECTIONS, application_page, icon
from browser_use_async.server.pages.live import ended_page, live_page, live_state, missing_page
from browser_use_async.server.pages.scripts import SCRIPT_PATH, script

__all__ = [
    "SCRIPT_PATH",
    "SECTIONS",
    "application_page",
    "ended_page",
    "icon",
    "live_page",
    "live_state",
    "missing_page",
    "script",
]
