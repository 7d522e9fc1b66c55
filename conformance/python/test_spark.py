"""A Spark pipeline as people log it: in the registry it is version 1, then 2, and comes back as it went."""

import pytest
from expecting import needs_package

pytestmark = [pytest.mark.filterwarnings("ignore"), needs_package("pyspark")]


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    from pyspark.sql import SparkSession

    warehouse = tmp_path_factory.mktemp("warehouse")
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(warehouse))
        .config("spark.sql.shuffle.partitions", "1")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="module")
def rows(spark):
    return spark.createDataFrame([(1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 9.0)], ["x", "y"])


@pytest.fixture(scope="module")
def fitted(rows):
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.regression import LinearRegression

    features = VectorAssembler(inputCols=["x"], outputCol="features")
    return Pipeline(stages=[features, LinearRegression(labelCol="y")]).fit(rows)


def predictions(model, rows):
    return [row.prediction for row in model.transform(rows).collect()]


def test_a_spark_model_is_logged_without_a_registered_name(fluent, client, rows, fitted):
    with fluent.start_run() as run:
        fluent.spark.log_model(fitted, artifact_path="model")
    loaded = fluent.spark.load_model(f"runs:/{run.info.run_id}/model")
    assert predictions(loaded, rows) == predictions(fitted, rows)


def test_a_spark_model_that_is_registered_twice_has_versions_1_and_2(fluent, client, rows, fitted, unique):
    name = f"spark-{unique}"
    for number in ("1", "2"):
        with fluent.start_run():
            fluent.spark.log_model(fitted, artifact_path="model", registered_model_name=name)
        versions = client.search_model_versions(f"name = '{name}'")
        assert max(int(each.version) for each in versions) == int(number)
        assert client.get_model_version(name, number).status == "READY"
    client.set_registered_model_alias(name, "champion", "2")
    for uri in (f"models:/{name}/1", f"models:/{name}@champion"):
        assert predictions(fluent.spark.load_model(uri), rows) == predictions(fitted, rows)
    by_pyfunc = fluent.pyfunc.load_model(f"models:/{name}@champion")
    assert list(by_pyfunc.predict(rows.toPandas())) == pytest.approx([3.0, 5.0, 7.0, 9.0])
