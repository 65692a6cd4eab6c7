"""Credentials, found in the logins of Docker and Podman and by credential helpers."""

from __future__ import annotations

import base64
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocilayout.errors import AuthError, InvalidNameError
from ocilayout.registry import Credentials, Patience, Repository, find_credentials
from tests.unit.registry.scripted import Handler, Reply, Scripted, Seen

if TYPE_CHECKING:
    from pathlib import Path

ANN = Credentials("ann", "open-sesame")


def auth(name: str, password: str = "open-sesame") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


def find(name: str = "ghcr.io/org/app", /, **document: Any) -> Credentials | None:
    """Look for credentials in one file."""
    return find_credentials(name, environ={"DOCKER_AUTH_CONFIG": json.dumps(document)})


@pytest.mark.parametrize(
    ("key", "name", "there"),
    [
        ("ghcr.io", "ghcr.io/org/app", True),
        ("https://ghcr.io", "ghcr.io/org/app", True),
        ("https://ghcr.io/v2/", "ghcr.io/org/app", True),
        ("http://ghcr.io/v1/", "ghcr.io/org/app", True),
        ("ghcr.io/org", "ghcr.io/org/app", True),
        ("ghcr.io/org/app", "ghcr.io/org/app", True),
        ("ghcr.io/or", "ghcr.io/org/app", False),
        ("ghcr.io/org/app/x", "ghcr.io/org/app", False),
        ("ghcr.io:443", "ghcr.io/org/app", False),
        ("localhost:5000", "localhost:5000/app", True),
        ("https://index.docker.io/v1/", "busybox", True),
        ("index.docker.io", "docker.io/org/app", True),
        ("docker.io", "index.docker.io/org/app", True),
        ("registry-1.docker.io", "org/app", True),
        ("docker.io/org", "docker.io/other/app", False),
    ],
)
def test_a_key_names_a_registry_or_a_path_in_it(key: str, name: str, *, there: bool) -> None:
    """Keys in every form of Docker and Podman are read, and none covers too much."""
    found = find(name, auths={key: auth("ann")})
    assert found == (ANN if there else None)


def test_the_longest_key_decides() -> None:
    """Of several keys that cover a repository, the longest is used."""
    auths = {"ghcr.io": auth("a"), "ghcr.io/org/app": auth("c"), "ghcr.io/org": auth("b")}
    assert [
        found.username
        for name in ("ghcr.io/x", "ghcr.io/org/x", "ghcr.io/org/app", "ghcr.io/org/app/x")
        if (found := find(name, auths=auths))
    ] == ["a", "b", "c", "c"]


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"username": "ann", "password": "open-sesame"}, ANN),
        (auth("ann", "open:sesame"), Credentials("ann", "open:sesame")),
        (auth("ann", "open-sesame\0\0"), ANN),
        ({"identitytoken": "id", **auth("x")}, Credentials("", "", identity_token="id")),
        ({}, None),
        ({"email": "ann@example.com"}, None),
        ({"auth": ""}, None),
        ({"auth": 7, "username": "ann"}, None),
    ],
)
def test_an_entry_has_the_user_and_the_password(
    entry: dict[str, Any], found: Credentials | None
) -> None:
    """A login has name and password, in one text or two, or an identity token."""
    assert find(auths={"ghcr.io": entry}) == found


@pytest.mark.parametrize("text", ["sesame", "c2VzYW1l", "/w=="])
def test_an_invalid_auth_is_an_error_that_does_not_show_it(text: str) -> None:
    """Text other than NAME:PASSWORD in Base64 is refused, and not shown."""
    with pytest.raises(AuthError, match="DOCKER_AUTH_CONFIG") as caught:
        find(auths={"ghcr.io": {"auth": text}})
    assert text not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"a":"sesame","a":1}', "\udcff"])
def test_an_invalid_file_is_an_error_that_does_not_show_it(text: str) -> None:
    """Text that is not a JSON object is refused with the name of the file, and not shown."""
    with pytest.raises(AuthError, match="DOCKER_AUTH_CONFIG") as caught:
        find_credentials("ghcr.io/org/app", environ={"DOCKER_AUTH_CONFIG": text})
    assert "sesame" not in str(caught.value)


