"""Runs train.py once, then asks the server for what the script believes to have logged."""

import json
import uuid

import pytest
import train
from expecting import tree
from mlflow.entities import ViewType


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def ledger(uri, work):
    return train.train(uri, f"training-{uuid.uuid4().hex}", work)


@pytest.fixture
def runs(client, ledger):
    return {r.info.run_id: r for r in client.search_runs([ledger["experiment_id"]], max_results=100)}


def test_every_run_of_the_script_is_there_and_finished(ledger, runs):
    wanted = {ledger["parent"], ledger["forest"]["run_id"], ledger["grid"]["run_id"], *ledger["children"]}
    assert wanted <= set(runs)
    assert {r.info.status for r in runs.values()} == {"FINISHED"}
    assert all(r.info.start_time <= r.info.end_time for r in runs.values())


def test_the_sweep_has_its_params_tags_and_best_metric(client, ledger):
    run = client.get_run(ledger["parent"])
    assert run.data.params == {"epochs": "15", "rates": "[0.0001, 0.001, 0.01]", "rows": "1257"}
    assert run.data.metrics == {"best/accuracy": ledger["best"]}
    assert (run.data.tags["team"], run.data.tags["mlflow.note.content"]) == ("digits", "SGD at three rates")
    assert run.data.tags["mlflow.source.type"] == "LOCAL"


def test_every_epoch_of_every_child_is_in_the_history_to_the_last_bit(client, ledger):
    for run_id, child in ledger["children"].items():
        assert client.get_run(run_id).data.params == {"alpha": child["alpha"]}
        for key in ("train/log_loss", "test/accuracy"):
            history = client.get_metric_history(run_id, key)
            assert [(m.step, m.value) for m in history] == [(i, e[key]) for i, e in enumerate(child["curve"])]
            assert client.get_run(run_id).data.metrics[key] == child["curve"][-1][key]


def test_the_datasets_are_inputs_of_the_sweep(client, ledger):
    inputs = client.get_run(ledger["parent"]).inputs.dataset_inputs
    assert {i.dataset.name: i.dataset.digest for i in inputs} == ledger["digests"]
    contexts = {i.dataset.name: [t.value for t in i.tags] for i in inputs}
    assert contexts == {"digits-train": ["training"], "digits-test": ["validation"]}
    assert json.loads(inputs[0].dataset.profile)["num_rows"] in (1257, 540)


def test_children_are_found_under_their_parent_in_the_order_of_their_scores(client, ledger):
    found = client.search_runs(
        [ledger["experiment_id"]],
        f"tags.`mlflow.parentRunId` = '{ledger['parent']}' AND metrics.`test/accuracy` > 0.5",
        order_by=["metrics.`train/log_loss` ASC"],
    )
    losses = {run_id: child["curve"][-1]["train/log_loss"] for run_id, child in ledger["children"].items()}
    assert [r.info.run_id for r in found] == sorted(losses, key=losses.get)


def test_the_folder_of_weights_comes_back_byte_for_byte(client, ledger, work, tmp_path):
    down = client.download_artifacts(ledger["described"], "weights", str(tmp_path))
    assert tree(down) == tree(work / "weights")
    assert set(tree(down)) == {"coefficients.csv", "more/intercept.bin"}


def test_the_table_of_predictions_comes_back_row_for_row(ledger):
    table = train.mlflow.load_table("predictions.json", run_ids=[ledger["described"]])
    assert table["truth"].tolist() == ledger["table"]["truth"].tolist()
    assert table["prediction"].tolist() == ledger["table"]["prediction"].tolist()


def test_figure_image_dict_and_text_are_listed_and_loaded(client, ledger):
    run_id = ledger["described"]
    assert {f.path for f in client.list_artifacts(run_id)} >= {"images", "model", "plots", "predictions.json", "weights"}
    root = client.get_run(run_id).info.artifact_uri
    artifacts = train.mlflow.artifacts
    assert artifacts.load_dict(f"{root}/model/classes.json") == {"classes": list(range(10))}
    assert artifacts.load_text(f"{root}/model/repr.txt").startswith("SGDClassifier(alpha=0.001")
    assert artifacts.load_image(f"{root}/images/first.png").size == (8, 8)
    assert artifacts.load_image(f"{root}/plots/confusion.png").size[0] > 100


def test_autolog_wrote_params_metrics_and_the_training_set_without_a_model(client, ledger):
    run = client.get_run(ledger["forest"]["run_id"])
    assert run.data.params == ledger["forest"]["params"]
    wanted = {"training_accuracy_score", "training_f1_score", "training_log_loss", "training_precision_score"}
    assert wanted <= set(run.data.metrics)
    assert all(0 <= run.data.metrics[key] <= 1 for key in wanted - {"training_log_loss"})
    assert run.data.tags["estimator_name"] == "RandomForestClassifier"
    assert {t.value for i in run.inputs.dataset_inputs for t in i.tags} >= {"train"}
    assert "model" not in {f.path for f in client.list_artifacts(run.info.run_id)}
    assert any(f.path.endswith(".png") for f in client.list_artifacts(run.info.run_id))


def test_autolog_of_a_grid_search_made_child_runs(client, ledger):
    run = client.get_run(ledger["grid"]["run_id"])
    assert run.data.params["best_C"] == ledger["grid"]["best_C"]
    assert run.data.metrics["best_cv_score"] == ledger["grid"]["best_score"]
    children = client.search_runs([ledger["experiment_id"]], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert sorted(float(r.data.params["C"]) for r in children) == [0.1, 1.0, 10.0]
    assert "cv_results.csv" in {f.path for f in client.list_artifacts(run.info.run_id)}


def test_pages_of_the_experiment_fit_together(client, ledger, runs):
    seen, token = [], None
    while True:
        page = client.search_runs([ledger["experiment_id"]], max_results=3, page_token=token)
        seen += [r.info.run_id for r in page]
        token = page.token
        if not token:
            break
    assert len(seen) == len(set(seen)) and set(seen) == set(runs)


def test_the_experiment_goes_comes_back_and_takes_a_new_name(client, ledger):
    experiment_id = ledger["experiment_id"]
    one = next(iter(ledger["children"]))
    client.delete_run(one)
    assert one not in {r.info.run_id for r in client.search_runs([experiment_id])}
    assert [r.info.run_id for r in client.search_runs([experiment_id], run_view_type=ViewType.DELETED_ONLY)] == [one]
    client.restore_run(one)
    client.delete_experiment(experiment_id)
    client.restore_experiment(experiment_id)
    client.rename_experiment(experiment_id, f"renamed-{experiment_id}")
    assert client.get_experiment(experiment_id).name == f"renamed-{experiment_id}"
    assert one in {r.info.run_id for r in client.search_runs([experiment_id])}
    assert len(client.get_metric_history(one, "train/log_loss")) == train.EPOCHS
