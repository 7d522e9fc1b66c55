"""Codes, statuses and texts of refusals, sent over plain HTTP where a client would not send such a request."""

import pytest
from expecting import answers_error, refused
from mlflow.entities import Metric

API = "/api/2.0/mlflow"
NO_RUN = "f" * 32


def post(rest, path, body):
    return rest("POST", f"{API}/{path}", json=body)


def test_an_unknown_run_is_absent_whatever_is_asked_of_it(client):
    for ask in (
        lambda: client.get_run(NO_RUN),
        lambda: client.log_metric(NO_RUN, "m", 1.0),
        lambda: client.log_param(NO_RUN, "p", "1"),
        lambda: client.set_tag(NO_RUN, "t", "1"),
        lambda: client.delete_tag(NO_RUN, "t"),
        lambda: client.delete_run(NO_RUN),
        lambda: client.restore_run(NO_RUN),
        lambda: client.update_run(NO_RUN, status="FINISHED"),
        lambda: client.log_batch(NO_RUN, metrics=[Metric("m", 1.0, 1, 1)]),
        lambda: client.list_artifacts(NO_RUN),
    ):
        with refused("RESOURCE_DOES_NOT_EXIST", NO_RUN):
            ask()


def test_an_unknown_experiment_is_absent_whatever_is_asked_of_it(client):
    for ask in (
        lambda: client.create_run("987654321"),
        lambda: client.delete_experiment("987654321"),
        lambda: client.restore_experiment("987654321"),
        lambda: client.rename_experiment("987654321", "x"),
        lambda: client.set_experiment_tag("987654321", "k", "v"),
    ):
        with refused("RESOURCE_DOES_NOT_EXIST", "987654321"):
            ask()


def test_absence_is_404_and_a_wrong_value_400(rest, run_id):
    absent = rest("GET", f"{API}/runs/get", params={"run_id": NO_RUN})
    answers_error(absent, 404, "RESOURCE_DOES_NOT_EXIST", NO_RUN)
    answers_error(rest("GET", f"{API}/experiments/get-by-name", params={"experiment_name": "no such"}), 404,
                  "RESOURCE_DOES_NOT_EXIST", "no such")
    answers_error(post(rest, "runs/log-metric", {"run_id": run_id, "key": "m", "value": "x", "timestamp": 1}), 400,
                  "INVALID_PARAMETER_VALUE", "Invalid value \"x\" for parameter 'value' supplied")


def test_a_taken_name_is_400(rest, unique):
    assert post(rest, "experiments/create", {"name": unique}).status_code == 200
    answers_error(post(rest, "experiments/create", {"name": unique}), 400, "RESOURCE_ALREADY_EXISTS", unique)


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        ("experiments/create", {}, "name"),
        ("experiments/delete", {}, "experiment_id"),
        ("experiments/set-experiment-tag", {"experiment_id": "0"}, "key"),
        ("runs/log-metric", {"run_id": NO_RUN, "value": 1, "timestamp": 1}, "key"),
        ("runs/log-metric", {"run_id": NO_RUN, "key": "m", "timestamp": 1}, "value"),
        ("runs/log-metric", {"run_id": NO_RUN, "key": "m", "value": 1}, "timestamp"),
        ("runs/log-parameter", {"run_id": NO_RUN, "value": "1"}, "key"),
        ("runs/set-tag", {"run_id": NO_RUN, "value": "1"}, "key"),
        ("runs/delete-tag", {"run_id": NO_RUN}, "key"),
        ("runs/delete", {}, "run_id"),
    ],
)
def test_a_missing_parameter_is_named(rest, path, body, parameter):
    answers_error(post(rest, path, body), 400, "INVALID_PARAMETER_VALUE",
                  f"Missing value for required parameter '{parameter}'")


def test_a_wrong_type_is_named_with_its_value(rest):
    answers_error(post(rest, "experiments/create", {"name": 5}), 400, "INVALID_PARAMETER_VALUE",
                  "Invalid value 5 for parameter 'name' supplied:  Hint: Value was of type 'int'.")


def test_only_json_is_taken(rest):
    answer = rest("POST", f"{API}/experiments/create", data="name=x", headers={"Content-Type": "text/plain"})
    answers_error(answer, 400, "INVALID_PARAMETER_VALUE", "Content-Type must be one of ['application/json']")


