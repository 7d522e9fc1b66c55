"""Models as people log and load them: each flavor goes into the registry and comes back by its alias, byte for byte."""

import os

import pytest
from expecting import needs_method, needs_package, sha256, tree
from mlflow.exceptions import MlflowException

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    needs_package("sklearn", "numpy", "pandas"),
]


@pytest.fixture
def name(unique):
    return f"model-{unique}"


def rows_and_classes():
    import numpy

    rows = numpy.random.default_rng(7).normal(size=(60, 3))
    return rows, (rows[:, 0] > rows[:, 1]).astype(int)


def trained():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(*rows_and_classes())


def without_note(folder):
    """The files of a model; clients note beside those that they load where these came from."""
    return {path: content for path, content in tree(folder).items() if path != "registered_model_meta"}


def champion(client, name, version):
    client.set_registered_model_alias(name, "champion", version)
    return f"models:/{name}@champion"


def test_a_model_that_is_registered_twice_has_versions_1_and_2(fluent, client, name, tmp_path):
    classifier = trained()
    rows, _ = rows_and_classes()
    with fluent.start_run() as run:
        for number in (1, 2):
            info = fluent.sklearn.log_model(classifier, f"model{number}", registered_model_name=name)
            assert int(info.registered_model_version) == number
    versions = {int(each.version): each for each in client.search_model_versions(f"name = '{name}'")}
    assert sorted(versions) == [1, 2]
    assert {each.run_id for each in versions.values()} == {run.info.run_id}
    uri = champion(client, name, "2")
    assert (fluent.pyfunc.load_model(uri).predict(rows) == classifier.predict(rows)).all()
    by_alias = fluent.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(tmp_path / "alias"))
    by_run = fluent.artifacts.download_artifacts(artifact_uri=info.model_uri, dst_path=str(tmp_path / "run"))
    assert without_note(by_alias) == without_note(by_run) and "MLmodel" in tree(by_run)


@needs_method("get_logged_model")
def test_a_logged_model_names_the_versions_that_it_became(fluent, client, name, rest):
    with fluent.start_run():
        info = fluent.sklearn.log_model(trained(), name="classifier", registered_model_name=name)
    assert client.get_model_version(name, "1").source == f"models:/{info.model_id}"
    # The client sends the id of the model with a version, and shows none.
    version = rest("GET", "/api/2.0/mlflow/model-versions/get", params={"name": name, "version": "1"}).json()
    assert version["model_version"]["model_id"] == info.model_id
    found = rest("GET", f"/api/2.0/mlflow/logged-models/{info.model_id}").json()
    assert found["model"]["info"]["registrations"] == [{"name": name, "version": "1"}]


def test_a_model_of_ones_own_comes_with_signature_and_example(fluent, client, name):
    import pandas
    from mlflow.models import infer_signature

    class Doubling(fluent.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input * 2

    example = pandas.DataFrame({"x": [1.0, 2.0]})
    with fluent.start_run():
        info = fluent.pyfunc.log_model(
            "doubling",
            python_model=Doubling(),
            signature=infer_signature(example, example * 2),
            input_example=example,
            registered_model_name=name,
        )
    loaded = fluent.pyfunc.load_model(champion(client, name, "1"))
    assert loaded.predict(example)["x"].tolist() == [2.0, 4.0]
    assert loaded.metadata.signature.inputs.input_names() == ["x"] == info.signature.inputs.input_names()
    assert loaded.input_example["x"].tolist() == [1.0, 2.0]
    with pytest.raises(MlflowException):
        loaded.predict(pandas.DataFrame({"y": ["no"]}))


def test_a_model_from_code_comes_back_as_code(fluent, client, name, tmp_path):
    code = tmp_path / "greeting.py"
    code.write_text(
        "import mlflow\n\n\n"
        "class Greeting(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return [f'hello {each}' for each in model_input]\n\n\n"
        "mlflow.models.set_model(Greeting())\n"
    )
    with fluent.start_run():
        fluent.pyfunc.log_model("greeting", python_model=str(code), registered_model_name=name)
    uri = champion(client, name, "1")
    assert fluent.pyfunc.load_model(uri).predict(["you"]) == ["hello you"]
    folder = fluent.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(tmp_path))
    assert sha256(code) in tree(folder).values()


def test_autolog_registers_what_it_fits(fluent, client, name):
    from sklearn.linear_model import LogisticRegression

    fluent.sklearn.autolog(registered_model_name=name, silent=True)
    try:
        with fluent.start_run() as run:
            fitted = LogisticRegression(C=0.5).fit(*rows_and_classes())
    finally:
        fluent.sklearn.autolog(disable=True)
    assert client.get_run(run.info.run_id).data.params["C"] == "0.5"
    loaded = fluent.sklearn.load_model(champion(client, name, "1"))
    assert (loaded.coef_ == fitted.coef_).all()
    assert client.get_model_version(name, "1").run_id == run.info.run_id


def test_a_flavor_that_nobody_knows_is_kept_as_it_is(fluent, client, name, run_id, tmp_path):
    folder = tmp_path / "martian"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors:\n  martian:\n    canals: 2\nmodel_uuid: 0\n")
    (folder / "weights.bin").write_bytes(os.urandom(64))
    client.log_artifacts(run_id, str(folder), "martian")
    version = fluent.register_model(f"runs:/{run_id}/martian", name)
    assert int(version.version) == 1
    uri = champion(client, name, "1")
    down = fluent.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(tmp_path / "down"))
    assert without_note(down) == tree(folder)
    with pytest.raises(MlflowException, match="python_function"):
        fluent.pyfunc.load_model(uri)


@needs_package("onnx", "onnxruntime", "skl2onnx")
def test_an_onnx_model_predicts_the_same(fluent, client, name):
    import numpy
    from skl2onnx import to_onnx

    rows, _ = rows_and_classes()
    rows = rows.astype(numpy.float32)
    classifier = trained()
    with fluent.start_run():
        fluent.onnx.log_model(to_onnx(classifier, rows[:1]), "onnx", registered_model_name=name)
    predicted = fluent.pyfunc.load_model(champion(client, name, "1")).predict(rows)
    labels = predicted["label"] if "label" in predicted else predicted["output_label"]
    assert (numpy.asarray(labels) == classifier.predict(rows)).all()