@given(st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.integers()), max_size=4))
def test_sections_of_any_shape_are_passed_over(document: dict[str, Any]) -> None:
    """Other content of a file finds no credentials, or is one of our errors."""
    for shaped in (document, {"auths": document}, {"auths": {"ghcr.io": document}}):
        try:
            found = find(**{str(key): value for key, value in shaped.items()})
        except AuthError:
            continue
        assert found is None or isinstance(found, Credentials)


def write(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {"ghcr.io": auth(name)}}))


def test_files_are_looked_into_in_an_order(tmp_path: Path) -> None:
    """Variables come first, then the files of Podman, then those of Docker."""
    home = tmp_path / "home"
    places = [
        (tmp_path / "docker/config.json", {"DOCKER_CONFIG": str(tmp_path / "docker")}, "docker"),
        (home / ".config/containers/auth.json", {}, "config"),
        (tmp_path / "xdg/containers/auth.json", {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}, "xdg"),
        (tmp_path / "run/containers/auth.json", {"XDG_RUNTIME_DIR": str(tmp_path / "run")}, "run"),
        (tmp_path / "auth.json", {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}, "file"),
    ]
    environ = {"HOME": str(home)}
    write(home / ".docker/config.json", "home")
    assert getattr(find_credentials("ghcr.io/a", environ=environ), "username", "") == "home"
    for path, variables, name in places:
        write(path, name)
        environ |= variables
        assert getattr(find_credentials("ghcr.io/a", environ=environ), "username", "") == name
    assert find_credentials("ghcr.io/a", environ={}) is None
    text = json.dumps({"auths": {"ghcr.io": auth("text")}})
    found = find_credentials("ghcr.io/a", environ={**environ, "DOCKER_AUTH_CONFIG": text})
    assert found == Credentials("text", "open-sesame")


def test_a_file_that_is_given_must_be_there(tmp_path: Path) -> None:
    """Only default files may be missing; a file that cannot be read is an error."""
    with pytest.raises(AuthError, match="no file of logins"):
        find_credentials("ghcr.io/a", files=(tmp_path / "none",))
    with pytest.raises(AuthError, match="cannot be read"):
        find_credentials("ghcr.io/a", files=(tmp_path,))
    (tmp_path / "empty").write_bytes(b"")
    assert find_credentials("ghcr.io/a", files=(tmp_path / "empty",)) is None
    with pytest.raises(InvalidNameError):
        find_credentials("ghcr.io/A", files=(tmp_path / "empty",))


# ------------------------------------------------------------------ programs


def helper(folder: Path, body: str, name: str = "safe") -> dict[str, str]:
    """Write a `docker-credential-` program; return an environment that has it."""
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!{sys.executable}\nimport sys, json, time\n{body}\n")
    path.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


ECHO = """
server = sys.stdin.read()
open(sys.argv[0] + ".asked", "a").write(sys.argv[1] + " " + server + "\\n")
print(json.dumps({"ServerURL": server, "Username": "ann", "Secret": "open-sesame"}))
"""


@pytest.mark.parametrize(
    ("name", "server"),
    [("ghcr.io/org/app", "ghcr.io"), ("busybox", "https://index.docker.io/v1/")],
)
def test_a_program_is_asked_as_docker_asks_it(tmp_path: Path, name: str, server: str) -> None:
    """`get`, and the registry on standard input; Docker Hub by its old address."""
    environ = helper(tmp_path, ECHO)
    for document in (
        {"credsStore": "safe", "auths": {server: {}}},
        {"credHelpers": {server: "safe"}, "auths": {server: auth("other")}},
    ):
        environ["DOCKER_AUTH_CONFIG"] = json.dumps(document)
        assert find_credentials(name, environ=environ) == ANN
    asked = (tmp_path / "docker-credential-safe.asked").read_text()
    assert asked == f"get {server}\n" * 2


