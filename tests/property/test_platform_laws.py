"""Laws of platforms: their normal form, their text, and what suits what."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ocilayout.errors import DocumentError
from ocilayout.model.platform import Platform, fit
from ocilayout.testing import strategies as own

LAW = settings(deadline=None)  # no test asserts a time
SYSTEMS = ["linux", "Windows", "macos"]
PROCESSORS = ["amd64", "x86_64", "armhf", "arm", "arm64", "v8", "7", "v9.1"]
WORDS = st.sampled_from([*SYSTEMS, *PROCESSORS, "", "*"])
OPTIONS = st.sampled_from(["", "(10.0.1)", "(+a)", "(1+b+a)", "(", "(%41)", "(%ff)"])
BEHIND = st.sampled_from(["", ":10.0", ",osver=1.2", ":", ",x=1"])
TEXTS = st.builds(
    lambda words, options, behind: f"{words[0]}{options}/{'/'.join(words[1:])}{behind}",
    st.lists(WORDS, min_size=2, max_size=4),
    OPTIONS,
    BEHIND,
)


@LAW
@given(own.platforms())
def test_the_normal_form_is_the_only_one(platform: Platform) -> None:
    """It is that of itself, is printed alike, and suits what it is the normal form of."""
    normal = platform.normal()
    assert normal.normal() == normal
    assert str(normal) == str(platform)
    assert fit(platform, normal) == fit(normal, platform) == fit(normal, normal) is not None


@LAW
@given(own.platforms(), own.platforms())
def test_no_other_platform_suits_better_than_the_same(one: Platform, other: Platform) -> None:
    """What suits a platform is at most as good as that platform itself."""
    found, best = fit(other, one), fit(one, one)
    assert found is None or (best is not None and found <= best)


@LAW
@given(TEXTS | st.text(max_size=20))
def test_a_text_is_read_or_refused(text: str) -> None:
    """No other error is raised, and what is read is printed as text that is read as the same."""
    try:
        platform = Platform.parse(text)
    except DocumentError:
        return
    assert Platform.parse(str(platform)) == platform == platform.normal()
