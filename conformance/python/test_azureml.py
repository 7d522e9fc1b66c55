"""Azure Machine Learning's plugin: complete flows by `azureml://`, signed in as the managed identity of this machine."""

import hashlib
import json
import os
import re
import subprocess
import sys

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

MIB = 1024 * 1024
LONG = [300 * MIB] if "LAZULI_NIGHTLY" in os.environ else []


CONFIGURED = ("MLFLOW_TRACKING", "MLFLOW_EXPERIMENT", "MLFLOW_RUN", "AZUREML_", "ARM_", "IDENTITY_")


def lazuli(*args, **options):
    """Starts the command, which is told of nothing but the server's address."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(CONFIGURED)}
    return subprocess.Popen(
        [*json.loads(os.environ["LAZULI_COMMAND"]), *args],
        env={**kept, "TZ": "UTC"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


JOB = """
import os, requests, time
import mlflow

first = os.environ["MLFLOW_TRACKING_TOKEN"]
with mlflow.start_run() as run:
    mlflow.log_metric("m", 0, step=0)
    mlflow.log_text("early", "early.txt")
    time.sleep(float(os.environ["LAZULI_JOB_TOKEN_LIFE"]) + 4)
    mlflow.log_metric("m", 1, step=1)
    mlflow.log_text("late", "late.txt")
url = os.environ["LAZULI_URL"] + "/api/2.0/mlflow/runs/get?run_id=" + run.info.run_id
print("the first token gets", requests.get(url, headers={"Authorization": "Bearer " + first}).status_code)
"""


@pytest.fixture(scope="session", autouse=True)
def long_job():
    """A job that outlives its token, beside the other tests; the last one waits for it."""
    process = lazuli("job", "run", "--experiment-name", f"jobs-{os.getpid()}", "--", sys.executable, "-c", JOB)
    yield process
    process.kill()


@pytest.fixture
def run(unique):
    mlflow.set_experiment(f"/Users/ann/{unique}")
    with mlflow.start_run() as run:
        yield run


def reread(run):
    return MlflowClient().get_run(run.info.run_id)


def test_an_experiment_is_found_again_by_its_name_with_slashes(unique):
    first = mlflow.set_experiment(f"/Users/ann/{unique}")
    assert mlflow.set_experiment(f"/Users/ann/{unique}").experiment_id == first.experiment_id


def test_params_metrics_and_tags_come_back(run):
    mlflow.log_params({f"p{index}": index for index in range(250)})
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.set_tags({"t": "v"})
    found = reread(run)
    assert len(found.data.params) == 250
    assert found.data.metrics["loss"] == 1 / 3
    assert found.data.tags["t"] == "v"
    assert [m.step for m in MlflowClient().get_metric_history(run.info.run_id, "loss")] == [0, 1, 2]


def test_what_is_logged_asynchronously_is_there_at_once(run):
    for step in range(50):
        mlflow.log_metric("async", step, step=step, synchronous=False)
    mlflow.flush_async_logging()
    assert len(MlflowClient().get_metric_history(run.info.run_id, "async")) == 50


def test_nested_runs_are_found_by_their_parent(run):
    with mlflow.start_run(nested=True) as child:
        mlflow.log_metric("m", 1)
    found = mlflow.search_runs(
        search_all_experiments=True,
        filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'",
        output_format="list",
    )
    assert [one.info.run_id for one in found] == [child.info.run_id]


def test_filters_go_beyond_what_azure_takes(run):
    mlflow.log_metric("m", 0.25)
    found = mlflow.search_runs(
        [run.info.experiment_id], "metrics.m < 0.3 OR tags.absent != 'x'", output_format="list"
    )
    assert run.info.run_id in [one.info.run_id for one in found]


def test_artifacts_have_the_runs_own_location(run):
    assert run.info.artifact_uri.startswith("azureml://")
    assert run.info.artifact_uri.endswith(f"/runs/{run.info.run_id}/artifacts")


@pytest.mark.parametrize("name", ["a.txt", "d/with space + %.txt", "ünï/côdé.txt"])
def test_a_text_comes_back_under_its_name(run, name):
    mlflow.log_text("content", name)
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{name}") == "content"


def test_a_table_is_rewritten(run):
    pytest.importorskip("pandas")
    mlflow.log_table({"x": [1]}, "table.json")
    mlflow.log_table({"x": [2]}, "table.json")
    assert list(mlflow.load_table("table.json", run_ids=[run.info.run_id])["x"]) == [1, 2]


@pytest.mark.parametrize("size", [0, 1024, 64 * MIB, 64 * MIB + 1, *LONG])
def test_a_file_comes_back_to_the_byte(run, tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "file.bin").write_bytes(data)
    mlflow.log_artifact(str(tmp_path / "file.bin"))
    found = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="file.bin", dst_path=str(tmp_path / "back")
    )
    with open(found, "rb") as file:
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(data).digest()


def test_a_folder_of_more_files_than_a_batch_comes_back(run, tmp_path):
    for index in range(55):
        folder = tmp_path / "given" / f"d{index % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index}.txt").write_text(str(index))
    mlflow.log_artifacts(str(tmp_path / "given"), "many")
    found = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="many", dst_path=str(tmp_path / "back")
    )
    names = [name for _, _, files in os.walk(found) for name in files]
    assert sorted(names) == sorted(f"{index}.txt" for index in range(55))


def test_a_missing_artifact_is_an_error(run):
    with pytest.raises(MlflowException, match="nope"):
        mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="nope")


def test_a_model_is_logged_registered_and_loaded_by_every_name(run, unique):
    pytest.importorskip("sklearn")
    model = fitted()
    info = mlflow.sklearn.log_model(model, name="model", registered_model_name=unique)
    MlflowClient().set_registered_model_alias(unique, "champion", 1)
    for uri in [info.model_uri, f"models:/{unique}/1", f"models:/{unique}@champion"]:
        assert mlflow.sklearn.load_model(uri).predict([[3.0]])[0] == pytest.approx(3)
    again = mlflow.register_model(f"runs:/{run.info.run_id}/model", unique)
    assert int(again.version) == 2


def test_a_model_of_a_local_folder_is_uploaded_and_loaded(unique, tmp_path):
    pytest.importorskip("sklearn")
    mlflow.sklearn.save_model(fitted(), str(tmp_path / "my model"))
    client = MlflowClient()
    client.create_registered_model(unique)
    version = client.create_model_version(unique, f"file://{tmp_path}/my model")
    assert version.source.startswith("azureml://artifacts/LocalUpload/")
    assert mlflow.sklearn.load_model(f"models:/{unique}/1").predict([[3.0]])[0] == pytest.approx(3)


def fitted():
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit([[1.0], [2.0]], [1, 2])


def test_a_folder_is_registered_as_a_model_and_comes_back(unique, tmp_path):
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "MLmodel").write_text("flavors: {}")
    client = MlflowClient()
    client.create_registered_model(unique)
    client.create_model_version(unique, f"file://{tmp_path}/given")
    found = mlflow.artifacts.download_artifacts(f"models:/{unique}/1", dst_path=str(tmp_path / "back"))
    with open(os.path.join(found, "MLmodel")) as file:
        assert file.read() == "flavors: {}"


TWO_RUNS = """
import mlflow
for value in (1, 2):
    with mlflow.start_run() as run:
        mlflow.log_metric("m", value)
    print(run.info.run_id)
