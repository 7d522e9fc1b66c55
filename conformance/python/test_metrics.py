import math
import threading

import pytest
from expecting import points
from mlflow.entities import Metric

LARGEST = 1.7976931348623157e308


@pytest.mark.parametrize(
    "value",
    [0.0, -0.0, 1, -1.5, 0.1 + 0.2, 1e-300, 5e-324, 123456789.123456789, LARGEST, -LARGEST, 2**53, 1 / 3],
)
def test_a_value_reads_back_to_the_last_bit(client, run_id, value):
    client.log_metric(run_id, "m", value, timestamp=1_700_000_000_001, step=3)
    assert client.get_run(run_id).data.metrics["m"] == value
    assert points(client.get_metric_history(run_id, "m")) == [(value, 1_700_000_000_001, 3)]


def test_nan_reads_back_as_nan(client, run_id):
    client.log_metric(run_id, "m", math.nan)
    assert math.isnan(client.get_run(run_id).data.metrics["m"])
    assert math.isnan(client.get_metric_history(run_id, "m")[0].value)


def test_infinities_are_clamped_to_the_largest_double(client, run_id):
    client.log_metric(run_id, "up", math.inf)
    client.log_metric(run_id, "down", -math.inf)
    assert client.get_run(run_id).data.metrics == {"up": LARGEST, "down": -LARGEST}


def test_the_latest_value_has_the_highest_step_then_time_then_value(client, run_id):
    def latest_after(value, timestamp, step):
        client.log_metric(run_id, "m", value, timestamp=timestamp, step=step)
        return client.get_run(run_id).data.metrics["m"]

    assert latest_after(1.0, 1000, 5) == 1.0
    assert latest_after(2.0, 9000, 4) == 1.0
    assert latest_after(3.0, 1001, 5) == 3.0
    assert latest_after(2.5, 1001, 5) == 3.0
    assert latest_after(3.5, 1001, 5) == 3.5
    assert latest_after(-9.0, 1, 6) == -9.0


def test_history_is_ordered_by_time_then_step_then_value(client, run_id):
    logged = [(3.0, 30, 0), (1.0, 10, 7), (2.0, 20, -4), (5.0, 10, 2), (0.5, 10, 7), (4.0, 20, 9)]
    for value, timestamp, step in logged:
        client.log_metric(run_id, "m", value, timestamp=timestamp, step=step)
    assert points(client.get_metric_history(run_id, "m")) == sorted(logged, key=lambda p: (p[1], p[2], p[0]))


def test_an_exact_duplicate_is_kept_once(client, run_id):
    for _ in range(3):
        client.log_metric(run_id, "m", 1.0, timestamp=5, step=1)
    client.log_metric(run_id, "m", 2.0, timestamp=5, step=1)
    assert points(client.get_metric_history(run_id, "m")) == [(1.0, 5, 1), (2.0, 5, 1)]


def test_negative_steps_and_large_times_are_kept(client, run_id):
    client.log_metric(run_id, "m", 1.0, timestamp=4_102_444_800_123, step=-5)
    client.log_metric(run_id, "m", 2.0, timestamp=0, step=2**40)
    assert points(client.get_metric_history(run_id, "m")) == [(2.0, 0, 2**40), (1.0, 4_102_444_800_123, -5)]


def test_a_step_left_out_is_0(client, run_id):
    client.log_metric(run_id, "m", 1.0)
    assert client.get_metric_history(run_id, "m")[0].step == 0


def test_the_history_of_an_unknown_key_is_empty(client, run_id):
    assert list(client.get_metric_history(run_id, "nothing")) == []


def test_keys_with_every_allowed_character_and_of_full_length_are_kept(client, run_id):
    keys = ["train/loss", "a.b-c_d e:f", "k" * 250, "Été/精度"]
    for i, key in enumerate(keys):
        client.log_metric(run_id, key, i)
    assert client.get_run(run_id).data.metrics == {key: float(i) for i, key in enumerate(keys)}
    assert [len(client.get_metric_history(run_id, key)) for key in keys] == [1, 1, 1, 1]


def test_keys_that_differ_in_case_are_two_series(client, run_id):
    client.log_metric(run_id, "loss", 1.0)
    client.log_metric(run_id, "LOSS", 2.0)
    assert client.get_run(run_id).data.metrics == {"loss": 1.0, "LOSS": 2.0}
    assert [p.value for p in client.get_metric_history(run_id, "LOSS")] == [2.0]


def test_a_history_longer_than_one_page_is_read_whole(client, run_id):
    # MLflow hands out at most 25000 points a page; the client asks for the next page by itself.
    logged = [(math.sin(i), 1_700_000_000_000 + i, i) for i in range(26_000)]
    for start in range(0, len(logged), 1000):
        batch = [Metric("m", value, timestamp, step) for value, timestamp, step in logged[start : start + 1000]]
        client.log_batch(run_id, metrics=batch)
    assert points(client.get_metric_history(run_id, "m")) == logged
    assert client.get_run(run_id).data.metrics["m"] == logged[-1][0]


def test_pages_of_a_history_fit_together(rest, client, run_id):
    batch = [Metric("m", float(i), 100 + i // 3, i) for i in range(95)]
    client.log_batch(run_id, metrics=batch)
    path, query, values, sizes = "/api/2.0/mlflow/metrics/get-history", {}, [], []
    while True:
        answer = rest("GET", path, params={"run_id": run_id, "metric_key": "m", "max_results": 30, **query}).json()
        values += [metric["value"] for metric in answer["metrics"]]
        sizes.append(len(answer["metrics"]))
        if not answer.get("next_page_token"):
            break
        query = {"page_token": answer["next_page_token"]}
    assert values == [float(i) for i in range(95)]
    assert sizes == [30, 30, 30, 5]


def test_points_logged_by_many_threads_are_all_there(client, run_id):
    def log(worker):
        for i in range(25):
            client.log_metric(run_id, f"worker/{worker % 2}", worker + i / 100, timestamp=1000 + i, step=worker * 100 + i)

    workers = [threading.Thread(target=log, args=(w,)) for w in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for parity in (0, 1):
        wanted = [(w + i / 100, 1000 + i, w * 100 + i) for w in range(parity, 6, 2) for i in range(25)]
        found = points(client.get_metric_history(run_id, f"worker/{parity}"))
        assert found == sorted(wanted, key=lambda p: (p[1], p[2], p[0]))


def test_histories_of_two_runs_stay_apart(client, experiment_id):
    first, second = (client.create_run(experiment_id).info.run_id for _ in range(2))
    client.log_metric(first, "m", 1.0, timestamp=1)
    client.log_metric(second, "m", 2.0, timestamp=2)
    assert points(client.get_metric_history(first, "m")) == [(1.0, 1, 0)]
    assert points(client.get_metric_history(second, "m")) == [(2.0, 2, 0)]
