"""Does a model that was fine-tuned to read survive another wording of its questions? Beside it the top passage alone.

MedQuAD's validation questions as the data set words them and in the three wordings of `ranking.py`, which were written
for this. The same passages are found for every run; each is asked with its own weights and as many tokens as it allows.
Differences to the top passage have the verdict's intervals: whole topics are resampled.

    python benchmarks/wordings.py [RUN …] [--questions 100] [--quick]
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import medqa_core  # noqa: F401 - sets how threads wait

# isort: split
from ranking import worded

from medqa_core.answering.engine import decoder_for
from medqa_core.answering.generate import answers, texts
from medqa_core.answering.retrieval.library import library_of
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.sources import fitting
from medqa_core.data.pairs import QAPair, normalise
from medqa_core.data.preparation import data_for
from medqa_core.data.split import split_pairs
from medqa_core.evaluation.content import Content
from medqa_core.evaluation.controls import most_words, top_passages
from medqa_core.evaluation.judge import Array
from medqa_core.evaluation.tables import judge_family
from medqa_core.foundation.format import interval
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt, with_passages, without_citations
from medqa_core.models.variants import ModelVariants, load_variants
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.store.run_store import RunStore

Found = list[list[Passage]]
SEED = 0


def content_of(said: Sequence[str], own: Sequence[QAPair], content: Content) -> Array:
    """The content F1 of each answer; NaN where it is not defined."""
    return np.array(content.columns(list(said), own, [(pair.answer,) for pair in own])["content_f1"], dtype=float)


def difference(top: Array, reader: Array, topics: Sequence[str]) -> str:
    """The reader's gain over the top passage with its 95% interval."""
    metric = judge_family([("reader", "content_f1", top, reader)], topics)["reader"]["content_f1"]
    return interval(metric.difference, metric.ci)


def read(
    variants: ModelVariants, settings: Settings, asked: Sequence[str], found: Found, config: TrainConfig
) -> list[str]:
    """What the fine-tuned model answers to each question with its passages, numbers of passages taken out."""
    prompts = []
    for question, passages in zip(asked, found, strict=True):
        _, kept = fitting(variants, question, passages, config.max_new_tokens)
        text = with_passages(question, [one.text for one in kept])
        prompts.append(encode_prompt(variants.tokenizer, text, variants.prompt))
    decoder = decoder_for(variants, settings, "float32")
    end = variants.tokenizer.eos_token_id
    made: dict[int, list[int]] = {}
    for batch in answers(decoder, "fine_tuned", prompts, config.max_new_tokens, end):
        made |= batch
    return [without_citations(text).strip() for text in texts(variants.tokenizer, [made[n] for n in sorted(made)])]


def main() -> None:
    """Print the table, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shipped = ["medquad-open-book"]
    what = f"of task open_book on MedQuAD, with the same split; default: {shipped[0]}"
    parser.add_argument("runs", nargs="*", default=shipped, metavar="RUN", help=what)
    parser.add_argument("--questions", type=int, default=100, help="drawn from the validation questions")
    parser.add_argument("--quick", action="store_true", help="six questions: only a check")
    given = parser.parse_args()
    questions = 6 if given.quick else given.questions
    settings = Settings.from_environment()
    store = RunStore(settings.reports)
    configs = [store.open(run).record.config for run in given.runs]
    config = configs[0]
    assert isinstance(config, TrainConfig)
    data = data_for(config, settings)
    own = list(split_pairs(data.pairs, config).validation)
    own = random.Random(SEED).sample(own, min(questions, len(own)))
    library, content = library_of(data, settings), Content.of(data.pairs)
    loaded = [load_variants(store.open(run), settings) for run in given.runs]
    topics = [normalise(pair.topic) for pair in own]
    scores: dict[str, list[Array]] = {name: [] for name in ("top passage", *given.runs)}
    print(f"{len(own)} questions; content F1 of the top passage alone, then of {', '.join(given.runs)}")
    for wording in (None, 0, 1, 2):
        asked = [worded(pair, wording) for pair in own]
        found = [library.search(question, config.passages) for question in asked]
        top = top_passages(found, most_words(config.max_new_tokens)).texts
        scores["top passage"].append(content_of(top, own, content))
        for run, variants in zip(given.runs, loaded, strict=True):
            scores[run].append(content_of(read(variants, settings, asked, found, config), own, content))
        name = "as in the data set" if wording is None else f"wording {wording + 1}"
        print(f"{name:<20}" + "".join(f"{np.nanmean(each[-1]):>9.3f}" for each in scores.values()), flush=True)
    for run in given.runs:
        for name, parts in (("as in the data set", slice(0, 1)), ("the three wordings", slice(1, None))):
            top_of, own_of = (np.concatenate(scores[each][parts]) for each in ("top passage", run))
            said = difference(top_of, own_of, topics * (len(own_of) // len(own)))
            print(f"{run}, {name}: {said} beside the top passage")
    print(json.dumps({name: [round(float(np.nanmean(one)), 4) for one in each] for name, each in scores.items()}))


if __name__ == "__main__":
    main()
