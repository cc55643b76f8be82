"""Works are ranked by what they show, their shape, size and length; what must not appear is left out."""

from typing import Any

import pytest

from showrunner.models import Work
from showrunner.production import ranking
from showrunner.production.ranking import Frame

FRAME = Frame(1080, 1920, 4.0)


def work(name: str, words: str = "", **changes: Any) -> Work:
    plain = Work(
        library="pexels",
        id=name,
        kind="clip",
        address=f"https://files/{name}",
        page=f"https://page/{name}",
        author="Ada",
        licence="Free",
        licence_url="https://licence",
        words=words,
        width=1080,
        height=1920,
        seconds=20.0,
    )
    return plain._replace(**changes)


def ranked(
    *works: Work, queries: tuple[str, ...] = ("old harbour",), avoid: tuple[str, ...] = ()
) -> list[str]:
    found = [(query, works) for query in queries]
    return [each.work.id for each in ranking.rank(found, queries, avoid, [FRAME])]


def test_what_shows_the_searched_things_comes_first() -> None:
    works = work("a", "a red car"), work("b", "boats in an old harbour"), work("c", "harbours")

    assert ranked(*works) == ["b", "c", "a"]


def test_an_exact_phrase_counts_more_than_a_later_one() -> None:
    found = ranked(work("a", "sea"), work("b", "harbour"), queries=("harbour", "sea"))

    assert found == ["b", "a"]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"width": 1920, "height": 1080}),
        ({}, {"width": 540, "height": 960}),
        ({}, {"seconds": 4.0}),
    ],
)
def test_of_equal_works_the_one_that_fills_the_frame_and_the_shot_comes_first(
    better: dict[str, Any], worse: dict[str, Any]
) -> None:
    assert ranked(work("a", "harbour", **worse), work("b", "harbour", **better)) == ["b", "a"]


def test_what_must_not_appear_is_left_out_where_all_of_its_words_are_there() -> None:
    works = (
        work("a", "cable car over a harbour"),
        work("b", "cable in a harbour"),
        work("c", "Yachts, harbour"),
    )

    assert ranked(*works, avoid=("cable car", "yacht")) == ["b"]


def test_a_work_that_several_searches_find_is_ranked_once() -> None:
    assert ranked(work("a", "harbour"), queries=("harbour", "sea")) == ["a"]


def test_works_without_words_are_in_the_order_of_their_library() -> None:
    candidates = ranking.rank([("sea", [work("b"), work("a")])], ["sea"], [], [FRAME])

    assert [each.work.id for each in candidates] == ["b", "a"]
    assert all(0 < each.relevance <= 0.5 and 0 < each.score < 1 for each in candidates)


def test_a_preview_that_is_sharp_and_keeps_its_subject_decides_between_equal_words() -> None:
    sharp, soft, unseen = ranking.rank(
        [("sea", [work("a", "sea"), work("b", "sea"), work("c", "sea")])], ["sea"], [], [FRAME]
    )

    assert ranking.seen(sharp, 0.9, 0.9).score > ranking.seen(soft, 0.2, 0.9).score > unseen.score
    assert ranking.seen(sharp, 0.9, 0.9).score > ranking.seen(soft, 0.9, 0.4).score
    assert ranking.seen(soft, None, None).score == unseen.score
    assert ranking.seen(sharp, 1.0, 1.0).score == pytest.approx(1.0)


def test_a_sharp_preview_makes_up_for_no_missing_words() -> None:
    fitting, other = ranking.rank(
        [("old harbour", [work("a", "old harbour"), work("b", "harbour")])], ["old harbour"], [], [FRAME]
    )

    assert fitting.score > ranking.seen(other, 1.0, 1.0).score


def test_a_candidate_is_the_same_when_it_is_read_again() -> None:
    (candidate,) = ranking.rank([("sea", [work("a", "sea")])], ["sea"], [], [FRAME])

    assert ranking.read(candidate.as_dict()) == candidate
    seen = ranking.seen(candidate, 0.9, 0.8)
    assert ranking.read(seen.as_dict()) == seen


def test_of_several_outputs_the_one_that_a_work_fits_worst_decides() -> None:
    tall, wide = Frame(1080, 1920, 4.0), Frame(1920, 1080, 4.0)
    works = [work("tall"), work("wide", width=3840, height=2160), work("small", width=1920, height=1080)]

    def best(*frames: Frame) -> list[str]:
        return [each.work.id for each in ranking.rank([("sea", works)], ["sea"], [], frames)]

    assert best(tall)[0] == "tall"
    assert best(wide) == ["wide", "small", "tall"] or best(wide) == ["small", "wide", "tall"]
    # The large wide clip is as sharp as both frames are; the tall one would be enlarged in the wide frame.
    assert best(tall, wide)[0] == "wide"