"""


def expect_two_runs(output):
    # MLflow prints where to look at a run, too.
    first, second = re.findall("^[0-9a-f]{32}$", output, re.MULTILINE)
    assert [MlflowClient().get_run(run).data.metrics["m"] for run in (first, second)] == [1, 2]


def test_a_shell_in_a_session_needs_no_configuration(tmp_path):
    (tmp_path / "train.py").write_text(TWO_RUNS)
    session = lazuli("session", "--data-dir", os.environ["LAZULI_DATA_DIR"], "--", "bash", "-c", f"{sys.executable} train.py", cwd=tmp_path)
    output, _ = session.communicate(timeout=60)
    assert session.returncode == 0, output
    expect_two_runs(output)


NOTEBOOK = """
import sys
from jupyter_client.manager import start_new_kernel

def show(message):
    if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
        print(message["content"]["text"], end="")

manager, kernel = start_new_kernel(kernel_name="python3")
try:
    for cell in ["import mlflow", *[f"with mlflow.start_run() as run:\\n    mlflow.log_metric('m', {value})\\nprint(run.info.run_id)" for value in (1, 2)]]:
        reply = kernel.execute_interactive(cell, output_hook=show, timeout=60)
        assert reply["content"]["status"] == "ok", reply
finally:
    kernel.stop_channels()
    manager.shutdown_kernel(now=True)
"""


def test_a_notebook_in_a_session_logs_a_new_run_with_each_start(tmp_path):
    pytest.importorskip("jupyter_client")
    session = lazuli("session", "--data-dir", os.environ["LAZULI_DATA_DIR"], "--", sys.executable, "-c", NOTEBOOK, cwd=tmp_path)
    output, _ = session.communicate(timeout=90)
    assert session.returncode == 0, output
    expect_two_runs(output)


IN_A_CLOUD = """
import mlflow
with mlflow.start_run() as run:
    mlflow.log_metric("m", 1)
    mlflow.log_text("content", "d/a.txt")
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/d/a.txt"))
"""


@pytest.mark.parametrize("cloud", ["AzureCloud", "AzureChinaCloud", "AzureUSGovernment"])
def test_a_program_configured_for_a_cloud_of_azure_finds_everything(cloud):
    environment = {**os.environ, "AZUREML_CURRENT_CLOUD": cloud}
    for name in ["ARM_CLOUD_METADATA_URL", "MLFLOW_EXPERIMENT_ID"]:
        environment.pop(name, None)
    output = subprocess.run([sys.executable, "-c", IN_A_CLOUD], env=environment, capture_output=True, text=True, timeout=90)
    assert output.returncode == 0, output.stderr
    assert "content" in output.stdout.splitlines(), output


def test_a_job_goes_on_when_its_token_has_ended(long_job):
    output, _ = long_job.communicate(timeout=120)
    assert long_job.returncode == 0, output
    assert "the first token gets 401" in output, output
    experiment = mlflow.get_experiment_by_name(f"jobs-{os.getpid()}")
    [run] = mlflow.search_runs([experiment.experiment_id], output_format="list")
    assert run.info.status == "FINISHED"
    history = MlflowClient().get_metric_history(run.info.run_id, "m")
    assert [(metric.step, metric.value) for metric in history] == [(0, 0), (1, 1)]
    for name in ["early", "late"]:
        assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{name}.txt") == name
    log = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/user_logs/std_log.txt")
    assert "the first token gets 401" in log
