"""What every suite is handed: the server's address, a client, fresh experiments and runs.

The suites share one server with each other, so each test makes its own experiments under names that nobody else uses.
Results are printed one a line, `ok - sentence` or `not ok - sentence`; the runner counts those lines.
"""

import os
import uuid

import pytest
import requests


def pytest_addoption(parser):
    parser.addoption("--tracking-uri", required=True, help="address of the tracking server under test")
    parser.addoption("--label", default="python", help="name of the client in the printed lines")


def pytest_configure(config):
    # Before any suite imports mlflow, which reads some of its settings once.
    uri = config.getoption("--tracking-uri").rstrip("/")
    os.environ["MLFLOW_TRACKING_URI"] = uri


def sentence(nodeid):
    file, _, test = nodeid.partition("::")
    topic = os.path.basename(file).removeprefix("test_").removesuffix(".py").replace("_", " ")
    return f"{topic}: {test.removeprefix('test_').replace('_', ' ')}"


class LinePerTest:
    def __init__(self, config):
        self.config = config
        self.label = config.getoption("--label")

    def line(self, text):
        self.config.pluginmanager.get_plugin("terminalreporter").write_line(text)

    def pytest_report_teststatus(self, report):
        return report.outcome, "", ""

    def pytest_collectreport(self, report):
        if report.failed:
            self.failed(f"{self.label}: {report.nodeid} can be loaded", report)

    def pytest_runtest_logreport(self, report):
        name = f"{self.label}: {sentence(report.nodeid)}"
        if report.failed:
            self.failed(name if report.when != "teardown" else f"{name} (tidying up)", report)
        elif report.skipped:
            self.line(f"ok - {name} # SKIP {report.longrepr[2].removeprefix('Skipped: ')}")
        elif report.when == "call":
            self.line(f"ok - {name}")

    def failed(self, name, report):
        self.line(f"not ok - {name}")
        for text in str(report.longrepr).splitlines():
            self.line(f"    {text}")


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    session.config.pluginmanager.register(LinePerTest(session.config))


@pytest.fixture(scope="session")
def uri():
    return os.environ["MLFLOW_TRACKING_URI"]


@pytest.fixture(scope="session")
def client(uri):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


@pytest.fixture
def unique():
    """A word that no other test uses, for names and filters."""
    return f"u{uuid.uuid4().hex[:11]}"


@pytest.fixture
def new_experiment(client):
    def make(stem="conformance", **options):
        return client.create_experiment(f"{stem}-{uuid.uuid4().hex}", **options)

    return make


@pytest.fixture
def experiment_id(new_experiment):
    return new_experiment()


@pytest.fixture
def run_id(client, experiment_id):
    return client.create_run(experiment_id).info.run_id


@pytest.fixture
def rest(uri):
    """Plain HTTP to the server, for what the clients refuse to send themselves."""

    def call(method, path, **options):
        return requests.request(method, f"{uri}{path}", timeout=30, **options)

    return call


@pytest.fixture
def fluent(uri, experiment_id):
    """The fluent API, pointed at a fresh experiment and left without an active run."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_id=experiment_id)
    yield mlflow
    while mlflow.active_run() is not None:
        mlflow.end_run()
