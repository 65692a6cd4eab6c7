"""The differences that the machine of the testing kit finds in other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from ocilayout.model.mediatype import OCI_MANIFEST
from ocilayout.testing.machine import CONTENTS, Model, ProgramAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocilayout.testing.machine import Content

Commands = dict[str, tuple[str, ...]]

UMOCI: Final[Commands] = {
    "create": ("umoci", "init", "--layout", "{path}"),
    "names": ("umoci", "ls", "--layout", "{path}"),
    "retag": ("umoci", "tag", "--image", "{path}:{old}", "{name}"),
    "untag": ("umoci", "rm", "--image", "{path}:{name}"),
    "collect": ("umoci", "gc", "--layout", "{path}"),
}
_AS_IT_IS: Final = ("skopeo", "copy", "--preserve-digests", "--multi-arch=all")
SKOPEO: Final[Commands] = {
    "bring": (*_AS_IT_IS, "oci:{source}:content", "oci:{path}:{name}"),
    "copy": (*_AS_IT_IS, "oci:{source}:{ref}", "oci:{path}:{name}"),
}
MISSING: Final = {"umoci": "does not exist|not found", "skopeo": "no descriptor found|not found"}


class ForgetfulModel(Model):
    """A store that forgets content once its tag is removed or moved."""

    def untag(self, name: str) -> None:
        """Remove a tag with its entry, if it exists."""
        self.entries = [entry for entry in self.entries if entry.name != name]

    def retag(self, old: str, name: str) -> None:
        """Set a tag to the content of another tag."""
        digest = self.require(old).digest
        self.untag(name)
        self.tag(name, digest, {})


PLAIN: Final = tuple(
    content
    for content in CONTENTS
    if content.root.media_type == OCI_MANIFEST
    and content.digest.algorithm == "sha256"
    and content.subject is None
)
"""OCI manifests with sha256 digests and without a subject."""


@frozen
class Finding:
    """A difference from what the model says.

    Attributes:
        program: The program that differs.
        about: What it does, unlike the model.
        adapter: Runs it under the machine, with the content that shows the difference.
        shown: The message of the machine, as a regular expression.
    """

    program: str
    about: str
    adapter: ProgramAdapter
    shown: str


def under(
    commands: Mapping[str, tuple[str, ...]],
    *verbs: str,
    contents: Sequence[Content] = PLAIN,
    model: type[Model] = Model,
) -> ProgramAdapter:
    """Return an adapter for a program with these verbs, or with all verbs."""
    kept = {"create", "names", *verbs} if verbs else set(commands)
    return ProgramAdapter(
        {verb: words for verb, words in commands.items() if verb in kept},
        missing="|".join(MISSING.values()),
        model=model,
        contents=contents,
    )


def _titled(*titles: str) -> tuple[Content, ...]:
    return tuple(content for content in CONTENTS if content.title in titles)


def _without(option: str) -> Commands:
    return {
        verb: tuple(word for word in words if not word.startswith(option))
        for verb, words in SKOPEO.items()
    }


FINDINGS: Final = (
    Finding(
        "umoci",
        "`tag` tags the only manifest inside an index, not the index",
        under(UMOCI, "retag", contents=_titled("index about the pair")),
        "^names: ",
    ),
    Finding(
        "umoci",
        "`tag` refuses the name of an index of two manifests as ambiguous",
        under(UMOCI, "retag", contents=_titled("pair")),
        "tag is ambiguous",
    ),
    Finding(
        "umoci",
        "`rm` of a tag that does not exist is not an error",
        under(UMOCI, "untag", contents=PLAIN),
        "was taken",
    ),
    Finding(
        "umoci",
        "`gc` deletes the config and the layers of tagged Docker manifests",
        under(UMOCI, "collect", contents=_titled("docker")),
        "content .* is gone",
    ),
    Finding(
        "umoci",
        "`gc` keeps unreferenced blobs with sha512 digests, and fails if one is referenced",
        under(UMOCI, "collect", contents=_titled("of sha512")),
        "a name for what is gone: was taken|unsupported algorithm",
    ),
    Finding(
        "umoci",
        "`gc` fails, and deletes nothing, if the subject of a manifest is absent",
        under(UMOCI, "collect", contents=_titled("signature of one")),
        "getting reachables",
    ),
    Finding(
        "skopeo",
        "`copy` compresses layers, which changes digests, unless `--preserve-digests` is given",
        under(_without("--preserve-digests"), contents=_titled("one")),
        "^names: ",
    ),
    Finding(
        "skopeo",
        "`copy` copies only this platform of an index, unless `--multi-arch=all` is given",
        under(_without("--multi-arch"), contents=_titled("pair")),
        "^names: ",
    ),
    Finding(
        "skopeo",
        "`copy` refuses an index inside an index",
        under(SKOPEO, contents=_titled("nested")),
        "received a manifest list",
    ),
    Finding(
        "skopeo",
        "`copy` does not find a Docker manifest by its name",
        under(SKOPEO, contents=_titled("docker")),
        "refused what it must do: .*no descriptor found",
    ),
    Finding(
        "skopeo",
        "`copy` refuses layers with sha512 digests",
        under(SKOPEO, contents=_titled("of sha512")),
        "sha512",
    ),
)
