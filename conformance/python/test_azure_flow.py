"""The documented way through Azure's own clients, in one process that `lazuli env` alone has configured."""

import json
import os
import subprocess

import mlflow
from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential
from mlflow import MlflowClient


def test_config_json_leads_to_a_run_with_artifacts_and_a_registered_model(uri, unique, tmp_path):
    config = tmp_path / "config.json"
    lazuli = json.loads(os.environ["LAZULI_COMMAND"])
    subprocess.run([*lazuli, "workspace", "config", "default", "--file", str(config)], check=True, timeout=60)

    ml_client = MLClient.from_config(DefaultAzureCredential(), path=str(config))
    found = ml_client.workspaces.get(ml_client.workspace_name).mlflow_tracking_uri
    # The SDK writes another version into the address where MLflow is installed beside it.
    assert found == uri.replace("/v1.0/", "/v2.0/")
    mlflow.set_tracking_uri(found)
    mlflow.set_experiment(unique)
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 0.25)
        mlflow.log_text("flavors: {}", "model/MLmodel")
    client = MlflowClient()
    client.create_registered_model(unique)
    client.create_model_version(unique, f"{run.info.artifact_uri}/model", run.info.run_id)

    assert client.get_run(run.info.run_id).data.metrics == {"loss": 0.25}
    folder = mlflow.artifacts.download_artifacts(f"models:/{unique}/1", dst_path=str(tmp_path))
    with open(os.path.join(folder, "MLmodel")) as file:
        assert file.read() == "flavors: {}"
    assert ml_client.models.get(unique, version="1").version == "1"
    assert ml_client.jobs.get(run.info.run_id).status == "Completed"
