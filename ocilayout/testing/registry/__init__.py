"""A registry on loopback to test clients of the distribution-spec with; real HTTP, in memory.

It behaves, until it is told not to:

    from ocilayout.testing.registry import LoopbackRegistry, fault

    def test_a_cut_download_is_no_download():
        with LoopbackRegistry() as registry:
            layer = registry.put_blob("team/app", b"layer of the test")
            registry.misbehave("GET blob", fault.cut(after=5))
            with pytest.raises(MyClientError):
                my_client.pull_blob(registry.host, "team/app", layer.digest)

With pytest the fixture `oci_registry` is such a registry, served while the test runs. See `fault`
for the ways to misbehave, `bomb` for manifests that are too much, and `BasicAuth` and `TokenAuth`
for registries that do not serve everybody. Not in here: the file system, and garbage collection.
"""

from ocilayout.testing.registry import bomb, fault
from ocilayout.testing.registry.auth import Auth, BasicAuth, Token, TokenAuth
from ocilayout.testing.registry.content import Holdings
from ocilayout.testing.registry.endpoint import ENDPOINTS
from ocilayout.testing.registry.exchange import (
    Answer,
    Content,
    HangUpError,
    Request,
    refusal,
    reply,
)
from ocilayout.testing.registry.rule import Fault, Rule
from ocilayout.testing.registry.server import LoopbackRegistry

__all__ = [
    "ENDPOINTS",
    "Answer",
    "Auth",
    "BasicAuth",
    "Content",
    "Fault",
    "HangUpError",
    "Holdings",
    "LoopbackRegistry",
    "Request",
    "Rule",
    "Token",
    "TokenAuth",
    "bomb",
    "fault",
    "refusal",
    "reply",
]
