"""Searching runs: one small population, many questions, each with the runs that MLflow names in that order."""

import math
import uuid

import pytest
from expecting import refused
from mlflow.entities import Metric, Param, RunTag, ViewType

# name: (metrics, params, tags, start time, status)
POPULATION = {
    "a": ({"acc": 0.5, "loss": 3.0}, {"lr": "0.1", "model": "tree"}, {"team": "red"}, 1000, "FINISHED"),
    "b": ({"acc": 0.9, "loss": 1.0}, {"lr": "0.01", "model": "Forest"}, {"team": "blue"}, 2000, "FINISHED"),
    "c": ({"acc": math.nan}, {"lr": "0.1", "odd key": "it's 100%"}, {"team": "Red"}, 3000, "FAILED"),
    "d": ({"acc": -1.0, "val/f1 score": 0.25}, {"model": "forest_2"}, {}, 4000, "RUNNING"),
    "e": ({}, {}, {"team": "green", "a.b": "x"}, 5000, "KILLED"),
}


@pytest.fixture(scope="module")
def population(client):
    experiment_id = client.create_experiment(f"population-{uuid.uuid4().hex}")
    ids = {}
    for name, (metrics, params, tags, start, status) in POPULATION.items():
        run = client.create_run(experiment_id, start_time=start, run_name=f"run-{name}")
        ids[name] = run.info.run_id
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(k, v, 10, 0) for k, v in metrics.items()],
            params=[Param(k, v) for k, v in params.items()],
            tags=[RunTag(k, v) for k, v in tags.items()],
        )
        client.set_terminated(run.info.run_id, status=status, end_time=start + 500)
    return experiment_id, ids


def found(client, population, filter_string="", order_by=("attributes.start_time ASC",), **options):
    experiment_id, ids = population
    names = {run_id: name for name, run_id in ids.items()}
    runs = client.search_runs([experiment_id], filter_string, order_by=list(order_by), **options)
    return "".join(names[run.info.run_id] for run in runs)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("", "abcde"),
        ("metrics.acc > 0.5", "b"),
        ("metrics.acc >= 0.5", "ab"),
        ("metrics.acc < 0.5", "d"),
        ("metrics.acc <= 0.5", "ad"),
        ("metrics.acc = 0.9", "b"),
        ("metrics.acc = -1", "d"),
        ("metric.loss != 1", "a"),
        ("metrics.`val/f1 score` > 0.2", "d"),
        ('metrics."val/f1 score" > 0.2', "d"),
        ("metrics.acc > 1e-3 AND metrics.loss < 2", "b"),
        ("params.lr = '0.1'", "ac"),
        ("params.lr != '0.1'", "b"),
        ("param.model LIKE '%orest%'", "bd"),
        ("params.model LIKE 'forest%'", "d"),
        ("parameters.model ILIKE 'FOREST%'", "bd"),
        ("params.model LIKE 'forest__'", "d"),
        ("params.`odd key` = \"it's 100%\"", "c"),
        ("tags.team = 'red'", "a"),
        ("tags.team ILIKE 'RED'", "ac"),
        ("tag.team != 'red'", "bce"),
        ("tags.`a.b` = 'x'", "e"),
        ("tags.a.b = 'x'", "e"),
        ("tags.team = 'red' and params.lr = '0.1'", "a"),
        ("attributes.status = 'FINISHED'", "ab"),
        ("status != 'FINISHED'", "cde"),
        ("attributes.run_name = 'run-c'", "c"),
        ("run_name LIKE 'run-%'", "abcde"),
        ("attr.`run name` = 'run-a'", "a"),
        ("attributes.run_name ILIKE 'RUN-_'", "abcde"),
        ("tags.mlflow.runName = 'run-b'", "b"),
        ("start_time > 2000", "cde"),
        ("attributes.start_time <= 2000", "ab"),
        ("attributes.created = 4000", "d"),
        ("end_time >= 4500", "de"),
        ("attributes.start_time >= 2000 AND attributes.start_time < 4000 AND metrics.acc > 0", "b"),
        ("metrics.absent > 0", ""),
        ("params.absent = 'x'", ""),
        ("tags.absent = 'x'", ""),
    ],
)
def test_a_filter_finds(client, population, question, answer):
    assert found(client, population, question) == answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("params.model IS NULL", "ce"),
        ("params.model IS NOT NULL", "abd"),
        ("tags.team IS NULL", "d"),
        ("tags.team IS NOT NULL AND params.lr = '0.1'", "ac"),
    ],
)
def test_a_filter_for_absence_finds(client, population, question, answer):
    # Clients send a filter as it is: a client older than these words passes them on all the same.
    assert found(client, population, question) == answer


