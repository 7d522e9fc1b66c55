"""Trains a classifier on a data set that comes with scikit-learn, and logs what happens on the way.

    pip install -r requirements.txt
    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python train.py
"""

import matplotlib

matplotlib.use("Agg")

import mlflow
import pandas
from matplotlib import pyplot
from sklearn.datasets import load_wine
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

EPOCHS = 30
ALPHA = 0.001


def wine():
    features, targets = load_wine(return_X_y=True, as_frame=True)
    train, test, train_targets, test_targets = train_test_split(features, targets, test_size=0.3, random_state=0)
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test), train_targets, test_targets


def main():
    train, test, train_targets, test_targets = wine()
    mlflow.set_experiment("wine")
    with mlflow.start_run(run_name="sgd") as run:
        mlflow.log_params({"alpha": ALPHA, "epochs": EPOCHS})
        model = SGDClassifier(loss="log_loss", alpha=ALPHA, random_state=0)
        losses = []
        for epoch in range(EPOCHS):
            model.partial_fit(train, train_targets, classes=sorted(train_targets.unique()))
            losses.append(log_loss(train_targets, model.predict_proba(train)))
            accuracy = accuracy_score(test_targets, model.predict(test))
            mlflow.log_metrics({"train/loss": losses[-1], "test/accuracy": accuracy}, step=epoch)

        figure, axes = pyplot.subplots()
        axes.plot(losses)
        axes.set(xlabel="epoch", ylabel="loss")
        mlflow.log_figure(figure, "loss.png")
        pyplot.close(figure)

        predictions = pandas.DataFrame({"truth": test_targets.to_numpy(), "prediction": model.predict(test)})
        mlflow.log_table(predictions, "predictions.json")

    best = mlflow.search_runs(
        experiment_names=["wine"],
        filter_string="metrics.`test/accuracy` > 0.5",
        order_by=["metrics.`train/loss`"],
        max_results=1,
    )
    print(f"run {run.info.run_id}: accuracy {accuracy:.3f}, best loss so far {best['metrics.train/loss'][0]:.4f}")


if __name__ == "__main__":
    main()
