"""Settings are environment variables; misspelled ones are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.distribution import bundled_models
from app.settings import Settings, unknown_variables


def test_a_misspelled_setting_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURGLASS_PROT", "80")
    monkeypatch.setenv("HOURGLASS_DATA_DIR", "/data")
    monkeypatch.setenv("HOURGLASS_PORT", "81")
    assert "HOURGLASS_PROT" in unknown_variables()
    assert not {"HOURGLASS_DATA_DIR", "HOURGLASS_PORT"} & set(unknown_variables())
    assert Settings().port == 81


@pytest.mark.parametrize(
    "setting",
    [{"port": 65536}, {"workers": 0}, {"queue_seconds": float("inf")}, {"max_rows": 0}, {"log_level": "loud"}],
)
def test_a_setting_outside_its_bounds_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**setting)  # type: ignore[arg-type]


def test_the_budget_admits_the_largest_body() -> None:
    assert Settings(max_held_bytes=10, max_body_bytes=4, max_decompressed_bytes=6).max_held_bytes == 10
    for held in (0, 9):
        with pytest.raises(ValidationError, match="max_held_bytes") as refused:
            Settings(max_held_bytes=held, max_body_bytes=4, max_decompressed_bytes=6)
        assert refused.value.errors()[0]["loc"] == ("max_held_bytes",)


def test_settings_cannot_be_changed() -> None:
    settings = Settings(models_dir=Path("x"))
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(("name", "field"), Settings.model_fields.items())
def test_every_setting_has_a_description(name: str, field: object) -> None:
    assert getattr(field, "description", None), name


KUBERNETES = {
    "HOURGLASS_PORT": "tcp://10.0.0.1:8000",
    "HOURGLASS_SERVICE_HOST": "10.0.0.1",
    "HOURGLASS_SERVICE_PORT": "8000",
    "HOURGLASS_SERVICE_PORT_HTTP": "8000",
    "HOURGLASS_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "HOURGLASS_PORT_8000_TCP_ADDR": "10.0.0.1",
    "HOURGLASS_PORT_53_UDP_PROTO": "udp",
    "HOURGLASS_CANARY_SERVICE_HOST": "10.0.0.2",
    "HOURGLASS_CANARY_PORT": "tcp://[fd00::1]:8000",
    "HOURGLASS_GRPC_PORT": "tcp://10.0.0.1:8001",
}


def test_variables_of_kubernetes_services_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOURGLASS_SERVICE", "x")
    assert (Settings().port, Settings().grpc_port) == (8000, None)
    assert unknown_variables() == ["HOURGLASS_SERVICE"]


def test_the_models_of_the_working_folder_come_before_the_bundled_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().models_dir == bundled_models()
    (tmp_path / "models" / "own" / "1").mkdir(parents=True)
    assert Settings().models_dir == Path("models")
    monkeypatch.setenv("HOURGLASS_MODELS_DIR", "elsewhere")
    assert Settings().models_dir == Path("elsewhere")


def test_a_model_of_the_working_folder_that_cannot_be_opened_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "own" / "1").mkdir(parents=True)
    is_dir = Path.is_dir

    def is_folder(path: Path) -> bool:
        if path.name == "1":  # as for mode 0744 and another user
            raise PermissionError(13, "Permission denied", str(path))
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", is_folder)
    assert Settings().models_dir == Path("models")


@pytest.mark.parametrize("path", ["user.py", "user/__init__.py", "own/1.txt", "own/0/x", "own/v1/x", ".own/1/x"])
def test_a_folder_without_versions_is_no_repository(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "models" / path
    file.parent.mkdir(parents=True)
    file.touch()
    assert Settings().models_dir == bundled_models()
