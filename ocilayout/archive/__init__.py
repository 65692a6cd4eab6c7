"""A layout inside a tar: read where it lies, and written as a stream.

An archive is never changed: `write_archive` creates another, and `copy` brings content from an
archive into a layout. For layers, which are tars of others, too, the door offers the reader of tars
that refuses what readers disagree about: `open_window` and `iter_members`.
"""

from ocilayout.archive.member import Member, iter_members
from ocilayout.archive.reader import Archive
from ocilayout.archive.window import Window, open_window
from ocilayout.archive.writer import write_archive

__all__ = ["Archive", "Member", "Window", "iter_members", "open_window", "write_archive"]
