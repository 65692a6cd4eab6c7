"""Ways to misbehave, for `LoopbackRegistry.misbehave`.

Those in `substitute` answer in place of the registry, so that nothing is stored, deleted or begun.
The others let the registry answer, and change what it says or how that is sent. A test can write
its own as a function:

    def shout(request: Request, proceed: Callable[[], Answer]) -> Answer:
        answer = proceed()                   # the registry's answer; without it, nothing is done
        answer.set_body(b"".join(answer.pieces()).upper())
        return answer
"""

from ocilayout.testing.registry.fault.lie import (
    after,
    before,
    body,
    endless,
    flip,
    grow,
    gzip,
    header,
    ignore,
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
from ocilayout.testing.registry.fault.transmission import Stall, chunked, cut, overflow, promise

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
