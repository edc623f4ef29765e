"""Whether the passage that answers a question comes first: by words alone, and reranked by heading.

On MedQuAD's validation questions, as the data set words them and in three wordings a person would type, written for
this: is the first passage, is one of three, of the question's own answer, and how much of that answer's words has it?

    python benchmarks/ranking.py [--quick]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import medqa_core  # noqa: F401 - sets how threads wait

# isort: split
from medqa_core.answering.retrieval.library import library_of
from medqa_core.answering.retrieval.retriever import Retriever, by_words
from medqa_core.data.pairs import QAPair
from medqa_core.data.preparation import data_for
from medqa_core.data.split import split_pairs
from medqa_core.evaluation.content import Content
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.presets import from_preset

WORDINGS = {
    "What is (are) ": ("What's {}?", "tell me about {}", "{}"),
    "What are the symptoms": ("{} symptoms", "signs of {}", "how do I know if I have {}"),
    "What causes": ("why do people get {}", "{} cause", "what brings on {}"),
    "What are the treatments": ("how is {} treated", "{} therapy", "treat {}"),
    "inherited": ("is {} genetic", "does {} run in families", "inheritance of {}"),
    "How to diagnose": ("{} diagnosis", "test for {}", "how is {} diagnosed"),
    "How many people": ("how common is {}", "{} prevalence", "number of people with {}"),
    "outlook": ("{} prognosis", "life expectancy with {}", "outlook {}"),
    "complications": ("complications from {}", "can {} be dangerous", "{} problems"),
    "prevent": ("{} prevention", "how can I avoid {}", "preventing {}"),
    "genetic changes": ("which gene causes {}", "{} genes", "genetic changes in {}"),
    "research": ("{} clinical trials", "{} research", "studies about {}"),
}
"""By a part of the data set's question; `{}` stands for the topic."""


def worded(pair: QAPair, wording: int | None) -> str:
    """The question in one of the three wordings, where its kind has them; None: as it stands."""
    found = next((forms for part, forms in WORDINGS.items() if part in pair.question), None)
    return pair.question if wording is None or found is None else found[wording].format(pair.topic)


def ranked(library: Retriever, own: Sequence[QAPair], wording: int | None, content: Content) -> dict[str, float]:
    """Shares of questions, and the mean content F1 of the first passage against the question's own answer."""
    found = [library.search(worded(pair, wording), 3) for pair in own]
    ids = [[one.question_id for one in few] for few in found]
    first = [few[0].text if few else "" for few in found]
    scores = content.columns(first, own, [(pair.answer,) for pair in own])["content_f1"]
    defined = [score for score in scores if score == score]
    return {
        "first": round(sum(few[:1] == [pair.id] for few, pair in zip(ids, own, strict=True)) / len(own), 4),
        "three": round(sum(pair.id in few for few, pair in zip(ids, own, strict=True)) / len(own), 4),
        "content_f1": round(sum(defined) / len(defined), 4),
    }


def main() -> None:
    """Print the table, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer questions: only a check")
    most = 60 if parser.parse_args().quick else 750
    settings = Settings.from_environment()
    config = from_preset("medquad-open-book", {})
    data = data_for(config, settings)
    own = split_pairs(data.pairs, config).validation[:most]
    library, content = library_of(data, settings), Content.of(data.pairs)
    result: dict[str, object] = {"questions": len(own), "passages": len(library.passages)}
    print(f"{len(own)} questions, {len(library.passages):,} passages: own answer's passage first, among three; content "
          "F1 of the first")  # fmt: skip
    for wording in (None, 0, 1, 2):
        name = "as in the data set" if wording is None else f"wording {wording + 1}"
        for retriever in (by_words(library), library):
            row = ranked(retriever, own, wording, content)
            print(f"{name:<20}{retriever.name:<28}{row['first']:>8.1%}{row['three']:>8.1%}{row['content_f1']:>8.3f}",
                  flush=True)  # fmt: skip
            result[f"{name}, {retriever.name}"] = row
    print(json.dumps(result))


if __name__ == "__main__":
    main()
