# SPDX-License-Identifier: Apache-2.0
"""The one table from failures to OMA numbers."""

import itertools

import pytest

from scomod import errors
from scomod.codes import DmStatus, ResultCode
from scomod.errors import Reason, ScomodError
from scomod.operation import StepKind
from scomod.outcome import STATUS, STEP_DEFAULT, result_for, status_for


def all_errors(kind: type[ScomodError] = ScomodError) -> list[type[ScomodError]]:
    own = [k for k in kind.__subclasses__() if k.__module__ == errors.__name__]
    return [kind, *itertools.chain.from_iterable(map(all_errors, own))]


ARGUMENTS: dict[type[ScomodError], tuple[object, ...]] = {
    errors.LimitExceeded: ("limit", 1),
    errors.OperationError: (Reason.INTERNAL, "text"),
    errors.DownloadError: (Reason.INTERNAL, "text"),
    errors.VerifyError: (Reason.INTERNAL, "text"),
    errors.InstallerError: (Reason.INTERNAL, "text"),
}


@pytest.mark.parametrize("kind", all_errors(), ids=lambda k: k.__name__)
def test_every_error_has_a_failing_status(kind: type[ScomodError]) -> None:
    if kind is errors.TransportError:
        error: ScomodError = errors.TransportError("text", is_retryable=True)
    else:
        error = kind(*ARGUMENTS.get(kind, ("text",)))
    assert status_for(error) >= DmStatus.BAD_REQUEST


@pytest.mark.parametrize("kind", [k for k in all_errors() if issubclass(k, errors.CommandError)])
def test_every_command_error_has_a_status_of_its_own(kind: type[ScomodError]) -> None:
    assert kind in STATUS or kind is errors.CommandError


@pytest.mark.parametrize(
    ("step", "reason"), list(itertools.product(StepKind, Reason)), ids=lambda v: str(v)
)
def test_every_failed_step_has_a_failing_result(step: StepKind, reason: Reason) -> None:
    assert result_for(step, reason) >= ResultCode.CLIENT_ERROR


def test_every_step_has_a_default() -> None:
    assert set(STEP_DEFAULT) == set(StepKind)


@pytest.mark.spec("scomo N1, N2, N3, N4, N5")
@pytest.mark.parametrize(
    ("step", "reason", "result"),
    [
        (StepKind.CONSENT, Reason.CANCELLED, 1401),
        (StepKind.ACQUIRE, Reason.REFUSED_BY_SERVER, 1402),
        (StepKind.ACQUIRE, Reason.UNREACHABLE, 1501),
        (StepKind.ACQUIRE, Reason.UNAUTHORISED, 1403),
        (StepKind.ACQUIRE, Reason.SERVER_UNAVAILABLE, 1500),
        (StepKind.ACQUIRE, Reason.TIMEOUT, 1501),
        (StepKind.ACQUIRE, Reason.NO_SPACE, 1404),
        (StepKind.ACQUIRE, Reason.DIGEST, 1407),
        (StepKind.INSTALL, Reason.NO_SPACE, 1406),
        (StepKind.VERIFY, Reason.SIGNATURE, 1407),
        (StepKind.VERIFY, Reason.POLICY, 1407),
        (StepKind.INSTALL, Reason.MALFORMED, 1407),
        (StepKind.INSTALL, Reason.SCRIPT_FAILED, 1405),
        (StepKind.REMOVE, Reason.DEPENDENCY, 1408),
        (StepKind.ACTIVATE, Reason.NOT_PRESENT, 1409),
        (StepKind.DEACTIVATE, Reason.SCRIPT_FAILED, 1410),
        (StepKind.CONSENT, Reason.UNSUPPORTED_ENV, 1413),
        (StepKind.INSTALL, Reason.NOT_IMPLEMENTED, 1411),
        (StepKind.INSTALL, Reason.CRASH_LOOP, 1405),
    ],
)
def test_failure_gives_the_result_that_the_standard_names(
    step: StepKind, reason: Reason, result: int
) -> None:
    assert result_for(step, reason) == result
