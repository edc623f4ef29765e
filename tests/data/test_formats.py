"""Formats that trainers use become rows of question and answer; what is left aside is counted and said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from medqa_core.data import groups, own
from medqa_core.data.formats import marked
from medqa_core.data.pairs import PairSet, QAPair, normalise, references_of
from medqa_core.data.preparation import cleaned
from medqa_core.data.readers import file
from medqa_core.data.split import grouped_split, random_split
from medqa_core.foundation.errors import InputError
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.upgrade import upgrade_run

ILLS = ("gout", "asthma", "measles", "anaemia", "shingles", "rickets", "mumps", "tetanus")
PAIRS = [(f"What is {ill}?", f"{ill.capitalize()} is what this made-up line is about.") for ill in ILLS]


def read(path: Path, rows: Any, columns: dict[str, str] | None = None, *, version: int = 2) -> PairSet:
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    elif path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(rows, encoding="utf-8")
    return own.pairs([file.read(path)], path.name, columns or {}, version=version)


def asked(data: PairSet) -> list[tuple[str, str]]:
    return [(pair.question, pair.answer) for pair in data.pairs]


def said(data: PairSet, words: str) -> bool:
    return any(words in line for line in data.filters)


def messages(question: str, answer: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


CHATS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "messages": lambda q, a: {"messages": messages(q, a)},
    "sharegpt": lambda q, a: {"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]},
    "parts": lambda q, a: {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": q}, {"type": "image", "image": "x.png"}]},
            {"role": "model", "content": [{"type": "text", "text": a}]},
        ]
    },
    "prompt and completion": lambda q, a: {"prompt": messages(q, a)[:1], "completion": messages(q, a)[1:]},
    "prompt as text": lambda q, a: {"prompt": q, "completion": messages(q, a)[1:]},
    "texts": lambda q, a: {"prompt": q, "completion": a},
    "two answers": lambda q, a: {"prompt": q, "chosen": a, "rejected": "Nothing."},
    "two whole answers": lambda q, a: {"prompt": q, "chosen": messages(q, a), "rejected": messages(q, "Nothing.")},
    "two conversations": lambda q, a: {"chosen": messages(q, a), "rejected": messages(q, "Nothing.")},
    "the rejected one first": lambda q, a: {"rejected": messages(q, "Nothing."), "chosen": messages(q, a)},
    "two answers as messages": lambda q, a: {
        "prompt": messages(q, a)[:1],
        "rejected": messages(q, "Nothing.")[1:],
        "chosen": messages(q, a)[1:],
    },
    "list as JSON text": lambda q, a: {"messages": json.dumps(messages(q, a))},
    "list as pandas writes it": lambda q, a: {"messages": str(messages(q, a))},
}


@pytest.mark.parametrize("kind", CHATS)
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_conversations_of_one_turn(tmp_path: Path, kind: str, suffix: str) -> None:
    data = read(tmp_path / f"my{suffix}", [CHATS[kind](q, a) for q, a in PAIRS])
    assert asked(data) == PAIRS
    assert [pair.topic for pair in data.pairs] == list(ILLS)
    assert said(data, "8 message parts other than text left out") == (kind == "parts")
    aside = [line for line in data.filters if line.startswith("columns left aside: ")]
    assert any("rejected" in line for line in aside) == ("rejected" in CHATS[kind]("", ""))


@pytest.mark.parametrize("kind", CHATS)
def test_a_file_of_one_conversation_is_one_row(tmp_path: Path, kind: str) -> None:
    assert asked(read(tmp_path / "my.jsonl", [CHATS[kind](*PAIRS[0])])) == PAIRS[:1]


def test_of_a_conversation_the_first_question_and_its_answer_are_read_and_the_rest_is_counted(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    rows = [
        {"id": 1.0, "messages": [system, *messages("What is gout?", "An ache."), *messages("And then?", "Rest.")]},
        {"id": 2.5, "messages": [*messages("What is mumps?", "A swelling."), *messages("Why?", "A virus.") * 2]},
        {"id": 3, "messages": [system, {"role": "assistant", "content": "Hello."}, *messages("A cold?", "It passes.")]},
        {"id": 4, "messages": [system, {"role": "user", "content": "Nobody there?"}]},
        {"id": 5, "messages": []},
        {"id": 6, "messages": [{"role": "user", "content": "My child coughs."}, *messages("Why?", "A cold.")]},
    ]
    data = read(tmp_path / "my.jsonl", rows)
    assert [(p.id, p.question, p.answer) for p in data.pairs] == [
        ("1", "What is gout?", "An ache."),
        ("2.5", "What is mumps?", "A swelling."),
        ("3", "A cold?", "It passes."),
        ("6", "My child coughs. Why?", "A cold."),
    ]
    assert (
        "3 later questions left aside: of each conversation the first question and its answer are read" in data.filters
    )
    assert '3 conversations with the system text "Be brief.", which is no part of a question' in data.filters
    assert said(data, "1 conversation without a question and its answer left out (the first: row 4, column 'messages')")
    assert said(data, "1 row without a conversation left out (the first: row 5, column 'messages')")


@pytest.mark.parametrize("kind", ["texts", "prompt and completion", "prompt as text"])
def test_a_completion_labelled_false_is_no_answer(tmp_path: Path, kind: str) -> None:
    rows = [{**CHATS[kind](q, said_), "label": said_ == a} for q, a in PAIRS for said_ in ("Nothing.", a)]
    for name in ("my.jsonl", "my.parquet"):
        data = read(tmp_path / name, rows)
        assert asked(data) == PAIRS
        assert said(data, "8 answers with label false left out (the first: row 1, column 'label')")
    table = "prompt,completion,label\n" + "".join(f"{q},{a},True\n{q},Nothing.,False\n" for q, a in PAIRS)
    assert asked(read(tmp_path / "my.csv", table)) == PAIRS
    lists = [{"prompt": q, "completion": f"[{n}]", "label": True} for n, (q, _) in enumerate(PAIRS)]
    assert [pair.answer for pair in read(tmp_path / "my.jsonl", lists).pairs] == [f"[{n}]" for n in range(8)]
    numbers = [{"prompt": q, "completion": a, "label": n % 2} for n, (q, a) in enumerate(PAIRS)]  # classes, it may be
    assert asked(read(tmp_path / "my.jsonl", numbers)) == PAIRS


CALL = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
CALLS: dict[str, list[dict[str, Any]]] = {
    "a call": [{"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "content": "Found."}],
    "a call after a word": [
        {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]},
        {"role": "tool", "content": "Found."},
    ],
    "an older call": [
        {"role": "assistant", "content": "", "function_call": {"name": "look_up"}},
        {"role": "function", "content": "Found."},
    ],
    "a call as a part": [
        {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, {"type": "tool_use", "id": "1"}]},
        {"role": "user", "content": [{"type": "tool_result", "content": "Found."}]},
    ],
}


@pytest.mark.parametrize("kind", CALLS)
def test_who_calls_a_tool_answers_afterwards(tmp_path: Path, kind: str) -> None:
    rows = [{"messages": [*messages(q, a)[:1], *CALLS[kind], *messages(q, a)[1:]]} for q, a in PAIRS]
    data = read(tmp_path / "my.jsonl", [*rows, {"messages": [*messages("And now?", "")[:1], *CALLS[kind]]}])
    assert asked(data) == PAIRS
    assert said(data, "9 messages with a call of a tool left out")
    assert said(data, "1 conversation without a question and its answer left out (the first: row 9, column 'messages')")


def test_a_conversation_that_begins_with_an_empty_question_is_left_out(tmp_path: Path) -> None:
    rows = [CHATS["sharegpt"](q, a) for q, a in [*PAIRS, ("", "Hello.")]]
    data = read(tmp_path / "my.json", rows)
    assert asked(data) == PAIRS
    assert said(data, "1 conversation without a question and its answer left out")


def test_many_system_texts_are_not_all_told(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "system", "content": f"You are number {n}."}, *messages(q, a)]}
        for n, (q, a) in enumerate(PAIRS)
    ]
    data = read(tmp_path / "my.jsonl", rows)
    assert sum("with the system text" in line for line in data.filters) == 3
    assert said(data, "5 conversations with another system text")


def test_the_input_of_alpaca_is_part_of_the_question(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"instruction": "Answer it.", "input": q, "output": a} for q, a in PAIRS]
    rows += [{"instruction": q.upper(), "input": more, "output": f"Also {a}"} for (q, a), more in
             zip(PAIRS, ("", "The reader is a nurse.", "<noinput>", None, "", "", "nan", ""), strict=True)]  # fmt: skip
    data = read(tmp_path / "my.json", rows)
    assert [pair.question for pair in data.pairs[:2]] == ["Answer it. What is gout?", "Answer it. What is asthma?"]
    assert [pair.question for pair in data.pairs[8:12]] == [
        "WHAT IS GOUT?", "WHAT IS ASTHMA? The reader is a nurse.", "WHAT IS MEASLES?", "WHAT IS ANAEMIA?",
    ]  # fmt: skip
    assert [pair.topic.lower() for pair in data.pairs] == [*ILLS, *ILLS]
    assert said(data, "question = instruction + input")
    mapped = read(tmp_path / "my.json", rows[:8], {"question": "input", "answer": "output"})
    assert mapped.pairs[0].question == "What is gout?"


SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": ill,
            "paragraphs": [
                {
                    "context": f"About {ill}.",
                    "qas": [
                        {"id": f"{ill}-1", "question": q, "is_impossible": False,
                         "answers": [{"text": a, "answer_start": 0}, {"text": "An ill.", "answer_start": 1},
                                     {"text": a, "answer_start": 0}]},
                        {"id": f"{ill}-2", "question": f"Who had {ill} first?", "is_impossible": True, "answers": []},
                    ],
                }
            ],
        }
        for ill, (q, a) in zip(ILLS, PAIRS, strict=True)
    ],
}  # fmt: skip


def test_squad_as_released(tmp_path: Path) -> None:
    data = read(tmp_path / "train-v2.0.json", SQUAD)
    assert asked(data) == PAIRS
    assert (data.pairs_parsed, data.pairs_answered) == (16, 8)
    first = data.pairs[0]
    assert (first.id, first.topic, first.references) == ("gout-1", "gout", ("An ill.",))
    assert len({pair.document for pair in data.pairs}) == 8
    assert said(data, "8 questions without an answer in its text (is_impossible) left out")
    with pytest.raises(InputError, match=r"^train-v2\.0\.json: article 2: not as in SQuAD \('context'\)"):
        read(tmp_path / "train-v2.0.json", {"data": [SQUAD["data"][0], {"paragraphs": [{"qas": []}]}]})


def test_squad_as_the_hub_has_it(tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "title": ill, "context": f"About {ill}.", "question": q,
         "answers": {"text": [a] if n else [], "answer_start": [0] if n else []}}
        for n, (ill, (q, a)) in enumerate(zip(ILLS, PAIRS, strict=True))
    ]  # fmt: skip
    data = read(tmp_path / "my.parquet", rows)
    assert asked(data) == PAIRS[1:]
    assert (data.pairs_parsed, data.pairs[0].topic, data.pairs[0].id) == (8, "asthma", "1")


def test_pubmed_qa_as_released_and_as_the_hub_has_it(tmp_path: Path) -> None:
    released = {
        str(1000 + n): {"QUESTION": q, "CONTEXTS": ["Some text."], "LONG_ANSWER": a, "final_decision": "yes"}
        for n, (q, a) in enumerate(PAIRS)
    }
    data = read(tmp_path / "ori_pqal.json", released)
    assert asked(data) == PAIRS
    assert [pair.id for pair in data.pairs[:2]] == ["1000", "1001"]
    assert said(data, "columns left aside: CONTEXTS, final_decision")
    assert said(data, "the keys are the ids")
    rows = [{"pubid": n, "question": q, "context": {"contexts": ["x"]}, "long_answer": a, "final_decision": "no"}
            for n, (q, a) in enumerate(PAIRS)]  # fmt: skip
    hub = read(tmp_path / "my.parquet", rows)
    assert asked(hub) == PAIRS
    assert hub.pairs[1].id == "1"


CHOICE = [
    ({"options": {"A": "red", "B": "blue"}, "answer": "blue"}, 0),
    ({"options": {"A": "red", "B": "blue"}, "answer": "B"}, 8),
    ({"options": {"A": "red", "B": "blue"}, "answer_idx": "B"}, 8),
    ({"options": ["red", "blue"], "answer": 1}, 8),
    ({"options": ["A. red", "B. blue"], "answer": "(B)"}, 8),
    ({"options": [{"key": "A", "value": "red"}, {"key": "B", "value": "blue"}], "answer": "blue"}, 0),
    ({"choices": {"text": ["red", "blue"], "label": ["A", "B"]}, "answerKey": "B"}, 8),
    ({"choices": '["red", "blue"]', "answer": 1}, 8),
    ({"opa": "red", "opb": "blue", "cop": 1}, 8),
    ({"A": "red", "B": "blue", "answer": "B"}, 8),
    ({"option_a": "red", "option_b": "blue", "correct_answer": "blue"}, 0),
]


@pytest.mark.parametrize(("cells", "named"), CHOICE)
def test_options_are_part_of_the_question(tmp_path: Path, cells: dict[str, Any], named: int) -> None:
    rows = [{"question": f"Which colour is {ill}?", **cells} for ill in ILLS]
    rows[0] = {**rows[0], **{key: 0 for key in ("answer", "cop") if cells.get(key) == 1}}  # numbers count from 0
    data = read(tmp_path / "my.jsonl", rows)
    assert data.pairs[3].question == "Which colour is anaemia? A. red B. blue"
    assert {pair.answer for pair in data.pairs[1:]} == {"blue"}
    assert data.pairs[3].topic == "Which colour is anaemia?"
    assert said(data, "are part of the question (A. …)")
    assert said(data, f"{named} answers that named an option made the option's text") == bool(named)
    parts = grouped_split(data.pairs, (None, None, None), 1).sizes  # a shared option links no questions
    assert min(parts.train, parts.test) > 0


def test_numbers_of_options_count_from_one_where_they_show_it(tmp_path: Path) -> None:
    rows = [{"question": f"{q}", "opa": "red", "opb": "blue", "cop": 2 - n % 2} for n, (q, _) in enumerate(PAIRS)]
    data = read(tmp_path / "my.jsonl", rows)
    assert [pair.answer for pair in data.pairs[:2]] == ["blue", "red"]
    assert "numbers of right options count from 1" in data.filters
    rows[2]["cop"], rows[3]["cop"], rows[4]["cop"] = 0, -1, 7
    with pytest.raises(InputError, match=r"^my\.jsonl: row 1, column 'cop': 2 names none of 2 options; row 5, column "):
        read(tmp_path / "my.jsonl", rows)


@pytest.mark.parametrize("written", ["{}", "{}.0", "({})"])
def test_numbers_of_options_that_are_text_count_as_such(tmp_path: Path, written: str) -> None:
    rows = [(q, written.format(2 - n % 2)) for n, (q, _) in enumerate(PAIRS)] + [("Nobody knows?", "-1")]
    table = "question,A,B,correct\n" + "".join(f"{q},red,blue,{right}\n" for q, right in rows)
    data = read(tmp_path / "my.csv", table)
    assert [pair.answer for pair in data.pairs] == ["blue", "red"] * 4
    assert (data.pairs_parsed, data.pairs_answered) == (9, 8)
    assert "numbers of right options count from 1" in data.filters


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ("['red' 'blue']", "A. red B. blue"),
        ("[\"it's red\" 'a \"blue\" one'\n 'blue']", 'A. it\'s red B. a "blue" one C. blue'),
        (r"['red\'s \"own\"' 'blue']", 'A. red\'s "own" B. blue'),
        ("['red, or' 'blue']", "A. red, or B. blue"),
        ("['red', 'blue']", "A. red B. blue"),
    ],
)
def test_lists_of_options_as_numpy_writes_them(tmp_path: Path, written: str, options: str) -> None:
    cell = written.replace('"', '""')
    last = options.count(". ") - 1
    table = "question,choices,answer\n" + "".join(f'{q},"{cell}",{n and last}\n' for n, (q, _) in enumerate(PAIRS))
    data = read(tmp_path / "my.csv", table)
    assert data.pairs[3].question == f"What is anaemia? {options}"
    assert {pair.answer for pair in data.pairs[1:]} == {"blue"}


def test_a_number_that_is_an_option_itself_is_the_answer(tmp_path: Path) -> None:
    table = "question,A,B,answer\n" + "".join(f"How many in {ill}?,1,2,{1 + n % 2}\n" for n, ill in enumerate(ILLS))
    data = read(tmp_path / "my.csv", table)
    assert [pair.answer for pair in data.pairs] == ["1", "2"] * 4
    assert not said(data, "count from")


@pytest.mark.parametrize("names", ["ABCD", "0123"])
def test_an_empty_option_between_others_takes_no_letter_from_them(tmp_path: Path, names: str) -> None:
    rows = [(q, names[2], "green") for q, _ in PAIRS[:4]] + [(q, names[3], "blue") for q, _ in PAIRS[4:]]
    rows[0] = (PAIRS[0][0], names[0], "red")  # numbers count from 0
    table = "question,A,B,C,D,E,answer\n" + "".join(f"{q},red,,green,blue,,{right}\n" for q, right, _ in rows)
    data = read(tmp_path / "my.csv", f"{table}Nothing named?,red,,green,blue,,{names[1]}\n")
    assert [pair.answer for pair in data.pairs] == [text for _, _, text in rows]
    assert data.pairs[3].question == "What is anaemia? A. red C. green D. blue"
    assert (data.pairs_parsed, data.pairs_answered) == (9, 8)
    assert said(data, "1 answer that named an option without a text, taken for none")


def test_a_question_without_options_among_others_stays(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"question": q, "options": ["red", "blue"], "answer": "blue"} for q, _ in PAIRS]
    rows[0]["options"] = None
    data = read(tmp_path / "my.jsonl", rows)
    assert [pair.question for pair in data.pairs[:2]] == ["What is gout?", "What is asthma? A. red B. blue"]
    assert groups.components(data.pairs, 2) == list(range(8))


MARKED = {
    "### Instruction: … ### Response:": "Below is a task.\n\n### Instruction:\n{q}\n\n### Response:\n{a}</s>",
    "### Human: … ### Assistant:": "### Human: {q} ### Assistant: {a} ### Human: More? ### Assistant: No.",
    "<|im_start|>user … <|im_start|>assistant":
        "<|im_start|>system\nKind.<|im_end|>\n<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n{a}<|im_end|>",
    "<|start_header_id|>user … <|start_header_id|>assistant":
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{q}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n{a}<|eot_id|>",
    "<start_of_turn>user … <start_of_turn>model":
        "<bos><start_of_turn>user\n{q}<end_of_turn>\n<start_of_turn>model\n{a}",
    "[INST] … [/INST]": "<s>[INST] {q} [/INST] {a} </s>",
    "<|user|> … <|assistant|>": "<|system|>\nBe kind.</s>\n<|user|>\n{q}</s>\n<|assistant|>\n{a}</s>",
    "<human>: … <bot>:": "<human>: {q}\n<bot>: {a}",
    "USER: … ASSISTANT:": "A chat. USER: {q} ASSISTANT: {a}</s>",
    "Question: … Answer:": "Question: {q}\nAnswer: {a}",
}  # fmt: skip


@pytest.mark.parametrize("style", marked.STYLES, ids=lambda style: str(style.name))
def test_one_column_of_text_with_marks(tmp_path: Path, style: marked.Style) -> None:
    rows = [{"text": MARKED[style.name].format(q=q, a=a)} for q, a in PAIRS]
    data = read(tmp_path / "my.jsonl", [*rows, {"text": "No mark here."}, {"text": None}])
    assert asked(data) == PAIRS
    assert said(data, f"text with the marks {style.name}")
    assert said(data, "2 conversations without a question and its answer left out")
    assert said(data, "8 later questions left aside") == ("More?" in MARKED[style.name])


def test_an_instruction_with_its_input_in_one_text(tmp_path: Path) -> None:
    rows = [{"text": f"### Instruction: Answer. ### Input: {q} ### Response: {a}"} for q, a in PAIRS]
    assert read(tmp_path / "my.jsonl", rows).pairs[0].question == "Answer. What is gout?"


def test_text_without_marks_is_refused_with_its_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^my\.jsonl: column 'question': missing; the columns are 'text'\. Say which"):
        read(tmp_path / "my.jsonl", [{"text": "A plain line."}])


def test_several_references_are_one_question_and_reach_the_evaluation(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"question": q, "answer": [a, "Something of the body.", a.upper()]} for q, a in PAIRS]
    data = read(tmp_path / "my.jsonl", rows)
    assert asked(data) == PAIRS
    found = references_of(data.pairs, data.pairs)
    assert found == [(answer, "Something of the body.") for _, answer in PAIRS]
    assert said(data, "8 questions with several answers: the first is the pair's own, the others are references too")
    assert references_of(data.pairs[:1], []) == found[:1]  # its own, whatever other pairs there are
    assert len(set(groups.components(data.pairs, 2))) == 8  # a reference that all share links none of them
    rows[0]["answer"] = ["nan", "Key Points - An ache."]
    prepared = cleaned(read(tmp_path / "my.jsonl", rows))
    assert (prepared.pairs[0].answer, prepared.pairs[0].references) == ("An ache.", ())


def test_prepared_references_are_cleaned_like_answers() -> None:
    pair = QAPair("1", "", "gout", "unknown", "What is gout?", "An ache.", "my", references=("What is gout? A pain.",))
    data = PairSet("my", "my", "", (pair,), 1, 1, 0, ())
    assert references_of(cleaned(data).pairs, cleaned(data).pairs) == [("An ache.", "A pain.")]


def test_columns_by_path(tmp_path: Path) -> None:
    rows = [{"meta": {"about": ill}, "talk": [{"who": "p", "said": q}, {"who": "d", "said": a}]}
            for ill, (q, a) in zip(ILLS, PAIRS, strict=True)]  # fmt: skip
    mapping = {"question": "talk.0.said", "answer": "talk.1.said", "topic": "meta.about"}
    for name in ("my.jsonl", "my.parquet"):
        data = read(tmp_path / name, rows, mapping)
        assert asked(data) == PAIRS
        assert [pair.topic for pair in data.pairs] == list(ILLS)
    with pytest.raises(InputError, match=r"columns are 'meta', 'talk', and below them meta\.about, talk\.0\.who, talk"):
        read(tmp_path / "my.jsonl", rows)
    with pytest.raises(
        InputError, match=r"row 1, column 'talk': a list where .*; name a path into it, such as columns"
    ):
        read(tmp_path / "my.jsonl", rows, {"question": "talk", "answer": "talk.1.said"})
    with pytest.raises(InputError, match="none of its 8 questions has an answer"):
        read(tmp_path / "my.jsonl", rows, {"question": "talk.0.said", "answer": "talk.7.said"})


def test_html_becomes_plain_text_and_comparisons_stay(tmp_path: Path) -> None:
    rows = [
        {
            "question": "<b>What</b> is gout?",
            "answer": '<p class="x">An&nbsp;ache.</p><br/>&quot;Rest&quot; &amp; care.',
        },
        {"question": "How low?", "answer": "p < 0.05 and x > 3; <5 mg of <b and c> at AT&T; R&D"},
        {"question": "Which?", "answer": "Two:<ul><li>One</li><li>Two</li></ul><!-- no --><script>alert(1)</script>"},
        {"question": "Twice?", "answer": "&amp;lt;p&amp;gt;Escaped&amp;lt;/p&amp;gt;"},
    ]
    data = read(tmp_path / "my.jsonl", rows)
    assert asked(data) == [
        ("What is gout?", 'An ache. "Rest" & care.'),
        ("How low?", "p < 0.05 and x > 3; <5 mg of <b and c> at AT&T; R&D"),
        ("Which?", "Two: - One - Two"),
        ("Twice?", "Escaped"),
    ]
    assert data.pairs[2].layout == "Two:\n- One\n- Two"
    assert said(data, "4 cells with HTML made plain text")


def test_placeholders_are_counted_and_no_answers(tmp_path: Path) -> None:
    rows = [{"question": q, "answer": a, "topic": "nan"} for q, a in PAIRS]
    rows += [{"question": f"Number {n}?", "answer": a} for n, a in enumerate(("nan", "N/A", "", "None", "—", "null"))]
    data = read(tmp_path / "my.jsonl", rows)
    assert asked(data) == PAIRS
    assert (data.pairs_parsed, data.pairs_answered) == (14, 8)
    assert len(set(groups.components(data.pairs, 2))) == 8  # "nan" is no topic that they share
    for line in ('1 answer reading "nan", taken for none', '8 topics reading "nan", taken for none'):
        assert said(data, line)


def test_one_cell_that_is_too_long_costs_its_row_alone(tmp_path: Path) -> None:
    table = "question,answer\n" + "".join(f"{q},{a}\n" for q, a in PAIRS) + f"Long?,{'a' * 200_000}\n"
    data = read(tmp_path / "my.csv", table)
    assert asked(data) == PAIRS
    assert said(data, "1 row with more than 100,000 characters in a cell left out (the first: row 10, column 'answer')")


def test_repeated_rows_are_dropped_before_any_split(tmp_path: Path) -> None:
    rows = [{"question": q, "answer": a} for q, a in PAIRS]
    again = [{"question": f"  {q.upper()} ", "answer": a} for q, a in PAIRS]
    data = read(tmp_path / "my.jsonl", [*rows, *again, *rows])
    assert (data.pairs_answered, data.duplicates_dropped, len(data.pairs)) == (24, 16, 8)
    parts = random_split(data.pairs, (None, 2, 2), 1)
    texts = [{normalise(pair.question) for pair in part} for part in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, texts)) == len(set().union(*texts)) == 8


def test_a_configuration_of_before_reads_as_before() -> None:
    old = upgrade_run({"schema_version": 2, "config": {"dataset": "my.csv"}})
    assert (old["config"]["reading_version"], TrainConfig().reading_version) == (1, 2)


def test_files_that_an_older_run_read_are_read_as_then(tmp_path: Path) -> None:
    rows = [{"instruction": "Answer it.", "input": "x", "output": f"<p>{a}</p>"} for _, a in PAIRS]
    rows.append({"instruction": "Anything?", "input": "", "output": "None"})
    data = read(tmp_path / "my.json", rows, version=1)
    assert asked(data)[0] == ("Answer it.", f"<p>{PAIRS[0][1]}</p>")
    assert asked(data)[-1] == ("Anything?", "None")
    assert len(data.pairs) == 9
    with pytest.raises(InputError, match="a list where text is needed"):
        read(tmp_path / "my.jsonl", [{"question": "What?", "answer": [{"text": "x"}]}], version=1)


def test_a_plain_table_has_the_ids_that_it_always_had(tmp_path: Path) -> None:
    rows = [{"question": q, "answer": a, "input": "x"} for q, a in PAIRS]
    new, old = (read(tmp_path / "my.jsonl", rows, version=version) for version in (2, 1))
    assert [pair.id for pair in new.pairs] == [pair.id for pair in old.pairs]
    assert new.pairs[0].id == "da57d2c753e1eaed"
    assert new.filters == old.filters
