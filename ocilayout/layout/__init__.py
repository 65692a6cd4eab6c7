"""A layout in a folder: its blobs, its root index, and how both are read and changed."""

from __future__ import annotations

from ocilayout.layout.blobs import Blobs, cannot_exist
from ocilayout.layout.choice import (
    all_names,
    arriving_name,
    embedded,
    entries_of,
    resolve_for,
    target_names,
)
from ocilayout.layout.disk import File, acting, describe, fsync, open_regular, path_of
from ocilayout.layout.edit import Edit
from ocilayout.layout.entrylist import DEPTH, find_array, iter_parts
from ocilayout.layout.garbage import CollectReport
from ocilayout.layout.indexfile import IndexFile
from ocilayout.layout.layout import Durability, Layout
from ocilayout.layout.newblob import write_hashed
from ocilayout.layout.newfile import new_file
from ocilayout.layout.pool import thread_pool
from ocilayout.layout.reach import following_links, named_in, subjects
from ocilayout.layout.realfolder import ABSENT, OwnFolders, make_folders
from ocilayout.layout.removal import Holder, RemoveReport
from ocilayout.layout.rootentry import RootEntry, entry_digest, is_worth_keeping
from ocilayout.layout.rootindex import MAX_ROOT_INDEX, RootIndex, parse_root
from ocilayout.layout.temporary import TemporaryFile, is_beside_blobs, temporary_files
from ocilayout.layout.view import View, are_one_image, in_any_size

__all__ = [
    "ABSENT",
    "DEPTH",
    "MAX_ROOT_INDEX",
    "Blobs",
    "CollectReport",
    "Durability",
    "Edit",
    "File",
    "Holder",
    "IndexFile",
    "Layout",
    "OwnFolders",
    "RemoveReport",
    "RootEntry",
    "RootIndex",
    "TemporaryFile",
    "View",
    "acting",
    "all_names",
    "are_one_image",
    "arriving_name",
    "cannot_exist",
    "describe",
    "embedded",
    "entries_of",
    "entry_digest",
    "find_array",
    "following_links",
    "fsync",
    "in_any_size",
    "is_beside_blobs",
    "is_worth_keeping",
    "iter_parts",
    "make_folders",
    "named_in",
    "new_file",
    "open_regular",
    "parse_root",
    "path_of",
    "resolve_for",
    "subjects",
    "target_names",
    "temporary_files",
    "thread_pool",
    "write_hashed",
]
