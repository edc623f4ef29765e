"""What a word is, in any script."""

import re
import unicodedata
from random import Random

import pytest

from medqa_core.data.words import word_spans, words

SCRIPTS = {
    "English": ("Gout isn't rare: 4% of men (2019).", "gout isn t rare 4 of men 2019"),
    "Chinese": ("痛风是一种关节炎。", "痛 风 是 一 种 关 节 炎"),
    "Japanese": ("痛風はＡ型の病気、ラーメン。", "痛 風 は a 型 の 病 気 ラ ー メ ン"),
    "Thai": ("โรคเก๊าท์", "โ ร ค เ ก๊ า ท์"),
    "Arabic": ("النِّقرس مرض في المفاصل؟", "النِّقرس مرض في المفاصل"),
    "Russian": ("Подагра — болезнь суставов.", "подагра болезнь суставов"),
    "Hindi": ("गठिया जोड़ों की बीमारी है।", "गठिया जोड़ों की बीमारी है"),
    "Persian": ("می\u200cخواهم", "می\u200cخواهم"),
    "Korean": ("통풍은 관절의 병이다", "통풍은 관절의 병이다"),
    "French": ("L'Œdème, c´est grave", "l œdème c est grave"),
}


@pytest.mark.parametrize("language", SCRIPTS)
def test_words_of(language: str) -> None:
    text, expected = SCRIPTS[language]
    assert words(text) == unicodedata.normalize("NFKC", expected).split(" ")


def test_without_marks_and_scripts_without_spaces_words_are_runs_of_letters_and_digits() -> None:
    random = Random(1)
    alphabet = [*"abcXYZ019_ .,;:'()\n-—’“°®µ½²éñüßβγΔжñ", "e\u0301", "™", "ﬁ", "Ⅷ", "\ufe0f", "\u00ad", "\u200b"]
    for _ in range(500):
        text = "".join(random.choices(alphabet, k=random.randrange(60)))
        assert words(text) == re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())


def test_spans_are_those_of_the_words() -> None:
    text = "Cafe\u0301s, ½ of ＧＯＵＴ; 痛風 Σ. İz"
    assert [text[start:end] for start, end in word_spans(text)] == [
        "Cafe\u0301s", "½", "½", "of", "ＧＯＵＴ", "痛", "風", "Σ", "İz",
    ]  # fmt: skip
    assert word_spans("a b-c") == [(0, 1), (2, 3), (4, 5)]
    assert word_spans("…") == word_spans("") == []


def test_every_word_has_a_span_that_gives_it_again() -> None:
    random = Random(2)
    alphabet = [*"ab1 .,\n¨½éﬁ中İ가", "e\u0301", "ا", "ِ", "กำ", "ｶﾞ", "क्", "\u200d", "\ud83d"]
    for _ in range(500):
        text = "".join(random.choices(alphabet, k=random.randrange(30)))
        found, spans = words(text), word_spans(text)
        assert len(found) == len(spans)
        assert all(word in words(text[start:end]) for word, (start, end) in zip(found, spans, strict=True))
        assert spans == sorted(spans)
