"""How version 0.1 wrote down an evaluation's protocol, a sentence per name, brought to the fields of today.

Only what 0.1 wrote word for word is understood. Anything else is kept as it is under `notes`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Fields = dict[str, Any]
"""Fields of `Protocol` as JSON has them."""

_RESAMPLING = (
    r"whole topics: 95% bootstrap interval, permutation test; Holm's correction of the secondary metrics, at 1% where "
    r"the primary one finds nothing, and across question types and sources"
)
_DECODING = r"greedy, at most ([1-9]\d{0,8}) new tokens, ((?:CTranslate2|transformers) [^ ,]+), (float32|int8)"
_PASSAGES = (
    r"at most ([1-9]\d{0,8}) a question, no two of one answer, found by (.+) in the training answers"
    r"(, which hold no document of a test question)?(?:; (\d{1,9}) of the (\d{1,9}) test questions, drawn by lot)?"
)
_LOSS = r"(?:chat|plain) (?:\d{1,9}\.\d{4}|nan|inf)"
_SHOTS = {"an unknown number of examples": None, "no example": 0, "one example": 1}


def _decoding(found: re.Match[str]) -> Fields:
    tokens, engine, precision = found.groups()
    return {"decoding": {"max_new_tokens": int(tokens), "engine": engine, "precision": precision}}


def _base_losses(found: re.Match[str]) -> Fields:
    stated = dict(one.split(" ") for one in found[1].split(", "))
    by_prompt = {prompt: float(loss) if loss not in ("nan", "inf") else None for prompt, loss in stated.items()}
    return {"base_losses": {"by_prompt": by_prompt, "questions": int(found[2])}}


def _resampling(_: re.Match[str]) -> Fields:
    over = ("secondary metrics", "question types", "sources")
    return {"resampling": {}, "correction": {"over": over, "level_without_primary": 0.01}}


def _mmlu(found: re.Match[str]) -> Fields:
    scoring, shots = found.groups()
    examples = _SHOTS[shots] if shots in _SHOTS else int(shots.removesuffix(" examples"))
    return {"mmlu": {"scoring": scoring, "shots": examples}}


def _retrieval(found: re.Match[str]) -> Fields:
    passages, method, held_out, asked, of = found.groups()
    part = {} if asked is None else {"asked": int(asked), "of": int(of)}
    known = {"passages": int(passages), "method": method, "test_documents_held_out": held_out is not None}
    return {"retrieval": known | part}


_WRITTEN: Mapping[str, tuple[tuple[str, Callable[[re.Match[str]], Fields]], ...]] = {
    "prompt": ((r"(chat|plain), for both models", lambda found: {"prompt": found[1]}),),
    "loss": (
        (
            r"nats a token of the reference answer, its first ([1-9]\d{0,8}) tokens with the prompt",
            lambda found: {"loss_tokens": int(found[1])},
        ),
    ),
    "decoding": ((_DECODING, _decoding),),
    "rouge": (
        (
            r"rouge_score F-measure with stemming, the best of a question's references, each of them whole",
            lambda _: {"rouge": {}},
        ),
    ),
    "token_f1": ((r"words in lower case, the best of a question's references", lambda _: {"token_f1": {}}),),
    "copies": (
        (
            r"share of an answer's words in runs of ([1-9]\d{0,8}) that one training answer holds too",
            lambda found: {"copied_words": int(found[1])},
        ),
    ),
    "base_sha256": ((r".*", lambda found: {"base_sha256": found[0]}),),
    "fine_tuned_sha256": ((r".*", lambda found: {"fine_tuned_sha256": found[0]}),),
    "base_loss_by_prompt": ((rf"({_LOSS}(?:, {_LOSS})?) \((\d{{1,9}}) validation questions\)", _base_losses),),
    "resampling": ((_RESAMPLING, _resampling),),
    "mmlu": (
        (
            r"(letter|cloze) scoring, (an unknown number of examples|no example|one example|\d{1,9} examples) "
            r"in the prompt",
            _mmlu,
        ),
        (
            r"Right answers over all questions of the subsets in the file, computed on import\.",
            lambda _: {"mmlu": {"pooled_on_import": True}},
        ),
    ),
    "passages": ((_PASSAGES, _retrieval),),
    "weights": ((r"those of the (base|fine-tuned) model", lambda _: {}),),  # `WithSources.weights` says so
    "correction": (
        (
            r"Holm's, over the comparisons with both models",
            lambda _: {"correction": {"over": ("compared models",)}},
        ),
    ),
}
"""What 0.1 wrote under each name, and the fields that it says."""


def upgrade_protocol(value: Any) -> Any:
    """The protocol of an evaluation.json of schema 1 in the fields of schema 2; what is no object as it is."""
    if not isinstance(value, Mapping):
        return value
    fields: Fields = {}
    notes: Fields = {}
    for name, text in value.items():
        read = _read(name, text)
        if read is None:
            notes[name] = text
        else:
            fields |= read
    return {**fields, "notes": notes} if notes else fields


def _read(name: Any, text: Any) -> Fields | None:
    """What 0.1 said under `name`; None where that is not what it wrote."""
    if not isinstance(text, str):
        return None
    for pattern, fields in _WRITTEN.get(name, ()):
        found = re.fullmatch(pattern, text)
        if found:
            return fields(found)
    return None
