"""Image configurations: every property, as written by Docker and BuildKit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ocilayout.errors import DocumentError
from ocilayout.model.codec import decode, encode
from ocilayout.model.config import ContainerConfig, History, ImageConfig, RootFs
from ocilayout.model.digest import Digest
from ocilayout.model.frozenmap import FrozenMap

DIGEST = Digest.of(b"layer")
DOCUMENT: dict[str, Any] = {
    "created": "2015-10-31T22:22:56.015925234Z",
    "author": "Alyssa P. Hacker <alyspdev@example.com>",
    "architecture": "arm64",
    "os": "linux",
    "os.version": "10",
    "os.features": ["f"],
    "variant": "v8",
    "config": {
        "User": "alice",
        "ExposedPorts": {"8080/tcp": {}},
        "Env": ["PATH=/bin"],
        "Entrypoint": ["/bin/app"],
        "Cmd": ["--help"],
        "Volumes": {"/var/log": {}},
        "WorkingDir": "/home/alice",
        "Labels": {"a": "b"},
        "StopSignal": "SIGTERM",
        "ArgsEscaped": True,
    },
    "rootfs": {"type": "layers", "diff_ids": [str(DIGEST)]},
    "history": [
        {
            "created": "2015-10-31T22:22:54.690851953Z",
            "created_by": "/bin/sh",
            "author": "x",
            "comment": "y",
            "empty_layer": True,
        }
    ],
    "docker_version": "27",
}


def decoded(**changes: Any) -> ImageConfig:
    return decode(json.dumps({**DOCUMENT, **changes}).encode(), ImageConfig)


@pytest.mark.spec("config:execution", "config:diff-ids", "config:history", "manifest:config-type")
def test_every_property_is_read_and_written_in_the_specifications_order() -> None:
    """The author's mail address is escaped as Go escapes it."""
    expected = json.dumps(DOCUMENT, separators=(",", ":"))
    expected = expected.replace("<", "\\u003c").replace(">", "\\u003e")
    assert encode(decoded()).decode() == expected


def test_models_have_the_values_of_the_document() -> None:
    found = decoded()
    assert found.rootfs == RootFs(diff_ids=[DIGEST])
    assert found.config is not None
    assert found.config.exposed_ports == FrozenMap({"8080/tcp": FrozenMap()})
    assert found.config.extra == FrozenMap({"ArgsEscaped": True})
    assert found.extra == FrozenMap({"docker_version": "27"})
    assert [step.empty_layer for step in found.history] == [True]


def test_the_smallest_one_has_architecture_system_and_layers() -> None:
    found = ImageConfig(architecture="a", os="o", rootfs=RootFs())
    data = b'{"architecture":"a","os":"o","rootfs":{"type":"layers","diff_ids":[]}}'
    assert encode(found) == data
    assert decode(data, ImageConfig) == found


@pytest.mark.spec("config:null")
def test_null_means_absent() -> None:
    """Docker writes `null` for a missing command."""
    found = decoded(config={"Cmd": None, "Entrypoint": None, "Volumes": None, "Labels": None})
    assert found.config == ContainerConfig()


@pytest.mark.spec("config:created")
@pytest.mark.parametrize(
    "time",
    [
        "2024-02-29T00:00:00Z",
        "2024-12-31t23:59:60.5z",
        "0001-01-01T00:00:00Z",
        "2024-01-01T00:00:00.123456789012+23:59",
        "2024-01-01T00:00:00-00:00",
    ],
)
def test_a_time_is_kept_as_it_was_written(time: str) -> None:
    assert decoded(created=time).created == time


