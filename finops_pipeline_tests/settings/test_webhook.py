"""The URL that alerts go to may hold a token: it comes from outside and is never shown."""

import pytest

from finops_pipeline.errors import ConfigError
from finops_pipeline.settings import load
from finops_pipeline_tests.settings.written import CLUSTERS, table

URL = "https://chat.example/hooks/s3cret?token=s3cret"
VARIABLE = "FINOPS_ALERTS__WEBHOOK_URL"


@pytest.fixture
def settings_file(tmp_path):
    """Settings whose webhook is in a file of its own, which holds a text."""

    def write(text: str):
        (tmp_path / "url").write_text(text)
        file = tmp_path / "finops.toml"
        file.write_text(f'[alerts]\nwebhook_url_file = "{tmp_path / "url"}"\n{table()}')
        return file

    return write


def test_without_a_webhook_no_alert_is_sent():
    settings = load(environ={"FINOPS_CLUSTERS": CLUSTERS})

    assert settings.alerts.webhook_url.get_secret_value() == ""


def test_a_variable_gives_the_url_and_nothing_shows_it():
    settings = load(environ={"FINOPS_CLUSTERS": CLUSTERS, VARIABLE: URL})

    assert settings.alerts.webhook_url.get_secret_value() == URL
    assert "s3cret" not in repr(settings) + str(settings.masked())
    assert settings.masked()["alerts.webhook_url"] == "**********"


def test_a_file_gives_the_url(settings_file):
    settings = load(settings_file(f"{URL}\n"), {})

    assert settings.alerts.webhook_url.get_secret_value() == URL
    assert "s3cret" not in repr(settings) + str(settings.masked())


def test_one_of_variable_and_file_gives_it(settings_file):
    with pytest.raises(ConfigError, match=f"{VARIABLE}: there is a alerts.webhook_url_file too"):
        load(settings_file(URL), {VARIABLE: URL})


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("ftp://s3cret", "is not an http"), ("s3cret", "is not an http")],
)
def test_a_file_with_something_else_is_refused_and_not_shown(settings_file, text, message):
    with pytest.raises(ConfigError, match=f"url: alerts.webhook_url: {message}") as raised:
        load(settings_file(text), {})

    assert "s3cret" not in str(raised.value)


def test_a_file_that_is_missing_is_named(settings_file, tmp_path):
    file = settings_file(URL)
    (tmp_path / "url").unlink()

    with pytest.raises(ConfigError, match=r"alerts\.webhook_url_file: .*No such file"):
        load(file, {})


def test_a_variable_with_something_else_is_refused_and_not_shown():
    with pytest.raises(ConfigError, match="webhook_url: is not an http") as raised:
        load(environ={"FINOPS_CLUSTERS": CLUSTERS, VARIABLE: "s3cret"})

    assert "s3cret" not in str(raised.value)


def test_the_url_does_not_stand_among_the_settings(tmp_path):
    file = tmp_path / "finops.toml"
    file.write_text(f'[alerts]\nwebhook_url = "{URL}"\n{table()}')

    with pytest.raises(ConfigError, match=f"use {VARIABLE} or alerts.webhook_url_file") as raised:
        load(file, {})

    assert "s3cret" not in str(raised.value)
