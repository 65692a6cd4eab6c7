"""The endpoints over a running server: paths, keys, statuses and bodies as ToolHive has them."""

from __future__ import annotations

import fcntl
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from ocilayout import OCI_CONFIG, Digest, Index, Layout, Manifest, Reference
from ocilayout.registry import Repository
from ocilayout.testing.registry.wire import LoopbackServer
from skills import SkillService
from skills.server import PREFIX
from skills.server.request import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.conftest import Client

CODEX = {"clients": ["codex"]}


class TestInstalled:
    def test_a_skill_is_installed_listed_shown_and_removed(self, client: Client) -> None:
        """Each has the keys of ToolHive, in its order."""
        path = client.skill()
        assert client.send("POST", "/build", {"path": path}).json == {"reference": "hello"}
        done = client.send("POST", "", {"name": "hello", **CODEX})
        assert done.status == 201
        assert done.headers["location"] == f"{PREFIX}/hello"
        assert list(done.json) == ["skill"]
        skill = done.json["skill"]
        assert list(skill) == [
            "metadata", "scope", "reference", "digest", "status", "installed_at", "clients",
            "managed",
        ]  # fmt: skip
        assert skill["metadata"] == {
            "name": "hello", "version": "1.2", "description": "Says <hello>", "author": "",
        }  # fmt: skip
        assert (skill["scope"], skill["status"]) == ("user", "installed")
        assert (skill["clients"], skill["managed"]) == (["codex"], True)
        assert client.home.joinpath(".agents/skills/hello/SKILL.md").is_file()
        assert client.send("GET", "").json == {"skills": [skill]}
        assert client.send("GET", "/").json == {"skills": [skill]}
        assert client.send("GET", "/hello").json == {
            "metadata": skill["metadata"],
            "installed_skill": skill,
        }
        gone = client.send("DELETE", "/hello")
        assert (gone.status, gone.text) == (204, "")
        assert client.send("GET", "").json == {"skills": []}
        assert list(client.home.iterdir()) == []

    def test_installing_again_is_not_an_error(self, client: Client) -> None:
        """An installed skill gets the same reply as a new one; a trailing slash is the same."""
        client.service.build(client.skill())
        first, again = (client.send("POST", "/", {"name": "hello", **CODEX}) for _ in range(2))
        assert (first.status, again.status) == (201, 201)
        assert first.json == again.json

    def test_a_reference_is_pulled_and_a_version_is_its_tag(self, client: Client) -> None:
        """Neither makes a build."""
        digest = client.remote()
        name = client.reference.removesuffix(":v1")
        done = client.send("POST", "", {"name": name, "version": "v1", **CODEX})
        assert done.json["skill"]["reference"] == client.reference
        assert (done.json["skill"]["tag"], done.json["skill"]["digest"]) == ("v1", digest)
        assert client.send("GET", "/builds").json == {"builds": []}

    def test_a_list_can_be_narrowed(self, client: Client) -> None:
        """By scope, by client and by the root of a project."""
        root = client.folder / "project"
        root.joinpath(".git").mkdir(parents=True)
        client.service.build(client.skill())
        client.service.build(client.skill("other"))
        client.send("POST", "", {"name": "hello", **CODEX})
        place = {"name": "other", "clients": ["cursor"], "project_root": str(root)}
        assert client.send("POST", "", place).status == 201

        def names(query: str) -> list[str]:
            found = client.send("GET", f"?{query}").json["skills"]
            return [skill["metadata"]["name"] for skill in found]

        assert names("") == ["hello", "other"]
        assert names("scope=user") == names("client=codex") == ["hello"]
        assert names("scope=project") == names("client=cursor") == ["other"]
        assert names(f"project_root={root}") == ["other"]
        info = f"/other?scope=project&project_root={root}"
        assert client.send("GET", info).json["installed_skill"]["project_root"] == str(root)
        assert client.send("GET", f"/other?project_root={root}").status == 200
        assert client.send("GET", "/other").status == 404
        assert client.send("GET", "/other?scope=project").status == 400
        assert client.send("DELETE", f"/other?project_root={root}").status == 204
        assert sorted(path.name for path in root.iterdir()) == [".git"]

    def test_a_project_takes_unsigned_skills_only_if_allowed(self, client: Client) -> None:
        """A skill from a registry is unsigned in a project, and the answer says so."""
        client.remote()
        root = client.folder / "project"
        root.joinpath(".git").mkdir(parents=True)
        asked = {"name": client.reference, "scope": "project", "project_root": str(root), **CODEX}
        refused = client.send("POST", "", asked)
        assert (refused.status, "allow_unsigned" in refused.message) == (403, True)
        done = client.send("POST", "", {**asked, "allow_unsigned": True})
        assert (done.status, done.json["unsigned"]) == (201, True)

    def test_a_skill_that_was_pulled_before_is_unsigned(self, client: Client) -> None:
        """Neither a name nor a digest in the store makes a build of it."""
        digest = client.remote()
        root = client.folder / "project"
        root.joinpath(".git").mkdir(parents=True)
        client.service.pull(client.reference, name="hello")
        into = {"scope": "project", "project_root": str(root), **CODEX}
        for name in ("hello", digest):
            refused = client.send("POST", "", {"name": name, **into})
            assert (refused.status, "allow_unsigned" in refused.message) == (403, True)
            done = client.send("POST", "", {"name": name, **into, "allow_unsigned": True})
            assert (done.status, done.json["unsigned"]) == (201, True)
        client.service.adopt("hello")
        done = client.send("POST", "", {"name": "hello", **into})
        assert (done.status, "unsigned" in done.json) == (201, False)

    def test_an_archive_has_an_absolute_path(self, client: Client) -> None:
        """The server has a folder to work in, but its clients have others."""
        for name in ("oci-archive:x.tar", "oci-archive:/a/../x.tar"):
            said = client.send("POST", "", {"name": name, **CODEX})
            assert (said.status, "absolute" in said.message) == (400, True)

    def test_edits_stop_an_update_and_a_removal_unless_forced(self, client: Client) -> None:
        """Edited files are lost only with force."""
        client.service.build(client.skill())
        client.send("POST", "", {"name": "hello", **CODEX})
        file = client.home / ".agents/skills/hello/SKILL.md"
        file.write_text("mine")
        assert client.send("POST", "", {"name": "hello"}).status == 409
        assert "was changed" in client.send("DELETE", "/hello").message
        assert file.read_text() == "mine"
        assert client.send("POST", "", {"name": "hello", "force": True}).status == 201
        file.write_text("mine")
        assert client.send("DELETE", "/hello?force=true").status == 204

    def test_skills_with_the_name_of_an_endpoint_can_be_removed(self, client: Client) -> None:
        """Only a GET of them is that of the endpoint."""
        for name in ("builds", "content", "validate"):
            client.service.build(client.skill(name))
            assert client.send("POST", "", {"name": name, **CODEX}).status == 201
        assert client.send("GET", "/validate").json["metadata"]["name"] == "validate"
        for name in ("builds", "content", "validate"):
            assert client.send("DELETE", f"/{name}").status == 204


