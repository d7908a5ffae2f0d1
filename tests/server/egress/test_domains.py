import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser_use_async.server.egress.policy import AllowedDomains

HOSTS = st.from_regex(r"[a-z]{1,6}(\.[a-z]{1,6}){1,2}", fullmatch=True)

ALLOWED = [
    (["a.example"], "https://a.example/x"),
    (["a.example"], "http://A.EXAMPLE:8080/x"),
    ([" A.Example "], "https://a.example"),
    (["a.example."], "https://a.example"),
    (["a.example"], "https://a.example./"),
    (["*.a.example"], "https://b.a.example"),
    (["*.a.example"], "https://c.b.a.example"),
    (["*.a.example"], "https://a.example"),
    (["https://a.example"], "https://a.example/x"),
    (["https://a.example/path?q"], "https://a.example/other"),
    (["a.example:8080"], "http://a.example:8080/x"),
    (["a.example:443"], "https://a.example/x"),
    (["http://*.a.example:80"], "http://b.a.example"),
    (["*"], "https://anything.example"),
    (["münchen.example"], "https://xn--mnchen-3ya.example/"),
    (["xn--mnchen-3ya.example"], "https://münchen.example/"),
    (["[::1]:80"], "http://[::1]/"),
    (["127.0.0.1"], "http://127.0.0.1:1234/"),
    (["b.example", "a.example"], "https://a.example"),
]
REFUSED = [
    (["a.example"], "https://b.a.example"),
    (["a.example"], "https://aa.example"),
    (["a.example"], "https://a.example.evil.example"),
    (["a.example"], "https://a.example@evil.example/"),
    (["a.example"], "https://evil.example/a.example"),
    (["a.example"], "https://evil.example?a.example"),
    (["a.example"], "https://evil.example#a.example"),
    (["*.a.example"], "https://aa.example"),
    (["*.a.example"], "https://xa.example"),
    (["https://a.example"], "http://a.example/"),
    (["a.example:8080"], "http://a.example/"),
    (["a.example:80"], "https://a.example/"),
    (["a.*"], "https://a.example"),
    (["*a.example"], "https://ba.example"),
    ([""], "https://a.example"),
    (["not a domain"], "https://a.example"),
    (["http://"], "https://a.example"),
    (["a.example"], "no address"),
    (["a.example"], "http://[broken/"),
]


@pytest.mark.parametrize(("entries", "url"), ALLOWED)
def test_what_fits_an_entry_is_allowed(entries, url):
    """Exact hosts, subdomains below a wildcard, and entries with scheme, port or path."""
    assert AllowedDomains(entries).allows(url)


@pytest.mark.parametrize(("entries", "url"), REFUSED)
def test_everything_else_is_refused(entries, url):
    """Similar names, other ports and schemes, and invalid entries."""
    assert not AllowedDomains(entries).allows(url)


def test_without_a_list_all_is_allowed():
    """A task that names no domains may visit all of them."""
    assert AllowedDomains(None).allows("https://a.example")
    assert str(AllowedDomains(None)) == "all"


@pytest.mark.parametrize("entries", [[], ["*.*"], [""]])
def test_a_list_without_domains_allows_nothing(entries):
    """A program whose list is empty by mistake does not allow every domain."""
    assert not AllowedDomains(entries).allows("https://a.example")
    assert not AllowedDomains(entries).allows("http://127.0.0.1:8000/")
    assert str(AllowedDomains([])) == "none"


def test_secrets_go_by_https_unless_said():
    """With secrets an entry without a scheme means https, except on this machine itself."""
    domains = AllowedDomains(
        ["shop.example", "http://old.example", "localhost", "*"], https_only=True
    )
    few = AllowedDomains(["shop.example", "*.b.example"], https_only=True)

    assert few.allows("https://shop.example/")
    assert not few.allows("http://shop.example/")
    assert not few.allows("http://a.b.example/")
    assert domains.allows("http://old.example/")
    assert domains.allows("http://localhost:8000/")
    assert domains.allows("http://127.0.0.1:8000/")
    assert not domains.allows("http://other.example/")
    assert (
        str(few)
        == "shop.example, *.b.example; https and default ports only, because of its secrets"
    )


@pytest.mark.parametrize(
    ("entry", "url", "allowed"),
    [
        ("shop.example", "https://shop.example:443/", True),
        ("shop.example", "https://shop.example:8443/", False),
        ("shop.example:8443", "https://shop.example:8443/", True),
        ("*.shop.example", "https://a.shop.example:8443/", False),
        ("*", "https://shop.example:8443/", False),
        ("https://shop.example", "https://shop.example:8443/", False),
        ("http://shop.example", "http://shop.example/", True),
        ("http://shop.example", "http://shop.example:8080/", False),
        ("localhost", "http://localhost:8000/", True),
    ],
)
def test_secrets_go_to_default_ports_unless_said(entry, url, allowed):
    """Another program may listen on another port of a host; on this machine the port is named."""
    assert AllowedDomains([entry], https_only=True).allows(url) is allowed


@pytest.mark.long
@settings(max_examples=200)
@given(HOSTS, HOSTS)
def test_exact_host_allows_only_itself(host, other):
    """A host without a wildcard allows a URL exactly when the hosts are equal."""
    assert AllowedDomains([host]).allows(f"https://{other}/") is (host == other)


@pytest.mark.long
@settings(max_examples=200)
@given(HOSTS, st.from_regex(r"[a-z]{1,6}", fullmatch=True))
def test_wildcard_allows_what_ends_with_it(host, label):
    """A wildcard includes the dot: it allows subdomains, and no other host with that ending."""
    domains = AllowedDomains([f"*.{host}"])

    assert domains.allows(f"https://{label}.{host}/")
    assert not domains.allows(f"https://{label}{host}/")


@pytest.mark.long
@settings(max_examples=200)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=3), st.text(max_size=30))
def test_nonsense_breaks_nothing(entries, url):
    """Any entries and any address give an answer."""
    assert AllowedDomains(entries).allows(url) in {True, False}
