"""azure-ai-ml's MLClient, unmodified, from config.json and the environment to workspaces, jobs and models.

Arguments: a JSON file of facts. One line each: `ok - ...` or `not ok - ...`.
"""

import io
import json
import logging
import os
import pathlib
import sys
import traceback

from azure.ai.ml import MLClient
from azure.ai.ml.entities import Workspace
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, EnvironmentCredential

FACTS = json.loads(pathlib.Path(sys.argv[1]).read_text())
FOLDER = pathlib.Path(sys.argv[1]).parent
HOST = FACTS["url"].removeprefix("https://")
failures = 0


def check(name):
    def run(test):
        global failures
        try:
            test()
            print(f"ok - management: {name}", flush=True)
        except Exception:
            failures += 1
            print(f"not ok - management: {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"    {line}", flush=True)

    return run


def client_from_config():
    return MLClient.from_config(DefaultAzureCredential(), path=str(FOLDER / "config.json"))


def expect_refused(action, call):
    try:
        call()
    except HttpResponseError as error:
        assert error.status_code == 403, error
        assert error.error.code == "AuthorizationFailed", error.error
        assert action in error.message, error.message
    else:
        raise AssertionError(f"{action} was allowed")


@check("the documented way from config.json to the tracking URI")
def _():
    client = client_from_config()
    workspace = client.workspaces.get(client.workspace_name)
    scope = f"/subscriptions/{client.subscription_id}/resourceGroups/{client.resource_group_name}"
    path = f"{scope}/providers/Microsoft.MachineLearningServices/workspaces/default"
    assert workspace.mlflow_tracking_uri == f"azureml://{HOST}/mlflow/v1.0{path}", workspace.mlflow_tracking_uri


@check("the log of Azure's libraries shows each attempt to sign in, and no secret")
def _():
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logger = logging.getLogger("azure")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        credential = DefaultAzureCredential()
        MLClient.from_config(credential, path=str(FOLDER / "config.json")).workspaces.get("default")
        token = credential.get_token(f"{FACTS['url']}/.default").token
        wrong = ClientSecretCredential("adfs", os.environ["AZURE_CLIENT_ID"], "wrong-one", authority=FACTS["url"])
        try:
            wrong.get_token(f"{FACTS['url']}/.default")
        except ClientAuthenticationError:
            pass
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    shown = text.getvalue()
    assert "DefaultAzureCredential acquired a token from EnvironmentCredential" in shown, shown[-3000:]
    assert "/oauth2/v2.0/token" in shown, shown[-3000:]
    for secret in [token, token.split(".")[2], os.environ["AZURE_CLIENT_SECRET"], "wrong-one"]:
        assert secret not in shown


@check("a workspace is created by a template deployment, changed, listed and deleted")
def _():
    client = client_from_config()
    wanted = Workspace(name="made", location="eastus", display_name="Made", description="by the SDK", tags={"a": "b"})
    made = client.workspaces.begin_create(wanted).result()
    assert (made.name, made.location, made.display_name) == ("made", "eastus", "Made"), made
    assert made.tags["a"] == "b", made.tags
    made.description = "changed"
    made.tags = {"c": "d"}
    changed = client.workspaces.begin_update(made).result()
    assert (changed.description, changed.tags) == ("changed", {"c": "d"}), changed
    assert sorted(workspace.name for workspace in client.workspaces.list()) == ["default", "made"]
    client.workspaces.get_keys("made")
    client.workspaces.begin_delete("made", delete_dependent_resources=False).result()
    try:
        client.workspaces.get("made")
    except ResourceNotFoundError as error:
        assert error.error.code == "ResourceNotFound", error.error
    else:
        raise AssertionError("the workspace is still there")


@check("runs are jobs")
def _():
    client = client_from_config()
    jobs = {job.name: job for job in client.jobs.list()}
    assert set(jobs) == set(FACTS["runs"]), jobs
    job = client.jobs.get(FACTS["runs"][0])
    assert (job.status, job.experiment_name, job.display_name) == ("Completed", "Default", "first"), job


@check("registered models are models, and their versions")
def _():
    client = client_from_config()
    assert [model.name for model in client.models.list()] == ["net"]
    assert [model.version for model in client.models.list(name="net")] == ["2", "1"]
    model = client.models.get("net", version="1")
    assert (model.path, model.tags) == ("s3://bucket/net", {"task": "digits"}), model
    assert client.models.get("net", label="latest").version == "2"


@check("a workspace is the registry of its name")
def _():
    client = client_from_config()
    assert [registry.name for registry in client.registries.list()] == ["default"]
    assert client.registries.get("default").mlflow_registry_uri.endswith("/registries/default")


@check("a data scientist reads and is told which action it lacks")
def _():
    data_scientist = FACTS["data_scientist"]
    os.environ.update(AZURE_CLIENT_ID=data_scientist["app_id"], AZURE_CLIENT_SECRET=data_scientist["secret"])
    client = MLClient.from_config(EnvironmentCredential(), path=str(FOLDER / "config.json"))
    assert client.workspaces.get("default").name == "default"
    expect_refused(
        "Microsoft.MachineLearningServices/workspaces/listKeys/action", lambda: client.workspaces.get_keys("default")
    )
    expect_refused(
        "Microsoft.MachineLearningServices/workspaces/delete",
        lambda: client.workspaces.begin_delete("default", delete_dependent_resources=False).result(),
    )


sys.exit(1 if failures else 0)
