"""Answers of a Prometheus that come to one number, and those that do not."""

import pytest

from drumroll.domain.analysis.answers import one_number


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"7.5"]}]}}', 7.5),
        (b'{"status":"success","data":{"resultType":"vector","result":[]}}', 0.0),
        (b'{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}', 3.0),
    ],
)
def test_an_answer_one_number_is_one_number(body, value):
    assert one_number(body) == value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"status":"error","error":"parse error"}', "parse error"),
        (
            b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"7"]},{"value":[1,"8"]}]}}',
            "2 series",
        ),
        (b'{"status":"success"}', "no answer of Prometheus"),
        (b"oops", "no answer of Prometheus"),
        (b"[]", "no answer of Prometheus"),
    ],
)
def test_other_answers_are_refused(body, words):
    with pytest.raises(ValueError, match=words):
        one_number(body)
