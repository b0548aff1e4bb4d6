"""What ends a start is a sentence when a person can mend it, and a traceback in the log when only we can."""

import errno

import pytest

from drumroll.assembly.daemon import leaves, refusal_of
from drumroll.assembly.home import Refusal
from drumroll.client.kubeconfig import KubeconfigError
from drumroll.objects.errors import BadRequest, ServiceUnavailable


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(Refusal("port 1 is taken."), "port 1 is taken.", id="a refusal speaks for itself"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), "the disk is full", id="the disk is full"),
        pytest.param(OSError(errno.EROFS, "Read-only file system", "/x"), "--home", id="a read-only disk"),
        pytest.param(ServiceUnavailable("database is full"), "database is full", id="the store cannot be written"),
    ],
)
def test_what_a_person_can_mend_is_a_sentence(error: Exception, words: str) -> None:
    refusal = refusal_of(error)
    assert refusal is not None
    assert words in str(refusal)


def test_a_kubeconfig_that_cannot_be_written_is_told_by_its_cause() -> None:
    error = KubeconfigError("/x/kubeconfig: No space left on device")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/x/kubeconfig")
    assert str(refusal_of(error)).startswith("the disk is full (/x/kubeconfig).")
    assert str(refusal_of(KubeconfigError("/x is not a folder"))) == "/x is not a folder."


@pytest.mark.parametrize("error", [KeyError("x"), BadRequest("x"), OSError(errno.EBADF, "Bad file descriptor")])
def test_what_is_our_fault_keeps_its_traceback(error: Exception) -> None:
    assert refusal_of(error) is None


def test_the_reason_is_found_in_nested_groups() -> None:
    group = BaseExceptionGroup("outer", [ExceptionGroup("inner", [Refusal("no")]), KeyboardInterrupt()])
    assert [type(leaf) for leaf in leaves(group)] == [Refusal, KeyboardInterrupt]
