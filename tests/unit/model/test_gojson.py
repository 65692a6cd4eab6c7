"""The JSON writer: it writes as Go does, and refuses values that JSON cannot express."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ocilayout.errors import DocumentError
from ocilayout.model.gojson import compact, dump_json

if TYPE_CHECKING:
    from ocilayout.model.frozenmap import Json


@pytest.mark.spec("considerations:canonical", "config:compact", "descriptor:canonical")
class TestDump:
    @pytest.mark.parametrize("value", ["\ud800", float("nan"), float("-inf")])
    def test_it_refuses_values_that_json_cannot_express(self, value: Json) -> None:
        with pytest.raises(DocumentError):
            dump_json({"a": [value]})

    def test_it_is_compact_and_keeps_the_order(self) -> None:
        assert dump_json({"b": [1, True, None, 2.5], "a": {}}) == b'{"b":[1,true,null,2.5],"a":{}}'

    def test_it_escapes_the_characters_that_go_escapes_and_no_others(self) -> None:
        assert dump_json({"<a>": '&\u2028\u2029\u00e9\U0001f433\x7f\x00"\\/'}) == (
            '{"\\u003ca\\u003e":"\\u0026\\u2028\\u2029\u00e9\U0001f433\x7f\\u0000\\"\\\\/"}'.encode()
        )


class TestCompact:
    def test_white_space_is_removed_between_tokens_and_kept_in_strings(self) -> None:
        spaced = ' {\n"a b" :\t[ 1.50,\r\n"\\" , ]\\\\" , null ] , "c":"\\\\" } '
        assert compact(spaced) == '{"a b":[1.50,"\\" , ]\\\\",null],"c":"\\\\"}'

    def test_compact_text_stays_as_it_is(self) -> None:
        for text in ("", '{"a":[1,{}]}', '},{"a b":"c , d"}'):
            assert compact(text) == text