class TestBuilt:
    def test_a_folder_is_validated(self, client: Client) -> None:
        """The status is the same whether it is valid or not."""
        asked = {"path": client.skill()}
        assert client.send("POST", "/validate", asked).json == {"valid": True}
        client.skill(body="x\n" * 600)
        found = client.send("POST", "/validate", asked)
        assert (found.status, list(found.json)) == (200, ["valid", "warnings"])
        client.folder.joinpath("hello/SKILL.md").write_text("---\nname: no\n---\n")
        found = client.send("POST", "/validate", asked)
        assert (found.status, found.json["valid"]) == (200, False)
        assert len(found.json["errors"]) == 2
        absent = client.send("POST", "/validate", {"path": str(client.folder / "nothing")})
        assert (absent.status, absent.json["valid"]) == (200, False)

    def test_builds_are_made_listed_and_deleted(self, client: Client) -> None:
        """Tags with a slash as well, however that is written in the path."""
        path = client.skill()
        for tag in ("hello", "a/b", client.reference):
            status = 400 if tag == "a/b" else 200
            assert client.send("POST", "/build", {"path": path, "tag": tag}).status == status
        listed = client.send("GET", "/builds").json["builds"]
        assert [build["tag"] for build in listed] == sorted(["hello", client.reference])
        assert list(listed[0]) == ["tag", "digest", "name", "description", "version"]
        assert client.send("DELETE", f"/builds/{client.reference}").status == 204
        client.send("POST", "/build", {"path": path, "tag": client.reference})
        assert client.send("DELETE", f"/builds/{quote(client.reference, safe='')}").status == 204
        assert client.send("DELETE", f"/builds/{client.reference}").status == 404
        assert client.send("DELETE", "/builds/hello").status == 204
        assert client.send("GET", "/builds").text == '{"builds":[]}\n'
        assert list(client.service.layout.blobs) == []

    def test_a_pulled_skill_is_not_a_build_and_cannot_be_deleted_as_one(
        self, client: Client
    ) -> None:
        """Neither a preview nor an install makes one."""
        client.remote()
        assert client.send("GET", f"/content?ref={client.reference}").status == 200
        assert client.send("POST", "", {"name": client.reference, **CODEX}).status == 201
        assert client.send("GET", "/builds").json == {"builds": []}
        assert client.send("DELETE", f"/builds/{client.reference}").status == 404
        assert client.service.layout.tags() == (client.reference,)

    def test_an_invalid_skill_is_built_without_validation(self, client: Client) -> None:
        """Without a tag it is named as it calls itself."""
        path = client.skill()
        client.folder.joinpath("hello/SKILL.md").write_text("---\nname: other\n---\n")
        refused = client.send("POST", "/build", {"path": path})
        assert (refused.status, "description is required" in refused.message) == (400, True)
        done = client.send("POST", "/build", {"path": path, "no_validate": True})
        assert done.json == {"reference": "other"}

    def test_a_folder_that_is_too_large_is_a_bad_request(self, client: Client) -> None:
        """As is one with a link, with validation and without."""
        path = client.skill()
        for number in range(1001):
            (client.folder / "hello" / str(number)).touch()
        for flag in (False, True):
            asked = {"path": path, "no_validate": flag}
            refused = client.send("POST", "/build", asked)
            assert (refused.status, "the limit is 1000" in refused.message) == (400, True)
        assert list(client.service.layout.blobs) == []

    def test_a_build_is_pushed(self, client: Client) -> None:
        """Without any word about signing, or with that it is not asked for."""
        client.service.build(client.skill(), tag=client.reference)
        done = client.send("POST", "/push", {"reference": client.reference})
        assert (done.status, done.text) == (204, "")
        asked = {"reference": client.reference, "no_sign": True}
        assert client.send("POST", "/push", asked).status == 204
        assert client.registry.tags["team/hello", "v1"]


