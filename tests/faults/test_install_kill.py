"""Installs that are killed: after any step, the folder has either all old or all new files."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 300  # seconds, after which a hang is one

# Runs one operation many times from the same state, each time in a process that ends itself at the
# n-th step of those that change a folder, a file or the record, instead of it; then looks at what
# is there, and lets the next command find it. Forks, so as to import only once.
STEPWISE = """
import json, os, shutil, sys
from pathlib import Path
from skills import SkillService
from skills.install import swap
from skills.install.record import Record, open_record

folder, operation, mode = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
home, backup, store = folder / "home", folder / "backup", folder / "store"
CLIENTS = ["claude-code", "cursor"]
TARGETS = [home / ".claude/skills/hello", home / ".cursor/skills/hello"]
CALLS = ["mkdir", "rename", "replace", "fsync", "unlink", "rmdir", "open", "fdopen"]

# Killing a process loses nothing that it wrote, so nothing has to be forced onto the disk here.
os.fsync = lambda handle: None

if mode == "aside":
    swap.exchange = lambda one, other: False

def service():
    return SkillService.open(store, home=home)

def build(text):
    skill = folder / "hello"
    (skill / "docs").mkdir(parents=True, exist_ok=True)
    (skill / "SKILL.md").write_text(f"---\\nname: hello\\ndescription: {text}\\n---\\n")
    (skill / "docs" / text).write_text(text * 1000)
    service().build(skill)
    shutil.rmtree(skill)

def files(path):
    return {str(p.relative_to(path)): p.read_text() for p in path.rglob("*") if p.is_file()}

def states():
    return [files(target) if os.path.lexists(target) else None for target in TARGETS]

def everything():
    found = sorted(str(p.relative_to(home)) for p in home.rglob("*"))
    # Folders of the record that is gone may stay if the very last step was not taken.
    return [path for path in found if not path.startswith(".local")]

OPERATIONS = {
    "install": lambda: service().install("hello", clients=CLIENTS),
    "update": lambda: service().install("hello", clients=CLIENTS),
    "repair": lambda: service().install("hello", clients=CLIENTS, force=True),
    "extend": lambda: service().install("hello", clients=CLIENTS),
    "uninstall": lambda: service().uninstall("hello"),
}

home.mkdir()
(home / ".claude").mkdir()
(home / ".claude" / "mine").write_text("mine")
untouched = everything()
build("old")
if operation in ("update", "repair", "uninstall"):
    service().install("hello", clients=CLIENTS)
if operation == "extend":
    service().install("hello", clients=CLIENTS[:1])
if operation == "repair":
    (TARGETS[0] / "docs" / "mine").write_text("edit")
if operation == "update":
    build("new")
before = states()
shutil.copytree(home, backup)
OPERATIONS[operation]()
after = states()
assert before != after, before

def end_at(last):
    count = 0
    def step():
        nonlocal count
        count += 1
        if count == last:
            os._exit(9)
    def patch(owner, name):
        call = getattr(owner, name)
        def counting(*args, **kwargs):
            step()
            return call(*args, **kwargs)
        setattr(owner, name, counting)
    for name in CALLS:
        patch(os, name)
    patch(Record, "save")
    call = swap._system_call()
    def exchanging(*paths):
        step()
        result = call(*paths)
        step()
        return result
    swap._system_call = lambda: exchanging

last, code, seen, absent = 0, 9, set(), 0
while code:
    last += 1
    shutil.rmtree(home)
    shutil.copytree(backup, home)
    child = os.fork()
    if not child:
        end_at(last)
        OPERATIONS[operation]()
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), code
    now = states()
    for one, old, new in zip(now, before, after):
        if mode == "aside" and one is None:
            absent += old is not None and new is not None  # until the next command
        else:
            assert one in (old, new), (last, one)
    listed = service().list_installed()
    found = states()
    for one, old, new in zip(found, before, after):
        assert one in (old, new), (last, one)
    outcome = json.dumps([found, [skill.status for skill in listed]])
    fresh = outcome not in seen
    seen.add(outcome)
    # The record has the installed folders, and no others.
    with open_record(home / ".local/state/ocilayout/skills") as record:
        recorded = {}
        for skill in listed:
            for target in record.document.find((skill.name, skill.scope, "")).targets:
                recorded[target.path] = {file.path for file in target.files}
        assert not record.document.operations
    for target, one in zip(TARGETS, found):
        assert (one is None) == (target not in recorded), (last, target, one)
        if one is not None and one != before[0]:
            assert set(one) == recorded[target], (last, target)
    for target in TARGETS:
        if target.parent.exists():
            assert {p.name for p in target.parent.iterdir()} <= {"hello"}, last
    # And everything goes on.
    if not fresh and last % 10:
        continue
    assert service().install("hello", clients=CLIENTS, force=True).status == "installed"
    service().uninstall("hello")
    assert everything() == untouched, (last, everything())
print(json.dumps({"steps": last, "seen": len(seen), "absent": absent}))
"""


# How folders are exchanged matters only where the target exists.
@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        ("install", "exchange"),
        ("extend", "exchange"),
        ("update", "exchange"),
        ("update", "aside"),
        ("repair", "exchange"),
        ("repair", "aside"),
        ("uninstall", "exchange"),
    ],
)
def test_a_process_may_end_before_any_step(tmp_path: Path, operation: str, mode: str) -> None:
    """Wherever an operation ends, each folder has its old or its new files, and the next
    command finds a record that says so, and no temporary folder."""
    ended = subprocess.run(
        [sys.executable, "-c", STEPWISE, str(tmp_path), operation, mode],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    report = json.loads(ended.stdout)
    assert report["steps"] > 20
    assert report["seen"] > 1, "some ended before, and some after the change"
    # Where two folders cannot be exchanged, the target is missing for an instant.
    assert (report["absent"] > 0) == (mode == "aside" and operation in {"update", "repair"})
