"""Our configuration in the Trainer's words."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from medqa_core.runs.config import TrainConfig


def training_arguments(config: TrainConfig, scratch: Path, device: str, *, bar: bool) -> TrainingArguments:
    """The Trainer's arguments; it saves nothing itself, since its checkpoints are pickles."""
    return TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(config.schedule, config.schedule),
        warmup_steps=config.warmup_steps,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
        data_seed=config.seed,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        include_num_input_tokens_seen="non_padding",
        logging_steps=config.logging_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # or a NaN loss would be shown as the last finite one
        eval_strategy="steps",
        eval_steps=config.eval_steps,
        eval_on_start=True,
        save_strategy="no",
        report_to="none",
        use_cpu=device == "cpu",
        bf16=device == "cuda" and torch.cuda.is_bf16_supported(),
        dataloader_pin_memory=device == "cuda",
        disable_tqdm=not bar,
        log_level="error",
    )
