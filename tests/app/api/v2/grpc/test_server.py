"""gRPC has the limits, the keys, the drain and the errors of HTTP."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from PIL import Image

from app.api.v2.grpc import open_inference_pb2 as pb
from app.api.v2.grpc.server import channel_options, target
from app.server.grpc_paths import SERVICE
from app.server.guard.keys import key_line
from app.settings import Settings
from tests.helpers.certificates import OPENSSL, make_certificate
from tests.helpers.images import encoded
from tests.helpers.metrics import scrape, total
from tests.helpers.rpc import RpcServer, call, channel, infer_request, raw_outputs, serving_grpc
from tests.helpers.stuck import POISON, SLOW_STEPS, write_stuck

SAMPLE = [0.25, 0.75, 0.5, 0.0]
ENCODE = infer_request("tiny-ae.encode", [SAMPLE])
LATENTS = {"latents": [[1.0, 0.5]]}
STUCK = infer_request("stuck.encode", [[POISON, 0, 0, 0]])
ENDS = "UNAVAILABLE: the server ends; send the request again"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def code_of(attempt: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    """Return the code and the details with which a call fails."""
    with pytest.raises(grpc.RpcError) as caught:
        attempt()
    return caught.value.code(), caught.value.details()


@pytest.fixture(scope="module")
def server(tiny_models: Path) -> Iterator[RpcServer]:
    """Start a server with limits that are small enough to reach."""
    limits = {"max_rows": "16", "max_body_bytes": "65536", "max_pixels": "1000", "max_queued_rows": "16"}
    with serving_grpc(models_dir=str(tiny_models), **limits) as server:
        yield server


@pytest.fixture
def opened(server: RpcServer) -> Iterator[grpc.Channel]:
    """Give a channel to the server."""
    with channel(server.address) as opened:
        yield opened


def test_too_many_rows_are_refused(opened: grpc.Channel) -> None:
    request = infer_request("tiny-ae.encode", [SAMPLE] * 17)
    code, details = code_of(lambda: call(opened, "ModelInfer", request))
    assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, "expected at most 16 rows at once, got 17")


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_an_over_large_message_is_refused(server: RpcServer, compression: grpc.Compression) -> None:
    """Compressed, the message is small enough; decompressed, it is not."""
    message = infer_request("tiny-ae.encode", [SAMPLE] * 10_000).SerializeToString()
    with grpc.insecure_channel(server.address, compression=compression) as opened:
        code, details = code_of(lambda: opened.unary_unary(SERVICE + "ModelInfer")(message, timeout=30))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in details
        assert raw_outputs(call(opened, "ModelInfer", ENCODE)) == LATENTS


def test_too_many_pixels_are_refused(opened: grpc.Channel) -> None:
    picture = encoded(Image.new("L", (100, 100)))
    tensor = pb.ModelInferRequest.InferInputTensor(name="samples", datatype="BYTES", shape=[1])
    content = len(picture).to_bytes(4, "little") + picture
    request = pb.ModelInferRequest(model_name="tiny-ae.encode", inputs=[tensor], raw_input_contents=[content])
    code, details = code_of(lambda: call(opened, "ModelInfer", request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "pixels" in details


@pytest.mark.parametrize("content", [b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n"])
def test_garbage_in_a_message_is_named(opened: grpc.Channel, content: bytes) -> None:
    code, details = code_of(lambda: opened.unary_unary(SERVICE + "ModelInfer")(content, timeout=30))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details == f"expected a ModelInferRequest, got {len(content)} bytes that hold none"


def test_garbage_on_the_socket_ends_only_its_connection(server: RpcServer, opened: grpc.Channel) -> None:
    host, _, port = server.address.partition(":")
    with socket.create_connection((host, int(port)), 30) as connection, suppress(ConnectionResetError):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 100)
        while connection.recv(65536):
            pass
    assert raw_outputs(call(opened, "ModelInfer", ENCODE)) == LATENTS


def test_unknown_methods_are_unimplemented(opened: grpc.Channel) -> None:
    code, _ = code_of(lambda: opened.unary_unary(SERVICE + "TraceSetting")(b"", timeout=30))
    assert code is grpc.StatusCode.UNIMPLEMENTED


def test_errors_carry_their_code_and_the_id_of_the_request(opened: grpc.Channel) -> None:
    metadata = (("x-request-id", "seven"),)
    with pytest.raises(grpc.RpcError) as caught:
        call(opened, "ModelMetadata", pb.ModelMetadataRequest(name="nobody"), metadata)
    trailing = dict(caught.value.trailing_metadata())
    assert (trailing["error-code"], trailing["x-request-id"]) == ("unknown-model", "seven")


def test_a_name_that_a_page_could_have_is_no_matter(server: RpcServer) -> None:
    """Pages in browsers cannot speak gRPC, so the check of the header Host does not apply."""
    options = [("grpc.default_authority", "api.example.com")]
    with grpc.insecure_channel(server.address, options=options) as opened:
        assert raw_outputs(call(opened, "ModelInfer", ENCODE)) == LATENTS


def test_reflection_names_the_services_and_their_files(opened: grpc.Channel) -> None:
    request = reflection_pb2.ServerReflectionRequest
    stub = reflection_pb2_grpc.ServerReflectionStub(opened)
    questions = [
        request(list_services=""),
        request(file_containing_symbol="inference.GRPCInferenceService"),
        request(file_containing_symbol="grpc.health.v1.Health"),
    ]
    listed, *files = stub.ServerReflectionInfo(iter(questions), timeout=30)
    names = {service.name for service in listed.list_services_response.service}
    assert names >= {"inference.GRPCInferenceService", "grpc.health.v1.Health"}
    assert all(len(answer.file_descriptor_response.file_descriptor_proto) == 1 for answer in files)


def test_a_call_belongs_to_the_trace_of_its_client(tiny_models: Path) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with serving_grpc(models_dir=str(tiny_models), traces="true") as server, channel(server.address) as opened:
        metadata = (("traceparent", f"00-{trace}-b7ad6b7169203331-01"),)
        stub = opened.unary_unary(SERVICE + "ModelInfer")
        _, answered = stub.with_call(ENCODE.SerializeToString(), metadata=metadata, timeout=30)
        assert dict(answered.trailing_metadata())["traceresponse"].startswith(f"00-{trace}-")
    assert any(f'"trace_id":"{trace}"' in line for line in server.lines)


def test_large_metadata_is_refused(tiny_models: Path) -> None:
    with serving_grpc(models_dir=str(tiny_models), max_head_bytes="4096") as server, channel(server.address) as opened:
        code, _ = code_of(lambda: call(opened, "ModelInfer", ENCODE, (("x-large", "x" * 10_000),)))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert raw_outputs(call(opened, "ModelInfer", ENCODE)) == LATENTS


def test_bytes_beyond_the_budget_are_refused(tmp_path: Path) -> None:
    write_stuck(tmp_path, steps=SLOW_STEPS)
    limits = {"max_body_bytes": "200000", "max_decompressed_bytes": "200000", "max_held_bytes": "400000"}
    settings = {**limits, "threads": "1", "max_rows": "20000", "run_seconds": "5"}
    with serving_grpc(models_dir=str(tmp_path), **settings) as server, channel(server.address) as opened:
        large = infer_request("stuck.encode", [[POISON, 0, 0, 0]] * 10_000)
        held = opened.unary_unary(SERVICE + "ModelInfer").future(large.SerializeToString(), timeout=30)
        while not scrape(server.http)["hourglass_held_bytes"]:
            time.sleep(0.02)
        code, details = code_of(lambda: call(opened, "ModelInfer", large))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "bytes and at most 400000 may be held" in details
        held.cancel()


KEYS = {"alice": "inference", "olga": "control"}


def test_keys_and_their_scopes_hold(tiny_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("".join(f"{key_line(name, scope, name)}\n" for name, scope in KEYS.items()))  # type: ignore[arg-type]
    settings = {"models_dir": str(tiny_models), "keys_file": str(path), "control": "true"}
    codes = grpc.StatusCode
    with serving_grpc(**settings) as server, channel(server.address) as opened:
        load = pb.RepositoryModelLoadRequest(model_name="tiny-ae")
        metadata = pb.ServerMetadataRequest()
        alice, olga = (("authorization", "Bearer alice"),), (("x-api-key", "olga"),)
        assert call(opened, "ServerLive", pb.ServerLiveRequest()).live
        assert call(opened, "ServerReady", pb.ServerReadyRequest()).ready
        assert health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest()).status == SERVING
        for method, request in (("ServerMetadata", metadata), ("ModelInfer", ENCODE), ("RepositoryModelLoad", load)):
            code, details = code_of(partial(call, opened, method, request))
            assert (code, details[:14]) == (codes.UNAUTHENTICATED, "expected a key")
            wrong = (("authorization", "Bearer mallory"),)
            assert code_of(partial(call, opened, method, request, wrong))[0] is codes.UNAUTHENTICATED
        assert raw_outputs(call(opened, "ModelInfer", ENCODE, alice)) == LATENTS
        for key in (alice, olga):
            assert call(opened, "ServerMetadata", metadata, key).name == "hourglass"
        assert code_of(lambda: call(opened, "ModelInfer", ENCODE, olga))[0] is codes.PERMISSION_DENIED
        assert code_of(lambda: call(opened, "RepositoryModelLoad", load, alice))[0] is codes.PERMISSION_DENIED
        answer = call(opened, "RepositoryModelLoad", load, olga)
        assert (answer.model_name, answer.isLoaded) == ("tiny-ae", True)
        stub = reflection_pb2_grpc.ServerReflectionStub(opened)
        questions = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        assert code_of(lambda: list(stub.ServerReflectionInfo(questions, timeout=30)))[0] is codes.UNIMPLEMENTED
    assert any('"key":"alice"' in line for line in server.lines)


def test_both_wires_share_the_rate_limit(tiny_models: Path) -> None:
    with serving_grpc(models_dir=str(tiny_models), rate_limit="2/hour") as server, channel(server.address) as opened:
        assert httpx.get(f"{server.http}/v2").status_code == 200
        assert raw_outputs(call(opened, "ModelInfer", ENCODE)) == LATENTS
        with pytest.raises(grpc.RpcError) as caught:
            call(opened, "ModelInfer", ENCODE)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        trailing = dict(caught.value.trailing_metadata())
        assert int(trailing["retry-after"]) > 0
        assert trailing["error-code"] == "too-many-requests"
        assert httpx.get(f"{server.http}/v2").status_code == 429
        assert call(opened, "ServerLive", pb.ServerLiveRequest()).live


@pytest.fixture(scope="module")
def stuck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a model whose runs do not end for some samples."""
    root = tmp_path_factory.mktemp("stuck")
    write_stuck(root, steps=SLOW_STEPS)
    return root


