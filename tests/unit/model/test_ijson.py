"""The reader of I-JSON: each kind of text that is refused, with its code and place."""

from __future__ import annotations

import json

import pytest

from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.model.ijson import parse_json, surely_ijson
from ocilayout.model.limit import MAX_DEPTH, MAX_DOCUMENT, MAX_NODES


def nested(depth: int) -> bytes:
    """Return an object with nested arrays in it, `depth` levels in all."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


class TestParse:
    @pytest.mark.parametrize(
        "data",
        [
            b"{}",
            b' \t\r\n{"a":1}\n',
            '{"\u00e9":"\U0001f433"}'.encode(),
            b'{"a":"\\ud83d\\udc33"}',
            b'{"a":"\\\\ud800"}',
            b'{"a":[{"a":{"a":1}}],"b":{"a":2}}',
            b'{"a":"\\":1,\\"a\\":2"}',
            b'{"a" : 1, "b" : " :"}',
            b'{"a":-0,"b":1e308,"c":123456789012345678901234567890}',
        ],
    )
    def test_an_object_is_read(self, data: bytes) -> None:
        assert isinstance(parse_json(data), dict)

    def test_the_order_of_properties_is_kept(self) -> None:
        assert list(parse_json(b'{"b":1,"a":2,"c":3}')) == ["b", "a", "c"]

    @pytest.mark.spec(
        "considerations:json",
        "considerations:duplicate-keys",
        "considerations:numbers-and-texts",
        "annotations:unique-keys",
    )
    @pytest.mark.parametrize(
        ("data", "code", "place"),
        [
            (b"", "bad-json", "$"),
            (b"{", "bad-json", "$"),
            (b"{}{}", "bad-json", "$"),
            (b"{} x", "bad-json", "$"),
            (b"{'a':1}", "bad-json", "$"),
            (b'{"a":1,}', "bad-json", "$"),
            (b'{"a":01}', "bad-json", "$"),
            (b'{"a":NaN}', "bad-json", "$"),
            (b'{"a":-Infinity}', "bad-json", "$"),
            (b'{"a":"\n"}', "bad-json", "$"),
            (b'{"a":"\\x"}', "bad-json", "$"),
            (b"\xef\xbb\xbf{}", "bad-encoding", "$"),
            (b'{"a":"\xff"}', "bad-encoding", "$"),
            (b'{"a":"\xed\xa0\x80"}', "bad-encoding", "$"),
            ("{}".encode("utf-16"), "bad-encoding", "$"),
            (b'{"a":' + b"1" * 5000 + b"}", "bad-number", "$"),
            (b'{"a":1e400}', "bad-number", "$"),
            (b'{"a":-1e400}', "bad-number", "$"),
            (b'{"a":["\\ud800"]}', "bad-unicode", "$.a[0]"),
            (b'{"a":{"\\udc00":1}}', "bad-unicode", "$.a"),
            (b'{"a":"\\udc33\\ud83d"}', "bad-unicode", "$.a"),
            (b"[]", "wrong-type", "$"),
            (b"null", "wrong-type", "$"),
            (b'"{}"', "wrong-type", "$"),
            (b'{"a":1,"a":1}', "duplicate-property", "$.a"),
            (b'{"a":1,"\\u0061":2}', "duplicate-property", "$.a"),
            (b'{"a" :1,"a" :2}', "duplicate-property", "$.a"),
            (b'{"a":[{"b c":1,"b c":2}]}', "duplicate-property", '$.a[0]["b c"]'),
            (b'[{"a":1,"a":2}]', "duplicate-property", "$[0].a"),
            (b'{"":1,"":2}', "duplicate-property", '$[""]'),
            (b'{"_b1":{"1":1,"1":2}}', "duplicate-property", '$._b1["1"]'),
            (b'{"\\"":1,"\\"":2}', "duplicate-property", '$["\\""]'),
            (b'{"\xc3\xa9":1,"\xc3\xa9":2}', "duplicate-property", '$["\\u00e9"]'),
        ],
    )
    def test_bytes_that_are_not_an_ijson_object_are_refused(
        self, data: bytes, code: str, place: str
    ) -> None:
        with pytest.raises(DocumentError) as caught:
            parse_json(data)
        assert [(found.code, found.place) for found in caught.value.problems] == [(code, place)]

    @pytest.mark.parametrize("space", [b" ", b"\t", b"\n", b"\r", b"\r\n", b"\t  "])
    def test_white_space_before_a_colon_does_not_hide_a_duplicate(self, space: bytes) -> None:
        for text in (b'{"a"%b:1,"a":2}', b'{"a":1,"a"%b:2}', b'{"a"%b:1,"a":2,"b":3}'):
            with pytest.raises(DocumentError) as caught:
                parse_json(text % space)
            assert [found.place for found in caught.value.problems] == ["$.a"]

    def test_duplicates_among_very_many_properties_are_found_in_one_pass(self) -> None:
        """Counting each name in all names would take an hour."""
        many = b"".join(b'"%d":0,' % number for number in range(100_000))
        with pytest.raises(DocumentError) as caught:
            parse_json(b"{" + many + b'"7":1}')
        assert [found.place for found in caught.value.problems] == ['$["7"]']

    def test_all_duplicates_are_listed_each_once(self) -> None:
        with pytest.raises(DocumentError) as caught:
            parse_json(b'{"b":1,"a":2,"b":3,"a":4,"b":{"c":1,"c":2}}')
        assert sorted(found.place for found in caught.value.problems) == ["$.a", "$.b", "$.b.c"]

    def test_the_error_says_where_the_text_is_wrong(self) -> None:
        with pytest.raises(DocumentError, match="at line 2 column 1"):
            parse_json(b'{"a":\n}')
        with pytest.raises(DocumentError, match="byte 0xff at offset 6"):
            parse_json(b'{"a":"\xff"}')

    @pytest.mark.parametrize(("data", "noun"), [(b"[]", "an array"), (b"null", "null")])
    def test_the_error_names_types_as_json_does(self, data: bytes, noun: str) -> None:
        with pytest.raises(DocumentError, match=f"expected an object, found {noun}"):
            parse_json(data)


@pytest.mark.spec("considerations:limits")
class TestLimits:
    def test_the_largest_document_is_read_and_one_byte_more_is_not(self) -> None:
        assert parse_json(b"{}" + b" " * (MAX_DOCUMENT - 2)) == {}
        with pytest.raises(LimitExceededError) as caught:
            parse_json(b"{}" + b" " * (MAX_DOCUMENT - 1))
        assert (caught.value.what, caught.value.limit) == ("document", MAX_DOCUMENT)

    def test_the_limit_is_the_callers(self) -> None:
        assert parse_json(b"{}", limit=2) == {}
        with pytest.raises(LimitExceededError, match="has 3 bytes, the limit is 2"):
            parse_json(b"{} ", limit=2)

    @pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 2_000, 200_000])
    def test_the_deepest_document_is_read_and_one_level_more_is_not(self, depth: int) -> None:
        parse_json(nested(MAX_DEPTH))
        with pytest.raises(LimitExceededError) as caught:
            parse_json(nested(depth))
        assert (caught.value.what, caught.value.limit) == ("depth", MAX_DEPTH)

    def test_the_depth_is_limited_also_where_an_array_is_outermost(self) -> None:
        with pytest.raises(LimitExceededError):
            parse_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


class TestSurelyIjson:
    """The quick check accepts an array only if it is surely right."""

    @pytest.mark.parametrize("text", ['[{"a":1,"b":{"c":"d"}},{}]', '[{"a":{}}]', "[]"])
    def test_an_array_of_known_objects_passes(self, text: str) -> None:
        found = json.loads(text)
        inner = [value for item in found for value in item.values() if isinstance(value, dict)]
        assert surely_ijson([*found, *inner], text)

    @pytest.mark.parametrize(
        "text",
        [
            '[{"a":1,"a":1}]',
            '[{"a" :1,"a" :1}]',
            '[{"a":{"b":1}}]',
            '[{"a":[[]]}]',
            '[{"a":"\\ud800"}]',
            '[{"a":"\\":"}]',
        ],
    )
    def test_an_array_that_may_be_wrong_does_not(self, text: str) -> None:
        assert not surely_ijson(json.loads(text), text)


class TestNodes:
    def test_a_document_with_too_many_values_is_refused(self) -> None:
        """Commas, colons and brackets count, at any size of the text; those in strings do not."""
        parse_json(b'{"":[%s]}' % b",".join([b"0"] * (MAX_NODES - 2)))
        for value in (b"0", b"{}", b"[]", b'""'):
            many = b'{"":[%s]}' % b",".join([value] * MAX_NODES)
            with pytest.raises(LimitExceededError) as caught:
                parse_json(many)
            assert (caught.value.what, caught.value.limit) == ("nodes", MAX_NODES)
        parse_json(b'{"":"%s"}' % (b',:[{\\",' * (MAX_NODES // 2)))

    def test_a_manifest_of_ten_thousand_layers_with_annotations_is_read(self) -> None:
        """A document of 4 MiB as programs write it does not have too many values."""
        layer = (
            b'{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%064d",'
            b'"size":1,"annotations":{"com.example.one":"1","com.example.two":"2",'
            b'"com.example.three":"3","com.example.four":"4"}}'
        )
        data = b'{"layers":[%s]}' % b",".join(layer % number for number in range(10_000))
        assert len(data) < MAX_DOCUMENT
        assert len(parse_json(data)) == 1
        notes = b",".join(b'"com.example.a%d":"x"' % number for number in range(130_000))
        assert len(parse_json(b"{%s}" % notes)) == 130_000

    def test_names_of_any_length_make_short_places(self) -> None:
        """The place of a duplicate below long names is not longer than a page."""
        inner = b'{"a":1,"a":2}'
        for _ in range(100):
            inner = b'{"%s":%s}' % (b"k" * 10_000, inner)
        with pytest.raises(DocumentError) as caught:
            parse_json(inner)
        assert len(str(caught.value)) < 30_000

    def test_no_more_than_a_hundred_problems_are_collected(self) -> None:
        """An error lists the first problems, and says that there are more."""
        names = b",".join(b'"%d":1,"%d":2' % (number, number) for number in range(1000))
        with pytest.raises(DocumentError, match="and more: reading stopped at 100 prob") as caught:
            parse_json(b"{%s}" % names)
        assert len(caught.value.problems) == 100
        assert len(str(caught.value)) < 2000
