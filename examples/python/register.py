"""Trains a classifier, registers it, puts it into use if it is better than the one in use, and loads it as its users do.

    pip install -r requirements.txt
    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python register.py
"""

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

NAME = "wine"
ALIAS = "champion"
C = 0.5


def accuracy_in_use(client):
    """What the version in use has reached, or nothing where there is none yet."""
    try:
        version = client.get_model_version_by_alias(NAME, ALIAS)
    except MlflowException:
        return 0.0
    return float(version.tags["accuracy"])


def main():
    client = MlflowClient()
    features, targets = load_wine(return_X_y=True, as_frame=True)
    train, test, train_targets, test_targets = train_test_split(features, targets, test_size=0.3, random_state=0)

    mlflow.set_experiment("registering")
    with mlflow.start_run(run_name="logistic"):
        model = LogisticRegression(C=C, max_iter=10_000).fit(train, train_targets)
        accuracy = model.score(test, test_targets)
        mlflow.log_param("C", C)
        mlflow.log_metric("accuracy", accuracy)
        info = mlflow.sklearn.log_model(
            model,
            "model",
            signature=infer_signature(train, model.predict(train)),
            input_example=train.head(2),
            registered_model_name=NAME,
        )

    version = str(info.registered_model_version)
    client.set_model_version_tag(NAME, version, "accuracy", str(accuracy))
    if accuracy >= accuracy_in_use(client):
        client.set_registered_model_alias(NAME, ALIAS, version)

    in_use = mlflow.pyfunc.load_model(f"models:/{NAME}@{ALIAS}")
    assert (in_use.predict(test) == model.predict(test)).all()
    print(f"version {version} of {NAME} has an accuracy of {accuracy:.3f}, and loads as models:/{NAME}@{ALIAS}")


if __name__ == "__main__":
    main()
