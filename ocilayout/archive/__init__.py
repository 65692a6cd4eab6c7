"""A layout inside a tar: read where it lies, and written as a stream.

An archive is never changed: `write_archive` makes another, and `copy` brings content from an
archive into a layout. What a tar is made of is known to `member` and `tarstream`, where bytes lie
to `window`, and what the members are to a layout to `inventory`.
"""

from ocilayout.archive.member import Member, iter_members
from ocilayout.archive.reader import Archive
from ocilayout.archive.window import Window, open_window
from ocilayout.archive.writer import write_archive

__all__ = ["Archive", "Member", "Window", "iter_members", "open_window", "write_archive"]
