"""Words that the suites share: what a refusal looks like, how bytes are compared, what a client must be able to do."""

import hashlib
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.version import VERSION


@contextmanager
def refused(code, *words):
    """The server (not the client) refuses with this code, and the message holds these words."""
    with pytest.raises(MlflowException) as caught:
        yield caught
    error = caught.value
    # Clients wrap some answers to add advice of their own: the answer is then the error underneath.
    answer = error if isinstance(error, RestException) else error.__cause__ or error.__context__
    assert isinstance(answer, RestException), f"the client refused by itself: {error}"
    assert answer.error_code in (code if isinstance(code, tuple) else (code,)), answer
    for word in words:
        assert word in answer.message, f"{word!r} is not in {answer.message!r}"


def answers_error(response, status, code, *words):
    """An HTTP answer in MLflow's error shape. `status` may be a tuple where MLflow says 500 and 400 is better."""
    statuses = status if isinstance(status, tuple) else (status,)
    assert response.status_code in statuses, response.text
    body = response.json()
    assert body["error_code"] == code, body
    for word in words:
        assert word in body["message"], body


def sha256(path_or_bytes):
    data = path_or_bytes if isinstance(path_or_bytes, bytes) else Path(path_or_bytes).read_bytes()
    return hashlib.sha256(data).hexdigest()


def tree(folder):
    """Relative path to SHA-256, for every file below a folder."""
    root = Path(folder)
    return {p.relative_to(root).as_posix(): sha256(p) for p in sorted(root.rglob("*")) if p.is_file()}


def points(history):
    return [(m.value, m.timestamp, m.step) for m in history]


def needs_method(name):
    return pytest.mark.skipif(not hasattr(MlflowClient, name), reason=f"mlflow {VERSION} has no MlflowClient.{name}")


def needs_package(*names):
    missing = [name for name in names if find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"this client is installed without {', '.join(missing)}")
