"""Laws of JSON: models survive a round trip, bytes are Go's, and bad input gives our errors."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ocilayout.errors import DocumentError, LimitExceededError
from ocilayout.layout.rootindex import RootIndex
from ocilayout.model import document as rules
from ocilayout.model import mediatype
from ocilayout.model.annotation import REF_NAME
from ocilayout.model.codec import decode, encode
from ocilayout.model.config import ImageConfig
from ocilayout.model.descriptor import Descriptor
from ocilayout.model.document import decode_document, document_type
from ocilayout.model.gojson import dump_json
from ocilayout.model.ijson import parse_json
from ocilayout.model.limit import MAX_DEPTH
from ocilayout.model.manifest import Header, Index, Manifest
from ocilayout.model.platform import Platform
from ocilayout.testing import strategies as own

if TYPE_CHECKING:
    from ocilayout.model.attribute import Extensible
    from ocilayout.model.frozenmap import Json

LAW = settings(deadline=None)  # no test asserts a time

MODELS: tuple[type[Extensible], ...] = (
    Descriptor,
    Header,
    ImageConfig,
    Index,
    Manifest,
    Platform,
)
TYPES = sorted(mediatype.DOCUMENT_TYPES)
DOCUMENTS: st.SearchStrategy[Extensible] = st.one_of(
    own.manifests(),
    own.indexes(),
    own.configs(),
    own.descriptors(),
    own.platforms(),
    st.builds(Header),
)

# The order of the fields in the Go types of the image-spec, specs-go/v1.
GO_ORDER = {
    Descriptor: "mediaType digest size urls annotations data platform artifactType",
    Header: "imageLayoutVersion",
    ImageConfig: "created author architecture os os.version os.features variant config rootfs"
    " history",
    Index: "schemaVersion mediaType artifactType manifests subject annotations",
    Manifest: "schemaVersion mediaType artifactType config layers subject annotations",
    Platform: "architecture os os.version os.features variant",
}


@pytest.mark.spec("config:unknown-fields", "considerations:unknown-properties")
class TestRoundTrip:
    @LAW
    @given(DOCUMENTS | own.artifact_manifests() | own.schema1_manifests())
    def test_an_encoded_model_decodes_to_the_same_model(self, model: Extensible) -> None:
        data = encode(model)
        again = decode(data, type(model))
        assert again == model
        assert hash(again) == hash(model)
        assert encode(again) == data  # equality alone would not tell 1, 1.0 and true apart


@pytest.mark.spec("considerations:canonical")
class TestGoBytes:
    @LAW
    @given(DOCUMENTS)
    def test_known_properties_are_in_gos_order_followed_by_the_others_sorted(
        self, model: Extensible
    ) -> None:
        names = list(json.loads(encode(model)))
        known = GO_ORDER[type(model)].split()
        assert names == [name for name in known if name in names] + sorted(
            set(names) - set(known), key=str.encode
        )

    @LAW
    @given(own.manifests() | own.indexes() | own.descriptors())
    def test_annotations_are_sorted_by_the_bytes_of_their_keys(
        self, model: Manifest | Index | Descriptor
    ) -> None:
        written = json.loads(encode(model)).get("annotations", {})
        assert list(written.items()) == sorted(
            model.annotations.items(), key=lambda item: item[0].encode()
        )

    @LAW
    @given(own.json_values())
    @example({"</script>": ["&", "\u2028", "\x00\x1f\x7f\x80", '"\\/', "\b\t\n\f\r"]})
    def test_strings_are_escaped_as_in_go_and_no_white_space_is_written(self, value: Json) -> None:
        assert dump_json(value).decode() == go_json(value)

    @LAW
    @given(own.json_values())
    def test_a_dumped_value_reads_back_in_the_same_order(self, value: Json) -> None:
        assert repr(json.loads(dump_json(value))) == repr(value)


def go_json(value: Json) -> str:
    """Write JSON as Go 1.22 does, except for fractions, which keep Python's form."""
    if isinstance(value, str):
        return f'"{"".join(map(go_character, value))}"'
    if isinstance(value, list):
        return f"[{','.join(map(go_json, value))}]"
    if isinstance(value, dict):
        pairs = (f"{go_json(name)}:{go_json(item)}" for name, item in value.items())
        return f"{{{','.join(pairs)}}}"
    if value is None:
        return "null"
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def go_character(character: str) -> str:
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    if character in '"\\':
        return "\\" + character
    if character in short:
        return short[character]
    if ord(character) < 0x20 or character in "<>&\u2028\u2029":
        return f"\\u{ord(character):04x}"
    return character


