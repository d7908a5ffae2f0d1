import asyncio
from pathlib import Path

import pytest

from browser_use_async.server.egress.http_client import HttpClient
from browser_use_async.server.egress.policy import AllowedDomains, EgressPolicy, PrivateAddresses
from browser_use_async.server.http import static_site
from browser_use_async.server.http.static_site import StaticSite, example_site_directory


@pytest.fixture
def folder(tmp_path):
    """A folder with pages, a folder inside, a hidden file, and a secret outside."""
    root = tmp_path / "site"
    (root / "inner").mkdir(parents=True)
    (root / "bare").mkdir()
    (root / "index.html").write_text("start")
    (root / "inner" / "index.html").write_text("inner start")
    (root / "inner" / "a b.txt").write_text("words")
    (root / "data.csv").write_text("a,b")
    (root / "thing.xyz").write_bytes(b"\x00")
    (root / ".hidden").write_text("secret")
    (tmp_path / "outside.txt").write_text("secret")
    (root / "leak.txt").symlink_to(tmp_path / "outside.txt")
    (root / "bare" / "index.html").symlink_to(tmp_path / "outside.txt")
    return root


async def fetched(folder: Path, path: str) -> tuple[int, bytes, str]:
    """Status, body and type of an answer to a path that is sent unchanged."""
    async with StaticSite(folder) as site:
        host, port = site.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    kind = head.lower().partition(b"content-type: ")[2].partition(b"\r\n")[0]
    return int(head.split()[1]), body, kind.decode()


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/", b"start", "text/html; charset=utf-8"),
        ("/index.html?x=1", b"start", "text/html; charset=utf-8"),
        ("/inner/", b"inner start", "text/html; charset=utf-8"),
        ("/inner", b"inner start", "text/html; charset=utf-8"),
        ("/inner/a%20b.txt", b"words", "text/plain; charset=utf-8"),
        ("/data.csv", b"a,b", "text/csv; charset=utf-8"),
        ("/thing.xyz", b"\x00", "application/octet-stream"),
    ],
)
async def test_files_are_served_with_their_type(folder, path, body, kind):
    """Files and the start pages of folders are served, each with its type."""
    assert await fetched(folder, path) == (200, body, kind)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.html",
        "/bare/",
        "/.hidden",
        "/leak.txt",
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/inner/..%2f..%2foutside.txt",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/..%5coutside.txt",
        "/a%00b",
        "/" + "x" * 5000,
    ],
)
async def test_nothing_else_is_served(folder, path):
    """No listing, no hidden file, and nothing outside of the folder, for any spelling."""
    status, body, _ = await fetched(folder, path)

    assert status in {400, 404}
    assert b"secret" not in body
    assert b"root:" not in body


async def test_sites_run_side_by_side(folder):
    """Each site has a port of its own."""
    async with StaticSite(folder) as first, StaticSite(folder) as second:
        assert first.url != second.url


async def test_every_link_of_the_example_site_leads_somewhere():
    """The pages link only to each other, and all exist; only the form leads to its thanks."""
    from browser_use_async.server.html.visit import open_page

    async with StaticSite(example_site_directory()) as site:
        allowed = AllowedDomains([site.url])
        outbound = HttpClient(EgressPolicy(allowed, PrivateAddresses.of([site.url])))
        seen, waiting = set[str](), {f"{site.url}/index.html"}
        while waiting:
            visit = await open_page(outbound, waiting.pop())
            seen.add(visit.page.url)
            waiting |= {link.url for link in visit.page.links} - seen

    files = [path for path in example_site_directory().rglob("*") if path.is_file()]
    linked = [path for path in files if path.suffix != ".css" and path.name != "thanks.html"]
    assert len(seen) == len(linked)


def test_packaged_copy_of_the_site_is_preferred(tmp_path, monkeypatch):
    """The copy in the package has priority over the checkout's, and one of them must exist."""
    module = tmp_path / "package" / "server" / "http" / "static_site.py"
    packaged, checkout = module.parents[1] / "example_site", tmp_path / "examples" / "site"
    monkeypatch.setattr(static_site, "__file__", str(module))
    with pytest.raises(FileNotFoundError):
        example_site_directory()

    checkout.mkdir(parents=True)
    assert example_site_directory() == checkout
    packaged.mkdir(parents=True)
    assert example_site_directory() == packaged
