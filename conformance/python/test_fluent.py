import time

import pytest
from expecting import needs_package, points
from mlflow.exceptions import MlflowException


def test_set_experiment_makes_it_once(fluent, client, unique):
    made = fluent.set_experiment(f"set-{unique}")
    assert fluent.set_experiment(f"set-{unique}").experiment_id == made.experiment_id
    with fluent.start_run() as run:
        pass
    assert client.get_run(run.info.run_id).info.experiment_id == made.experiment_id


def test_a_deleted_experiment_cannot_be_set(fluent, client, unique):
    client.delete_experiment(fluent.create_experiment(f"gone-{unique}"))
    with pytest.raises(MlflowException, match="deleted"):
        fluent.set_experiment(f"gone-{unique}")


def test_a_finished_run_has_its_system_tags_and_times(fluent, client):
    before = int(time.time() * 1000)
    with fluent.start_run(run_name="named", description="what it is", tags={"k": "v"}) as run:
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
    read = client.get_run(run.info.run_id)
    assert read.info.status == "FINISHED"
    assert before <= read.info.start_time <= read.info.end_time <= int(time.time() * 1000)
    assert read.data.tags["k"] == "v"
    assert read.data.tags["mlflow.note.content"] == "what it is"
    assert read.data.tags["mlflow.runName"] == "named"
    assert {"mlflow.user", "mlflow.source.name", "mlflow.source.type"} <= set(read.data.tags)
    assert read.info.user_id == read.data.tags["mlflow.user"]


def test_a_run_that_raises_is_failed(fluent, client):
    with pytest.raises(ZeroDivisionError), fluent.start_run() as run:
        1 / 0
    assert client.get_run(run.info.run_id).info.status == "FAILED"


def test_a_finished_run_can_be_resumed(fluent, client):
    with fluent.start_run() as run:
        fluent.log_metric("m", 1.0, step=1)
    with fluent.start_run(run_id=run.info.run_id):
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
        fluent.log_metric("m", 2.0, step=2)
    read = client.get_run(run.info.run_id)
    assert read.info.status == "FINISHED" and read.data.metrics == {"m": 2.0}
    assert [p[2] for p in points(client.get_metric_history(run.info.run_id, "m"))] == [1, 2]


def test_a_deleted_run_cannot_be_resumed(fluent, client):
    with fluent.start_run() as run:
        pass
    fluent.delete_run(run.info.run_id)
    with pytest.raises(MlflowException, match="deleted"):
        fluent.start_run(run_id=run.info.run_id)


def test_nested_runs_know_their_parents(fluent, client, experiment_id):
    with fluent.start_run(run_name="parent") as parent:
        for i in range(2):
            with fluent.start_run(run_name=f"child-{i}", nested=True) as child:
                with fluent.start_run(nested=True) as grandchild:
                    fluent.log_metric("depth", 2)
                fluent.log_param("i", i)
    assert client.get_parent_run(grandchild.info.run_id).info.run_id == child.info.run_id
    children = client.search_runs([experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'",
                                  order_by=["params.i ASC"])
    assert [r.info.run_name for r in children] == ["child-0", "child-1"]


def test_last_active_run_is_read_from_the_server(fluent):
    with fluent.start_run() as run:
        fluent.log_param("p", 1)
    assert fluent.last_active_run().data.params == {"p": "1"}
    assert fluent.last_active_run().info.run_id == run.info.run_id


def test_runs_are_searched_as_a_list(fluent, experiment_id):
    for i in range(3):
        with fluent.start_run():
            fluent.log_metric("score", i)
    runs = fluent.search_runs([experiment_id], "metrics.score >= 1", order_by=["metrics.score DESC"], output_format="list")
    assert [r.data.metrics["score"] for r in runs] == [2.0, 1.0]


@needs_package("pandas")
def test_runs_are_searched_as_a_data_frame(fluent, unique):
    fluent.set_experiment(f"frame-{unique}")
    for i in range(3):
        with fluent.start_run(run_name=f"r{i}"):
            fluent.log_metric("score", i / 2)
            fluent.log_param("i", i)
    frame = fluent.search_runs(experiment_names=[f"frame-{unique}"], order_by=["metrics.score DESC"])
    assert frame["metrics.score"].tolist() == [1.0, 0.5, 0.0]
    assert frame["params.i"].tolist() == ["2", "1", "0"]
    assert frame["tags.mlflow.runName"].tolist() == ["r2", "r1", "r0"]
    assert frame["status"].tolist() == ["FINISHED"] * 3


def test_experiments_are_searched_by_name(fluent, unique):
    for i in range(3):
        fluent.create_experiment(f"{unique}-{i}")
    found = fluent.search_experiments(filter_string=f"name LIKE '{unique}-%'", order_by=["name ASC"], max_results=2)
    assert [e.name for e in found] == [f"{unique}-0", f"{unique}-1"]


def test_run_tags_are_deleted(fluent, client):
    with fluent.start_run() as run:
        fluent.set_tags({"a": 1, "b": 2})
        fluent.delete_tag("a")
    tags = client.get_run(run.info.run_id).data.tags
    assert "a" not in tags and tags["b"] == "2"


def test_an_artifact_uri_leads_to_the_file(fluent):
    with fluent.start_run():
        fluent.log_text("hello", "notes/a.txt")
        address = fluent.get_artifact_uri("notes/a.txt")
    assert fluent.artifacts.load_text(address) == "hello"
