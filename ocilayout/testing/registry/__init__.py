"""A registry on loopback to test clients of the distribution-spec with; real HTTP, in memory.

It behaves correctly until a test tells it not to:

    from ocilayout.testing.registry import LoopbackRegistry, fault

    def test_a_cut_download_is_not_kept():
        with LoopbackRegistry() as registry:
            layer = registry.put_blob("team/app", b"layer of the test")
            registry.misbehave("GET blob", fault.cut(after=5))
            with pytest.raises(MyClientError):
                my_client.pull_blob(registry.host, "team/app", layer.digest)

With pytest the fixture `oci_registry` is such a registry, which serves while the test runs. See
`fault` for the ways to misbehave, `bomb` for manifests that are too large, and `BasicAuth` and
`TokenAuth` for authentication. It does not store files, and does not collect garbage.
"""

from ocilayout.testing.registry import bomb, fault
from ocilayout.testing.registry.loopback import LoopbackRegistry
from ocilayout.testing.registry.permission import Auth, BasicAuth, Token, TokenAuth
from ocilayout.testing.registry.reply import Answer, Content, HangUpError, refusal, reply
from ocilayout.testing.registry.request import ENDPOINTS, Fault, Request, Rule
from ocilayout.testing.registry.storage import Storage

__all__ = [
    "ENDPOINTS",
    "Answer",
    "Auth",
    "BasicAuth",
    "Content",
    "Fault",
    "HangUpError",
    "LoopbackRegistry",
    "Request",
    "Rule",
    "Storage",
    "Token",
    "TokenAuth",
    "bomb",
    "fault",
    "refusal",
    "reply",
]