class TestBadInput:
    @LAW
    @given(st.binary(max_size=60), st.sampled_from(MODELS))
    @example(b"\xef\xbb\xbf{}", Header)
    @example(b'{"a":"\\ud800"}', Header)
    @example(b"[" * 100_000, Header)
    @example(b'{"a":' * 100_000, Header)
    @example(b"9" * 5000, Header)
    @example(b'{"a":1e999}', Header)
    @example('{"imageLayoutVersion":"1.0.0"}'.encode("utf-16"), Header)
    def test_arbitrary_bytes_decode_or_are_refused_with_one_of_our_errors(
        self, data: bytes, model: type[Extensible]
    ) -> None:
        read_or_refuse(data, model)

    @LAW
    @given(DOCUMENTS, st.data())
    def test_damaged_bytes_of_a_document_decode_or_are_refused_with_one_of_our_errors(
        self, model: Extensible, data: st.DataObject
    ) -> None:
        good = encode(model)
        start = data.draw(st.integers(0, len(good)))
        end = data.draw(st.integers(start, min(start + 4, len(good))))
        middle = data.draw(
            st.sampled_from([b"", b'"', b"}", b"null", b"\xff", b"\\u", b"\\ud8ff", b"1e400", b","])
        )
        read_or_refuse(good[:start] + middle + good[end:], type(model))

    @LAW
    @given(DOCUMENTS, st.data())
    def test_a_document_with_one_other_value_decodes_or_is_refused_with_one_of_our_errors(
        self, model: Extensible, data: st.DataObject
    ) -> None:
        document: Json = json.loads(encode(model))
        places = [place for place, _ in nodes(document)]
        where = data.draw(st.sampled_from(places))
        read_or_refuse(
            dump_json(replaced(document, where, data.draw(own.json_values()))), type(model)
        )

    @LAW
    @given(own.root_index_documents(), st.data())
    def test_a_root_index_with_one_other_value_is_read_or_refused_with_one_of_our_errors(
        self, document: dict[str, Json], data: st.DataObject
    ) -> None:
        where = data.draw(st.sampled_from([place for place, _ in nodes(document)]))
        broken = dump_json(replaced(document, where, data.draw(own.json_values())))
        with suppress(DocumentError):
            root = RootIndex(broken)
            root.names({REF_NAME: "x"})
            root.entries()

    @LAW
    @given(own.manifests() | own.indexes(), st.sampled_from(TYPES))
    def test_a_document_is_never_read_as_another_type(
        self, model: Manifest | Index, media_type: str
    ) -> None:
        data = encode(model)
        descriptor = Descriptor.of(data, media_type)
        kind = rules.MODELS[media_type]
        if model.media_type == media_type or (model.media_type is None and type(model) is kind):
            assert decode_document(data, descriptor) == model
            return
        with pytest.raises(DocumentError):
            decode_document(data, descriptor)

    @LAW
    @given(own.manifests() | own.indexes())
    def test_a_document_has_its_media_type_or_else_that_of_its_kind(
        self, model: Manifest | Index
    ) -> None:
        kind = mediatype.OCI_INDEX if isinstance(model, Index) else mediatype.OCI_MANIFEST
        assert document_type(encode(model)) == (model.media_type or kind)

    @LAW
    @given(st.integers(1, 2 * MAX_DEPTH), st.sampled_from(["[", '{"a":', '{"a" :', '[{"a":']))
    def test_nesting_is_refused_one_level_beyond_the_limit(self, count: int, opening: str) -> None:
        closing = opening.translate(str.maketrans("[{", "]}", '"a: '))[::-1]
        # The outermost object adds one level.
        text = '{"x":' + opening * count + "0" + closing * count + "}"
        depth = 1 + count * len(closing)
        if depth <= MAX_DEPTH:
            parse_json(text.encode())
            return
        with pytest.raises(LimitExceededError) as caught:
            parse_json(text.encode())
        assert (caught.value.what, caught.value.limit) == ("depth", MAX_DEPTH)


