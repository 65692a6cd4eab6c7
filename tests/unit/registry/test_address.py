"""Proxies: which one to use for an address, from the environment and from arguments."""

from __future__ import annotations

import base64

import pytest

from ocilayout.errors import InvalidNameError, TransportError
from ocilayout.registry import Patience, Proxies, Repository
from tests.unit.registry.scripted import Reply, Scripted

PROXY = "http://proxy:3128"
AT_ONCE = Patience(sleep=lambda _: None)


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": PROXY}, PROXY, None),
        ({"HTTPS_PROXY": PROXY}, None, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, None, PROXY),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, PROXY, None),
        ({"HTTP_PROXY": "proxy:3128"}, PROXY, None),
        ({"HTTP_PROXY": ""}, None, None),
    ],
)
def test_the_environment_says_which_proxy(
    environ: dict[str, str], http: str | None, https: str | None
) -> None:
    """Lower-case names come first, and a variable that a client of CGI can set is ignored."""
    proxies = Proxies.from_environment(environ)
    assert proxies.choose("http://ghcr.io/v2/") == http
    assert proxies.choose("https://ghcr.io/v2/") == https


@pytest.mark.parametrize(
    ("bypass", "url", "direct"),
    [
        ("*", "https://ghcr.io/", True),
        ("ghcr.io", "https://ghcr.io/", True),
        ("ghcr.io", "https://pkg.ghcr.io/", True),
        ("ghcr.io", "https://notghcr.io/", False),
        (".ghcr.io", "https://ghcr.io/", False),
        (".ghcr.io", "https://pkg.ghcr.io/", True),
        ("*.ghcr.io", "https://pkg.ghcr.io/", True),
        (" a , GHCR.IO ", "https://ghcr.io/", True),
        ("ghcr.io:443", "https://ghcr.io/", True),
        ("ghcr.io:8443", "https://ghcr.io/", False),
        ("ghcr.io:8443", "https://ghcr.io:8443/", True),
        ("10.0.0.0/8", "http://10.1.2.3:5000/", True),
        ("10.0.0.0/8", "http://11.1.2.3:5000/", False),
        ("10.1.2.3", "http://10.1.2.3/", True),
        ("10.1.2.3:5000", "http://10.1.2.3:5000/", True),
        ("10.1.2.3:5000", "http://10.1.2.3:80/", False),
        ("fd00::/8", "http://[fd00::1]/", True),
        ("[fd00::1]", "http://[fd00::1]/", True),
        (",,", "https://ghcr.io/", False),
        (":443", "https://ghcr.io/", False),
        ("", "http://127.0.0.1:5000/", True),
        ("", "http://localhost/", True),
        ("", "http://[::1]:5000/", True),
    ],
)
def test_some_hosts_are_reached_directly(bypass: str, url: str, *, direct: bool) -> None:
    """NO_PROXY has hosts, domains, addresses and ranges; loopback hosts need no entry."""
    proxies = Proxies(http=PROXY, https=PROXY, bypass=bypass)
    assert (proxies.choose(url) is None) is direct


@pytest.mark.parametrize("text", ["socks5://h:1", "http://", "http://ann:open-sesame@[x"])
def test_an_invalid_proxy_is_refused_without_its_password(text: str) -> None:
    """A proxy that is not an http address is refused before anything is sent."""
    with pytest.raises(InvalidNameError, match="HTTPS_PROXY") as caught:
        Proxies(https=text)
    assert "sesame" not in str(caught.value)


def test_a_password_of_a_proxy_is_not_shown() -> None:
    """The repr of proxies has none of their addresses."""
    assert "sesame" not in repr(Proxies(https="http://ann:open-sesame@proxy"))


def test_requests_go_through_the_proxy_with_its_password() -> None:
    """A host without an address is reached through a proxy, which alone sees its password."""
    with Scripted() as proxy:
        proxy.default = Reply(200, body=b'{"tags":["a"]}')
        proxies = Proxies(http=f"http://ann:open-sesame@{proxy.host}")
        with Repository("registry.invalid/a/b", plain_http=True, proxies=proxies) as repository:
            assert repository.tags() == ("a",)
        (seen,) = proxy.seen
        pair = base64.b64encode(b"ann:open-sesame").decode()
        assert seen.headers["proxy-authorization"] == f"Basic {pair}"
        assert seen.headers["host"] == "registry.invalid"


def test_tls_goes_through_a_tunnel_or_not_at_all() -> None:
    """A proxy that refuses the tunnel is an error that names the variables."""
    with Scripted() as proxy:
        proxies = Proxies(https=f"http://{proxy.host}")
        with (
            Repository("registry.invalid/a/b", proxies=proxies, patience=AT_ONCE) as repository,
            pytest.raises(TransportError, match="HTTPS_PROXY"),
        ):
            repository.tags()
        assert proxy.seen == []  # it has no CONNECT, and nothing else was asked of it


def test_loopback_is_not_sent_to_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry on this machine is reached directly, whatever the environment says."""
    with Scripted() as proxy, Scripted() as registry:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.host}")
        registry.default = Reply(200, body=b'{"tags":["a"]}')
        with Repository(f"{registry.host}/a/b") as repository:
            assert repository.tags() == ("a",)
        assert proxy.seen == []
