import re
import threading
import time

import pytest
from expecting import refused
from mlflow.entities import Metric, RunStatus, ViewType


def test_a_new_run_is_running_and_reads_back(client, experiment_id):
    start = int(time.time() * 1000)
    run = client.create_run(experiment_id, start_time=start, tags={"who": "me", "Ünï": "✓"}, run_name="first")
    read = client.get_run(run.info.run_id)
    assert re.fullmatch("[0-9a-f]{32}", read.info.run_id)
    assert read.info.experiment_id == experiment_id
    assert read.info.status == "RUNNING"
    assert read.info.lifecycle_stage == "active"
    assert read.info.start_time == start
    assert read.info.end_time is None
    assert read.info.run_name == "first"
    assert read.info.artifact_uri.endswith(f"/{experiment_id}/{read.info.run_id}/artifacts")
    assert read.data.tags == {"who": "me", "Ünï": "✓", "mlflow.runName": "first"}
    assert read.data.params == {} and read.data.metrics == {}
    assert read.to_dictionary() == run.to_dictionary()


def test_a_run_without_a_name_gets_one(client, experiment_id):
    run = client.create_run(experiment_id)
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d+", run.info.run_name)
    assert client.get_run(run.info.run_id).data.tags["mlflow.runName"] == run.info.run_name


def test_the_run_name_tag_names_the_run(client, experiment_id):
    run = client.create_run(experiment_id, tags={"mlflow.runName": "by tag"})
    assert run.info.run_name == "by tag"


def test_a_name_and_a_different_run_name_tag_are_refused(client, experiment_id):
    with refused("INVALID_PARAMETER_VALUE"):
        client.create_run(experiment_id, run_name="one", tags={"mlflow.runName": "two"})
    assert client.create_run(experiment_id, run_name="same", tags={"mlflow.runName": "same"}).info.run_name == "same"


def test_renaming_and_the_run_name_tag_stay_in_step(client, run_id):
    client.update_run(run_id, name="renamed")
    run = client.get_run(run_id)
    assert (run.info.run_name, run.data.tags["mlflow.runName"]) == ("renamed", "renamed")
    client.set_tag(run_id, "mlflow.runName", "by tag")
    run = client.get_run(run_id)
    assert (run.info.run_name, run.data.tags["mlflow.runName"]) == ("by tag", "by tag")


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED", "SCHEDULED", "RUNNING"])
def test_a_run_takes_the_status(client, run_id, status):
    client.update_run(run_id, status=status)
    assert client.get_run(run_id).info.status == status


def test_terminating_a_run_sets_status_and_end_time(client, run_id):
    client.set_terminated(run_id, status="FAILED", end_time=1_700_000_000_123)
    info = client.get_run(run_id).info
    assert (info.status, info.end_time) == ("FAILED", 1_700_000_000_123)
    assert RunStatus.is_terminated(RunStatus.from_string(info.status))


def test_renaming_leaves_status_and_end_time_alone(client, run_id):
    client.set_terminated(run_id, end_time=1_700_000_000_123)
    client.update_run(run_id, name="later")
    info = client.get_run(run_id).info
    assert (info.status, info.end_time, info.run_name) == ("FINISHED", 1_700_000_000_123, "later")


def test_times_beyond_32_bits_are_exact(client, experiment_id):
    start = 4_102_444_800_123
    run = client.create_run(experiment_id, start_time=start)
    client.set_terminated(run.info.run_id, end_time=start + 7)
    info = client.get_run(run.info.run_id).info
    assert (info.start_time, info.end_time) == (start, start + 7)


def test_params_read_back_as_text(client, run_id):
    params = {"lr": 0.01, "layers": [3, 4], "empty": "", "flag": True, "text": "ein Wörterbuch 📚", "a/b.c-d e:f_g": "1"}
    for key, value in params.items():
        client.log_param(run_id, key, value)
    assert client.get_run(run_id).data.params == {k: str(v) for k, v in params.items()}


