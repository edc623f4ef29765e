"""What a worker imports before it trains, for the server that workers are forked from."""

import peft  # noqa: F401
import transformers.models.llama.modeling_llama
import transformers.models.llama.tokenization_llama  # noqa: F401
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401

import medqa_core.cli.app
import medqa_core.training.train  # noqa: F401
