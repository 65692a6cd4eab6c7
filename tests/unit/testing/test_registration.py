"""Registration with Hypothesis: every public type by its name, and nothing loaded before."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ocilayout
from ocilayout import Descriptor, Digest, FrozenMap, Manifest
from ocilayout.layout import RootIndex
from ocilayout.model.frozenmap import FrozenJson
from ocilayout.testing.registration import register

FEW = settings(deadline=None, max_examples=10)
PUBLIC = [getattr(ocilayout, name) for name in ocilayout.__all__]
MODELS = [found for found in PUBLIC if attrs.has(found) or found in (Digest, FrozenMap, RootIndex)]

register()  # again, for those who installed the package before it had the entry point


def test_there_are_models() -> None:
    """What is looked at below is not nothing."""
    assert len(MODELS) > 15


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__name__))
@given(data=st.data())
@FEW
def test_every_public_model_is_given_by_its_type(model: type, data: st.DataObject) -> None:
    assert isinstance(data.draw(st.from_type(model)), model)


@dataclass
class Example:
    manifest: Manifest
    others: list[Descriptor]
    notes: FrozenMap[str, int]
    unknown: FrozenMap[str, FrozenJson]


@given(data=st.data())
@FEW
def test_models_are_given_inside_of_other_types(data: st.DataObject) -> None:
    hints = {"manifest": Manifest, "notes": FrozenMap[str, int]}
    hints |= {"others": list[Descriptor], "unknown": FrozenMap[str, FrozenJson]}
    made = {name: data.draw(st.from_type(hint)) for name, hint in hints.items()}
    example = Example(**made)
    assert isinstance(example.manifest, Manifest)
    assert all(isinstance(other, Descriptor) for other in example.others)
    assert all(isinstance(note, int) for note in example.notes.values())
    assert isinstance(hash(example.unknown), int)


def test_hypothesis_finds_the_registration() -> None:
    """The package has the entry point, and it is the function."""
    (entry,) = [entry for entry in entry_points(group="hypothesis") if entry.name == "ocilayout"]
    assert entry.load() is register


HEAVY = ("hypothesis", "ocilayout.testing.strategies", "ocilayout.registry", "ocilayout.cli")


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import ocilayout", HEAVY),
        ("import ocilayout.testing.registration", HEAVY),
        ("import hypothesis", HEAVY[1:]),
    ],
)
def test_nothing_is_loaded_before_it_is_asked_for(statement: str, absent: tuple[str, ...]) -> None:
    """The package loads nothing of Hypothesis, and Hypothesis loads no strategy of ours."""
    program = f"{statement}; import sys; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "ocilayout" in said
    assert not set(absent) & set(said)


def test_a_program_that_imports_hypothesis_alone_is_given_models() -> None:
    """Where the package is installed, `from_type` needs no import of ours."""
    program = (
        "import hypothesis, ocilayout, sys\n"
        "print(hypothesis.find(hypothesis.strategies.from_type(ocilayout.Digest), bool))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert said == f"sha256:{'0' * 64}\n"
