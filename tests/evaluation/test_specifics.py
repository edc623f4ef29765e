"""Genes, numbers with units and names, by their form."""

import pytest

from medqa_core.evaluation.specifics import Stated, specifics, specifics_f1


@pytest.mark.parametrize(
    ("text", "genes"),
    [
        ("Mutations in the QRX1 gene cause it.", {"qrx1"}),
        ("It is caused by the QRX or the ZLT gene.", {"qrx", "zlt"}),
        ("The gene called QRX is changed.", {"qrx"}),
        ("A change in C9orf72 was found.", {"c9orf72"}),
        ("DNA is stored in cells; an MRI shows them.", set()),
        ("Vitamin B12 is low.", set()),
        ("", set()),
    ],
)
def test_genes(text: str, genes: set[str]) -> None:
    assert specifics(text)["gene"] == genes


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Take 500 mg, or 1,000 milligrams.", {"500 mg", "1000 mg"}),
        ("It lasts 5 to 10 days.", {"5 day", "10 day"}),
        ("In 2.5% of cases", {"2.5 percent"}),
        ("About 30 percent", {"30 percent"}),
        ("At 38.5 °C", {"38.5 degree"}),
        ("1 in 10,000 people", {"10000 people"}),
        ("In 1999 it was found, in chapter 3.", set()),
        ("A 12-month study", {"12 month"}),
    ],
)
def test_numbers(text: str, numbers: set[str]) -> None:
    assert specifics(text)["number"] == numbers


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("It was described by Anna Marn in a village.", {"anna marn"}),
        ("See the Institute of Fevers. Fever is common.", {"institute of fevers"}),
        ("Signs: Fever. - Cough - Rash", set()),
        ("The fever is high.", set()),
        ("Common in Tol’s valley", {"tol s"}),
    ],
)
def test_names(text: str, names: set[str]) -> None:
    assert specifics(text)["name"] == names


def test_a_piece_that_is_ignored_states_nothing() -> None:
    text = "The QRX1 gene in Marn after 3 days"
    assert not any(specifics(text, lambda start, end: True).values())


def test_f1_counts_what_each_bears_out() -> None:
    reference = "Mutations in the QRX1 gene, found in 5% of people with Anna Marn and in 20 newborns."
    answer = "The QRX1 gene is changed in 5 percent, and the ZLT9 gene in 7 percent."
    theirs, ours = specifics(reference), specifics(answer)
    # Stated: qrx1, zlt9, 5 percent, 7 percent; wanted: qrx1, 5 percent, anna marn, 20 newborn: two of four each.
    assert (sum(map(len, ours.values())), sum(map(len, theirs.values()))) == (4, 4)
    assert specifics_f1(ours, Stated(answer), theirs, Stated(reference)) == pytest.approx(0.5)


def test_without_specifics_there_is_no_figure_and_without_an_answer_it_is_zero() -> None:
    nothing, some = specifics("It is rare."), specifics("The QRX1 gene")
    assert specifics_f1(some, Stated("The QRX1 gene"), nothing, Stated("It is rare.")) is None
    assert specifics_f1(nothing, Stated(""), some, Stated("The QRX1 gene")) == 0
