"""The grammar of challenges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocilayout.registry.challenge import Challenge, parse_challenges

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


TOKEN68 = "-._~+/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


tokens = st.text(TOKEN, min_size=1, max_size=8)


# What a quoted-string can hold: everything visible, space and tab, and what is above ASCII.
quotable = st.text(
    st.one_of(st.just("\t"), st.characters(min_codepoint=0x20, exclude_characters="\x7f")).filter(
        lambda char: not 0xD800 <= ord(char) < 0xE000
    ),
    max_size=12,
)


spaces = st.text(" \t", max_size=2)


separators = st.builds("{},{}".format, spaces, st.text(" \t,", max_size=3))


@st.composite
def parameters(draw: st.DrawFn) -> tuple[str, str, str]:
    """A name, a value, and how they are written."""
    name = draw(tokens)
    value = draw(quotable)
    if value and set(value) <= set(TOKEN) and draw(st.booleans()):
        written = value
    else:
        written = '"' + "".join(
            f"\\{char}" if char in '"\\' or draw(st.booleans()) else char for char in value
        ) + '"'  # fmt: skip
    return name.lower(), value, f"{name}{draw(spaces)}={draw(spaces)}{written}"


@st.composite
def challenges(draw: st.DrawFn) -> tuple[Challenge, str]:
    """A challenge, and how it is written."""
    scheme = draw(tokens)
    if draw(st.integers(0, 3)) == 0:
        token68 = draw(st.text(TOKEN68, min_size=1, max_size=12)) + "=" * draw(st.integers(0, 2))
        written = f"{scheme} {token68}"
        return Challenge(scheme=scheme.lower(), token68=token68), written
    members = draw(st.lists(parameters(), max_size=4, unique_by=lambda member: member[0]))
    written = scheme
    for position, (_, _, text) in enumerate(members):
        written += (" " + draw(spaces) if position == 0 else draw(separators)) + text
    values = {name: value for name, value, _ in members}
    return Challenge(scheme=scheme.lower(), parameters=values), written


@st.composite
def headers(draw: st.DrawFn) -> tuple[tuple[Challenge, ...], str]:
    """The value of a header, and what it says."""
    members = draw(st.lists(challenges(), max_size=4))
    written = draw(st.sampled_from(["", ",", " , "]))
    for position, (_, text) in enumerate(members):
        written += ("" if position == 0 else draw(separators)) + text
    return tuple(challenge for challenge, _ in members), written + draw(spaces)


@given(headers())
def test_what_is_written_is_read(header: tuple[tuple[Challenge, ...], str]) -> None:
    """Every header that the grammar can write is read as what it says."""
    said, text = header
    assert parse_challenges(text) == said


@given(st.text(max_size=40) | st.text('abc =",\\ \t', max_size=40))
def test_any_text_is_read_as_far_as_it_can_be(text: str) -> None:
    """No text is an error, and none gives a challenge without a scheme."""
    assert all(challenge.scheme for challenge in parse_challenges(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ()),
        (
            'Bearer realm="https://auth.example/token",service="registry",scope="a:b:c,d"',
            (
                Challenge(
                    scheme="bearer",
                    parameters={
                        "realm": "https://auth.example/token",
                        "service": "registry",
                        "scope": "a:b:c,d",
                    },
                ),
            ),
        ),
        (
            'Negotiate, Basic realm="a, b=\\"c\\"", Digest abc==',
            (
                Challenge(scheme="negotiate"),
                Challenge(scheme="basic", parameters={"realm": 'a, b="c"'}),
                Challenge(scheme="digest", token68="abc=="),
            ),
        ),
        ("Basic realm = x", (Challenge(scheme="basic", parameters={"realm": "x"}),)),
        ("NTLM abc=", (Challenge(scheme="ntlm", token68="abc="),)),
    ],
)
def test_challenges_as_servers_send_them(text: str, said: tuple[Challenge, ...]) -> None:
    """Several challenges, commas in quotes and token68 are told apart."""
    assert parse_challenges(text) == said


def challenge(scheme: str, **parameters: str) -> Challenge:
    return Challenge(scheme=scheme, parameters=parameters)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Basic realm=/", [challenge("basic", realm="/")]),
        (
            "Bearer realm=https://a.example/t?x=1,service=b:c",
            [challenge("bearer", realm="https://a.example/t?x=1", service="b:c")],
        ),
        ("Basic realm=a;b", [challenge("basic", realm="a;b")]),
        ("Bearer realm=a, realm=b", [challenge("bearer", realm="a")]),
        ('Bearer realm="a",scope="x",Scope="y"', [challenge("bearer", realm="a", scope="x")]),
        ('Bearer realm="open', [challenge("bearer")]),
        ('Bearer realm="a" service="b"', [challenge("bearer")]),
        ('Bearer realm="a" service="b,c", scope="d"', [challenge("bearer", scope="d")]),
        ("Bearer (x)", [challenge("bearer")]),
        ('"Bearer"', []),
        ('(x), Basic realm="a"', [challenge("basic", realm="a")]),
        (
            'Bearer realm="a", "x", Basic realm="b"',
            [challenge("bearer", realm="a"), challenge("basic", realm="b")],
        ),
        ('Bearer realm="open, Basic realm=b', [challenge("bearer"), challenge("basic", realm="b")]),
        ("Basic abc Bearer realm=x", [challenge("basic")]),
    ],
)
def test_what_cannot_be_read_is_skipped(text: str, said: list[Challenge]) -> None:
    """A value without quotes, a repeated parameter, and anything odd beside what can be read."""
    assert parse_challenges(text) == tuple(said)
