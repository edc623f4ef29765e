"""How threads wait: asleep, unless a person has said otherwise."""

import pytest

from medqa_core.foundation.threads import POLICY, set_thread_policy, thread_policy


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, POLICY),
        ({"OMP_WAIT_POLICY": ""}, POLICY),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
        ({"OMP_WAIT_POLICY": "passive"}, {"OMP_WAIT_POLICY": "passive"}),  # GOMP_SPINCOUNT would win over it
        ({"GOMP_SPINCOUNT": "7"}, {**POLICY, "GOMP_SPINCOUNT": "7"}),
        ({"KMP_BLOCKTIME": "9"}, {**POLICY, "KMP_BLOCKTIME": "9"}),
    ],
)
def test_what_a_person_set_stays(before: dict[str, str], after: dict[str, str]) -> None:
    environment = {**before, "OMP_NUM_THREADS": "3"}
    set_thread_policy(environment)
    assert thread_policy(environment) == after
    assert environment["OMP_NUM_THREADS"] == "3"
