"""What the machine of the testing kit finds when other programs are put under it."""

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
    """A store in which content is forgotten once its name goes, or means something else."""

    def untag(self, name: str) -> None:
        """Take a name away with its entry, if it is there."""
        self.entries = [entry for entry in self.entries if entry.name != name]

    def retag(self, old: str, name: str) -> None:
        """Let a name mean what another means."""
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
"""OCI manifests by sha256 that are about nothing."""


@frozen
class Finding:
    """A difference from what the model says.

    Attributes:
        program: Who makes it.
        about: What it does; the model says otherwise.
        adapter: Puts it under the machine, with the content that shows it.
        shown: What the machine says, as a regular expression.
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
    """Put a program under the machine: with these verbs, or with all."""
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
        "`tag` gives the name to the one manifest inside of an index, not to the index",
        under(UMOCI, "retag", contents=_titled("index about the pair")),
        "^names: ",
    ),
    Finding(
        "umoci",
        "`tag` refuses a name of an index of two manifests as ambiguous",
        under(UMOCI, "retag", contents=_titled("pair")),
        "tag is ambiguous",
    ),
    Finding(
        "umoci",
        "`rm` of what is not there is no error",
        under(UMOCI, "untag", contents=PLAIN),
        "was taken",
    ),
    Finding(
        "umoci",
        "`gc` deletes the config and the layers of Docker manifests that have names",
        under(UMOCI, "collect", contents=_titled("docker")),
        "content .* is gone",
    ),
    Finding(
        "umoci",
        "`gc` keeps blobs of sha512 that nothing needs, and fails if something does",
        under(UMOCI, "collect", contents=_titled("of sha512")),
        "a name for what is gone: was taken|unsupported algorithm",
    ),
    Finding(
        "umoci",
        "`gc` fails, and deletes nothing, where the subject of a manifest is absent",
        under(UMOCI, "collect", contents=_titled("signature of one")),
        "getting reachables",
    ),
    Finding(
        "skopeo",
        "`copy` compresses layers, which changes digests, unless `--preserve-digests` is said",
        under(_without("--preserve-digests"), contents=_titled("one")),
        "^names: ",
    ),
    Finding(
        "skopeo",
        "`copy` takes of an index the manifest of this platform, unless `--multi-arch=all` is said",
        under(_without("--multi-arch"), contents=_titled("pair")),
        "^names: ",
    ),
    Finding(
        "skopeo",
        "`copy` refuses an index inside of an index",
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
        "`copy` refuses layers of sha512",
        under(SKOPEO, contents=_titled("of sha512")),
        "sha512",
    ),
)
