"""The layer of a skill, written: a tar as Go's archive/tar writes it, compressed with gzip.

Python's tarfile pads the end and leaves fields empty that Go fills, so the headers are written
here, block by block: the digest of the tar must be the one that ToolHive gives the same folder.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCK: Final = 512
_NAME_FIELD: Final = 100
_PREFIX_FIELD: Final = 155


def write_tar(files: Mapping[str, bytes], epoch: int) -> bytes:
    """Write a tar as Go's archive/tar does when it is asked for PAX.

    That is USTAR wherever the path fits, and a PAX record where it does not. Mode and owner are
    the same for all files, and folders have no entries.

    Args:
        files: The content by path, in the order of the tar.
        epoch: The time of all files, in seconds since 1970, 0 to 2**32 - 1.

    Spec: layer:tar, layer:attributes, layer:sparse, config:reproducible.
    """
    parts: list[bytes] = []
    for path, data in files.items():
        parts += (_header(path.encode(), len(data), epoch), data, bytes(-len(data) % _BLOCK))
    # No padding to a record of 10240 bytes, as other programs write it.
    parts.append(bytes(2 * _BLOCK))
    return b"".join(parts)


def _header(path: bytes, size: int, epoch: int) -> bytes:
    if len(path) <= _NAME_FIELD and path.isascii():
        return _block(path, b"0", mode=0o644, size=size, epoch=epoch)
    slash = path.rfind(b"/", 0, _PREFIX_FIELD + 1)
    if path.isascii() and slash > 0 and 0 < len(path) - slash - 1 <= _NAME_FIELD:
        name = path[slash + 1 :]
        return _block(name, b"0", mode=0o644, size=size, epoch=epoch, prefix=path[:slash])
    record = _record(b"path", path)
    folder, slash_, file = path.rpartition(b"/")
    extended = _ascii(folder + slash_ + b"PaxHeaders.0/" + file)[:_NAME_FIELD].rstrip(b"/")
    return b"".join(
        (
            _block(extended, b"x", mode=0, size=len(record), epoch=0, devices=bytes(16)),
            record,
            bytes(-len(record) % _BLOCK),
            _block(_cut(_ascii(path)), b"0", mode=0o644, size=size, epoch=epoch),
        )
    )


def _block(
    name: bytes,
    kind: bytes,
    *,
    mode: int,
    size: int,
    epoch: int,
    devices: bytes = b"0000000\0" * 2,
    prefix: bytes = b"",
) -> bytes:
    front = name.ljust(_NAME_FIELD, b"\0") + b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        (mode, 0, 0, size, epoch)  # no owner, no group
    )
    # Type and link; magic and version; user and group; device numbers; prefix.
    back = kind + bytes(100) + b"ustar\x0000" + bytes(64) + devices + prefix
    back = back.ljust(_BLOCK - len(front) - 8, b"\0")
    # The checksum counts its own eight bytes as spaces.
    checksum = sum(front) + sum(back) + 8 * ord(" ")
    return front + b"%06o\0 " % checksum + back


def _record(key: bytes, value: bytes) -> bytes:
    """Return a PAX record; the length at its beginning counts itself."""
    rest = b" %s=%s\n" % (key, value)
    size = len(rest) + len(str(len(rest)))
    return b"%d%s" % (len(rest) + len(str(size)), rest)


def _ascii(path: bytes) -> bytes:
    return bytes(byte for byte in path if byte < 0x80)  # noqa: PLR2004


def _cut(name: bytes) -> bytes:
    """Cut a name to its field; a slash at the end would make readers take it for a folder."""
    field = bytearray(name[:_NAME_FIELD])
    if len(name) > _NAME_FIELD and field.endswith(b"/"):
        # Of several slashes Go overwrites the first only.
        field[len(field[:-1].rstrip(b"/"))] = 0
    return bytes(field)


def compress(tar: bytes, epoch: int) -> bytes:
    """Compress a tar.

    The bytes are the same for every run with one version of zlib.
    """
    # Flags 0; XFL 2 is "slowest algorithm", OS 255 is "unknown": RFC 1952, section 2.3.1.
    header = b"\x1f\x8b\x08\x00" + epoch.to_bytes(4, "little") + b"\x02\xff"
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(tar) + deflate.flush()
    trailer = zlib.crc32(tar).to_bytes(4, "little") + len(tar).to_bytes(4, "little")
    return header + body + trailer