@pytest.mark.parametrize("key", ["", "a" * 251, "../a", "/a", ".", "a//b", "a/../b", "semi;colon", "tab\tkey"])
def test_a_wrong_key_is_refused_everywhere(rest, client, run_id, key):
    metric = {"key": key, "value": 1, "timestamp": 1, "step": 0}
    text = {"key": key, "value": "1"}
    for path, body in (
        ("runs/log-metric", {"run_id": run_id, **metric}),
        ("runs/log-parameter", {"run_id": run_id, **text}),
        ("runs/set-tag", {"run_id": run_id, **text}),
        ("runs/log-batch", {"run_id": run_id, "metrics": [metric]}),
        ("runs/log-batch", {"run_id": run_id, "params": [text]}),
        ("runs/log-batch", {"run_id": run_id, "tags": [text]}),
    ):
        answers_error(post(rest, path, body), 400, "INVALID_PARAMETER_VALUE")
    data = client.get_run(run_id).data
    assert (data.metrics, data.params, set(data.tags)) == ({}, {}, {"mlflow.runName"})


def test_batches_over_the_limits_are_refused_whole(rest, client, run_id):
    def metrics(n):
        return [{"key": f"m{i}", "value": 1, "timestamp": 1, "step": 0} for i in range(n)]

    def pairs(n):
        return [{"key": f"k{i}", "value": "1"} for i in range(n)]

    for body in (
        {"metrics": metrics(1001)},
        {"params": pairs(101)},
        {"tags": pairs(101)},
        {"metrics": metrics(801), "params": pairs(100), "tags": pairs(100)},
        {"params": [{"key": "twice", "value": "1"}, {"key": "twice", "value": "1"}]},
        {"params": [{"key": "twice", "value": "1"}, {"key": "twice", "value": "2"}]},
    ):
        answers_error(post(rest, "runs/log-batch", {"run_id": run_id, **body}), 400, "INVALID_PARAMETER_VALUE")
    data = client.get_run(run_id).data
    assert (data.metrics, data.params, set(data.tags)) == ({}, {}, {"mlflow.runName"})


@pytest.mark.parametrize("name", ["", "x" * 501])
def test_a_wrong_experiment_name_is_refused(rest, name):
    answers_error(post(rest, "experiments/create", {"name": name}), 400, "INVALID_PARAMETER_VALUE")


def test_a_search_for_experiments_needs_its_size(rest):
    for body in ({}, {"max_results": 0}):
        answers_error(post(rest, "experiments/search", body), 400, "INVALID_PARAMETER_VALUE",
                      "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer")
    answers_error(post(rest, "experiments/search", {"max_results": 50001}), 400, "INVALID_PARAMETER_VALUE", "50001")


def test_what_mlflow_calls_a_server_error_may_be_a_400(rest, client, experiment_id):
    two_orders = {"experiment_ids": [experiment_id], "order_by": ["metrics.a ASC", "metrics.a DESC"]}
    assert post(rest, "runs/search", two_orders).status_code in (400, 500)
    client.delete_experiment(experiment_id)
    rename = post(rest, "experiments/update", {"experiment_id": experiment_id, "new_name": "x"})
    assert rename.status_code in (400, 500)
    assert "non-active experiment" in rename.json()["message"]


def test_an_unknown_path_is_404(rest):
    assert rest("GET", f"{API}/no/such/thing").status_code == 404
    assert rest("POST", f"{API}/runs/no-such-verb", json={}).status_code == 404


def test_a_value_that_is_not_finite_is_sent_as_text(rest, client, run_id):
    for value, read in (("NaN", "NaN"), ("Infinity", 1.7976931348623157e308), ("-Infinity", -1.7976931348623157e308)):
        body = {"run_id": run_id, "key": value.strip("-") + str(len(value)), "value": value, "timestamp": 1}
        assert post(rest, "runs/log-metric", body).status_code == 200
        metrics = rest("GET", f"{API}/runs/get", params={"run_id": run_id}).json()["run"]["data"]["metrics"]
        assert [m["value"] for m in metrics if m["key"] == body["key"]] == [read]


def test_both_spellings_of_names_and_both_prefixes_are_served(rest, experiment_id, run_id):
    for body in ({"experiment_ids": [experiment_id], "max_results": 1}, {"experimentIds": [experiment_id], "maxResults": 1}):
        [run] = post(rest, "runs/search", body).json()["runs"]
        assert run["info"]["run_id"] == run_id
    assert post(rest, "runs/set-tag", {"run_uuid": run_id, "key": "old", "value": "1"}).status_code == 200
    run = rest("GET", "/ajax-api/2.0/mlflow/runs/get", params={"run_uuid": run_id}).json()["run"]
    assert {"key": "old", "value": "1"} in run["data"]["tags"]
    assert run["info"]["run_uuid"] == run["info"]["run_id"] == run_id


def test_the_server_says_that_it_is_well_and_what_it_speaks(rest):
    assert rest("GET", "/health").text == "OK"
    major, minor, *_ = rest("GET", "/version").text.split(".")
    assert (int(major), int(minor)) >= (3, 4)