def test_a_param_is_written_once(client, run_id):
    client.log_param(run_id, "lr", "0.1")
    client.log_param(run_id, "lr", "0.1")
    with refused("INVALID_PARAMETER_VALUE", "lr", "0.1", "0.2"):
        client.log_param(run_id, "lr", "0.2")
    assert client.get_run(run_id).data.params == {"lr": "0.1"}


def test_of_two_racing_writers_of_a_param_one_wins(client, run_id):
    outcomes = {}

    def write(value):
        try:
            client.log_param(run_id, "race", value)
            outcomes[value] = "written"
        except Exception as error:
            outcomes[value] = getattr(error, "error_code", repr(error))

    writers = [threading.Thread(target=write, args=(f"v{i}",)) for i in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    winners = [value for value, outcome in outcomes.items() if outcome == "written"]
    assert len(winners) == 1, outcomes
    assert set(outcomes.values()) == {"written", "INVALID_PARAMETER_VALUE"}
    assert client.get_run(run_id).data.params == {"race": winners[0]}


def test_a_long_param_is_kept_to_the_limit(client, run_id):
    client.log_param(run_id, "at", "x" * 6000)
    assert client.get_run(run_id).data.params["at"] == "x" * 6000


def test_tags_are_overwritten_and_deleted(client, run_id):
    client.set_tag(run_id, "stage", "draft")
    client.set_tag(run_id, "stage", "x" * 8000)
    assert client.get_run(run_id).data.tags["stage"] == "x" * 8000
    client.delete_tag(run_id, "stage")
    assert "stage" not in client.get_run(run_id).data.tags
    with refused("RESOURCE_DOES_NOT_EXIST", "stage"):
        client.delete_tag(run_id, "stage")


def test_a_deleted_run_reads_back_but_takes_no_writes(client, run_id):
    client.log_metric(run_id, "m", 1.0)
    client.delete_run(run_id)
    run = client.get_run(run_id)
    assert run.info.lifecycle_stage == "deleted"
    assert run.data.metrics == {"m": 1.0}
    for write in (
        lambda: client.log_metric(run_id, "m", 2.0),
        lambda: client.log_param(run_id, "p", "1"),
        lambda: client.set_tag(run_id, "t", "1"),
        lambda: client.update_run(run_id, name="x"),
        lambda: client.log_batch(run_id, params=[], tags=[], metrics=[Metric("m", 3.0, 1, 0)]),
    ):
        with refused("INVALID_PARAMETER_VALUE", "active"):
            write()
    assert client.get_run(run_id).to_dictionary() == run.to_dictionary()


def test_delete_and_restore_are_repeatable(client, experiment_id, run_id):
    client.delete_run(run_id)
    client.delete_run(run_id)
    assert client.search_runs([experiment_id]) == []
    assert [r.info.run_id for r in client.search_runs([experiment_id], run_view_type=ViewType.DELETED_ONLY)] == [run_id]
    client.restore_run(run_id)
    client.restore_run(run_id)
    assert [r.info.run_id for r in client.search_runs([experiment_id])] == [run_id]
    client.log_metric(run_id, "m", 1.0)


def test_runs_of_several_experiments_stay_apart(client, new_experiment):
    first, second = new_experiment(), new_experiment()
    runs = {e: {client.create_run(e).info.run_id for _ in range(2)} for e in (first, second)}
    assert {r.info.run_id for r in client.search_runs([first])} == runs[first]
    assert {r.info.run_id for r in client.search_runs([first, second])} == runs[first] | runs[second]


def test_a_parent_tag_finds_the_children(client, experiment_id):
    parent = client.create_run(experiment_id).info.run_id
    children = [client.create_run(experiment_id, tags={"mlflow.parentRunId": parent}).info.run_id for _ in range(3)]
    found = client.search_runs([experiment_id], f"tags.mlflow.parentRunId = '{parent}'")
    assert {r.info.run_id for r in found} == set(children)
    assert client.get_parent_run(children[0]).info.run_id == parent