def test_cancelled_and_expired_calls_are_not_computed(stuck: Path) -> None:
    settings = {"threads": "1", "run_seconds": "2", "shutdown_seconds": "1"}
    with serving_grpc(models_dir=str(stuck), **settings) as server, channel(server.address) as opened:
        start = time.monotonic()
        running = opened.unary_unary(SERVICE + "ModelInfer").future(STUCK.SerializeToString(), timeout=30)
        while not scrape(server.http)["hourglass_queue_rows"]:
            time.sleep(0.02)
        waiting = [opened.unary_unary(SERVICE + "ModelInfer").future(STUCK.SerializeToString()) for _ in range(3)]
        assert code_of(lambda: call(opened, "ModelInfer", STUCK, seconds=0.3))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
        for request in waiting:
            request.cancel()
        code, details = code_of(running.result)
        assert (code, details[:13]) == (grpc.StatusCode.DEADLINE_EXCEEDED, "the model ran")
        answer = call(opened, "ModelInfer", infer_request("stuck.encode", [SAMPLE]))
        assert raw_outputs(answer) == LATENTS
        assert time.monotonic() - start < 8  # one stuck run of 2 s, and not one for each call
        samples = scrape(server.http)
        assert total(samples, "hourglass_requests_total", 'code="499"', "ModelInfer") == 4
        assert total(samples, "hourglass_requests_total", 'code="504"', "ModelInfer") == 1
        assert samples["hourglass_queue_rows"] == 0


