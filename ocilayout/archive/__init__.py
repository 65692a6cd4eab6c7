"""A layout inside a tar, and images as Docker saves them: read where they lie, written as a stream.

An archive is never changed: `write_archive` and `write_docker_archive` create another, and `copy`
brings content from an archive into a layout. For layers, which are tars of others, too, the door
has the reader of tars that refuses what readers disagree about: `open_window` and `iter_members`.
"""

from ocilayout.archive.docker import DockerArchive
from ocilayout.archive.dockerwriter import docker_names, write_docker_archive
from ocilayout.archive.member import Member, iter_members
from ocilayout.archive.reader import Archive
from ocilayout.archive.window import Window, open_window
from ocilayout.archive.writer import write_archive

__all__ = [
    "Archive",
    "DockerArchive",
    "Member",
    "Window",
    "docker_names",
    "iter_members",
    "open_window",
    "write_archive",
    "write_docker_archive",
]