@pytest.mark.spec(
    "config:created",
    "config:platform",
    "config:execution",
    "config:labels",
    "config:rootfs",
    "config:rootfs-type",
    "config:diff-ids",
    "config:history",
)
@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"created": "2024-01-01"}, "bad-time", "$.created"),
        ({"created": "2024-01-01 00:00:00Z"}, "bad-time", "$.created"),
        ({"created": "2024-13-01T00:00:00Z"}, "bad-time", "$.created"),
        ({"created": "2024-01-32T00:00:00Z"}, "bad-time", "$.created"),
        ({"created": "2024-01-01T24:00:00Z"}, "bad-time", "$.created"),
        ({"created": "2024-01-01T00:00:00"}, "bad-time", "$.created"),
        ({"created": "2024-01-01T00:00:00Z\n"}, "bad-time", "$.created"),
        ({"created": "\u06602024-01-01T00:00:00Z"}, "bad-time", "$.created"),
        ({"created": 0}, "wrong-type", "$.created"),
        ({"architecture": None}, "missing-property", "$.architecture"),
        ({"os": 1}, "wrong-type", "$.os"),
        ({"rootfs": None}, "missing-property", "$.rootfs"),
        ({"rootfs": {"diff_ids": []}}, "missing-property", "$.rootfs.type"),
        ({"rootfs": {"type": "x", "diff_ids": []}}, "wrong-value", "$.rootfs.type"),
        (
            {"rootfs": {"type": "layers", "diff_ids": ["a:b", "x"]}},
            "bad-digest",
            "$.rootfs.diff_ids[1]",
        ),
        (
            {"rootfs": {"type": "layers", "diff_ids": [1]}},
            "wrong-type",
            "$.rootfs.diff_ids[0]",
        ),
        ({"config": {"Env": "PATH"}}, "wrong-type", "$.config.Env"),
        ({"config": {"Env": ["a", 1]}}, "wrong-type", "$.config.Env[1]"),
        ({"config": {"ExposedPorts": []}}, "wrong-type", "$.config.ExposedPorts"),
        ({"config": {"Labels": {"a.b": 1}}}, "wrong-type", '$.config.Labels["a.b"]'),
        ({"config": {"user": "x"}}, "case-variant", "$.config.user"),
        ({"history": [{"empty_layer": 1}]}, "wrong-type", "$.history[0].empty_layer"),
        ({"history": [{"created": "now"}]}, "bad-time", "$.history[0].created"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_at_its_place(
    changes: dict[str, Any], code: str, place: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        decoded(**changes)
    assert [(found.code, found.place) for found in caught.value.problems] == [(code, place)]


@pytest.mark.parametrize(
    ("model", "values", "place"),
    [
        (History, {"created": 1}, "$.created"),
        (History, {"empty_layer": "yes"}, "$.empty_layer"),
        (ContainerConfig, {"working_dir": 1}, "$.WorkingDir"),
        (RootFs, {"diff_ids": [1]}, "$.diff_ids[0]"),
    ],
)
def test_the_constructor_refuses_a_value_of_another_type(
    model: type[Any], values: dict[str, Any], place: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        model(**values)
    assert [(found.code, found.place) for found in caught.value.problems] == [("wrong-type", place)]


def test_a_datetime_with_a_zone_is_a_time() -> None:
    """`created` takes a `datetime`; UTC is written as `Z`, other zones as their offset."""
    east = timezone(timedelta(hours=5, minutes=30))
    assert History(created=datetime(2026, 1, 2, tzinfo=UTC)).created == "2026-01-02T00:00:00Z"
    found = ImageConfig(
        architecture="amd64",
        os="linux",
        rootfs=RootFs(),
        created=datetime(2026, 1, 2, 3, 4, 5, 6, east),
    )
    assert found.created == "2026-01-02T03:04:05.000006+05:30"


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(DocumentError, match="needs a time zone") as caught:
        History(created=datetime(2026, 1, 2))  # noqa: DTZ001 # that is the test
    assert caught.value.problems[0].place == "$.created"


def test_diff_ids_are_taken_as_text() -> None:
    """Text is a digest, and a text that is not a digest is named by its place."""
    text = "sha256:" + "a" * 64
    assert type(RootFs(diff_ids=[text]).diff_ids[0]) is Digest
    with pytest.raises(DocumentError) as caught:
        RootFs(diff_ids=[text, "x"])
    assert caught.value.problems[0].place == "$.diff_ids[1]"


@pytest.mark.spec("config:diff-ids")
@pytest.mark.parametrize("rootfs", [{"type": "layers", "diff_ids": None}, {"type": "layers"}])
def test_diff_ids_that_are_null_or_absent_are_read_as_none(rootfs: dict[str, Any]) -> None:
    """BuildKit writes null for an image FROM scratch; the list is written again as empty."""
    config = decoded(rootfs=rootfs)
    assert config.rootfs.diff_ids == ()
    assert b'"rootfs":{"type":"layers","diff_ids":[]}' in encode(config)


@pytest.mark.spec("considerations:property-types")
@pytest.mark.parametrize(
    "changes",
    [
        {"history": None},
        {"config": None},
        {"created": None},
        {"variant": None},
        {"os.version": None},
        {"os.features": None},
        {
            "config": dict.fromkeys(
                ["User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "Labels"]
            )
        },
        {"history": [dict.fromkeys(["created", "created_by", "comment", "empty_layer"])]},
    ],
)
def test_null_means_that_an_optional_property_is_absent(changes: dict[str, Any]) -> None:
    """Go programs write null for empty lists and maps, at any depth."""
    assert decoded(**changes).architecture == decoded().architecture