def test_the_parameter_timeout_bounds_a_call(stuck: Path) -> None:
    with serving_grpc(models_dir=str(stuck), threads="1", shutdown_seconds="0") as server:
        request = pb.ModelInferRequest()
        request.CopyFrom(STUCK)
        request.parameters["timeout"].int64_param = 200_000
        with channel(server.address) as opened:
            code, details = code_of(lambda: call(opened, "ModelInfer", request))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert details == "there was no answer within the 0.2 s of the parameter timeout"


def test_a_draining_server_answers_but_is_not_ready(tiny_models: Path) -> None:
    with serving_grpc(models_dir=str(tiny_models), drain_seconds="60") as server, channel(server.address) as opened:
        health = health_pb2_grpc.HealthStub(opened)
        watched = health.Watch(health_pb2.HealthCheckRequest(), timeout=60)
        assert next(watched).status == SERVING
        server.process.send_signal(signal.SIGTERM)
        assert next(watched).status == NOT_SERVING
        assert health.Check(health_pb2.HealthCheckRequest()).status == NOT_SERVING
        assert not call(opened, "ServerReady", pb.ServerReadyRequest()).ready
        assert call(opened, "ServerLive", pb.ServerLiveRequest()).live
        assert raw_outputs(call(opened, "ModelInfer", ENCODE)) == LATENTS
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert list(watched) == []
        assert server.process.wait(timeout=30) == 0
        assert time.monotonic() - start < 10
    assert "Traceback" not in "".join(server.lines)


