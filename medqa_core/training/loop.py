"""The training loop: steps and validations in their order, the same in every process of a training."""

import time
from collections.abc import Sequence

import torch

from medqa_core.evaluation.loss import answer_losses, batch_count
from medqa_core.models.prompt import Example
from medqa_core.training.recorder import Companion, Recorder
from medqa_core.training.stop import Interrupted
from medqa_core.training.trainer_state import TrainerState


class TrainingLoop:
    """From where the state's counters stand to the last step."""

    def __init__(
        self, state: TrainerState, validation: Sequence[Example], recorder: Recorder | Companion | None = None
    ) -> None:
        """`recorder` is None in processes that write nothing and hold nothing that is written."""
        self._state = state
        self._validation = validation[: state.config.eval_examples]
        self._recorder = recorder

    def run(self) -> str:
        """Train to the last step, or until the validation loss has not fallen for too long; why it ended.

        Raises:
            Interrupted: a stop was asked for; the state is that of the last whole step.
            LossNotFinite: raised by the recorder, after the step's row is written.
        """
        state = self._state
        state.start_clock()
        while True:
            if state.validation_due:
                self._validate()
            if state.out_of_patience:  # at once where a sweep ended it at that very validation, and it is resumed
                return f"the validation loss did not fall {state.config.patience} times in a row"
            if self._recorder is not None and state.counters.step:
                self._recorder.checkpoint_if_due()
            if state.finished:
                return f"all {state.counters.step} steps"
            self._stop_together()
            self._step()

    def _step(self) -> None:
        result = self._state.next_step()
        if self._recorder is not None:
            self._recorder.step(result)
        self._state.callbacks.on_step(result.number, self._state.schedule.total_steps, result.loss)

    def _validate(self) -> None:
        start = time.monotonic()
        loss = self._validation_loss()
        lowest = self._state.count_validation(loss)
        if self._recorder is not None:
            self._recorder.validation(loss, time.monotonic() - start, lowest=lowest)
        self._state.callbacks.on_validation(self._state.counters.step, self._state.schedule.total_steps, loss)

    def _validation_loss(self) -> float:
        """Nats per answer token on the validation examples, with the weights as they are."""
        accelerator = self._state.accelerator
        world, rank = accelerator.num_processes, accelerator.process_index
        with self._state.evaluating() as model:
            # Of several processes each takes its share; alone, this is the function that the evaluation uses.
            losses = answer_losses(model, self._validation[rank::world], lambda _: self._stop_alone())
            for _ in range(self._passes_behind()):
                answer_losses(model, self._validation[:1])
        sums = torch.tensor([sum(one.total for one in losses), float(sum(one.tokens for one in losses))]).double()
        if self._state.distributed:
            sums = accelerator.reduce(sums.to(self._state.device), reduction="sum").cpu()
        return float(sums[0] / sums[1])

    def _passes_behind(self) -> int:
        """Forward passes that another process makes and this one would not: sharded weights are gathered by all."""
        if not self._state.sharded:
            return 0
        world: int = self._state.accelerator.num_processes
        rank: int = self._state.accelerator.process_index
        passes = [batch_count(self._validation[one::world]) for one in range(world)]
        return max(passes) - passes[rank]

    def _stop_alone(self) -> None:
        if not self._state.distributed:
            self._state.stop.check()

    def _stop_together(self) -> None:
        """Several processes stop at the same step, as soon as one of them was asked to."""
        if self._state.agreed(self._state.stop.requested):
            raise Interrupted
