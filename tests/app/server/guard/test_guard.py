"""The guard passes on what the policy allows: keys and their scopes, limits, hosts, origins and the root path."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from app.server.budget import Budget
from app.server.gate import EXCHANGE, Gate
from app.server.grpc_paths import GRPC_CONTROL, GRPC_PROBES, GRPC_READING, SERVICE
from app.server.guard.cors import Cors
from app.server.guard.guard import Guard, Policy, required_scope
from app.server.guard.hosts import AllowedHosts
from app.server.guard.keys import KeyFile, key_line
from app.server.guard.rate_limits import RateLimits
from app.server.lifecycle import Lifecycle

INFERENCE, CONTROL = "hg_inference", "hg_control"
ENCODE = ("POST", "/v1/models/tiny/encode")
LOAD = ("POST", "/v2/repository/models/tiny/load")
LIST = ("GET", "/v1/models")
INDEX = ("POST", "/v2/repository/index")
OPEN = [("GET", path) for path in ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready")]
OPEN += [("POST", path) for path in sorted(GRPC_PROBES)]
DOCS = [("GET", path) for path in ("/", "/docs", "/redoc", "/openapi.json", "/favicon.ico", "/docs/assets/x.js")]
METRICS = ("GET", "/metrics")


class Answer:
    """An answer of the gate, and the path that the application behind the guard saw."""

    def __init__(self, messages: list[Message], path: str | None, key: str | None) -> None:
        head, body = messages
        self.status = head["status"]
        self.headers = {name.decode(): value.decode() for name, value in head["headers"]}
        self.problem = orjson.loads(body["body"]) if self.status >= 400 else {}
        self.path = path
        self.key = key


def ask(
    policy: Policy, method: str, path: str, client: str | None = "10.0.0.1", root_path: str = "", **headers: str
) -> Answer:
    """Send a request through the gate and the guard to an application that answers 200."""
    return ask_while_held(0, policy, method, path, client, root_path, **headers)


def ask_while_held(
    held: int, policy: Policy, method: str, path: str, client: str | None = None, root_path: str = "", **headers: str
) -> Answer:
    """Send a request as `ask` does, to a server that holds bytes and may hold 100."""
    messages: list[Message] = []
    paths: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Message) -> None:
        messages.append({"body": b"", **message})

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": pairs, "root_path": root_path}
    scope["client"] = (client, 1) if client else None
    budget = Budget(100)
    budget.add(held)
    gate = Gate(Guard(app, policy), lambda *_: None, Lifecycle(), budget=budget)
    asyncio.run(gate(scope, None, send))  # type: ignore[arg-type]
    return Answer(messages, paths[0] if paths else None, scope[EXCHANGE].key)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    """Write a file with a key of each scope."""
    path = tmp_path / "keys"
    path.write_text(f"{key_line('alice', 'inference', INFERENCE)}\n{key_line('olga', 'control', CONTROL)}\n")
    return KeyFile(path)


@pytest.mark.parametrize(("method", "path"), [ENCODE, LIST, LOAD, INDEX, METRICS, *OPEN, *DOCS])
def test_without_keys_everything_is_open(method: str, path: str) -> None:
    assert ask(Policy(), method, path).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {INFERENCE}"},
        {"authorization": f"bearer  {INFERENCE}"},
        {"x_api_key": INFERENCE},
        {"x_api_key": INFERENCE, "authorization": "Basic YTpi"},
    ],
)
def test_a_key_opens_in_either_header(keys: KeyFile, headers: dict[str, str]) -> None:
    assert ask(Policy(keys), *ENCODE, **headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer hg_wrong"},
        {"authorization": f"Bearer {INFERENCE}x"},
        {"x_api_key": INFERENCE[:-1]},
        {"authorization": "Bearer hg_wrong", "x_api_key": INFERENCE},
    ],
)
def test_an_unknown_key_is_unauthorized(keys: KeyFile, headers: dict[str, str]) -> None:
    answer = ask(Policy(keys), *ENCODE, **headers)
    assert (answer.status, answer.problem["code"], answer.path) == (401, "unauthorized", None)
    assert answer.headers["www-authenticate"] == 'Bearer realm="hourglass", error="invalid_token"'
    assert "hg_" not in str(answer.problem)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer"}, {"authorization": "Bearer "}, {"authorization": INFERENCE}]
)
@pytest.mark.parametrize(
    ("method", "path"), [ENCODE, LIST, LOAD, INDEX, ("GET", "/nowhere"), ("OPTIONS", "/v1/models")]
)
def test_a_request_without_a_key_is_unauthorized(
    keys: KeyFile, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = ask(Policy(keys), method, path, **headers)
    assert (answer.status, answer.problem["code"], answer.path) == (401, "unauthorized", None)
    assert answer.headers["www-authenticate"] == 'Bearer realm="hourglass"'


@pytest.mark.parametrize(
    ("request_line", "inference", "control"),
    [
        (ENCODE, 200, 403),
        (("POST", "/v2/models/tiny.encode/infer"), 200, 403),
        (LOAD, 403, 200),
        (("POST", "/v2/repository/models/tiny/unload"), 403, 200),
        (LIST, 200, 200),
        (INDEX, 200, 200),
        (METRICS, 200, 200),
    ],
)
def test_inference_and_control_are_apart(
    keys: KeyFile, request_line: tuple[str, str], inference: int, control: int
) -> None:
    policy = Policy(keys, open_metrics=False)
    for key, status in ((INFERENCE, inference), (CONTROL, control)):
        answer = ask(policy, *request_line, x_api_key=key)
        assert answer.status == status
        if status == 403:
            assert answer.problem["code"] == "forbidden"
            assert 'error="insufficient_scope", scope="' in answer.headers["www-authenticate"]


def test_methods_of_grpc_need_the_scopes_of_their_routes() -> None:
    assert required_scope("POST", SERVICE + "ModelInfer") == "inference"
    assert {required_scope("POST", path) for path in GRPC_READING} == {None}
    assert {required_scope("POST", path) for path in GRPC_CONTROL} == {"control"}


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_health_is_always_open(keys: KeyFile, method: str, path: str) -> None:
    limits = RateLimits("1/hour")
    policy = Policy(keys, limits, AllowedHosts(["api.example.com"]), open_docs=False, open_metrics=False)
    for _ in range(3):
        assert ask(policy, method, path, host="evil.example.org").status == 200


@pytest.mark.parametrize("open_docs", [True, False])
@pytest.mark.parametrize(("method", "path"), DOCS)
def test_the_documentation_is_open_by_setting(keys: KeyFile, open_docs: bool, method: str, path: str) -> None:
    policy = Policy(keys, open_docs=open_docs)
    assert ask(policy, method, path).status == (200 if open_docs else 401)
    assert ask(policy, method, path, x_api_key=INFERENCE).status == 200


@pytest.mark.parametrize("open_metrics", [True, False])
def test_metrics_are_open_by_setting(keys: KeyFile, open_metrics: bool) -> None:
    assert ask(Policy(keys, open_metrics=open_metrics), *METRICS).status == (200 if open_metrics else 401)


@pytest.mark.parametrize("key", ["", "anything"])
def test_without_keys_nothing_is_there_that_is_not_open(key: str) -> None:
    no_docs, no_metrics = Policy(open_docs=False), Policy(open_metrics=False)
    assert {ask(no_docs, method, path, x_api_key=key).status for method, path in DOCS} == {404}
    assert ask(no_docs, *METRICS, x_api_key=key).status == 200
    assert ask(no_metrics, *METRICS, x_api_key=key).problem["code"] == "not-found"
    assert {ask(no_metrics, method, path).status for method, path in (*DOCS, ENCODE, LIST, *OPEN)} == {200}


def test_the_name_of_the_key_is_among_the_facts_of_the_request(keys: KeyFile) -> None:
    assert ask(Policy(keys), *ENCODE, x_api_key=INFERENCE).key == "alice"
    assert ask(Policy(keys), *LOAD, x_api_key=INFERENCE).key == "alice"  # refused, but known
    assert ask(Policy(keys), *ENCODE, x_api_key="wrong").key is None
    assert ask(Policy(), *ENCODE, x_api_key=INFERENCE).key is None


def test_only_probes_and_metrics_pass_while_too_much_is_held() -> None:
    for method, path in (ENCODE, LIST, DOCS[1]):
        refused = ask_while_held(101, Policy(), method, path)
        assert (refused.status, refused.problem["code"], refused.headers["retry-after"]) == (503, "overloaded", "1")
        assert ask_while_held(100, Policy(), method, path).status == 200
    assert {ask_while_held(101, Policy(), method, path).status for method, path in (*OPEN, METRICS)} == {200}


def test_one_key_does_not_use_up_the_requests_of_another(keys: KeyFile) -> None:
    policy = Policy(keys, RateLimits("3/hour"))
    statuses = [ask(policy, *LIST, x_api_key=INFERENCE).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert [ask(policy, *LIST, x_api_key=CONTROL).status for _ in range(3)] == [200, 200, 200]


def test_without_keys_addresses_have_limits_of_their_own() -> None:
    policy = Policy(rate_limits=RateLimits("1/hour"))
    clients = ["10.0.0.1", "10.0.0.1", "10.0.0.2", None, None]
    answers = [ask(policy, *ENCODE, client=client) for client in clients]
    assert [answer.status for answer in answers] == [200, 429, 200, 200, 429]
    assert answers[1].problem["code"] == "too-many-requests"
    assert 3590 <= int(answers[1].headers["retry-after"]) <= 3600
    assert answers[1].headers["ratelimit-policy"] == '"hour";q=1;w=3600'
    assert ask(policy, *METRICS, client="10.0.0.1").status == 200


def test_a_request_without_a_valid_key_is_not_counted(keys: KeyFile) -> None:
    policy = Policy(keys, RateLimits("1/hour"))
    assert [ask(policy, *LIST, x_api_key="wrong").status for _ in range(3)] == [401, 401, 401]
    assert ask(policy, *LIST, x_api_key=INFERENCE).status == 200


def test_a_wrong_host_is_misdirected() -> None:
    policy = Policy(hosts=AllowedHosts(["api.example.com"]))
    assert ask(policy, *ENCODE, host="api.example.com").status == 200
    answer = ask(policy, *ENCODE, host="evil.example.org")
    assert (answer.status, answer.problem["code"], answer.problem["title"]) == (
        421,
        "misdirected-request",
        "Misdirected Request",
    )
    assert answer.path is None


ORIGIN = "https://app.example.com"


def test_a_preflight_is_answered_without_a_key(keys: KeyFile) -> None:
    policy = Policy(keys, cors=Cors([ORIGIN]))
    answer = ask(policy, "OPTIONS", ENCODE[1], origin=ORIGIN, access_control_request_method="POST")
    assert (answer.status, answer.path) == (204, None)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "X-API-Key" in answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "x-request-id" in answer.headers


@pytest.mark.parametrize("origins", [[], [ORIGIN]])
def test_a_preflight_of_another_origin_is_not_answered(origins: list[str]) -> None:
    policy = Policy(cors=Cors(origins) if origins else None)
    answer = ask(policy, "OPTIONS", ENCODE[1], origin="https://evil.example", access_control_request_method="POST")
    assert answer.path == ENCODE[1]  # it goes on, to the application that refuses the method
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_errors_can_be_read_by_an_allowed_page(keys: KeyFile) -> None:
    answer = ask(Policy(keys, cors=Cors([ORIGIN])), *ENCODE, origin=ORIGIN)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, ORIGIN)


@pytest.mark.parametrize(
    ("origin", "status"),
    [(None, 200), ("http://127.0.0.1:8000", 200), (ORIGIN, 200), ("https://evil.example", 403), ("null", 403)],
)
def test_without_keys_no_foreign_page_controls_the_server(origin: str | None, status: int) -> None:
    headers = {"origin": origin} if origin else {}
    policy = Policy(cors=Cors([ORIGIN]))
    answer = ask(policy, *LOAD, host="127.0.0.1:8000", **headers)
    assert answer.status == status
    assert ask(policy, *ENCODE, host="127.0.0.1:8000", **headers).status == 200


@pytest.mark.parametrize("mount", ["", "/mount"])
@pytest.mark.parametrize("hosts", [None, AllowedHosts()])
def test_a_server_with_no_rules_but_for_hosts_is_not_controlled_either(hosts: AllowedHosts | None, mount: str) -> None:
    method, path = LOAD
    for _ in range(2):  # the host is known the second time
        foreign = ask(Policy(hosts=hosts), method, mount + path, root_path=mount, host="localhost", origin=ORIGIN)
        own = ask(Policy(hosts=hosts), method, mount + path, root_path=mount, host="localhost")
        assert (foreign.status, own.status) == (403, 200)


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("/v1/models", "/v1/models"),
        ("/ai/hourglass/v1/models", "/v1/models"),
        ("/ai/hourglass/", "/"),
        ("/ai/hourglass", "/"),
        ("/ai/hourglasses/v1", "/ai/hourglasses/v1"),
    ],
)
def test_the_root_path_is_removed_if_the_proxy_left_it(path: str, inner: str) -> None:
    assert ask(Policy(root_path="/ai/hourglass"), "GET", path).path == inner


def test_rules_hold_below_the_root_path_and_below_a_mount(keys: KeyFile) -> None:
    policy = Policy(keys, root_path="/hourglass")
    assert ask(policy, "GET", "/hourglass/livez").status == 200
    assert ask(policy, "POST", "/hourglass" + LOAD[1], x_api_key=INFERENCE).status == 403
    mounted = ask(Policy(keys), "POST", "/mount" + LOAD[1], root_path="/mount", x_api_key=INFERENCE)
    assert mounted.status == 403
    passed = ask(Policy(keys), "POST", "/mount" + LOAD[1], root_path="/mount", x_api_key=CONTROL)
    assert (passed.status, passed.path) == (200, "/mount" + LOAD[1])


def test_other_scopes_pass_untouched() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)

    async def pass_on() -> None:
        await Guard(app, Policy())({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    asyncio.run(pass_on())
    assert scopes == [{"type": "lifespan"}]
