"""Tasks that cannot be accepted: a 400 with one sentence, and nothing written."""

import json
import re
from typing import Any

import pytest

from core.database.models import Task, TaskLog
from core.database.ownership import Actor
from tests.api.calls import Caller, rows, sentence

AGENTS = ("claude", "codex", "code-review", "data-processor", "deployment-bot", "shell")
JSON = "application/json"
GOOD = '{"prompt": "Count"}'


def refused(by: Caller, body: str | bytes, kind: str | None = JSON) -> str:
    """The sentence with which this body is refused; nothing is written."""
    headers = {"Content-Type": kind} if kind else {}
    answer = by.post("/tasks", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert (rows(Task), rows(TaskLog)) == (0, 0)
    return sentence(answer)


@pytest.mark.parametrize(
    "body",
    [
        *("", " ", "{", "not json", '{"prompt": "Count"', "{'prompt': 'Count'}", GOOD + GOOD, '{"prompt": "a\nb"}'),
        *("[]", f"[{GOOD}]", '"Count"', "null", "5", "1.5", "true", "NaN", "\ufeff\ufeff{}", '{"prompt": "a", }'),
        *("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000, '{"prompt": ' + "9" * 5_000 + "}"),
        *(b"\xff\xfe\xfa", b'{"prompt": "\xe9"}', b"\x00", b"\x1f\x8b\x08\x00"),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_json_object_is_refused_with_a_word_on_json(by_ada: Caller, body: str | bytes) -> None:
    assert re.search(r"JSON|prompt: ", refused(by_ada, body))


@pytest.mark.parametrize(
    "kind",
    [None, "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data", "nonsense", ""],
)
def test_a_body_that_is_not_called_json_is_refused(by_ada: Caller, kind: str | None) -> None:
    assert "application/json" in refused(by_ada, GOOD, kind)


@pytest.mark.parametrize(
    "kind", [JSON, "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"]
)
def test_a_body_that_is_called_json_is_read(by_ada: Caller, kind: str) -> None:
    assert by_ada.post("/tasks", content=GOOD, headers={"Content-Type": kind}).status_code == 201


@pytest.mark.parametrize(
    ("task", "names"),
    [
        *((task, "prompt") for task in ({}, {"Prompt": "Count"}, {"prompts": ["Count"]})),
        *(({"prompt": value}, "prompt") for value in (5, 1.5, True, None, [], ["Count"], {}, {"text": "Count"})),
        *(({"prompt": value}, "prompt") for value in ("", " ", "\n\t\u2003", "x" * 20_001, "a\0b", "\0")),
        *(({"prompt": value}, "prompt") for value in ("\ud800", "Count \udfff", "\ud83d and no second half")),
        *(({"repoUrl": value}, "repo") for value in (5, [], ["https://git.example.org/a/b"], {}, False)),
        *(({"selectedAgent": value}, "agent") for value in (5, 0, [], {}, True, "\ud800", "claude\0")),
        *(({"selectedAgent": value}, "agent") for value in ("gpt", "Claude", " claude", "../shell", "' OR 1=1 --")),
        *(({"selectedModel": value}, "model") for value in (5, 0, [], {}, False, "opus-99", "\ud800", "a\0")),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_name(by_ada: Caller, task: dict[str, Any], names: str) -> None:
    whole = task if "prompt" in names else {"prompt": "Count"} | task
    assert names in refused(by_ada, json.dumps(whole)).lower()


MEGABYTE = "x" * 1_000_000
INVISIBLE = (
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


@pytest.mark.attack(64)
@pytest.mark.parametrize("name", ["nope", "__class__", "x" * 300, "../claude", "Claude", "claude\n", "claude --help"])
def test_an_agent_that_is_none_is_refused_with_the_names_that_there_are(by_ada: Caller, name: str) -> None:
    text = refused(by_ada, json.dumps({"prompt": "Count", "selectedAgent": name}))
    assert all(known in text for known in AGENTS)
    assert name not in text.replace("claude", "")


@pytest.mark.attack(65)
@pytest.mark.parametrize("agent", ["claude", "codex", "data-processor"])
@pytest.mark.parametrize("model", ["x; touch /tmp/p", "--help", "-m x", "$(id)", "`id`", "sonnet --help", "x" * 300])
def test_a_model_that_is_a_command_or_an_option_is_refused(by_ada: Caller, agent: str, model: str) -> None:
    text = refused(by_ada, json.dumps({"prompt": "Count", "selectedAgent": agent, "selectedModel": model}))
    assert "model" in text and model not in text


@pytest.mark.attack(66)
@pytest.mark.parametrize("prompt", INVISIBLE, ids=ascii)
def test_a_prompt_that_shows_nothing_is_refused(by_ada: Caller, prompt: str) -> None:
    assert "prompt is empty" in refused(by_ada, json.dumps({"prompt": prompt}))


@pytest.mark.attack(67)
@pytest.mark.parametrize(
    "prompt", [MEGABYTE, "x" * 20_001, "Count\0", "\0", "a\0b" * 9], ids=lambda prompt: ascii(prompt)[:20]
)
def test_a_prompt_of_a_megabyte_or_with_nul_is_refused_and_nothing_is_stored(by_ada: Caller, prompt: str) -> None:
    assert "prompt" in refused(by_ada, json.dumps({"prompt": prompt})).lower()


@pytest.mark.attack(68)
@pytest.mark.parametrize(
    "prompt",
    [
        '--dangerously-skip-permissions $(id) `id` "; rm -rf ~',
        "--help",
        "-p",
        "; touch /tmp/p",
        "/config set x",
        "@/etc/passwd",
        "%s %n {0} ${HOME}",
    ],
)
def test_a_prompt_of_options_and_shell_code_is_stored_as_it_is(by_ada: Caller, prompt: str) -> None:
    answer = by_ada.post("/tasks", json={"prompt": prompt})
    assert (answer.status_code, answer.json()["task"]["prompt"]) == (201, prompt)


def test_a_prompt_may_have_20000_characters_of_any_script(by_ada: Caller) -> None:
    prompt = "数😀é\n" * 4_999 + "done"
    assert by_ada.post("/tasks", json={"prompt": prompt}).json()["task"]["prompt"] == prompt
    assert len(prompt) == 20_000


#: Addresses that no git must see, by what they are an attack with.
ADDRESSES = {
    70: (
        *("--upload-pack=x", "--upload-pack=touch x", "-oProxyCommand=id", "ext::sh -c id", "ext::sh%20-c%20id"),
        *("file:///etc", "file://localhost/etc", "file:///../etc", "/etc", "/root/x", "etc/passwd"),
        *("http://git.example.org/a/b", "ssh://git@git.example.org/x", "git@git.example.org:a/b.git", "git@h:x"),
        *("git://git.example.org/x", "ftp://git.example.org/x", "javascript:alert(1)", "https://", "https:///x"),
        *("https://git.example.org", "https://git.example.org/", "https:git.example.org/x", "https://[::1/x"),
        *("https://git.example.org:99999/x", "https://git.example.org:x/y", "https://git.example.org/x#y"),
        *("https://git.example.org\\@evil/x", "https://é.example/x", "https://git.example.org/" + "x" * 2_980),
    ),
    71: (
        *("https://u:p@git.example.org/x", "https://secret@git.example.org/a/b", "https://:pw@git.example.org/x"),
        *("https://bob:secret@127.0.0.1/x", "HTTPS://u:p@git.example.org/x", "https://git.example.org@evil/x"),
    ),
    72: (
        *("https://127.0.0.1/x", "https://[::1]/x", "https://169.254.169.254/latest/x", "https://10.1.2.3/x"),
        *("https://0x7f.1/x", "https://2130706433/x", "https://0177.0.0.1/x", "https://127.0.0.1./x"),
        *("https://[::ffff:10.0.0.1]/x", "https://[64:ff9b::a00:1]/x", "https://[2002:7f00:1::]/x", "https://0/x"),
        *("https://localhost/x", "https://LOCALHOST./x", "https://a.localhost/x", "https://nas.local/x"),
        *("https://git.internal:8443/x", "https://intranet/x", "https://%6cocalhost/x"),
    ),
    74: (
        *("https://git.example.org/x\n--upload-pack=y", "https://git.example.org/x\ry", "https://git.example.org/\0x"),
        *("https://git.example.org/\x1b[31mx", "https://git.example.org/\u202egit", "https://git.example.org/a b"),
        *("https://git.example.org/\u200fx", "https://git.example.org/\ud800", "https://git.exa\tmple.org/x"),
    ),
}


@pytest.mark.attack(70, 71, 72, 74)
@pytest.mark.parametrize(
    "address",
    [
        pytest.param(address, id=f"{number}-{ascii(address)[:40]}")
        for number, addresses in ADDRESSES.items()
        for address in addresses
    ],
)
def test_a_repository_address_that_git_must_not_see_is_refused_and_never_repeated(
    by_ada: Caller, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = refused(by_ada, json.dumps({"prompt": "Count", "repoUrl": address}))
    assert "repo" in text.lower() or "folders of this machine" in text.lower()
    for part in (address, "secret", "u:p", ":pw", "upload-pack", "evil"):
        assert part not in (text + caplog.text).replace("https://host/owner/name", "")


def test_an_unknown_agent_is_answered_with_the_names_of_the_known(by_ada: Caller) -> None:
    text = refused(by_ada, '{"prompt": "Count", "selectedAgent": "gpt"}')
    assert all(name in text for name in AGENTS)


@pytest.mark.parametrize("name", ["repoUrl", "selectedAgent", "selectedModel"])
@pytest.mark.parametrize("value", [None, ""])
def test_an_optional_value_may_be_null_or_empty(by_ada: Caller, name: str, value: str | None) -> None:
    assert by_ada.post("/tasks", json={"prompt": "Count", name: value}).status_code == 201


def test_fields_that_are_not_asked_for_are_ignored_and_a_task_belongs_to_its_caller(
    by_ada: Caller, by_bob: Caller, ada: Actor, bob: Actor
) -> None:
    forged = {"user_id": str(bob.id), "userId": str(bob.id), "id": "7", "status": "completed", "progress": 100}
    more = {
        "prompt": "Count",
        "sandbox_url": "/x",
        "logs": [1],
        "attempt": 9,
        "repo_url": "file:///etc",
        "__proto__": 1,
    }
    answer = by_ada.post(f"/tasks?user_id={bob.id}", json=forged | more)
    assert answer.status_code == 201
    task = answer.json()["task"]
    assert (task["user_id"], task["id"], task["status"], task["progress"]) == (str(ada.id), "1", "pending", 0)
    assert (task["sandbox_url"], task["repo_url"], task["log_count"]) == (None, None, 1)
    assert by_bob.get("/tasks").json()["tasks"] == []
