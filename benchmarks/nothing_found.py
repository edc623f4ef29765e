"""When a library holds nothing on a question: what the least match and the least support of a sentence are chosen by.

The match of the best passage with validation questions of MedQuAD, as they are and in three wordings (their own
document in the library, and hidden), with questions as people type them, and with questions that the library has
nothing on: off-topic ones and ones in other languages, all written for this; and which of them name no topic of what is
found. The same in the starter set. Then the share of a sentence's content words that passages from *other* documents
hold: how often a sentence is called supported that rests on none of its passages.

    python benchmarks/nothing_found.py [--quick]
"""

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import medqa_core  # noqa: F401 - sets how threads wait

# isort: split
from ranking import worded

from medqa_core.answering.attribution import LEAST_SUPPORT, sentences
from medqa_core.answering.retrieval.library import library_of, search_others
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.retrieval.retriever import Retriever
from medqa_core.answering.retrieval.topics import LEAST_MATCH, names_topic
from medqa_core.data import starter
from medqa_core.data.pairs import QAPair, normalise
from medqa_core.data.preparation import data_for
from medqa_core.data.split import split_pairs
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.presets import from_preset

K = 3
LEVELS = (0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
OFF_TOPIC = """
What is the capital of France?|Who won the football world cup in 2014?|How do I change a flat tire on my bicycle?
What is the best recipe for chocolate cake?|How does a diesel engine work?|Who wrote Don Quixote?
What is the distance between the earth and the moon?|How do I install Python on Windows?
What is the exchange rate of the dollar to the yen?|Which planet has the most moons?|What is the plot of Hamlet?
How do I write a cover letter for a job?|When did the second world war end?|How do I train a puppy to sit?
What is the tallest building in the world?|How is paper made?|What are the rules of chess?
How much does a plane ticket to Tokyo cost?|Who is the president of Brazil?|What is quantum entanglement?
How do I reset my router password?|What is the difference between a lease and a mortgage?|Who painted the Mona Lisa?
How do volcanoes erupt?|What is the boiling point of water at high altitude?|How do I file my income tax return?
Which language is spoken in Austria?|How do I sharpen a kitchen knife?|What does the word serendipity mean?
How do I fix a leaking faucet?|What are good books about Roman history?|How does a blockchain work?
When is the best time to plant tomatoes?|How do I learn to play the guitar?|Why is the sky blue?
What is the speed limit on German highways?|How do I remove a wine stain from a carpet?
What is the population of India?|Who invented the telephone?|How do I tie a bow tie?
"""
FOREIGN = """
Was sind die Symptome von Gicht?|Wie wird Asthma bei Kindern behandelt?|Welche Ursachen hat ein Glaukom?
Wie kann man einer Grippe vorbeugen?|Ist Mukoviszidose vererbbar?|Quels sont les symptômes de la goutte ?
Comment traite-t-on l'anémie ferriprive ?|Quelles sont les causes du glaucome ?|Comment prévenir la grippe ?
La mucoviscidose est-elle héréditaire ?|¿Cuáles son los síntomas de la gota?|¿Cómo se trata la anemia ferropénica?
¿Qué causa el glaucoma?|¿Cómo se puede prevenir la gripe?|¿Es hereditaria la fibrosis quística?
Quali sono i sintomi della gotta?|Come si cura l'anemia da carenza di ferro?|Wat zijn de symptomen van jicht?
Hoe wordt bloedarmoede behandeld?|Quais são os sintomas da gota?|Каковы симптомы подагры?
Как лечат железодефицитную анемию?|Vilka är symptomen på gikt?|Gut hastalığının belirtileri nelerdir?
痛風の症状は何ですか？|痛风有什么症状？|ما هي أعراض النقرس؟|गठिया के लक्षण क्या हैं?|Jakie są objawy dny moczanowej?
통풍의 증상은 무엇입니까?
"""
TYPED = """
What are the simptoms of gout?|wht causes glaucoma|symptoms gout|How is iron deficiency anemia treated?
How can the spread of influenza be prevented?|What are the symptoms of gout?|What causes glaucoma?
What medicines do people take for high blood pressure?|my knee hurts when I walk, what could it be?
is diabetes inherited?|can i eat sugar with diabetes|What is the treatment of hypertention?
why do I get headaches in the morning?|how long does the flu last|Should I worry about a mole that changes colour?
What vaccines does a baby need?|How do I stop smoking?|What helps against a sore throat?
Is it dangerous to take ibuprofen with aspirin?|What are the side effects of metformin?
What does a high cholesterol value mean?|How do doctors find out whether it is asthma?|signs of a stroke
What is COPD?|How do I lower my cholesterol?|What causes kidney stones?|How are kidney stones treated?
Can stress cause hair loss?|What foods are good for anemia?|How is sleep apnea diagnosed?
"""


def listed(text: str) -> list[str]:
    """The questions of a list above."""
    return [one for line in text.strip().splitlines() for one in line.split("|")]


def measured(library: Retriever, asked: Sequence[str], found: Sequence[Sequence[Passage]]) -> list[float]:
    """Shares of the questions: those whose best passage matches at least as much as each of LEVELS; those that find
    something on Ask; and those that do so and name the topic of none of it."""
    both = list(zip(asked, found, strict=True))
    best = [max((library.match(question, one) for one in few), default=0.0) for question, few in both]
    named = [names_topic(question, few) for question, few in both]
    enough = [match >= (LEAST_MATCH if on else library.least_match) for match, on in zip(best, named, strict=True)]
    off = [there and on is False for there, on in zip(enough, named, strict=True)]
    counted = [*([match >= level for match in best] for level in LEVELS), enough, off]
    return [round(sum(each) / max(1, len(asked)), 4) for each in counted]


def rows_of(library: Retriever, pairs: Sequence[QAPair], own: Sequence[QAPair]) -> dict[str, list[float]]:
    """What is `measured` of each kind of question, by its name; `own` are some of the library's `pairs`."""
    documents: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        documents[normalise(pair.topic)].add(pair.document)
    rows = {}
    for wordings, how in (((None,), "as in the set"), ((0, 1, 2), "reworded")):
        asked = [(pair, worded(pair, wording)) for pair in own for wording in wordings]
        texts = [text for _, text in asked]
        rows[f"its own, {how}"] = measured(library, texts, [library.search(text, K) for text in texts])
        for there, name in ((True, "hidden, topic elsewhere"), (False, "hidden, topic nowhere")):
            some = [(pair, text) for pair, text in asked if (len(documents[normalise(pair.topic)]) > 1) is there]
            found = [search_others(library, text, K, pair.document) for pair, text in some]
            rows[f"  {name} ({len(some):,})"] = measured(library, [text for _, text in some], found)
    for name, listing in (("as people type", TYPED), ("off topic", OFF_TOPIC), ("other languages", FOREIGN)):
        few = listed(listing)
        rows[f"{name} ({len(few)})"] = measured(library, few, [library.search(text, K) for text in few])
    return rows


def supported_by_chance(library: Retriever, own: Sequence[QAPair]) -> tuple[int, float]:
    """Sentences of reference answers, and the share that passages from other documents are said to support."""
    found = [
        one
        for pair in own
        for one in sentences(
            pair.answer,
            pair.question,
            [passage.text for passage in search_others(library, pair.question, K, pair.document)],
        )
        if one.share is not None
    ]
    return len(found), round(sum(one.passage is not None for one in found) / len(found), 4)


def main() -> None:
    """Print a table for each library, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer questions: only a check")
    most = 60 if parser.parse_args().quick else 750
    settings = Settings.from_environment()
    config = from_preset("medquad-open-book", {})
    data = data_for(config, settings)
    validation = split_pairs(data.pairs, config).validation
    start = time.perf_counter()
    libraries = {"MedQuAD": library_of(data, settings), "starter": library_of(starter.load(), settings)}
    seconds = time.perf_counter() - start
    result: dict[str, object] = {"index_seconds": round(seconds, 1), "levels": LEVELS}
    small = starter.load().pairs
    for name, pairs, own in (("MedQuAD", data.pairs, validation[:most]), ("starter", small, small[:most])):
        least = f"{libraries[name].least_match:g}, {LEAST_MATCH:g} where the topic is named"
        print(f"{name}: share of questions that find a passage, by the least match, and on Ask ({least})")
        print("off: on Ask, and the question names the topic of none")
        print(f"{'':<34}{''.join(f'{level:>8}' for level in LEVELS)}     ask     off")
        rows = rows_of(libraries[name], pairs, own)
        for kind, shares in rows.items():
            print(f"{kind:<34}{''.join(f'{share:>8.1%}' for share in shares)}", flush=True)
        result[name] = rows
    count, share = supported_by_chance(libraries["MedQuAD"], random.Random(0).sample(list(validation), min(250, most)))
    print(
        f"{share:.1%} of {count:,} sentences are said to be supported ({LEAST_SUPPORT:g}) by other documents' passages"
    )
    print(json.dumps({**result, "sentences": count, "supported_by_other_documents": share}))


if __name__ == "__main__":
    main()
