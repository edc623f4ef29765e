"""The language by its function words."""

from medqa_core.data.function_words import function_words, language_of


def test_a_language_is_told_by_its_function_words() -> None:
    assert language_of(["The fever is high, and it will not fall by itself."]) == "English"
    assert language_of(["Das Fieber ist hoch und wird nicht von selbst fallen."]) == "German"
    assert language_of(["La fièvre est élevée et ne tombe pas avec le temps, mais elle peut être traitée."]) == "French"


def test_of_other_texts_none_is_told() -> None:
    assert language_of([]) is None
    assert language_of(["발열은 높다", "哮喘"]) is None
    assert language_of(["HbA1c 48 mmol"]) is None
    assert function_words(None) == frozenset()


def test_letters_that_medicine_uses_are_words() -> None:
    assert "the" in function_words("English") and "isn" in function_words("English")
    assert not {"d", "t"} & function_words("English")
