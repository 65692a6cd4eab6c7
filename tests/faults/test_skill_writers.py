"""Two processes at work in one store and one home folder at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from ocilayout.testing.registry import LoopbackRegistry
from skills import SkillService

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 60

# Does what chance says to names and skills of its own, and says at the end what should be there.
# The content is that of the other process too, so each deletes what the other one is building.
WORKER = """
import json, random, sys
from skills import SkillService

folder, seed, steps, host = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
chance = random.Random(seed)
service = SkillService.open(f"{folder}/store", home=f"{folder}/home", durability="none")
skill, client = [("alpha", "codex"), ("beta", "cursor")][seed % 2]
bare = [f"{seed}-{number}" for number in range(3)]
full = [f"{host}/team{seed}/{name}:v1" for name in ("alpha", "beta")]
built, pulled, installed = {}, {}, None
print("ready", flush=True)
sys.stdin.readline()
for _ in range(steps):
    verb = chance.choice(["build", "build", "pull", "delete", "remove", "adopt", "look",
                          "install", "uninstall"])
    name = chance.choice(bare + full)
    if verb == "build":
        content = chance.choice(["alpha", "beta"])
        built[name] = service.build(f"{folder}/{content}", tag=name).digest
        pulled.pop(name, None)
    elif verb == "pull":
        source = chance.choice(full)
        digest = service.pull(source, name=name, replace=True).digest
        if digest not in (built.get(name), pulled.get(name)):
            built.pop(name, None)
            pulled[name] = digest
    elif verb == "delete" and name in built:
        service.delete_build(name)
        del built[name]
    elif verb == "remove" and name in pulled:
        service.remove_cached(name)
        del pulled[name]
    elif verb == "adopt" and name in pulled:
        service.adopt(name)
        built[name] = pulled.pop(name)
    elif verb == "look" and (name in built or name in pulled):
        assert service.get_content(name).files
    elif verb == "install" and built:
        digest = chance.choice(sorted(set(built.values())))
        if service.get_content(digest).name == skill:
            installed = service.install(digest, clients=[client]).digest
    elif verb == "uninstall" and installed:
        service.uninstall(skill)
        installed = None
    mine = {build.tag: build.digest for build in service.list_builds()}
    assert {tag: digest for tag, digest in mine.items() if tag in bare + full} == built
print(json.dumps([built, pulled, {skill: installed} if installed else {}]))
"""


def test_two_processes_at_once_see_what_they_did_and_no_more(tmp_path: Path) -> None:
    """Each names the same content by names of its own, and takes it away again, while the other
    one does the same: what is listed, cached and installed at the end is what both say, whole."""
    with LoopbackRegistry() as registry:
        origin = SkillService.open(tmp_path / "origin", durability="none")
        for name in ("alpha", "beta"):
            folder = tmp_path / name
            folder.mkdir()
            folder.joinpath("SKILL.md").write_text(f"---\nname: {name}\ndescription: d\n---\n")
            for number in range(2):
                origin.push(
                    origin.build(folder, tag=f"{registry.host}/team{number}/{name}:v1").reference
                )
        (tmp_path / "home").mkdir()
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(tmp_path), str(seed), str(STEPS), registry.host],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for seed in range(2)
        ]  # fmt: skip
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
        said = [worker.communicate(timeout=120) for worker in workers]
    assert [(worker.returncode, err) for worker, (_, err) in zip(workers, said, strict=True)] == [
        (0, "")
    ] * 2
    built: dict[str, str] = {}
    pulled: dict[str, str] = {}
    installed: dict[str, str] = {}
    for out, _ in said:
        for found, more in zip((built, pulled, installed), json.loads(out), strict=True):
            found.update(more)
    service = SkillService.open(tmp_path / "store", home=tmp_path / "home", durability="none")
    assert {build.tag: build.digest for build in service.list_builds()} == built
    assert {skill.reference: skill.digest for skill in service.list_cache()} == pulled
    assert {skill.name: skill.digest for skill in service.list_installed()} == installed
    errors = [problem for problem in service.layout.check() if problem.severity == "error"]
    assert errors == []
