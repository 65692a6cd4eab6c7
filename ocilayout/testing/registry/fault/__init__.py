"""Ways to misbehave, for `LoopbackRegistry.misbehave`.

Some answer in place of the registry, and then nothing is stored, deleted or begun. The others have
the registry answer, and spoil what it says or how it is sent. Several for one request are applied
in the order in which they were given. A way that is not here is a function like any of these:

    def shout(request: Request, proceed: Callable[[], Answer]) -> Answer:
        answer = proceed()                   # what the registry answers; left out, it does nothing
        answer.set_body(b"".join(answer.pieces()).upper())
        return answer
"""

from ocilayout.testing.registry.fault.detour import after, before, ignore
from ocilayout.testing.registry.fault.lie import (
    body,
    endless,
    flip,
    grow,
    gzip,
    header,
    rewrite,
    shrink,
    status,
)
from ocilayout.testing.registry.fault.substitute import (
    answer,
    hang_up,
    pretend,
    raw,
    redirect,
    redirect_forever,
    refuse,
)
from ocilayout.testing.registry.fault.transfer import Stall, chunked, cut, overflow, promise

__all__ = [
    "Stall",
    "after",
    "answer",
    "before",
    "body",
    "chunked",
    "cut",
    "endless",
    "flip",
    "grow",
    "gzip",
    "hang_up",
    "header",
    "ignore",
    "overflow",
    "pretend",
    "promise",
    "raw",
    "redirect",
    "redirect_forever",
    "refuse",
    "rewrite",
    "shrink",
    "status",
]
