"""Logged models: what MLflow 3 calls the files of one trained model, with its params, tags, metrics and state.

Clients before MLflow 3 note in a tag of the run that they have logged a model, and these tests are not for them.
"""

import json
import math
import uuid

import mlflow
import pytest
from expecting import needs_package, refused, tree
from mlflow.models import Model

if not hasattr(mlflow, "initialize_logged_model"):
    pytest.skip("this client has no logged models", allow_module_level=True)

from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric  # noqa: E402


@pytest.fixture
def model(client, experiment_id, run_id):
    return client.create_logged_model(
        experiment_id, name="candidate", source_run_id=run_id, model_type="t", tags={"stage": "dev"}, params={"lr": "0.1"}
    )


def test_a_model_reads_back_as_it_was_created(client, model, experiment_id, run_id):
    found = client.get_logged_model(model.model_id)
    assert found.to_dictionary() == model.to_dictionary()
    assert (found.name, found.model_type, found.source_run_id) == ("candidate", "t", run_id)
    assert (found.experiment_id, found.status) == (experiment_id, LoggedModelStatus.PENDING)
    assert (found.tags, found.params, found.metrics or []) == ({"stage": "dev"}, {"lr": "0.1"}, [])
    assert found.artifact_location.endswith(f"/{experiment_id}/models/{model.model_id}/artifacts")


def test_a_model_without_a_name_gets_one(client, experiment_id):
    names = {client.create_logged_model(experiment_id).name for _ in range(3)}
    assert all(name and "/" not in name for name in names)


def test_a_model_has_more_params_than_fit_one_request(client, experiment_id):
    params = {f"p{i}": str(i) for i in range(250)}
    made = client.create_logged_model(experiment_id, params=params)
    assert client.get_logged_model(made.model_id).params == params


def test_a_name_with_a_colon_is_refused(rest, experiment_id):
    body = {"experiment_id": experiment_id, "name": "a:b"}
    answer = rest("POST", "/api/2.0/mlflow/logged-models", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer.json()["message"].startswith("Invalid model name ('a:b') provided.")


def test_a_model_is_finalized(client, model):
    for status in (LoggedModelStatus.FAILED, LoggedModelStatus.READY):
        assert client.finalize_logged_model(model.model_id, status).status == status
        assert client.get_logged_model(model.model_id).status == status


def test_tags_are_set_and_deleted_and_params_added(client, model):
    client.set_logged_model_tags(model.model_id, {"stage": "prod", "é": "ü"})
    client.delete_logged_model_tag(model.model_id, "stage")
    client.log_model_params(model.model_id, {"depth": "3"})
    found = client.get_logged_model(model.model_id)
    assert (found.tags, found.params) == ({"é": "ü"}, {"lr": "0.1", "depth": "3"})
    with refused("RESOURCE_DOES_NOT_EXIST", "No tag with key 'stage' found"):
        client.delete_logged_model_tag(model.model_id, "stage")


def test_a_deleted_model_is_not_found(client, model, experiment_id):
    client.delete_logged_model(model.model_id)
    with refused("RESOURCE_DOES_NOT_EXIST", f"Logged model with ID '{model.model_id}' not found."):
        client.get_logged_model(model.model_id)
    assert client.search_logged_models([experiment_id]) == []


def test_metrics_of_a_model_are_its_own_and_the_runs(client, model, run_id):
    client.log_metric(
        run_id, "acc", 0.75, timestamp=5, step=2, model_id=model.model_id, dataset_name="d", dataset_digest="x"
    )
    batch = [Metric("loss", 1 / 3, 6, 0, model_id=model.model_id), Metric("loss", 0.25, 7, 1)]
    client.log_batch(run_id, metrics=batch)
    found = client.get_logged_model(model.model_id).metrics
    assert sorted((m.key, m.value, m.timestamp, m.step, m.dataset_name, m.dataset_digest) for m in found) == [
        ("acc", 0.75, 5, 2, "d", "x"),
        ("loss", 1 / 3, 6, 0, None, None),
    ]
    assert {(m.model_id, m.run_id) for m in found} == {(model.model_id, run_id)}
    assert client.get_run(run_id).data.metrics == {"acc": 0.75, "loss": 0.25}


def test_models_are_inputs_and_outputs_of_runs(client, model, run_id):
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 3)])
    outputs = client.get_run(run_id).outputs.model_outputs
    assert [(o.model_id, o.step) for o in outputs] == [(model.model_id, 3)]