def test_run_ids_are_found_by_equality_and_in_lists(client, population):
    _, ids = population
    assert found(client, population, f"attributes.run_id = '{ids['b']}'") == "b"
    assert found(client, population, f"run_id IN ('{ids['b']}', '{ids['d']}')") == "bd"
    assert found(client, population, f"attributes.run_id NOT IN ('{ids['b']}')") == "acde"
    assert found(client, population, f"attributes.run_id LIKE '{ids['b'][:12]}%'") == "b"


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        (["metrics.acc ASC"], "dabce"),
        (["metrics.acc DESC"], "badce"),
        (["metrics.loss"], "baedc"),
        (["params.lr", "start_time ASC"], "bacde"),
        (["params.lr DESC", "start_time DESC"], "cabed"),
        (["tags.team"], "cbead"),
        (["attributes.status ASC", "attributes.start_time DESC"], "cbaed"),
        (["start_time DESC"], "edcba"),
        (["attributes.end_time"], "abcde"),
        (["attributes.run_name DESC"], "edcba"),
        (["Created DESC"], "edcba"),
        (["metrics.`val/f1 score` DESC"], "decba"),
        (["tags.`a.b`"], "edcba"),
        ([], "edcba"),
    ],
    ids=str,
)
def test_an_order_gives(client, population, order, answer):
    assert found(client, population, order_by=order) == answer


@pytest.mark.parametrize("order", [["start_time ASC"], ["metrics.acc DESC"], ["params.model"], []], ids=str)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pages_of_an_order_fit_together(client, population, order, size):
    whole = found(client, population, order_by=order)
    experiment_id, ids = population
    names = {run_id: name for name, run_id in ids.items()}
    text, token, pages = "", None, 0
    while True:
        page = client.search_runs([experiment_id], order_by=order, max_results=size, page_token=token)
        text += "".join(names[r.info.run_id] for r in page)
        pages += 1
        token = page.token
        if not token:
            break
    assert text == whole
    assert pages == math.ceil(5 / size)


def test_runs_found_carry_all_their_data(client, population):
    experiment_id, ids = population
    for run in client.search_runs([experiment_id]):
        read = client.get_run(run.info.run_id)
        assert run.data.params == read.data.params
        assert run.data.tags == read.data.tags
        assert repr(sorted(run.data.metrics.items())) == repr(sorted(read.data.metrics.items()))
        assert dict(run.info) == dict(read.info)


def test_deleted_runs_are_found_only_when_asked_for(client, new_experiment):
    experiment_id = new_experiment()
    kept, gone = (client.create_run(experiment_id, start_time=t).info.run_id for t in (1, 2))
    client.delete_run(gone)
    views = (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
    answers = [[r.info.run_id for r in client.search_runs([experiment_id], run_view_type=v)] for v in views]
    assert answers == [[kept], [gone], [gone, kept]]


def test_a_search_of_no_or_unknown_experiments_is_empty(client):
    assert client.search_runs([]) == []
    assert client.search_runs(["987654321"]) == []


def test_a_long_listing_is_paged_without_loss(client, new_experiment):
    experiment_id = new_experiment()
    wanted = [client.create_run(experiment_id, start_time=7, tags={"n": str(i)}).info.run_id for i in range(45)]
    seen, token = [], None
    while True:
        page = client.search_runs([experiment_id], max_results=10, page_token=token)
        seen += [r.info.run_id for r in page]
        token = page.token
        if not token:
            break
    # All start at one time: the ids decide, so that pages neither overlap nor leave gaps.
    assert seen == sorted(wanted)


@pytest.mark.parametrize(
    "question",
    [
        "metrics.acc > 'high'",
        "metrics.acc > ",
        "params.lr = 0.1",
        "params.lr > '0.1'",
        "tags.team = red",
        "nonsense.acc > 1",
        "attributes.nonsense = 'x'",
        "metrics.acc LIKE 'x'",
        "attributes.start_time > 'noon'",
        "= 1",
        "metrics.acc",
    ],
)
def test_a_wrong_filter_is_refused(client, population, question):
    with refused("INVALID_PARAMETER_VALUE"):
        found(client, population, question)


@pytest.mark.parametrize("order", ["metrics.acc SIDEWAYS", "nonsense.acc", "attributes.nonsense", "acc DESC"])
def test_a_wrong_order_is_refused(client, population, order):
    with refused("INVALID_PARAMETER_VALUE"):
        found(client, population, order_by=[order])


def test_a_wrong_page_token_is_refused(client, population):
    with refused("INVALID_PARAMETER_VALUE"):
        found(client, population, page_token="not a token")


def test_more_than_50000_results_are_refused(client, population):
    with refused("INVALID_PARAMETER_VALUE", "50001"):
        found(client, population, max_results=50001)


def test_quotes_and_wildcards_in_values_are_only_text(client, new_experiment):
    experiment_id = new_experiment()
    values = ["x' OR '1'='1", 'say "hi"', "100%", "a_b", "back\\slash", "semi; DROP TABLE runs; --", "new\nline"]
    ids = {}
    for value in values:
        run = client.create_run(experiment_id)
        client.log_param(run.info.run_id, "v", value)
        ids[value] = run.info.run_id
    for value in values:
        quote = '"' if "'" in value else "'"
        runs = client.search_runs([experiment_id], f"params.v = {quote}{value}{quote}")
        assert [r.info.run_id for r in runs] == [ids[value]], value
