"""The command with programs that share its conventions, and a registry with authentication."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
import trustme
from click.testing import CliRunner

from ocilayout import OCI_CONFIG, Descriptor, Layout, Manifest
from ocilayout.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.peers.conftest import StartRegistry

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
# ann, open-sesame
HTPASSWD = "ann:$2y$05$abcdefghijklmnopqrstuutXu9KzOt.1yBoZUeFWoT/914/JfszCO\n"


def put_image(layout: Layout) -> Descriptor:
    """Store an image without layers, which every program accepts."""
    config = layout.blobs.put(CONFIG, media_type=OCI_CONFIG)
    return layout.put_manifest(Manifest(config=config))


def run(*arguments: str, stdin: str | None = None, status: int = 0) -> str:
    """Run the command and return its output, answers and errors."""
    done = CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.output


@pytest.mark.parametrize("name", ["v1", "a:b", "a@b+c", "ghcr.io/org/app:v1", "x/y:1.0--2"])
def test_locators_mean_what_they_mean_to_skopeo(
    require: Callable[[str], str], tmp_path: Path, name: str
) -> None:
    """The same locators, as source and as target, mean the same content to both programs."""
    skopeo = require("skopeo")
    layout = Layout.create(tmp_path / "lay")
    image = put_image(layout)
    layout.tag(name, image)
    ours, theirs = f"oci:{tmp_path}/ours:{name}", f"oci:{tmp_path}/theirs:{name}"
    tar = f"oci-archive:{tmp_path}/a.tar:{name}"
    run("cp", f"oci:{layout.path}:{name}", ours)
    run("cp", ours, tar)
    for source, target in ((ours, theirs), (tar, f"oci:{tmp_path}/again:{name}")):
        subprocess.run(
            [skopeo, "--insecure-policy", "copy", "--quiet", "--preserve-digests", source, target],
            check=True,
        )
        assert json.loads(run("inspect", target, "--json"))["digest"] == image.digest


def test_a_registry_with_a_password_and_an_authority(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    """Both ends of a copy take their own credentials and authority, and fail without."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "server.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    host = start_registry(
        auth={"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}},
        tls={"certificate": str(tmp_path / "server.pem"), "key": str(tmp_path / "server.key")},
    )
    layout = Layout.create(tmp_path / "lay")
    layout.tag("v1", put_image(layout))

    def reach(prefix: str = "") -> list[str]:
        return [
            f"--{prefix}tls", f"--{prefix}ca-file", str(tmp_path / "ca.pem"),
            f"--{prefix}username", "ann", f"--{prefix}password-stdin",
        ]  # fmt: skip

    one, two = (f"docker://{host}/{name}" for name in ("one", "two"))
    run("cp", f"oci:{layout.path}:v1", one, *reach("to-"), stdin="open-sesame\n")
    run("cp", one, two, *reach("from-"), *reach("to-"), stdin="open-sesame\nopen-sesame\n")
    assert run("ls", "-q", two, *reach(), stdin="open-sesame\n") == "v1\n"
    assert "refuses these credentials" in run("ls", two, *reach(), stdin="wrong\n", status=1)
    anonymous = run("ls", two, "--tls", "--ca-file", str(tmp_path / "ca.pem"), status=1)
    assert "--username and --password-stdin" in anonymous
    assert "certificate" in run("ls", two, "--tls", status=1)