def test_an_entry_comes_before_the_program_for_all(tmp_path: Path) -> None:
    """A credsStore is asked only if the file has no login."""
    environ = helper(tmp_path, ECHO)
    document = {"credsStore": "safe", "auths": {"ghcr.io": auth("bob")}}
    environ["DOCKER_AUTH_CONFIG"] = json.dumps(document)
    assert find_credentials("ghcr.io/a", environ=environ) == Credentials("bob", "open-sesame")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('print(json.dumps({"Username": "<token>", "Secret": "id"}))',
         Credentials("", "", identity_token="id")),
        ('print(json.dumps({"Username": "", "Secret": ""}))', None),
        ('print("credentials not found in native keychain"); sys.exit(1)', None),
    ],
)  # fmt: skip
def test_a_program_may_have_a_token_or_nothing(
    tmp_path: Path, body: str, found: Credentials | None
) -> None:
    """An identity token comes with the name `<token>`; no credentials are not an error."""
    environ = helper(tmp_path, body)
    environ["DOCKER_AUTH_CONFIG"] = json.dumps({"credsStore": "safe"})
    assert find_credentials("ghcr.io/a", environ=environ) == found


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("safe", 'print("open-sesame"); sys.exit(3)', "ended with 3"),
        ("safe", 'print("open-sesame")', "without Username"),
        ("safe", 'print(json.dumps(["open-sesame"]))', "without Username"),
        ("safe", "time.sleep(60)", "took too long"),
        ("other", "", "no such program"),
        ("../safe", "", "not the name of a program"),
    ],
)
def test_a_program_that_fails_is_named_and_not_quoted(
    tmp_path: Path, name: str, body: str, text: str
) -> None:
    """The error says which program failed and how; what it printed may be a secret."""
    environ = helper(tmp_path, body)
    environ["DOCKER_AUTH_CONFIG"] = json.dumps({"credsStore": name})
    with pytest.raises(AuthError, match=text) as caught:
        find_credentials("ghcr.io/a", environ=environ, helper_timeout=1 if "sleep" in body else 60)
    assert "sesame" not in str(caught.value)


# ------------------------------------------------------------------ in a repository


def test_credentials_are_not_looked_for_before_the_registry_asks() -> None:
    """A finder is called once, with the repository, when there is a challenge."""
    asked: list[str] = []

    def finder(name: str) -> Credentials:
        asked.append(name)
        return ANN

    def guard(seen: Seen, _: Handler) -> Reply:
        if seen.headers.get("authorization") == ANN.basic():
            return Reply(200, body=b'{"tags":["a"]}')
        return Reply(401, {"WWW-Authenticate": "Basic"})

    with Scripted() as registry:
        registry.default = Reply(200, body=b'{"tags":["a"]}')
        with Repository(f"{registry.host}/org/app", credentials=finder) as repository:
            repository.tags()
            assert asked == []
            registry.default = guard
            assert repository.tags() == repository.tags() == ("a",)
        assert asked == [f"{registry.host}/org/app"]


def test_an_identity_token_is_exchanged_and_renewed() -> None:
    """By POST, as in OAuth2; the token that comes back is used the next time."""
    forms: list[dict[str, str]] = []

    def give(seen: Seen, _: Handler) -> Reply:
        pairs = (pair.split("=", 1) for pair in seen.body.decode().split("&"))
        forms.append(dict(pairs))
        body = {"access_token": f"t{len(forms)}", "expires_in": 1, "refresh_token": "second"}
        return Reply(200, body=json.dumps(body).encode())

    def guard(seen: Seen, handler: Handler) -> Reply:
        if seen.headers.get("authorization") == f"Bearer t{len(forms)}" and forms:
            return Reply(200, body=b'{"tags":["a"]}')
        host = handler.server.host
        challenge = f'Bearer realm="http://{host}/token",service="reg"'
        return Reply(401, {"WWW-Authenticate": challenge})

    credentials = Credentials("", "", identity_token="first")
    with Scripted() as registry:
        registry.routes["POST /token"] = give
        registry.default = guard
        with Repository(f"{registry.host}/org/app", credentials=credentials) as repository:
            assert repository.tags() == repository.tags() == ("a",)
        assert "GET /token" not in registry.asked()
        assert all("authorization" not in seen.headers for seen in registry.seen if seen.body)
    assert [form["refresh_token"] for form in forms] == ["first", "second"]
    assert {form["grant_type"] for form in forms} == {"refresh_token"}
    assert {form["scope"] for form in forms} == {"repository%3Aorg%2Fapp%3Apull"}
    assert {form["service"] for form in forms} == {"reg"}