class TestContent:
    def test_a_skill_is_shown(self, client: Client) -> None:
        """From the store under its name, its digest, or from a registry, once."""
        digest = client.remote()
        found = client.send("GET", f"/content?ref={client.reference}")
        assert list(found.json) == ["name", "description", "version", "body", "files"]
        assert found.json["body"].endswith("---\n# Hello\n")
        size = len(found.json["body"])
        assert found.json["files"] == [{"path": "SKILL.md", "size": size}]
        asked = len(client.registry.requests)
        for reference in (client.reference, digest):
            assert client.send("GET", f"/content?ref={quote(reference)}").text == found.text
        assert len(client.registry.requests) == asked
        client.remote("# Other\n")
        assert client.send("GET", f"/content?ref={client.reference}").text == found.text
        fresh = client.send("GET", f"/content?ref={client.reference}&refresh=true")
        assert fresh.json["body"].endswith("# Other\n")

    def test_json_is_written_as_go_writes_it(self, client: Client) -> None:
        """Compact, with what HTML and JavaScript would take for theirs escaped."""
        client.service.build(client.skill(body="é < \u2028 \x01 &\n"))
        text = client.send("GET", "/content?ref=hello").text
        assert '"description":"Says \\u003chello\\u003e"' in text
        assert "é \\u003c \\u2028 \\u0001 \\u0026" in text

    def test_a_path_that_is_not_text_is_shown_as_far_as_possible(self, client: Client) -> None:
        """A byte that is not UTF-8 becomes U+FFFD, as in Go."""
        root = client.folder / "p\udcff"
        root.joinpath(".git").mkdir(parents=True)
        client.service.build(client.skill())
        client.service.install("hello", clients=["codex"], project_root=root)
        text = client.send("GET", "").text
        assert '/p\\ufffd"' in text


