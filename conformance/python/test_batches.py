from expecting import points, refused
from mlflow.entities import Metric, Param, RunTag


def test_a_batch_of_every_kind_reads_back(client, run_id):
    client.log_batch(
        run_id,
        metrics=[Metric("loss", 1 / (i + 1), 1000 + i, i) for i in range(50)] + [Metric("acc", 0.9, 2000, 3)],
        params=[Param("lr", "0.1"), Param("depth", "3")],
        tags=[RunTag("team", "a"), RunTag("mlflow.note.content", "# Title\n\ntext")],
    )
    data = client.get_run(run_id).data
    assert data.metrics == {"loss": 1 / 50, "acc": 0.9}
    assert data.params == {"lr": "0.1", "depth": "3"}
    assert data.tags["team"] == "a" and data.tags["mlflow.note.content"] == "# Title\n\ntext"
    assert points(client.get_metric_history(run_id, "loss")) == [(1 / (i + 1), 1000 + i, i) for i in range(50)]


def test_the_largest_batch_is_taken(client, run_id):
    client.log_batch(
        run_id,
        metrics=[Metric(f"m{i % 40}", float(i), i, i) for i in range(800)],
        params=[Param(f"p{i}", str(i)) for i in range(100)],
        tags=[RunTag(f"t{i}", str(i)) for i in range(100)],
    )
    data = client.get_run(run_id).data
    assert data.metrics == {f"m{k}": float(760 + k) for k in range(40)}
    assert data.params == {f"p{i}": str(i) for i in range(100)}
    assert {k: v for k, v in data.tags.items() if k != "mlflow.runName"} == {f"t{i}": str(i) for i in range(100)}


def test_more_than_100_params_logged_at_once_arrive(fluent, client):
    # The fluent API cuts what it is given into batches that the server takes.
    params = {f"p{i:03}": i for i in range(230)}
    with fluent.start_run() as run:
        fluent.log_params(params)
        fluent.set_tags({f"t{i:03}": i for i in range(120)})
        fluent.log_metrics({f"m{i:04}": i / 7 for i in range(1100)}, step=4)
    data = client.get_run(run.info.run_id).data
    assert data.params == {k: str(v) for k, v in params.items()}
    assert len([k for k in data.tags if k.startswith("t")]) == 120
    assert data.metrics == {f"m{i:04}": i / 7 for i in range(1100)}


def test_a_batch_sent_twice_changes_nothing(client, run_id):
    def send():
        client.log_batch(
            run_id,
            metrics=[Metric("m", float(i), i, i) for i in range(20)],
            params=[Param("p", "1")],
            tags=[RunTag("t", "1")],
        )

    send()
    once = client.get_run(run_id).to_dictionary()
    send()
    assert client.get_run(run_id).to_dictionary() == once
    assert len(client.get_metric_history(run_id, "m")) == 20


def test_a_batch_that_changes_a_param_is_refused(client, run_id):
    client.log_param(run_id, "lr", "0.1")
    with refused("INVALID_PARAMETER_VALUE", "lr"):
        client.log_batch(run_id, metrics=[Metric("m", 1.0, 1, 1)], params=[Param("lr", "0.2")])
    assert client.get_run(run_id).data.params == {"lr": "0.1"}
    assert list(client.get_metric_history(run_id, "m")) == []


def test_an_empty_batch_is_taken(client, run_id):
    before = client.get_run(run_id).to_dictionary()
    client.log_batch(run_id)
    assert client.get_run(run_id).to_dictionary() == before


def test_a_batch_renames_the_run_by_its_tag(client, run_id):
    client.log_batch(run_id, tags=[RunTag("mlflow.runName", "batch name")])
    assert client.get_run(run_id).data.tags["mlflow.runName"] == "batch name"


def test_a_batch_keeps_the_order_of_one_key(client, run_id):
    client.log_batch(run_id, metrics=[Metric("m", float(9 - i), 7, 9 - i) for i in range(10)])
    assert points(client.get_metric_history(run_id, "m")) == [(float(i), 7, i) for i in range(10)]
    assert client.get_run(run_id).data.metrics["m"] == 9.0


def test_asynchronous_logging_arrives_when_it_is_flushed(fluent, client):
    with fluent.start_run() as run:
        for i in range(60):
            fluent.log_metric("m", i / 10, step=i, timestamp=1000 + i, synchronous=False)
        fluent.log_params({"a": 1, "b": 2}, synchronous=False)
        fluent.set_tag("t", "later", synchronous=False)
        fluent.flush_async_logging()
        assert points(client.get_metric_history(run.info.run_id, "m")) == [(i / 10, 1000 + i, i) for i in range(60)]
    data = client.get_run(run.info.run_id).data
    assert data.params == {"a": "1", "b": "2"} and data.tags["t"] == "later"
