"""Changes of a body: each gives what it says, or an error that says what it is of."""

import copy
import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline.errors import ServerMalformed
from finops_pipeline_tests.sources.malformed import Question, mutated, questions

QUESTIONS = questions()


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_the_right_body_is_read_as_another_reader_does(question: Question):
    assert question.mistakes(question.body) == []
    assert question.read(question.body).tables[question.table_name].num_rows > 0


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@settings(max_examples=40)  # `make faults` tries a thousand of each
@given(seed=st.integers(0, 2**64))
def test_a_malformed_body_is_read_as_another_reader_does_or_refused(question: Question, seed: int):
    assert question.mistakes(mutated(question.body, Random(seed))) == []


def with_value(text: str) -> bytes:
    """Return the right answer about volumes with another first value."""
    body = QUESTIONS["raw.volume_usage"].body
    start = body.index(b',"', body.index(b'"value":[')) + 2
    return body[:start] + text.encode() + body[body.index(b'"', start) :]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1_5", "not a number: '1_5'"),
        ("\u0663", "not a number"),
        ("-1", "used_bytes cannot be -1.0"),
        ("1e19", r"used_bytes cannot be 1e\+19"),
        ("", "could not convert"),
    ],
)
def test_a_measurement_that_cannot_be_is_refused(text: str, why: str):
    with pytest.raises(ServerMalformed, match=why):
        QUESTIONS["raw.volume_usage"].read(with_value(text))


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf"])
def test_a_measurement_that_is_unknown_is_null(text: str):
    rows = QUESTIONS["raw.volume_usage"].read(with_value(text)).tables["raw.volume_usage"]

    assert rows["used_bytes"].null_count == 1


def test_a_measurement_given_twice_is_refused():
    question = QUESTIONS["raw.volume_usage"]
    document = json.loads(question.body)
    again = copy.deepcopy(document["data"]["result"][0])
    again["value"][1] = "7"
    document["data"]["result"].append(again)

    with pytest.raises(ServerMalformed, match="is given twice"):
        question.read(json.dumps(document).encode())


def test_containers_without_a_sample_are_refused():
    question = QUESTIONS["raw.container_usage"]
    document = json.loads(question.body)
    for sample in document["data"]["result"]:
        if sample["metric"]["quantity"] == "sample_count":
            sample["value"][1] = "0"

    with pytest.raises(ServerMalformed, match="containers without a sample"):
        question.read(json.dumps(document).encode())
