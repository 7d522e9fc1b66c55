"""A training script as people write them: it knows nothing of the server but its address.

    python train.py --tracking-uri http://127.0.0.1:5000

It tunes two classifiers on scikit-learn's digits, logs as it goes, and returns what it logged, so that the suite beside
it can ask the server for the same.
"""

import argparse
import json
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import mlflow
import pandas
from matplotlib import pyplot
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, train_test_split

EPOCHS = 15
RATES = (0.0001, 0.001, 0.01)


def digits():
    frame = load_digits(as_frame=True).frame
    return train_test_split(frame, test_size=0.3, random_state=0, stratify=frame["target"])


def log_datasets(train, test):
    digests = {}
    for frame, name, context in ((train, "digits-train", "training"), (test, "digits-test", "validation")):
        dataset = mlflow.data.from_pandas(frame, name=name, targets="target")
        mlflow.log_input(dataset, context=context)
        digests[name] = dataset.digest
    return digests


def fit_by_epochs(rate, train, test):
    """One child run: metrics per epoch, then what the model does with the test set."""
    features, targets = train.drop(columns="target") / 16, train["target"]
    test_features, test_targets = test.drop(columns="target") / 16, test["target"]
    model = SGDClassifier(loss="log_loss", alpha=rate, random_state=0)
    curve = []
    for epoch in range(EPOCHS):
        model.partial_fit(features, targets, classes=sorted(targets.unique()))
        curve.append({
            "train/log_loss": log_loss(targets, model.predict_proba(features)),
            "test/accuracy": accuracy_score(test_targets, model.predict(test_features)),
        })
        mlflow.log_metrics(curve[-1], step=epoch)
    return model, curve, model.predict(test_features)


def describe(model, predictions, test, folder):
    """Everything that is a file: figure, table, image, dict, text, a folder of files."""
    display = ConfusionMatrixDisplay.from_predictions(test["target"], predictions)
    mlflow.log_figure(display.figure_, "plots/confusion.png")
    pyplot.close(display.figure_)
    table = pandas.DataFrame({"truth": test["target"].to_numpy(), "prediction": predictions})
    mlflow.log_table(table, "predictions.json")
    mlflow.log_image(test.drop(columns="target").to_numpy()[0].reshape(8, 8).astype("uint8"), "images/first.png")
    mlflow.log_dict({"classes": [int(c) for c in model.classes_]}, "model/classes.json")
    mlflow.log_text(repr(model), "model/repr.txt")
    pandas.DataFrame(model.coef_).to_csv(folder / "coefficients.csv", index=False)
    (folder / "more").mkdir(exist_ok=True)
    (folder / "more" / "intercept.bin").write_bytes(model.intercept_.tobytes())
    mlflow.log_artifacts(str(folder), "weights")
    return table


def train_by_hand(ledger, folder):
    train, test = digits()
    with mlflow.start_run(run_name="sweep", description="SGD at three rates") as parent:
        mlflow.set_tags({"team": "digits", "kind": "sweep"})
        mlflow.log_params({"epochs": EPOCHS, "rates": list(RATES), "rows": len(train)})
        ledger["digests"] = log_datasets(train, test)
        for rate in RATES:
            with mlflow.start_run(run_name=f"alpha={rate}", nested=True) as child:
                mlflow.log_param("alpha", rate)
                model, curve, predictions = fit_by_epochs(rate, train, test)
                if rate == RATES[1]:
                    folder.mkdir(exist_ok=True)
                    ledger["described"] = child.info.run_id
                    ledger["table"] = describe(model, predictions, test, folder)
            ledger["children"][child.info.run_id] = {"alpha": str(rate), "curve": curve}
        best = max(c["curve"][-1]["test/accuracy"] for c in ledger["children"].values())
        mlflow.log_metric("best/accuracy", best)
        ledger.update(parent=parent.info.run_id, best=best)


def train_with_autolog(ledger):
    train, test = digits()
    features, targets = train.drop(columns="target") / 16, train["target"]
    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        with mlflow.start_run(run_name="autolog forest") as run:
            forest = RandomForestClassifier(n_estimators=12, max_depth=6, random_state=0).fit(features, targets)
            forest.score(test.drop(columns="target") / 16, test["target"])
        ledger["forest"] = {"run_id": run.info.run_id, "params": {k: str(v) for k, v in forest.get_params().items()}}
        with mlflow.start_run(run_name="autolog grid") as run:
            grid = GridSearchCV(LogisticRegression(max_iter=200), {"C": [0.1, 1.0, 10.0]}, cv=3)
            grid.fit(features.iloc[:300], targets.iloc[:300])
        ledger["grid"] = {"run_id": run.info.run_id, "best_C": str(grid.best_params_["C"]), "best_score": grid.best_score_}
    finally:
        mlflow.sklearn.autolog(disable=True)


def train(tracking_uri, experiment, folder):
    mlflow.set_tracking_uri(tracking_uri)
    ledger = {"experiment_id": mlflow.set_experiment(experiment).experiment_id, "children": {}}
    train_by_hand(ledger, folder / "weights")
    train_with_autolog(ledger)
    return ledger


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--tracking-uri", required=True)
    options.add_argument("--experiment", default="digits")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as work:
        done = train(arguments.tracking_uri, arguments.experiment, Path(work))
    print(json.dumps({"experiment_id": done["experiment_id"], "runs": list(done["children"]), "best": done["best"]}))
