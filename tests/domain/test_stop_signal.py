import pytest

from drumroll.domain.stop_signal import choose_stop_signal, signal_number


@pytest.mark.parametrize(
    ("name", "number"),
    [
        pytest.param("SIGTERM", 15, id="a manifest's name"),
        pytest.param("QUIT", 3, id="without SIG"),
        pytest.param("sigquit", 3, id="in small letters, as Docker allows"),
        pytest.param("9", 9, id="a number"),
        pytest.param("SIGRTMIN+3", 37, id="a real-time signal, as systemd wants it"),
        pytest.param("RTMAX-14", 50, id="counted from the last"),
        pytest.param("SIGRTMIN+31", None, id="a real-time signal beyond the last"),
        pytest.param("0", None, id="the number that asks and sends nothing"),
        pytest.param("65", None, id="a number beyond the last"),
        pytest.param("SIG_IGN", None, id="Python's name of something else"),
        pytest.param("NOPE", None, id="a name that no signal has"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_signal_has_the_number_that_its_name_says(name, number):
    assert signal_number(name) == number


@pytest.mark.parametrize(
    ("lifecycle", "image", "chosen"),
    [
        pytest.param("", "", "SIGTERM", id="nobody says anything"),
        pytest.param("", "SIGQUIT", "SIGQUIT", id="the image says it"),
        pytest.param("SIGUSR1", "SIGQUIT", "SIGUSR1", id="the manifest knows better"),
        pytest.param("SIGNONE", "SIGQUIT", "SIGQUIT", id="a name without a signal does not count"),
    ],
)
def test_the_stop_signal_is_the_manifests_else_the_images(lifecycle, image, chosen):
    assert choose_stop_signal(lifecycle, image) == chosen
