"""Tasks that cannot be accepted: a 400 with one sentence, and nothing written."""

import json
import re

import pytest

from core.database.models import Task, TaskLog
from core.database.ownership import Actor
from tests.api.calls import Caller, rows, sentence

AGENTS = ("claude", "codex", "code-review", "data-processor", "deployment-bot", "shell")
JSON = "application/json"
GOOD = '{"prompt": "Count"}'
GOOD_TASK = json.loads(GOOD)


def refused(by: Caller, body: str | bytes, kind: str | None = JSON) -> str:
    """The sentence with which this body is refused; nothing is written."""
    headers = {"Content-Type": kind} if kind else {}
    answer = by.post("/tasks", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert (rows(Task), rows(TaskLog)) == (0, 0)
    return sentence(answer)


def test_a_body_that_is_no_json_object_is_refused_with_a_word_on_json(by_ada: Caller) -> None:
    for body in (
        *("", " ", "{", "not json", '{"prompt": "Count"', "{'prompt': 'Count'}", GOOD + GOOD, '{"prompt": "a\nb"}'),
        *("[]", f"[{GOOD}]", '"Count"', "null", "5", "1.5", "true", "NaN", "\ufeff\ufeff{}", '{"prompt": "a", }'),
        *("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000, '{"prompt": ' + "9" * 5_000 + "}"),
        *(b"\xff\xfe\xfa", b'{"prompt": "\xe9"}', b"\x00", b"\x1f\x8b\x08\x00"),
    ):
        assert re.search(r"JSON|prompt: ", refused(by_ada, body)), body[:20]


def test_a_body_is_read_only_if_it_is_called_json(by_ada: Caller) -> None:
    forms = ("application/x-www-form-urlencoded", "multipart/form-data")
    for kind in (None, "text/plain", "text/json", *forms, "nonsense", ""):
        assert "application/json" in refused(by_ada, GOOD, kind)
    for kind in (JSON, "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"):
        assert by_ada.post("/tasks", content=GOOD, headers={"Content-Type": kind}).status_code == 201


def test_a_value_that_cannot_be_used_is_refused_by_its_name(by_ada: Caller) -> None:
    for name, values in (
        (
            "prompt",
            (5, 1.5, True, None, [], ["Count"], {}, {"text": "Count"}, "\ud800", "Count \udfff", "\ud83d alone"),
        ),
        ("repoUrl", (5, [], ["https://git.example.org/a/b"], {}, False)),
        ("selectedAgent", (5, 0, [], {}, True, "\ud800", "claude\0", "' OR 1=1 --")),
        ("selectedModel", (5, 0, [], {}, False, "opus-99", "\ud800", "a\0")),
    ):
        word = name.removeprefix("selected").removesuffix("Url").lower()
        for value in values:
            assert word in refused(by_ada, json.dumps(GOOD_TASK | {name: value})).lower(), (name, value)
    for task in ({}, {"Prompt": "Count"}, {"prompts": ["Count"]}):
        assert "prompt" in refused(by_ada, json.dumps(task))


@pytest.mark.attack(64)
def test_an_agent_that_is_none_is_refused_with_the_names_that_there_are(by_ada: Caller) -> None:
    for name in ("gpt", "__class__", "x" * 300, "../claude", "Claude", " claude", "claude\n", "claude --help"):
        text = refused(by_ada, json.dumps(GOOD_TASK | {"selectedAgent": name}))
        assert all(known in text for known in AGENTS)
        assert name not in text.replace("claude", "")


@pytest.mark.attack(65)
def test_a_model_that_is_a_command_or_an_option_is_refused(by_ada: Caller) -> None:
    for agent in ("claude", "codex", "data-processor"):
        for model in ("x; touch /tmp/p", "--help", "-m x", "$(id)", "`id`", "sonnet --help", "x" * 300):
            text = refused(by_ada, json.dumps(GOOD_TASK | {"selectedAgent": agent, "selectedModel": model}))
            assert "model" in text and model not in text, (agent, model)


@pytest.mark.attack(66, 67)
def test_a_prompt_that_shows_nothing_or_is_too_long_or_has_nul_is_refused(by_ada: Caller) -> None:
    invisible = (
        "",
        " ",
        "\t\r\n\u2003",
        "\u200b",
        "\u200b\u200d\ufeff",
        "\u202e\u2066",
        "\u3164",
        "\u2800",
        "\ufe0f\u034f",
    )
    for prompt in invisible:
        assert "prompt is empty" in refused(by_ada, json.dumps({"prompt": prompt})), ascii(prompt)
    for prompt in ("x" * 1_000_000, "x" * 20_001, "Count\0", "\0", "a\0b" * 9):
        assert "prompt" in refused(by_ada, json.dumps({"prompt": prompt})).lower()


@pytest.mark.attack(68)
def test_a_prompt_of_options_shell_code_or_20000_characters_of_any_script_is_stored_as_it_is(by_ada: Caller) -> None:
    for prompt in (
        *('--dangerously-skip-permissions $(id) `id` "; rm -rf ~', "--help", "-p", "; touch /tmp/p"),
        *("/config set x", "@/etc/passwd", "%s %n {0} ${HOME}", "数😀é\n" * 4_999 + "done"),
    ):
        answer = by_ada.post("/tasks", json={"prompt": prompt})
        assert (answer.status_code, answer.json()["task"]["prompt"]) == (201, prompt)


@pytest.mark.attack(70, 71, 72, 74)
def test_a_repository_address_that_git_must_not_see_is_refused_and_never_repeated(
    by_ada: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """Which those are is shown in tests/core/repositories; here is one of each."""
    for address in (
        *("--upload-pack=touch x", "ext::sh -c id", "file:///etc", "/etc", "http://git.example.org/a/b", "git@h:x"),
        *("https://git.example.org", "https://git.example.org:x/y", "https://git.example.org/" + "x" * 2_980),
        *("https://u:p@git.example.org/x", "https://:pw@git.example.org/x", "https://git.example.org@evil/x"),
        *("https://127.0.0.1/x", "https://[::1]/x", "https://0x7f.1/x", "https://localhost/x", "https://intranet/x"),
        *(f"https://git.example.org/{odd}" for odd in ("x\n--upload-pack=y", "\0x", "\ud800")),
    ):
        text = refused(by_ada, json.dumps({"prompt": "Count", "repoUrl": address}))
        assert "repo" in text.lower() or "folders of this machine" in text.lower()
        for part in (address, "u:p", ":pw", "upload-pack", "evil"):
            assert part not in (text + caplog.text).replace("https://host/owner/name", ""), ascii(address)


def test_an_optional_value_may_be_null_or_empty(by_ada: Caller) -> None:
    for name in ("repoUrl", "selectedAgent", "selectedModel"):
        for value in (None, ""):
            assert by_ada.post("/tasks", json={"prompt": "Count", name: value}).status_code == 201


@pytest.mark.attack(22)
def test_fields_that_are_not_asked_for_are_ignored_and_a_task_belongs_to_its_caller(
    by_ada: Caller, by_bob: Caller, ada: Actor, bob: Actor
) -> None:
    forged = {"user_id": str(bob.id), "userId": str(bob.id), "id": "7", "status": "completed", "progress": 100}
    more = {"prompt": "Count", "sandbox_url": "/x", "logs": [1], "attempt": 9, "repo_url": "file:///etc"}
    answer = by_ada.post(f"/tasks?user_id={bob.id}", json=forged | more)
    assert answer.status_code == 201
    task = answer.json()["task"]
    assert (task["user_id"], task["id"], task["status"], task["progress"]) == (str(ada.id), "1", "pending", 0)
    assert (task["sandbox_url"], task["repo_url"], task["log_count"]) == (None, None, 1)
    assert by_bob.get("/tasks").json()["tasks"] == []
