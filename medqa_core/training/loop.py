"""Steps and validations in their order, the same in every process of a training."""

import time
from collections.abc import Callable

import torch

from medqa_core.evaluation.loss import answer_losses
from medqa_core.training.checkpoint import Counters
from medqa_core.training.prepare import Prepared
from medqa_core.training.recorder import Recorder
from medqa_core.training.stop import Interrupted
from medqa_core.training.trainer_state import Fit

OnStep = Callable[[int, int, float], None]
"""Called with the step, the steps there will be, and the step's loss; or, after a validation, the validation loss."""


def noop(step: int, total: int, loss: float) -> None:
    """Nobody listens."""


class Loop:
    """The way from where the counters say to the last step."""

    def __init__(
        self,
        fit: Fit,
        prepared: Prepared,
        counters: Counters,
        recorder: Recorder | None,
        on_step: OnStep = noop,
        on_validation: OnStep = noop,
    ) -> None:
        """`recorder` is None in processes that write nothing, and there nobody is called either."""
        self._fit = fit
        self._validation = prepared.validation[: prepared.config.eval_examples]
        self._counters = counters
        self._recorder = recorder
        self._on_step = on_step
        self._on_validation = on_validation

    def run(self) -> str:
        """To the last step, or until the validation loss has not fallen for too long."""
        plan, config = self._fit.plan, self._fit.config
        done = self._counters.step
        while True:
            due = done == 0 or done % config.eval_steps == 0 or done == plan.total_steps
            if due and self._counters.validated != done and self._validate():
                return f"the validation loss did not fall {config.patience} times in a row"
            if self._recorder is not None and done:
                self._recorder.checkpoint_if_due()
            if done == plan.total_steps:
                return f"all {done} steps"
            self._stop_together()
            one = self._fit.step(done + 1)
            done = one.number
            self._counters = self._counters.model_copy(update={"step": done})
            if self._recorder is not None:
                self._recorder.step(one)
                self._on_step(done, plan.total_steps, one.loss)

    def _validate(self) -> bool:
        """Validate; whether that was one time too many without a lower loss."""
        start = time.monotonic()
        world, rank = self._fit.accelerator.num_processes, self._fit.accelerator.process_index
        with self._fit.evaluating() as model:
            # Of several processes each takes its share; alone, this is the function that the evaluation uses.
            losses = answer_losses(model, self._validation[rank::world], lambda _: self._check_alone())
        sums = torch.tensor([sum(one.total for one in losses), float(sum(one.tokens for one in losses))]).double()
        if world > 1:
            sums = self._fit.accelerator.reduce(sums.to(self._fit.device), reduction="sum").cpu()
        loss = float(sums[0] / sums[1])
        self._counters = self._counters.after_validation(loss)
        if self._recorder is not None:
            self._recorder.validation(loss, time.monotonic() - start)
            self._on_validation(self._counters.step, self._fit.plan.total_steps, loss)
        patience = self._fit.config.patience
        return patience is not None and self._counters.bad_validations >= patience

    def _check_alone(self) -> None:
        if self._fit.accelerator.num_processes == 1:
            self._fit.stop.check()

    def _stop_together(self) -> None:
        """Several processes stop at the same step, as soon as one of them was asked to."""
        if self._fit.accelerator.num_processes == 1:
            self._fit.stop.check()
            return
        asked = torch.tensor(float(self._fit.stop.requested), device=self._fit.device)
        if float(self._fit.accelerator.reduce(asked, reduction="sum")):
            raise Interrupted
