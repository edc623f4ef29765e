"""The answers: filters, pages, and the score that they are sorted by."""

from pathlib import Path

from medqa_core.runs.schema.config import TrainConfig
from tests.support.pages import Open, elements, shown
from tests.support.runs import RunBuilder


def test_filters_of_the_answers(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    assert "24 of 24 test questions." in shown(open_page("answers/answers.py"))
    assert "8 of 24 test questions." in shown(open_page("answers/answers.py", type="causes"))
    assert "1 of 24 test questions." in shown(open_page("answers/answers.py", q="tuned answer number 13"))
    assert "No question fits these filters." in shown(open_page("answers/answers.py", q="nothing like it"))
    assert not open_page("answers/answers.py", page="999", score="nonsense", order="nonsense").exception


def test_answers_page_by_page(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("answers/answers.py", order="as in the test set")
    assert "q009" in shown(app) and "q010" not in shown(app)
    app = open_page("answers/answers.py", order="as in the test set", page="3")
    assert "q023" in shown(app) and "q009" not in shown(app)


def test_another_filter_starts_at_page_one(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("answers/answers.py", page="2")
    assert elements(app, "pagination")[0].value == 2
    next(s for s in app.selectbox if s.label == "Order").select("largest regression").run()
    assert elements(app, "pagination")[0].value == 1


def test_score_chosen_is_the_score_shown(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("answers/answers.py")
    next(s for s in app.selectbox if s.label == "Score").select("loss").run()
    assert "has the lower loss on" in shown(app) and "base − fine-tuned; up is better" in shown(app)


def two_references(build: RunBuilder, tmp_path: Path, references: int | None) -> None:
    """A run of one question to which its data set gives two answers."""
    data = tmp_path / "own.csv"
    data.write_text("id,question,answer\n1,What is gout?,Uric acid in a joint.\n2,What is gout?,A swollen big toe.\n")
    run = build.finished("own", config=TrainConfig(dataset=str(data)))
    answers = {"base_answer": "It is uric acid.", "fine_tuned_answer": "A swollen big toe, often at night."}
    build.predictions(run, 1, question_id="1", references=references, **answers)


def test_every_reference_is_on_the_card_and_the_one_used_is_marked(
    build: RunBuilder, open_page: Open, tmp_path: Path
) -> None:
    two_references(build, tmp_path, 2)
    text = shown(open_page("answers/answers.py", run="own"))
    assert "Reference answer 1 of 2, 100 tokens" in text and "Reference answer 2 of 2" in text
    assert "Uric acid in a joint." in text and "A swollen big toe." in text
    assert "used for the ROUGE-L of ○ base · used for the loss of both" in text
    assert "used for the ROUGE-L of ● fine-tuned" in text
    two = shown(open_page("answers/answers.py", run="own", score="loss"))
    assert "used for the loss of both" in two and "ROUGE-L of" not in two


def test_a_run_of_before_several_references_counted_shows_the_one_that_did(
    build: RunBuilder, open_page: Open, tmp_path: Path
) -> None:
    two_references(build, tmp_path, None)
    text = shown(open_page("answers/answers.py", run="own"))
    assert "Uric acid in a joint." in text and "A swollen big toe." not in text
    assert "used for" not in text


def test_references_that_are_no_longer_there_are_counted(build: RunBuilder, open_page: Open, tmp_path: Path) -> None:
    two_references(build, tmp_path, 3)
    assert "scored against 3, of which the data here give 2" in shown(open_page("answers/answers.py", run="own"))


def test_outcomes_on_content_say_what_right_means(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    text = shown(open_page("answers/answers.py", outcome="neither right"))
    assert "Right means here: ROUGE-L of 0.30 or more" in text


def test_one_question_alone_and_its_neighbours(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    order = "as in the test set"
    app = open_page("answers/answers.py", order=order, question="q010")
    assert "q010" in shown(app) and "q011" not in shown(app) and "Question 11 of 24." in shown(app)
    next(button for button in app.button if button.label == "Next").click().run()
    assert "q011" in shown(app) and "q010" not in shown(app) and app.query_params["question"] == "q011"
    next(button for button in app.button if button.label == "All questions").click().run()
    assert "24 of 24 test questions." in shown(app) and "question" not in app.query_params
    last = open_page("answers/answers.py", order=order, question="q023")
    assert next(button for button in last.button if button.label == "Next").disabled


def test_all_questions_are_shown_also_where_the_address_lost_the_one_meanwhile(
    build: RunBuilder, open_page: Open
) -> None:
    build.finished()
    app = open_page("answers/answers.py", question="q010")
    del app.query_params["question"]
    next(button for button in app.button if button.label == "All questions").click().run()
    assert not app.exception and "24 of 24 test questions." in shown(app)


def test_one_question_outside_the_filters_or_of_no_run(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    outside = open_page("answers/answers.py", q="tuned answer number 13", question="q010")
    assert "Outside the filters." in shown(outside) and "q010" in shown(outside)
    unknown = open_page("answers/answers.py", question="<img src=x>")
    assert not unknown.exception and "No test question" in shown(unknown) and "<img" not in shown(unknown)


def test_each_question_of_the_list_leads_to_itself_in_the_same_view(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    text = shown(open_page("answers/answers.py", run="finished", type="causes"))
    assert 'href="?' in text and "type=causes" in text and "question=q0" in text
