"""The toy model: two Llama layers and a byte-level tokenizer, made on the spot in about a second.

It knows nothing and answers gibberish. It exists so that a smoke run and the tests go through the same code as
a real model, and it comes out the same, byte for byte, each time it is made on the same versions.
"""

from pathlib import Path
from typing import Any

from medqa_core.foundation import files
from medqa_core.foundation.progress import Progress, silent
from medqa_core.models.build_cache import get_or_build, is_complete
from medqa_core.models.references import TOY

RECIPE = "toy/1"
"""Counts up when the toy changes, so that a cache made by an older version is made anew."""

TEXT = """\
What is asthma? Asthma is a long-term disease of the lungs. It makes the airways swell and become narrow,
so that breathing out takes effort. What are the symptoms of asthma? The symptoms of asthma include coughing,
wheezing, a tight chest and shortness of breath, often at night or early in the morning.
What causes anemia? Anemia has many causes. The most common cause is a lack of iron in the diet, or a loss of
blood. Other causes are diseases of the kidney, infections and inherited conditions of the red blood cells.
How is diabetes treated? Treatment of diabetes depends on its type. People with type 1 diabetes need insulin
every day. People with type 2 diabetes may need a change of diet, more exercise, tablets, or insulin as well.
Who is at risk for high blood pressure? The risk rises with age, with being overweight, with too much salt,
with smoking and with a family history of high blood pressure. Anyone can have it without knowing.
How is pneumonia diagnosed? The doctor listens to the chest, asks about fever and cough, and may order an X-ray
and a test of the blood. How can the flu be prevented? A vaccine each year and washing the hands help to prevent
the flu. What is the outlook for migraine? Migraine often gets better with age, and medicine can shorten attacks.
Is cystic fibrosis inherited? Cystic fibrosis is inherited in an autosomal recessive pattern, which means that
both copies of the gene in each cell have a change. The parents each carry one copy and usually have no symptoms.
When should I see a doctor about a headache? See a doctor when the headache is sudden and severe, when it comes
with a fever, a stiff neck, confusion, weakness or trouble with speech, or when it follows an injury of the head.
What research is being done on arthritis? Studies look at how inflammation begins, which genes raise the risk,
and which treatments protect the joints. What tests are there for the thyroid? A blood test measures the hormone
that controls the thyroid. How many people have epilepsy? About one person in a hundred has epilepsy.
"""
"""What the tokenizer is trained on: written for this project."""

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)
SPECIAL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
VOCABULARY = 1024
SEED = 20260101


def folder_in(cache: Path) -> Path:
    """Where the toy lives in the cache, whether or not it is there."""
    return cache / "models" / TOY


def is_ready(cache: Path) -> bool:
    """Whether the toy is in the cache, complete."""
    return is_complete(folder_in(cache), RECIPE)


def ensure(cache: Path, progress: Progress = silent) -> Path:
    """The folder with the toy model, made first if it is not in the cache. No network.

    Raises:
        ModelError: the cache folder cannot be written.
    """
    return get_or_build(folder_in(cache), RECIPE, make, progress)


def make(folder: Path, text: str = TEXT) -> dict[str, Any]:
    """Write a toy model whose tokenizer is trained on `text` into `folder`, which exists."""
    # Here and not above: asking whether the toy is there must not cost an import of torch.
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from medqa_core.models.silence import silenced

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    plain.train_from_iterator([text], trainer)
    config = LlamaConfig(
        vocab_size=plain.get_vocab_size(),
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=SPECIAL.index("<|end|>"),
        pad_token_id=SPECIAL.index("<|pad|>"),
    )
    with silenced(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = LlamaForCausalLM(config)
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=plain,
            pad_token="<|pad|>",
            eos_token="<|end|>",
            chat_template=CHAT_TEMPLATE,
            model_max_length=config.max_position_embeddings,
            padding_side="left",
        )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)
    return {"name": TOY, "weights_sha256": files.sha256(folder / "model.safetensors")}
