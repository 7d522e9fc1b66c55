import json

import pytest
from expecting import needs_package, refused
from mlflow.entities import Dataset, DatasetInput, InputTag


def dataset_input(name, digest, context=None, **more):
    source = json.dumps({"uri": f"file:///data/{name}.csv"})
    dataset = Dataset(name=name, digest=digest, source_type="local", source=source, **more)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)] if context else [])


def shapes(run):
    return sorted(
        (i.dataset.name, i.dataset.digest, i.dataset.source_type, i.dataset.source, i.dataset.schema, i.dataset.profile,
         tuple(sorted((t.key, t.value) for t in i.tags)))
        for i in run.inputs.dataset_inputs
    )


def test_dataset_inputs_read_back(client, run_id):
    schema = json.dumps({"columns": [{"name": "größe", "type": "double"}]})
    profile = json.dumps({"num_rows": 150})
    client.log_inputs(run_id, [dataset_input("iris", "d1", "training", schema=schema, profile=profile),
                               dataset_input("holdout", "d2", "validation")])
    assert shapes(client.get_run(run_id)) == [
        ("holdout", "d2", "local", '{"uri": "file:///data/holdout.csv"}', None, None, (("mlflow.data.context", "validation"),)),
        ("iris", "d1", "local", '{"uri": "file:///data/iris.csv"}', schema, profile, (("mlflow.data.context", "training"),)),
    ]


def test_an_input_logged_twice_is_there_once(client, run_id):
    for _ in range(3):
        client.log_inputs(run_id, [dataset_input("iris", "d1", "training")])
    assert len(client.get_run(run_id).inputs.dataset_inputs) == 1


def test_two_digests_of_one_name_are_two_datasets(client, run_id):
    client.log_inputs(run_id, [dataset_input("iris", "d1"), dataset_input("iris", "d2")])
    assert [(n, d) for n, d, *_ in shapes(client.get_run(run_id))] == [("iris", "d1"), ("iris", "d2")]


def test_large_schemas_and_profiles_are_kept(client, run_id):
    schema, profile = json.dumps(["s" * 900_000]), json.dumps(["p" * 2_000_000])
    client.log_inputs(run_id, [dataset_input("big", "d", schema=schema, profile=profile)])
    dataset = client.get_run(run_id).inputs.dataset_inputs[0].dataset
    assert (dataset.schema, dataset.profile) == (schema, profile)


def test_runs_are_found_by_their_datasets(client, experiment_id):
    runs = {}
    for name, digest, context in (("iris", "d1", "training"), ("wine", "d2", "training"), ("iris", "d3", "test")):
        run = client.create_run(experiment_id, start_time=len(runs)).info.run_id
        client.log_inputs(run, [dataset_input(name, digest, context)])
        runs[run] = f"{name}{digest}"

    def found(question):
        return sorted(runs[r.info.run_id] for r in client.search_runs([experiment_id], question))

    assert found("dataset.name = 'iris'") == ["irisd1", "irisd3"]
    assert found("datasets.digest = 'd2'") == ["wined2"]
    assert found("dataset.context = 'training'") == ["irisd1", "wined2"]
    assert found("dataset.name LIKE 'i%' AND dataset.context = 'test'") == ["irisd3"]
    assert found("dataset.name != 'iris'") == ["wined2"]
    assert found("dataset.name ILIKE 'WINE'") == ["wined2"]
    assert found("dataset.name = 'none'") == []


def test_searched_runs_carry_their_inputs(client, experiment_id, run_id):
    client.log_inputs(run_id, [dataset_input("iris", "d1", "training")])
    [run] = client.search_runs([experiment_id])
    assert shapes(run) == shapes(client.get_run(run_id))


def test_a_deleted_run_takes_no_inputs(client, run_id):
    client.delete_run(run_id)
    with refused("INVALID_PARAMETER_VALUE", "active"):
        client.log_inputs(run_id, [dataset_input("iris", "d1")])


def test_an_unknown_run_takes_no_inputs(client):
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.log_inputs("f" * 32, [dataset_input("iris", "d1")])


@needs_package("pandas")
@pytest.mark.parametrize("context", ["training", None])
def test_a_data_frame_logged_as_input_reads_back(fluent, client, context):
    import pandas

    frame = pandas.DataFrame({"x": [1.0, 2.0, 3.0], "label": ["a", "b", "c"]})
    dataset = fluent.data.from_pandas(frame, source="https://example.org/frame.csv", name="frame", targets="label")
    with fluent.start_run() as run:
        fluent.log_input(dataset, context=context)
    [found] = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("frame", dataset.digest)
    assert json.loads(found.dataset.source) == {"url": "https://example.org/frame.csv"}
    assert json.loads(found.dataset.profile) == {"num_rows": 3, "num_elements": 6}
    assert [c["name"] for c in json.loads(found.dataset.schema)["mlflow_colspec"]] == ["x", "label"]
    contexts = [t.value for t in found.tags if t.key == "mlflow.data.context"]
    assert contexts == ([context] if context else [])


@needs_package("numpy", "pandas")
def test_an_array_logged_as_input_reads_back(fluent, client):
    import numpy

    dataset = fluent.data.from_numpy(numpy.arange(12.0).reshape(4, 3), name="array", targets=numpy.zeros(4))
    with fluent.start_run() as run:
        fluent.log_input(dataset, context="eval", tags={"split": "b"})
    [found] = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("array", dataset.digest)
    assert {t.key: t.value for t in found.tags} == {"mlflow.data.context": "eval", "split": "b"}
