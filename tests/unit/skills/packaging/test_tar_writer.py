"""The tar of a skill, byte for byte as Go's archive/tar writes it."""

from __future__ import annotations

import pytest

from skills.packaging.tar_writer import write_tar


class TestTar:
    @pytest.mark.spec("layer:attributes")
    def test_a_header_has_these_bytes(self) -> None:
        tar = write_tar({"dir/file": b"data"}, 1)
        fields = (
            b"dir/file".ljust(100, b"\0"),
            b"0000644\x000000000\x000000000\x00",
            b"00000000004\x0000000000001\x00",
            b"010620\0 ",
            b"0",
            bytes(100),
            b"ustar\x0000",
            bytes(64),
            b"0000000\x000000000\x00",
            bytes(155 + 12),
        )
        assert tar[:512] == b"".join(fields)
        assert tar[512:] == b"data" + bytes(508) + bytes(1024)

    def test_an_empty_file_and_a_full_block_are_not_padded(self) -> None:
        assert len(write_tar({"a": b""}, 0)) == 512 + 1024
        assert len(write_tar({"a": bytes(512)}, 0)) == 1024 + 1024
        assert len(write_tar({"a": bytes(513)}, 0)) == 1536 + 1024

    @pytest.mark.parametrize(
        ("path", "prefix", "name"),
        [
            ("f" * 100, "", "f" * 100),
            ("d/" + "f" * 98, "", "d/" + "f" * 98),
            ("d/" + "f" * 99, "d", "f" * 99),
            ("d/" + "f" * 100, "d", "f" * 100),
            ("d" * 155 + "/f", "d" * 155, "f"),
            ("d" * 155 + "/" + "f" * 100, "d" * 155, "f" * 100),
            ("a/" * 60 + "f", "a/" * 59 + "a", "f"),
            # The last slash that the prefix can hold counts, even where a later one would do.
            ("a" * 150 + "/bcd/efgh/i", "a" * 150 + "/bcd", "efgh/i"),
        ],
    )
    def test_a_long_path_is_split_at_the_last_slash_that_fits(
        self, path: str, prefix: str, name: str
    ) -> None:
        tar = write_tar({path: b""}, 0)
        assert tar[0:100].rstrip(b"\0").decode() == name
        assert tar[345:500].rstrip(b"\0").decode() == prefix
        assert tar[156:157] == b"0"
        assert len(tar) == 512 + 1024

    @pytest.mark.parametrize(
        ("path", "extended", "name"),
        [
            ("é", "PaxHeaders.0", ""),
            ("dir/é.md", "dir/PaxHeaders.0/.md", "dir/.md"),
            ("f" * 101, "PaxHeaders.0/" + "f" * 87, "f" * 100),
            ("d" * 156 + "/f", "d" * 100, "d" * 100),
            ("d/" + "f" * 101, "d/PaxHeaders.0/" + "f" * 85, "d/" + "f" * 98),
            # A slash at the end of the field would make a folder of it.
            ("d" * 99 + "/" + "f" * 101, "d" * 99, "d" * 99),
            ("é" + "d" * 99 + "/f", "d" * 99, "d" * 99),
            # Go leaves the second of two slashes behind the NUL.
            ("d" * 98 + "/é/f", "d" * 98, "d" * 98 + "\0/"),
        ],
    )
    def test_other_paths_get_a_pax_record(self, path: str, extended: str, name: str) -> None:
        tar = write_tar({path: b"data"}, 9)
        assert tar[:100] == extended.encode().ljust(100, b"\0")
        assert tar[100:124] == b"0000000\0" * 3
        assert tar[136:148] == b"00000000000\0"
        assert tar[156:157] == b"x"
        assert tar[257:265] == b"ustar\x0000"
        assert tar[265:512] == bytes(247)
        size = int(tar[124:135], 8)
        record = tar[512 : 512 + size]
        assert record == f"{size} path={path}\n".encode()
        main = tar[512 + -(-size // 512) * 512 :]
        assert main[:100] == name.encode().ljust(100, b"\0")
        assert main[100:108] == b"0000644\0"
        assert main[136:148] == b"00000000011\0"
        assert main[329:345] == b"0000000\0" * 2
        assert len(main) == 1024 + 1024

    @pytest.mark.parametrize(("length", "size"), [(101, 111), (989, 999), (990, 1001), (991, 1002)])
    def test_a_record_counts_the_digits_of_its_own_length(self, length: int, size: int) -> None:
        record = write_tar({"f" * length: b""}, 0)[512:]
        text = f"{size} path=" + "f" * length + "\n"
        assert len(text) == size
        assert record.startswith(text.encode())