class Fixed(LoopbackServer):
    """A registry that has one answer to everything."""

    def __init__(self, status: int, body: bytes = b"", kind: str = "application/json") -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 # the base class's names

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(Handler)
        self.reference = f"127.0.0.1:{self.server_port}/team/hello:v1"


@pytest.fixture
def fixed(request: pytest.FixtureRequest) -> Iterator[Fixed]:
    with Fixed(*request.param) as found:
        yield found


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "path", "body", "status", "message"),
        [
            ("GET", "?scope=all", None, 400, "'all' is not a scope"),
            ("GET", "?client=emacs", None, 400, "no client 'emacs'"),
            ("GET", "?project_root=here", None, 400, "absolute"),
            ("GET", "?project_root=/nowhere", None, 400, "is not a project"),
            ("GET", "?group=mine", None, 501, "groups"),
            ("POST", "", {}, 400, "name is required"),
            ("POST", "", {"name": "Hello"}, 400, "not allowed"),
            ("POST", "", {"name": "h"}, 400, "not allowed"),
            ("POST", "", {"name": "git://a/b"}, 400, "is not a reference"),
            ("POST", "", {"name": "hello", "scope": "all"}, 400, "is not a scope"),
            ("POST", "", {"name": "a.b/hello:v1", "scope": "all"}, 400, "is not a scope"),
            ("POST", "", {"name": "a.b/hello:v1", "clients": ["emacs"]}, 400, "no client"),
            ("POST", "", {"name": "hello", "version": "1\n"}, 400, "is not a valid version"),
            ("POST", "", {"name": "hello", "clients": ["emacs"]}, 400, "no client"),
            ("POST", "", {"name": "hello", "clients": [""]}, 400, "no client"),
            ("POST", "", {"name": "hello", "clients": ["all", "codex"]}, 400, "alone"),
            ("POST", "", {"name": "hello"}, 400, "no client was found"),
            ("POST", "", {"name": "hello", "group": "mine"}, 501, "groups"),
            ("POST", "", {"name": "nothing", **CODEX}, 404, "no build"),
            ("POST", "", {"name": "sha256:" + "0" * 64, **CODEX}, 404, "0000"),
            ("POST", "", {"name": "v1", **CODEX}, 422, "its name is 'hello'"),
            ("POST", "", {"name": "none", **CODEX}, 422, "is not a skill"),
            ("POST", "", {"name": "twice", **CODEX}, 409, "several local builds"),
            ("GET", "/Hello", None, 400, "not allowed"),
            ("GET", "/nothing", None, 404, "is not installed"),
            ("DELETE", "/Hello", None, 400, "not allowed"),
            ("DELETE", "/nothing", None, 404, "is not installed"),
            ("DELETE", "/nothing?scope=all", None, 400, "is not a scope"),
            ("POST", "/validate", {}, 400, "absolute"),
            ("POST", "/validate", {"path": "hello"}, 400, "absolute"),
            ("POST", "/validate", {"path": "/a/../b"}, 400, "without '..'"),
            ("POST", "/validate", {"path": "/a\0b"}, 400, "absolute"),
            ("POST", "/build", {"path": ""}, 400, "absolute"),
            ("POST", "/build", {"path": "/nowhere"}, 400, "does not exist"),
            ("POST", "/build", {"path": "/nowhere", "tag": "a b"}, 400, "is not a valid tag"),
            ("POST", "/push", {}, 400, "reference is required"),
            ("POST", "/push", {"reference": "hello"}, 400, "does not name a repository to push to"),
            ("POST", "/push", {"reference": "nothing"}, 404, "no entry"),
            ("POST", "/push", {"reference": "hello", "key": "k"}, 501, "nothing is signed"),
            ("POST", "/push", {"reference": "hello", "identity_token": "t"}, 501, "signed"),
            ("POST", "/push", {"reference": "a", "key": "k", "no_sign": True}, 400, "exclude"),
            ("DELETE", "/builds/nothing", None, 404, "not a local build"),
            ("DELETE", "/builds/", None, 404, "not a local build"),
            ("GET", "/content", None, 400, "ref is required"),
            ("GET", "/content?ref=", None, 400, "ref is required"),
            ("GET", "/content?ref=nothing", None, 400, "does not name a registry"),
            ("GET", "/content?ref=none", None, 422, "is not a skill"),
            ("GET", "/content?ref=a%20b/c", None, 400, "a b/c"),
            ("POST", "/sync", {}, 501, "lock files"),
            ("POST", "/upgrade", {}, 501, "lock files"),
            ("GET", "/a/b", None, 404, "Not Found"),
            ("PUT", "/builds", None, 405, "Method Not Allowed"),
        ],
    )
    def test_a_mistake_has_its_status_and_one_line(
        self, client: Client, method: str, path: str, body: object, status: int, message: str
    ) -> None:
        """Of a store with a skill, the same under another tag, two that claim one name, and
        an artifact that is not a skill."""
        client.service.build(client.skill())
        client.service.build(client.skill(), tag="v1")
        for version in ("1", "2"):
            client.service.build(client.skill("twice", version=version), tag=f"twice-{version}")
        client.service.layout.tag("none", client.service.layout.put_manifest(Index(manifests=[])))
        said = client.send(method, path, body)
        assert said.status == status
        assert message in said.message
        assert list(client.home.iterdir()) == []

    @pytest.mark.parametrize(
        ("fixed", "status"),
        [
            ((401,), 401),
            ((403,), 401),
            ((404,), 404),
            ((429,), 429),
            ((500,), 502),
            ((418,), 502),
            ((200, b"{}", "application/vnd.oci.image.manifest.v1+json"), 502),
            ((200, b"evil", "application/vnd.oci.image.index.v1+json"), 502),
        ],
        indirect=["fixed"],
    )
    def test_the_status_of_a_registry_is_passed_on(
        self, client: Client, fixed: Fixed, status: int
    ) -> None:
        """A refusal of a registry keeps its kind; any other failure is the registry's fault."""
        shown = client.send("GET", f"/content?ref={fixed.reference}")
        installed = client.send("POST", "", {"name": fixed.reference, **CODEX})
        assert (shown.status, installed.status) == (status, status)
        assert shown.message == installed.message
        assert len(shown.message) > 20
        assert client.service.layout.tags() == ()

    def test_a_missing_registry_is_a_bad_gateway(self, client: Client) -> None:
        """Nothing listens at the port of a registry that has ended."""
        with Fixed(200) as gone:
            pass
        client.service.build(client.skill(), tag=gone.reference)
        for said in (
            client.send("GET", f"/content?ref={gone.reference}&refresh=1"),
            client.send("POST", "/push", {"reference": gone.reference}),
        ):
            assert (said.status, "no connection" in said.message) == (502, True)

    def test_content_with_the_wrong_digest_is_a_bad_gateway(self, client: Client) -> None:
        """None of it is shown."""
        client.remote()
        for digest, data in list(client.registry.blobs.items()):
            assert isinstance(data, bytes)
            client.registry.blobs[digest] = data[:-1] + b"!"
        said = client.send("GET", f"/content?ref={client.reference}")
        assert said.status == 502
        assert "sha256" in said.message
        assert client.service.layout.tags() == ()

    def test_a_build_is_not_replaced_by_what_a_registry_has(self, client: Client) -> None:
        """Neither by an install nor by a look."""
        client.remote("# Other\n")
        client.service.build(client.skill(), tag=client.reference)
        for said in (
            client.send("POST", "", {"name": client.reference, **CODEX}),
            client.send("GET", f"/content?ref={client.reference}&refresh=true"),
        ):
            assert (said.status, "was built here" in said.message) == (409, True)
        assert len(client.send("GET", "/builds").json["builds"]) == 1

    def test_a_folder_of_the_user_is_a_conflict(self, client: Client) -> None:
        """A folder that was not installed from here is kept unless `force` is sent."""
        client.service.build(client.skill())
        theirs = client.home / ".agents/skills/hello/mine"
        theirs.parent.mkdir(parents=True)
        theirs.touch()
        assert client.send("POST", "", {"name": "hello", **CODEX}).status == 409
        assert theirs.exists()

    @pytest.mark.parametrize("damage", ["blob", "index"])
    def test_damage_in_the_store_is_only_logged(
        self, client: Client, caplog: pytest.LogCaptureFixture, damage: str
    ) -> None:
        """An internal error has its status and no details."""
        client.service.build(client.skill())
        layout = client.service.layout
        root = layout.read_manifest(layout.resolve("hello"))
        assert isinstance(root, Index)
        victim = layout.blobs.path(Digest.parse(root.manifests[0].digest))
        if damage == "index":
            victim = layout.path / "index.json"
        victim.write_bytes(victim.read_bytes()[:-1] + b"!")
        with caplog.at_level(logging.ERROR):
            said = client.send("GET", "/content?ref=hello")
        assert (said.status, said.message) == (500, "Internal Server Error")
        (logged,) = caplog.records
        assert f"GET {PREFIX}/content: " in logged.getMessage()

    def test_a_defect_is_an_internal_error(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not explained to the client, and the server goes on."""

        def broken() -> None:
            raise RuntimeError("secret")

        with monkeypatch.context() as patch:
            patch.setattr(client.service, "list_builds", broken)
            said = client.send("GET", "/builds")
        assert (said.status, said.message) == (500, "Internal Server Error")
        assert client.send("GET", "/builds").status == 200

    def test_a_registry_that_never_answers_ends_in_a_timeout(self, client: Client) -> None:
        """The operation goes on, and the reply advises to look later."""
        asked, go_on = threading.Event(), threading.Event()

        def repository(reference: Reference) -> Repository:
            asked.set()
            go_on.wait()
            return Repository(f"{reference.host}/{reference.repository}")

        client.remote()
        client.service = SkillService(
            Layout.open(client.folder / "store"), registry=repository, home=client.home
        )
        client.serve(long=0.05)
        said = client.send("GET", f"/content?ref={client.reference}")
        go_on.set()
        assert asked.is_set()
        assert (said.status, "look later" in said.message) == (504, True)

    def test_another_process_that_keeps_the_lock_ends_in_unavailable(self, client: Client) -> None:
        """The request may be sent again."""
        path = client.folder / "store"
        client.service = SkillService(
            Layout.open(path, lock_timeout=0.05), home=client.home, durability="none"
        )
        client.serve()
        with path.joinpath("index.json.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            said = client.send("POST", "/build", {"path": client.skill()})
        assert (said.status, "index.json.lock" in said.message) == (503, True)


class TestBody:
    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"[]", b'"x"', b"null", b'{"path":1}', b'{"path":["/x"]}', b"{} {}", b"\xff",
         b'{"path":NaN}', b"[" * 100_000, b'{"path":"/x"', b'\xef\xbb\xbf{"path":"/x"}'],
    )  # fmt: skip
    def test_a_body_that_is_not_a_request_is_refused(self, client: Client, body: bytes) -> None:
        """Anything but a JSON object."""
        said = client.send("POST", "/validate", body)
        assert said.status == 400
        assert said.message.startswith("invalid request body: ")

    @pytest.mark.parametrize(
        "fields",
        [{"clients": "codex"}, {"clients": [1]}, {"force": 1}, {"version": 1}, {"force": "true"}],
    )
    def test_fields_are_of_their_kind(self, client: Client, fields: dict[str, object]) -> None:
        """No value is converted to another type."""
        said = client.send("POST", "", {"name": "hello", **fields})
        assert said.status == 400
        assert said.message.startswith("invalid request body: ")

    def test_null_and_unknown_fields_are_ignored(self, client: Client) -> None:
        """Null is absent, and a client may know more than we do."""
        client.service.build(client.skill())
        asked = {"name": "hello", **CODEX, "version": None, "force": None, "later": {"a": [1]}}
        assert client.send("POST", "", asked).status == 201
        assert client.send("POST", "", {"name": "hello", "clients": None}).status == 201

    def test_half_a_surrogate_pair_is_replaced(self, client: Client) -> None:
        """As Go reads it."""
        said = client.send("POST", "/build", b'{"path":"/nowhere\\ud800"}')
        assert (said.status, "/nowhere\N{REPLACEMENT CHARACTER}" in said.message) == (400, True)

    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_body_has_a_limit(self, client: Client, *, chunked: bool) -> None:
        """The largest body is read, and one byte more is refused, with and without a length."""
        for size, status in ((MAX_BODY, 200), (MAX_BODY + 1, 413)):
            path = json.dumps({"path": client.skill(), "pad": ""}).encode()
            body = path[:-2] + b"x" * (size - len(path)) + b'"}'
            connection = client.connect()
            parts: Any = iter([body[:1000], body[1000:]]) if chunked else body
            headers = {"Transfer-Encoding": "chunked"} if chunked else {}
            connection.request("POST", f"{PREFIX}/validate", parts, headers, encode_chunked=chunked)
            assert connection.getresponse().status == status
            connection.close()

    def test_a_body_that_does_not_arrive_ends_in_a_timeout(self, client: Client) -> None:
        """An unfinished body is refused after a time limit."""
        client.serve(short=0.05)
        connection = client.connect()
        connection.putrequest("POST", f"{PREFIX}/validate")
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"{")
        assert connection.getresponse().status == 408
        connection.close()


def test_many_clients_at_once_lose_nothing(client: Client) -> None:
    """Concurrent builds, pulls, installs and removals each have the result that they reported."""
    client.remote()
    folders = {f"skill-{number}": client.skill(f"skill-{number}") for number in range(8)}

    def work(item: tuple[str, str]) -> list[int]:
        name, path = item
        statuses = [
            client.send("POST", "/build", {"path": path}).status,
            client.send("GET", f"/content?ref={client.reference}").status,
            client.send("POST", "", {"name": name, **CODEX}).status,
            client.send("GET", f"/{name}").status,
        ]
        if name.endswith(("1", "3")):
            statuses.append(client.send("DELETE", f"/{name}").status)
        return statuses

    with ThreadPoolExecutor(8) as pool:
        for statuses in pool.map(work, folders.items()):
            assert statuses[:4] == [200, 200, 201, 200]
            assert statuses[4:] in ([], [204])
    built = [build["tag"] for build in client.send("GET", "/builds").json["builds"]]
    assert built == sorted(folders)
    there = {skill["metadata"]["name"] for skill in client.send("GET", "").json["skills"]}
    assert there == folders.keys() - {"skill-1", "skill-3"}
    assert {path.name for path in (client.home / ".agents/skills").iterdir()} == there
    problems = client.service.layout.check()
    assert [problem for problem in problems if problem.severity == "error"] == []


def test_an_artifact_that_is_not_a_skill_says_so(client: Client) -> None:
    """A manifest with a config of its own but no layer."""
    layout = client.service.layout
    config = layout.blobs.put(b"{}", media_type=OCI_CONFIG)
    layout.tag("empty", layout.put_manifest(Manifest(config=config, layers=[])))
    said = client.send("GET", "/content?ref=empty")
    assert (said.status, "has no layer" in said.message) == (422, True)
