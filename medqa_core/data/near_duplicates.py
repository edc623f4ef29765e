"""Answers that are nearly the same text: MinHash (Broder 1997, "On the resemblance and containment of documents").

Compared is what is left without template text (`data.templates`), with the topic's name masked: a form that hundreds of
answers share makes none of them a copy of another, and a copy with the name exchanged is one. Candidates come from
`datasketch`'s MinHash LSH; each is then compared exactly, so that a hash never decides.

Splits of version 2 follow from every number here and in `data.templates`: a change makes a new version.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medqa_core.data.pairs import QAPair
from medqa_core.data.templates import Templates, run_hashes

SHINGLE = 5
"""Words in a row that are compared."""
LEAST = 20
"""Shingles that an answer must have to be compared: shorter ones count only when they are equal."""
SIMILAR = 0.8
"""Jaccard similarity of the shingles from which two answers are near-duplicates."""
_PERMUTATIONS, _BANDS, _ROWS = 32, 8, 4
"""A pair at 0.8 becomes a candidate with 98.5%, one at 0.9 with 99.98%."""

_Shingles = NDArray[np.uint64]


def near_duplicates(pairs: Sequence[QAPair]) -> list[tuple[int, int]]:
    """The places of answers that are near-duplicates, earlier before later; equal ones included.

    Seconds on MedQuAD's 16,359 answers; the order of `pairs` does not matter to what is found.
    """
    # Here and not above: they take a second to import, and pages need the modules that need this one.
    from datasketch import MinHash, MinHashLSH

    # As the data set has them, so that preparing answers moves no pair to another part.
    own = [replace(pair, answer=pair.source_answer) for pair in pairs]
    texts = shingles(Templates.learn(own).remaining())
    compared = [(place, text) for place, text in enumerate(texts) if len(text) >= LEAST]
    index = MinHashLSH(num_perm=_PERMUTATIONS, params=(_BANDS, _ROWS))
    hashed = MinHash.generator((text.tolist() for _, text in compared), num_perm=_PERMUTATIONS, hashfunc=int)
    found = []
    for (place, text), minhash in zip(compared, hashed, strict=True):
        found += [(other, place) for other in index.query(minhash) if _similarity(texts[other], text) >= SIMILAR]
        index.insert(place, minhash, check_duplication=False)
    return sorted(found)


def shingles(texts: Iterable[Sequence[str]]) -> list[_Shingles]:
    """The runs of SHINGLE words of each text, as sorted 32-bit hashes."""
    known: dict[str, int] = {}
    found = []
    for text in texts:
        values = np.fromiter((_hash(word, known) for word in text), dtype=np.uint64, count=len(text))
        found.append(np.unique(run_hashes(values, SHINGLE) >> np.uint64(32)))
    return found


def _hash(word: str, known: dict[str, int]) -> int:
    """Of the letters alone, so that it is the same in every process."""
    if word not in known:
        known[word] = zlib.crc32(word.encode("utf-8", "surrogatepass")) + 1
    return known[word]


def _similarity(one: _Shingles, other: _Shingles) -> float:
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)