def test_models_are_searched_ordered_and_paged(client, experiment_id, run_id):
    made = {}
    for i, accuracy in enumerate([0.5, 0.9, 0.7, 0.1]):
        one = client.create_logged_model(experiment_id, name=f"m{i}", params={"i": str(i)}, tags={"even": str(i % 2 == 0)})
        made[one.model_id] = i
        on = {"dataset_name": "test", "dataset_digest": "x"}
        client.log_metric(run_id, "accuracy", accuracy, timestamp=1, step=i, model_id=one.model_id, **on)

    def search(**options):
        return [made[m.model_id] for m in client.search_logged_models([experiment_id], **options)]

    assert search(filter_string="metrics.accuracy >= 0.7") == [2, 1]
    assert search(filter_string="params.i IN ('1', '3')") == [3, 1]
    assert search(filter_string="tags.even = 'True' AND name != 'm0'") == [2]
    assert search(filter_string="name LIKE 'm_' AND creation_timestamp > 0") == [3, 2, 1, 0]
    best = [{"field_name": "metrics.accuracy", "ascending": False, "dataset_name": "test", "dataset_digest": "x"}]
    assert search(order_by=best) == [1, 2, 0, 3]
    assert search(datasets=[{"dataset_name": "test", "dataset_digest": "x"}]) == [3, 2, 1, 0]
    assert search(datasets=[{"dataset_name": "other", "dataset_digest": "x"}]) == []
    first = client.search_logged_models([experiment_id], max_results=3, order_by=best)
    rest = client.search_logged_models([experiment_id], max_results=3, order_by=best, page_token=first.token)
    assert [made[m.model_id] for m in [*first, *rest]] == [1, 2, 0, 3] and not rest.token
    with refused("INVALID_PARAMETER_VALUE"):
        client.search_logged_models([experiment_id], filter_string="name = 'm0'", page_token=first.token)


def test_the_fluent_calls_work_together(fluent, client):
    with fluent.start_run() as run:
        made = fluent.initialize_logged_model(name="fluent", params={"a": "1"})
        fluent.log_model_params({"b": "2"}, model_id=made.model_id)
        fluent.set_logged_model_tags(made.model_id, {"k": "v"})
        fluent.log_metric("m", math.pi, model_id=made.model_id)
        fluent.log_metrics({"n": 1.0, "o": 2.0}, model_id=made.model_id)
        fluent.finalize_logged_model(made.model_id, "READY")
        fluent.log_outputs([LoggedModelOutput(made.model_id, 0)])
    found = fluent.get_logged_model(made.model_id)
    assert (found.status, found.source_run_id) == (LoggedModelStatus.READY, run.info.run_id)
    assert (found.params, found.tags["k"]) == ({"a": "1", "b": "2"}, "v")
    assert {m.key: m.value for m in found.metrics} == {"m": math.pi, "n": 1.0, "o": 2.0}
    assert [o.model_id for o in client.get_run(run.info.run_id).outputs.model_outputs] == [made.model_id]


def test_the_files_of_a_model_are_listed_and_loaded(client, model, tmp_path, rest):
    content = {"a.txt": b"\x00\xff", "d/b c.json": b"{}"}
    for path, data in content.items():
        file = tmp_path / "up" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    client.log_model_artifacts(model.model_id, str(tmp_path / "up"))
    assert [f.path for f in client.list_logged_model_artifacts(model.model_id)] == ["a.txt", "d"]
    down = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{model.model_id}", dst_path=str(tmp_path / "down"))
    assert tree(down) == tree(tmp_path / "up")
    path = f"/ajax-api/2.0/mlflow/logged-models/{model.model_id}/artifacts"
    listed = rest("GET", f"{path}/directories", params={"artifact_directory_path": "d"})
    assert listed.json()["files"] == [{"path": "d/b c.json", "is_dir": False, "file_size": 2}]
    file = rest("GET", f"{path}/files", params={"artifact_file_path": "d/b c.json"})
    assert file.content == b"{}" and file.headers["content-disposition"].startswith("attachment")


@needs_package("sklearn", "numpy", "pandas")
def test_a_scikit_learn_model_is_logged_and_predicts_the_same(fluent, client):
    import numpy
    from sklearn.linear_model import LogisticRegression

    rows = numpy.random.default_rng(5).normal(size=(60, 3))
    classes = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    trained = LogisticRegression().fit(rows, classes)
    with fluent.start_run() as run:
        info = fluent.sklearn.log_model(trained, name="classifier", input_example=rows[:2], params={"C": 1.0})
    found = client.get_logged_model(info.model_id)
    assert (found.name, found.status) == ("classifier", LoggedModelStatus.READY)
    assert (found.source_run_id, found.params["C"]) == (run.info.run_id, "1.0")
    assert [o.model_id for o in client.get_run(run.info.run_id).outputs.model_outputs] == [info.model_id]
    loaded = fluent.sklearn.load_model(f"models:/{info.model_id}")
    assert (loaded.coef_ == trained.coef_).all()
    again = fluent.pyfunc.load_model(f"models:/{info.model_id}")
    assert (again.predict(rows) == trained.predict(rows)).all()
    assert (fluent.pyfunc.load_model(f"runs:/{run.info.run_id}/classifier").predict(rows) == trained.predict(rows)).all()


def test_the_call_of_older_clients_is_noted_in_the_run(client, run_id):
    for path in ("one", "two"):
        noted = Model(artifact_path=path, run_id=run_id, flavors={"f": {"x": 1}}, model_uuid=uuid.uuid4().hex)
        client._tracking_client.store.record_logged_model(run_id, noted)
    history = json.loads(client.get_run(run_id).data.tags["mlflow.log-model.history"])
    assert [(entry["artifact_path"], entry["flavors"]) for entry in history] == [("one", {"f": {"x": 1}}), ("two", {"f": {"x": 1}})]