def test_an_identity_token_is_not_redirected() -> None:
    """It is in the body, which other hosts must not see; and Basic cannot use it."""
    credentials = Credentials("", "", identity_token="first")
    with Scripted() as registry, Scripted() as other:
        registry.routes["POST /token"] = Reply(307, {"Location": f"http://{other.host}/token"})
        challenge = f'Bearer realm="http://{registry.host}/token"'
        registry.default = Reply(401, {"WWW-Authenticate": challenge})
        name = f"{registry.host}/org/app"
        patience = Patience(sleep=lambda _: None)
        with Repository(name, credentials=credentials, patience=patience) as repository:
            with pytest.raises(Exception, match="token server"):
                repository.tags()
            registry.default = Reply(401, {"WWW-Authenticate": "Basic"})
        with (
            Repository(name, credentials=credentials, patience=patience) as repository,
            pytest.raises(AuthError, match="user name and a password"),
        ):
            repository.tags()
        assert other.seen == []


# ------------------------------------------------------------------ credentials


def test_credentials_do_not_show_the_password() -> None:
    """Neither repr nor str of credentials has the password."""
    credentials = Credentials("ann", "open sesame")
    assert "ann" in repr(credentials)
    assert "sesame" not in repr(credentials) + str(credentials)


@given(
    st.text(st.characters(exclude_characters=":", codec="utf-8")),
    st.text(st.characters(codec="utf-8")),
)
def test_basic_is_the_pair_in_base64(username: str, password: str) -> None:
    """The first colon of what Basic sends ends the user name."""
    scheme, _, pair = Credentials(username, password).basic().partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair).decode().partition(":") == (username, ":", password)


def test_a_user_name_with_a_colon_is_refused() -> None:
    """A name that Basic would cut short is refused."""
    with pytest.raises(InvalidNameError, match="colon"):
        Credentials("ann:admin", "x")


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_credentials_are_in_utf_8(text: str) -> None:
    """A text that cannot be sent is refused when it is given, and not shown."""
    for how in ((text, "x", ""), ("x", text, ""), ("", "", text)):
        with pytest.raises(InvalidNameError, match="UTF-8") as caught:
            Credentials(how[0], how[1], identity_token=how[2])
        assert text not in str(caught.value)


@pytest.mark.parametrize("password", ["s", "se", "sec", "s" * 80])
def test_an_auth_may_be_wrapped_and_without_padding(tmp_path: Path, password: str) -> None:
    """As `base64` and other programs write it."""
    full = base64.encodebytes(f"ann:{password}".encode()).decode()
    for auth in (full, full.rstrip(), full.rstrip().rstrip("="), full.replace("\n", "\r\n ")):
        file = tmp_path / "auth.json"
        file.write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}}}))
        found = find_credentials("ghcr.io/org/app", files=(file,), environ={})
        assert found == Credentials("ann", password)


def test_podman_s_logins_are_found_without_xdg_runtime_dir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in a folder of the user then; with the variable that folder is not looked at."""
    monkeypatch.setattr("ocilayout.registry.credential._RUNTIME", str(tmp_path / "run"))
    folder = tmp_path / "run" / str(os.getuid())
    assert find_credentials("ghcr.io/org/app", environ={}) is None
    folder.mkdir(parents=True)
    auth = base64.b64encode(b"ann:secret").decode()
    (folder / "auth.json").write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}}}))
    assert find_credentials("ghcr.io/org/app", environ={}) == Credentials("ann", "secret")
    elsewhere = {"XDG_RUNTIME_DIR": str(tmp_path / "other")}
    assert find_credentials("ghcr.io/org/app", environ=elsewhere) is None
