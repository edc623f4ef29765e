"""How an evaluation was made, line by line: the one place where a protocol becomes sentences."""

from collections.abc import Callable

from medqa_core.foundation.format import capital, count, listing, number, percent, plural, words
from medqa_core.report.names import MODELS
from medqa_core.runs.schema.evaluation import (
    BaseLosses,
    ContentProtocol,
    ControlsProtocol,
    Correction,
    Decoding,
    MMLUProtocol,
    OtherTopicProtocol,
    Protocol,
    Resampling,
    RetrievalProtocol,
    Rouge,
    TokenF1,
    WithSources,
)

Lines = list[tuple[str, str]]
"""Label and text, in the order in which they are read."""

MOST_NOTES = 20
_BEST = "the best of a question's references"


def protocol_lines(protocol: Protocol) -> Lines:
    """What is known of how answers were made, measured and judged; empty where nothing is."""
    made: Lines = []
    for label, name, text in _FIELDS:
        value = getattr(protocol, name)
        if value is not None:
            made.append((label, text(value)))
    notes = list(protocol.notes.items())[:MOST_NOTES]
    return made + [(capital(words(name, 60).replace("_", " ")), words(text)) for name, text in notes]


def with_sources_lines(part: WithSources) -> Lines:
    """The same of answers with sources, and whose weights read the passages."""
    return [("Weights", f"those of the {MODELS[part.weights]} model"), *protocol_lines(part.protocol)]


def _decoding(made: Decoding) -> str:
    return (
        f"{made.method}, at most {plural(made.max_new_tokens, 'new token')}, {words(made.engine, 80)}, {made.precision}"
    )


def _rouge(rouge: Rouge) -> str:
    stemming = "with stemming" if rouge.stemming else "without stemming"
    return f"{words(rouge.package, 80)} F-measure {stemming}, {_BEST}, each of them whole"


def _token_f1(score: TokenF1) -> str:
    return f"{'words in lower case' if score.lower_case else 'words'}, {_BEST}"


def _base_losses(losses: BaseLosses) -> str:
    each = ", ".join(
        f"{prompt} {'not finite' if loss is None else number(loss, 4)}" for prompt, loss in losses.by_prompt.items()
    )
    return f"{each} ({plural(losses.questions, 'validation question')})"


_LIBRARIES = {
    "training answers": "the training answers",
    "data set": "all answers of the data set under their questions, the question's own included",
    "other documents": "the data set's answers from other documents than the question's",
}


def _retrieval(retrieval: RetrievalProtocol) -> str:
    text = (
        f"at most {retrieval.passages} per question, no two from the same answer, found by "
        f"{words(retrieval.method, 120)} in {_LIBRARIES[retrieval.library]}"
    )
    if retrieval.library == "training answers" and retrieval.test_documents_held_out:
        text += ", which hold no document of a test question"
    if retrieval.asked is not None and retrieval.of is not None:
        text += f"; {count(retrieval.asked)} of the {count(retrieval.of)} test questions, chosen at random"
    return text


def _resampling(resampling: Resampling) -> str:
    number_of = f"; {plural(resampling.number, 'resample')}" if resampling.number else ""
    return f"whole topics: {percent(resampling.level, 0)} bootstrap interval, permutation test{number_of}"


def _correction(correction: Correction) -> str:
    names = {
        "secondary metrics": "over the secondary metrics",
        "question types": "across question types",
        "sources": "across sources",
        "compared models": "over the comparisons with both models",
    }
    text = f"Holm's, {listing([names[family] for family in correction.over])}"
    level = correction.level_without_primary
    stricter = f"; secondary metrics at {percent(level, 0)} where the primary one finds nothing" if level else ""
    within = "; a part shows nothing that the whole does not" if correction.parts_within_whole else ""
    return f"{text}{stricter}{within}"


def _mmlu(asked: MMLUProtocol) -> str:
    if asked.pooled_on_import:
        return "correct answers over all questions of the subsets in the file, computed on import"
    how = {
        "letter": "by letter",
        "calibrated": "by letter, each letter's mean log-likelihood taken out",
        "cloze": "by the answers' texts, log-likelihood" + (" per byte" if asked.per_byte else ""),
    }
    scoring = how[asked.scoring] if asked.scoring else "scoring unknown"
    shots = asked.shots
    examples = "an unknown number of examples" if shots is None else plural(shots, "example") if shots else "no example"
    return f"{scoring}, {examples} in the prompt"


def _content(made: ContentProtocol) -> str:
    runs = (
        f"runs of {made.words} words that, the topic's name masked, stand in answers on {made.topics} topics or more "
        "of the whole data set"
    )
    found = runs if made.templates else f"{runs}: there are none"
    functions = f"function words of {made.language}" if made.language else "no function words (language not recognised)"
    return f"templates: {found}; content F1 leaves out {functions}"


def _controls(made: ControlsProtocol) -> str:
    patterns = plural(made.patterns, "question pattern")
    return (
        f"from training data alone, cut to {plural(made.most_words, 'word')}; {patterns} with a typical answer; "
        f"nearest answer by {words(made.method, 80)}"
    )


def _other_topic(made: OtherTopicProtocol) -> str:
    same = {"question pattern": "the same pattern", "question type": "the same type", "any question": "any kind"}
    return (
        f"loss under a question of {same[made.kind]} about another topic minus loss under the own one, "
        f"{plural(made.questions, 'question')}, seed {made.seed}"
    )


_FIELDS: tuple[tuple[str, str, Callable[..., str]], ...] = (
    ("Prompt", "prompt", lambda kind: f"{kind}, for both models"),
    (
        "Loss",
        "loss_tokens",
        lambda limit: f"nats per token of the reference answer, its first {count(limit)} tokens with the prompt",
    ),
    ("Test questions", "test_questions", lambda asked: f"{count(asked)} of the split's, chosen at random"),
    ("Decoding", "decoding", _decoding),
    ("ROUGE", "rouge", _rouge),
    ("Token F1", "token_f1", _token_f1),
    (
        "Copies",
        "copied_words",
        lambda run: f"share of an answer's words in runs of {run} that one training answer holds too",
    ),
    ("Outside templates", "content", _content),
    ("Controls", "controls", _controls),
    ("Topic information", "other_topic", _other_topic),
    ("Passages", "retrieval", _retrieval),
    ("Resampling", "resampling", _resampling),
    ("Correction", "correction", _correction),
    ("MMLU", "mmlu", _mmlu),
    ("Base SHA-256", "base_sha256", str),
    ("Fine-tuned SHA-256", "fine_tuned_sha256", str),
    ("Base loss by prompt", "base_losses", _base_losses),
)
"""Each field of a protocol with its label and the sentence that is made of it."""
