"""`python -m browser_use_async` is the command line `browser-use-async`."""

import sys

from browser_use_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