def read_or_refuse(data: bytes, model: type[Extensible]) -> None:
    """Decode bytes; any outcome other than a model or an error with places is a failure."""
    try:
        found = decode(data, model)
    except DocumentError as error:
        roots = {problem.place[:1] for problem in error.problems}
        assert roots == {"$"}
    except LimitExceededError:
        pass
    else:
        assert decode(encode(found), model) == found


def nodes(
    value: Json, place: tuple[str | int, ...] = ()
) -> list[tuple[tuple[str | int, ...], Json]]:
    """Return every value in a value with its place."""
    found: list[tuple[tuple[str | int, ...], Json]] = [(place, value)]
    if isinstance(value, dict):
        for name, item in value.items():
            found += nodes(item, (*place, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += nodes(item, (*place, number))
    return found


def replaced(value: Json, place: tuple[str | int, ...], other: Json) -> Json:
    """Return a copy of a value with another value at a place."""
    if not place:
        return other
    head, *rest = place
    if isinstance(value, dict):
        return {
            name: replaced(item, tuple(rest), other) if name == head else item
            for name, item in value.items()
        }
    assert isinstance(value, list)
    return [
        replaced(item, tuple(rest), other) if number == head else item
        for number, item in enumerate(value)
    ]


# ---------------------------------------------------------------- duplicate properties


@frozen
class Object:
    """An object of a JSON text with its properties in order, possibly with duplicates."""

    pairs: tuple[tuple[str, Any], ...]


@frozen
class Text:
    """A JSON text, and the places of its duplicate properties."""

    data: bytes
    twice: frozenset[str]


# Text that a search for keys in the bytes could take for a key, or keys that it could miss.
TRICKY = st.one_of(
    st.text('a":\\ \t\n{}', max_size=4),
    st.sampled_from(["", '":', '\\":', ' "a":1', "a", "b", "\u00e9"]),
)
SPACES = st.sampled_from(["", "", "", " ", "\t", "\n", "\r", " \r\n\t"])


def trees() -> st.SearchStrategy[Any]:
    """Give values without duplicates; objects as `Object`."""
    return st.one_of(
        st.none(), st.integers(0, 9), TRICKY, st.lists(TREES, max_size=3), objects(TREES)
    )


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    return st.lists(st.tuples(TRICKY, inner), max_size=3, unique_by=lambda pair: pair[0]).map(
        lambda pairs: Object(tuple(pairs))
    )


TREES: st.SearchStrategy[Any] = st.deferred(trees)


@st.composite
def texts(draw: st.DrawFn, *, twins: bool) -> Text:
    """Give the text of an object, in any style of white space and escapes."""
    tree = draw(objects(TREES))
    twice: set[str] = set()
    if twins:
        candidates = [found for found in places(tree) if found[1].pairs]
        assume(candidates)
        place, chosen = draw(st.sampled_from(candidates))
        name = draw(st.sampled_from([name for name, _ in chosen.pairs]))
        position = draw(st.integers(0, len(chosen.pairs)))
        pairs = list(chosen.pairs)
        pairs.insert(position, (name, draw(TREES)))
        tree = with_object(tree, chosen, Object(tuple(pairs)))
        twice.add(json_path((*place, name)))
    spaced = draw(st.booleans())
    spaces = SPACES if spaced else st.just("")
    return Text(write(tree, draw, spaces).encode(), frozenset(twice))


def places(
    value: Any, place: tuple[str | int, ...] = ()
) -> list[tuple[tuple[str | int, ...], Object]]:
    """Return every object in a tree with its place."""
    found: list[tuple[tuple[str | int, ...], Object]] = []
    if isinstance(value, Object):
        found.append((place, value))
        for name, item in value.pairs:
            found += places(item, (*place, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += places(item, (*place, number))
    return found


def with_object(value: Any, old: Object, new: Object) -> Any:
    """Return a copy of a tree with one object, known by identity, replaced."""
    if value is old:
        return new
    if isinstance(value, Object):
        return Object(tuple((name, with_object(item, old, new)) for name, item in value.pairs))
    if isinstance(value, list):
        return [with_object(item, old, new) for item in value]
    return value


def json_path(place: tuple[str | int, ...]) -> str:
    """Return a place as a JSON path."""
    parts = [
        f"[{part}]"
        if isinstance(part, int)
        else f".{part}"
        if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", part)
        else f"[{json.dumps(part)}]"
        for part in place
    ]
    return "$" + "".join(parts)


def write(value: Any, draw: st.DrawFn, spaces: st.SearchStrategy[str]) -> str:
    """Write a tree with white space wherever JSON allows it, and escapes as drawn."""
    if isinstance(value, Object):
        pairs = [
            draw(spaces)
            + write(name, draw, spaces)
            + draw(spaces)
            + ":"
            + write(item, draw, spaces)
            for name, item in value.pairs
        ]
        text = "{" + (",".join(pairs) or draw(spaces)) + "}"
    elif isinstance(value, list):
        items = [write(item, draw, spaces) for item in value]
        text = "[" + (",".join(items) or draw(spaces)) + "]"
    elif isinstance(value, str):
        escape = draw(st.booleans())
        text = (
            '"' + "".join(f"\\u{ord(character):04x}" for character in value) + '"'
            if escape
            else json.dumps(value, ensure_ascii=False)
        )
    else:
        text = json.dumps(value)
    return draw(spaces) + text + draw(spaces)


@pytest.mark.spec("considerations:duplicate-keys", "annotations:unique-keys")
class TestDuplicates:
    @LAW
    @given(texts(twins=True))
    @example(Text(b'{"a":1,"a":2}', frozenset({"$.a"})))
    @example(Text(b'{"a":1,"\\u0061":2}', frozenset({"$.a"})))
    @example(Text(b'{"a" :1,"a":2,"b":"\\":"}', frozenset({"$.a"})))
    @example(Text(b'{"a"\n:1,"a"\n:2}', frozenset({"$.a"})))
    @example(Text(b'{"a"\r:1,"a":2}', frozenset({"$.a"})))
    @example(Text(b'{"a":1,"a"\t:2,"b":" :"}', frozenset({"$.a"})))
    @example(Text(b'{"x":[{"\\":":1,"\\":":2}]}', frozenset({'$.x[0]["\\":"]'})))
    def test_a_duplicate_property_is_refused_everywhere(self, text: Text) -> None:
        with pytest.raises(DocumentError) as caught:
            parse_json(text.data)
        assert {problem.code for problem in caught.value.problems} == {"duplicate-property"}
        assert {problem.place for problem in caught.value.problems} == text.twice

    @LAW
    @given(texts(twins=False))
    @example(Text(b'{"a":"\\"a\\":1,\\"a\\":2"}', frozenset()))
    @example(Text(b'{"a":{"a":{"a":0}},"b":[{"a":1},{"a":2}]}', frozenset()))
    @example(Text(b'{"\\"a\\" :":" :","a" : "\\" :"}', frozenset()))
    def test_a_document_without_duplicates_is_read_in_any_style(self, text: Text) -> None:
        assert json.dumps(parse_json(text.data)) == json.dumps(json.loads(text.data))
