"""A layout in a folder: its blobs, its root index, and how both are read and changed."""

from __future__ import annotations

from ocilayout.layout.blobs import Blobs
from ocilayout.layout.collection import CollectReport
from ocilayout.layout.disk import File, acting, describe, fsync, open_regular, path_of
from ocilayout.layout.edit import Edit
from ocilayout.layout.entrylist import DEPTH, iter_parts
from ocilayout.layout.indexfile import IndexFile
from ocilayout.layout.ingest import write_hashed
from ocilayout.layout.layout import Layout
from ocilayout.layout.newfile import new_file
from ocilayout.layout.pool import thread_pool
from ocilayout.layout.reach import following_links, named_in, subjects, subjects_of
from ocilayout.layout.realfolder import ABSENT, OwnFolders, make_folders
from ocilayout.layout.referrer import describe_referrer, fallback_tag
from ocilayout.layout.rootentry import RootEntry, entry_digest, says_more
from ocilayout.layout.rootindex import MAX_ROOT_INDEX, RootIndex, find_array, parse_root
from ocilayout.layout.temporary import Leftover, is_beside_blobs, leftovers
from ocilayout.layout.view import View, all_names, arriving_name, entries_of, in_any_size

__all__ = [
    "ABSENT",
    "DEPTH",
    "MAX_ROOT_INDEX",
    "Blobs",
    "CollectReport",
    "Edit",
    "File",
    "IndexFile",
    "Layout",
    "Leftover",
    "OwnFolders",
    "RootEntry",
    "RootIndex",
    "View",
    "acting",
    "all_names",
    "arriving_name",
    "describe",
    "describe_referrer",
    "entries_of",
    "entry_digest",
    "fallback_tag",
    "find_array",
    "following_links",
    "fsync",
    "in_any_size",
    "is_beside_blobs",
    "iter_parts",
    "leftovers",
    "make_folders",
    "named_in",
    "new_file",
    "open_regular",
    "parse_root",
    "path_of",
    "says_more",
    "subjects",
    "subjects_of",
    "thread_pool",
    "write_hashed",
]
