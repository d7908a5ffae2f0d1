"""Addresses of pages and their patterns."""

import pytest

from browser_use_async.server.executors.scripts.addresses import fits, pattern_of


@pytest.mark.parametrize(
    ("url", "pattern", "is_one"),
    [
        ("https://shop.example/a/17/b?c=d#e", "https://shop.example/a/*/b", True),
        ("https://shop.example", "https://shop.example/", True),
        ("https://shop.example/a", "https://Shop.example/a", True),
        ("https://shop.example/a/1/2/b", "https://shop.example/a/*/b", False),
        ("http://shop.example/a", "https://shop.example/a", False),
        ("https://shop.example:8443/a", "https://shop.example/a", False),
        ("https://shop.example.evil.example/a", "https://shop.example/a", False),
        ("https://shop.example@evil.example/a", "https://shop.example/a", False),
        ("https://evil.example/https://shop.example/a", "https://shop.example/a", False),
        ("https://evil.example/a", "https://*/a", False),
        ("https://evil.example/a", "https://*.example/a", False),
        ("https://evil.example/a", "*", False),
        ("https://evil.example/a", "", False),
        ("about:blank", "about:blank", False),
    ],
)
def test_only_a_part_of_the_path_may_be_another(url, pattern, is_one):
    """Scheme, host and port are those of the pattern."""
    assert fits(url, pattern) is is_one


def test_an_address_fits_its_own_pattern():
    """With what other runs have differently."""
    url = "https://shop.example/company/blue-mill/17?sort=name"
    assert fits(url, pattern_of(url, ["Blue Mill"]))
    assert fits("https://shop.example/company/other/18", pattern_of(url, ["Blue Mill"]))
