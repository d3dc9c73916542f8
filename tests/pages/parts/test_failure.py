import pytest
from sqlalchemy.exc import OperationalError
from streamlit.testing.v1 import AppTest


def fail() -> None:
    import streamlit as st

    from pages.parts.failure import show_failure

    assert show_failure(st.session_state["failure"])


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (RuntimeError("secret detail"), "Something went wrong inside Taskdeck"),
        (OperationalError("SELECT secret", {}, Exception("locked")), "The database is busy or away"),
    ],
)
def test_a_failing_page_says_one_sentence_and_no_detail(
    failure: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = AppTest.from_function(fail)
    app.session_state["failure"] = failure
    (shown,) = app.run().error
    assert sentence in shown.value
    assert "secret" not in shown.value
    assert "pages.parts.failure" in {record.name for record in caplog.records}
