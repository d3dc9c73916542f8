"""Why a run failed at the model's API, in one sentence for whoever reads the task."""

_KEY = "The model's API refused the key; ask an administrator to set a valid one."
_CREDIT = "The account at the model's API has no credit left; ask an administrator to add some."
_MODEL = "The model's API does not know this model; run the task again with another one."
_LIMIT = "The model's API is rate limited or overloaded; run the task again later."
_NO_ANSWER = "The model's API gave no proper answer; what is known is in the log. Run the task again later."
_REFUSED = "The model's API refused the call; what it said is in the log."

_BY_STATUS = {401: _KEY, 402: _CREDIT, 403: _KEY, 404: _MODEL, 429: _LIMIT, 529: _LIMIT}


def out_of_credit() -> str:
    """The sentence for an account that has to pay first."""
    return _CREDIT


def of_status(status: int | None) -> str:
    """The sentence for an HTTP status that a program gave up on; None: there was not even one."""
    if status is None or (status >= 500 and status not in _BY_STATUS):
        return _NO_ANSWER
    return _BY_STATUS.get(status, _REFUSED)