def test_calls_that_have_begun_are_answered_at_the_end(stuck: Path) -> None:
    settings = {"threads": "1", "run_seconds": "2", "shutdown_seconds": "20"}
    with serving_grpc(models_dir=str(stuck), **settings) as server, channel(server.address) as opened:
        running = opened.unary_unary(SERVICE + "ModelInfer").future(STUCK.SerializeToString(), timeout=30)
        while not scrape(server.http)["hourglass_queue_rows"]:
            time.sleep(0.02)
        server.process.send_signal(signal.SIGTERM)
        code, details = code_of(running.result)
        assert (code, details[:13]) == (grpc.StatusCode.DEADLINE_EXCEEDED, "the model ran")
        assert server.process.wait(timeout=30) == 0


def test_a_call_that_is_cut_off_is_unavailable(stuck: Path) -> None:
    settings = {"threads": "1", "run_seconds": "0", "shutdown_seconds": "1"}
    with serving_grpc(models_dir=str(stuck), **settings) as server, channel(server.address) as opened:
        running = opened.unary_unary(SERVICE + "ModelInfer").future(STUCK.SerializeToString(), timeout=30)
        while not scrape(server.http)["hourglass_queue_rows"]:
            time.sleep(0.02)
        server.process.send_signal(signal.SIGTERM)
        assert code_of(running.result) == (grpc.StatusCode.UNAVAILABLE, "the server ends; send the request again")
        assert server.process.wait(timeout=30) == 0
    assert "Traceback" not in "".join(server.lines)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_under_load_loses_no_call(tiny_models: Path, workers: str) -> None:
    outcomes: list[str] = []
    settings = {"models_dir": str(tiny_models), "workers": workers, "drain_seconds": "0.3"}
    with serving_grpc(**settings) as server:
        answered = threading.Event()

        def ask() -> None:
            with channel(server.address) as opened:
                while True:
                    try:
                        assert raw_outputs(call(opened, "ModelInfer", ENCODE)) == LATENTS
                    except grpc.RpcError as error:
                        outcomes.append(f"{error.code().name}: {error.details()}")
                        return
                    answered.set()

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert answered.wait(30)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(30)
        assert server.process.wait(timeout=30) == 0
    assert len(outcomes) == 4
    assert all(outcome.startswith(("UNAVAILABLE: failed to connect", ENDS)) for outcome in outcomes), outcomes


def test_workers_share_the_port(tiny_models: Path) -> None:
    with serving_grpc(models_dir=str(tiny_models), workers="2") as server:
        while sum("startup complete" in line for line in server.lines) < 2:
            time.sleep(0.02)
        processes = set()
        for _ in range(40):
            with grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)]) as opened:
                stub = opened.unary_unary(SERVICE + "ModelInfer")
                _, answered = stub.with_call(ENCODE.SerializeToString(), timeout=30)
                identity = dict(answered.trailing_metadata())["x-request-id"]
                processes.add(identity.partition("-")[0])
        assert len(processes) == 2
        route = 'route="/inference.GRPCInferenceService/ModelInfer"'
        assert total(scrape(server.http), "hourglass_requests_total", route) == 40


@pytest.mark.skipif(OPENSSL is None, reason="no openssl here")
def test_the_certificate_of_http_is_used(tiny_models: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    settings = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    with serving_grpc(models_dir=str(tiny_models), **settings) as server:
        trusted = grpc.ssl_channel_credentials(certificate.read_bytes())
        with grpc.secure_channel(server.address, trusted) as opened:
            assert raw_outputs(call(opened, "ModelInfer", ENCODE)) == LATENTS
        with channel(server.address) as opened:
            assert code_of(lambda: call(opened, "ModelInfer", ENCODE))[0] is grpc.StatusCode.UNAVAILABLE


def test_the_limits_of_http_are_options_of_grpc() -> None:
    options = dict(channel_options(Settings(max_body_bytes=7, max_connections=5, keep_alive_seconds=0.5)))
    assert options["grpc.max_receive_message_length"] == 7
    assert options["grpc.max_allowed_incoming_connections"] == 5
    assert options["grpc.max_connection_idle_ms"] == 500
    assert "grpc.max_connection_idle_ms" not in dict(channel_options(Settings(keep_alive_seconds=0)))


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1:5"), ("::1", "[::1]:5"), ("all", "all:5")])
def test_an_address_has_the_form_of_grpc(host: str, address: str) -> None:
    assert target(host, 5) == address
