"""What the programs that a server starts learn of its environment."""

import os

_KEPT = frozenset(
    {
        "FONTCONFIG_FILE",
        "FONTCONFIG_PATH",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TZ",
    }
)


def kept_environment() -> dict[str, str]:
    """The variables that a browser or an agent needs: no keys of anybody, no proxies.

    Both run what strangers have written, and either could tell what it knows.
    """
    return {
        name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")
    }
