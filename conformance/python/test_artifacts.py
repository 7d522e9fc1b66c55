import json
import os
import random

import pytest
import requests
from expecting import sha256, tree
from mlflow.artifacts import download_artifacts, list_artifacts


def listing(client, run_id, path=None):
    return [(f.path, f.is_dir, f.file_size) for f in client.list_artifacts(run_id, path)]


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1_048_577, 12_000_000])
def test_a_file_comes_back_byte_for_byte(client, run_id, tmp_path, size):
    source = tmp_path / "data.bin"
    source.write_bytes(noise(size, seed=size))
    client.log_artifact(run_id, str(source))
    # MLflow leaves the size of an empty file out.
    assert [(path, is_dir, size or 0) for path, is_dir, size in listing(client, run_id)] == [("data.bin", False, size)]
    assert sha256(client.download_artifacts(run_id, "data.bin", str(tmp_path))) == sha256(source)


def test_a_folder_goes_up_and_comes_down_whole(client, run_id, tmp_path):
    up, down = tmp_path / "up", tmp_path / "down"
    down.mkdir()
    write(up, {
        "a.txt": b"text",
        "deep/er/still/b.bin": noise(70_000),
        "deep/c.json": b"{}",
        "empty.txt": b"",
        "with blank/d e.txt": b"blank",
        "ünï/日本.txt": "content ✓".encode(),
        "odd/100% +&=.txt": b"percent",
    })
    client.log_artifacts(run_id, str(up))
    assert tree(client.download_artifacts(run_id, "", str(down))) == tree(up)


def test_a_folder_goes_below_a_path(client, run_id, tmp_path):
    write(tmp_path / "up", {"x/1.txt": b"1", "2.txt": b"22"})
    client.log_artifacts(run_id, str(tmp_path / "up"), artifact_path="models/first")
    assert listing(client, run_id) == [("models", True, None)]
    assert listing(client, run_id, "models") == [("models/first", True, None)]
    assert listing(client, run_id, "models/first") == [("models/first/2.txt", False, 2), ("models/first/x", True, None)]
    assert listing(client, run_id, "models/first/x") == [("models/first/x/1.txt", False, 1)]


def test_a_listing_is_sorted_and_relative_to_the_root(client, run_id):
    for name in ("b.txt", "a.txt", "C.txt", "d/e.txt"):
        client.log_text(run_id, name, name)
    assert listing(client, run_id) == [("C.txt", False, 5), ("a.txt", False, 5), ("b.txt", False, 5), ("d", True, None)]


def test_listing_nothing_a_file_or_an_unknown_folder_is_empty(client, run_id):
    assert listing(client, run_id) == []
    client.log_text(run_id, "x", "a.txt")
    assert listing(client, run_id, "a.txt") == []
    assert listing(client, run_id, "nowhere") == []


def test_a_file_logged_again_is_replaced(client, run_id, tmp_path):
    client.log_text(run_id, "the first and longer text", "notes/a.txt")
    client.log_text(run_id, "second", "notes/a.txt")
    assert listing(client, run_id, "notes") == [("notes/a.txt", False, 6)]
    with open(client.download_artifacts(run_id, "notes/a.txt", str(tmp_path))) as file:
        assert file.read() == "second"


def test_text_and_dicts_are_written_as_files(client, run_id, tmp_path):
    client.log_text(run_id, "Zeile 1\nline 2 ✓\n", "a/text.txt")
    client.log_dict(run_id, {"k": [1, 2.5, None, "ü"]}, "a/dict.json")
    client.log_dict(run_id, {"k": [1, "zwei"]}, "a/dict.yaml")
    folder = client.download_artifacts(run_id, "a", str(tmp_path))
    with open(os.path.join(folder, "text.txt"), encoding="utf-8") as file:
        assert file.read() == "Zeile 1\nline 2 ✓\n"
    with open(os.path.join(folder, "dict.json"), encoding="utf-8") as file:
        assert json.load(file) == {"k": [1, 2.5, None, "ü"]}
    with open(os.path.join(folder, "dict.yaml"), encoding="utf-8") as file:
        assert file.read().split() == ["k:", "-", "1", "-", "zwei"]


def test_artifacts_are_reached_by_uri(uri, client, run_id, tmp_path):
    import mlflow

    mlflow.set_tracking_uri(uri)
    client.log_text(run_id, "by uri", "folder/a.txt")
    root = client.get_run(run_id).info.artifact_uri
    for number, address in enumerate((f"runs:/{run_id}/folder/a.txt", f"{root}/folder/a.txt")):
        (tmp_path / str(number)).mkdir()
        assert sha256(download_artifacts(artifact_uri=address, dst_path=str(tmp_path / str(number)))) == sha256(b"by uri")
    assert [f.path for f in list_artifacts(run_id=run_id, artifact_path="folder")] == ["folder/a.txt"]
    assert mlflow.artifacts.load_text(f"{root}/folder/a.txt") == "by uri"


def test_many_files_arrive(client, run_id, tmp_path):
    write(tmp_path / "up", {f"f{i:03}.txt": str(i).encode() for i in range(120)})
    client.log_artifacts(run_id, str(tmp_path / "up"), "many")
    assert [f.path for f in client.list_artifacts(run_id, "many")] == [f"many/f{i:03}.txt" for i in range(120)]
    (tmp_path / "down").mkdir()
    assert tree(client.download_artifacts(run_id, "many", str(tmp_path / "down"))) == tree(tmp_path / "up")


def test_artifacts_of_two_runs_stay_apart(client, experiment_id, tmp_path):
    first, second = (client.create_run(experiment_id).info.run_id for _ in range(2))
    client.log_text(first, "first", "a.txt")
    client.log_text(second, "second", "a.txt")
    client.log_text(first, "only first", "b.txt")
    assert [f.path for f in client.list_artifacts(second)] == ["a.txt"]
    with open(client.download_artifacts(first, "a.txt", str(tmp_path))) as file:
        assert file.read() == "first"


def test_artifacts_of_a_deleted_run_can_still_be_read(client, run_id, tmp_path):
    client.log_text(run_id, "kept", "a.txt")
    client.delete_run(run_id)
    assert listing(client, run_id) == [("a.txt", False, 4)]
    assert sha256(client.download_artifacts(run_id, "a.txt", str(tmp_path))) == sha256(b"kept")


def test_downloading_what_is_not_there_fails(client, run_id, tmp_path):
    client.log_text(run_id, "x", "a.txt")
    with pytest.raises(Exception, match=r"404|No such artifact|not found|RESOURCE_DOES_NOT_EXIST|Failed to download"):
        client.download_artifacts(run_id, "missing.txt", str(tmp_path))


def proxy_path(client, run_id):
    root = client.get_run(run_id).info.artifact_uri
    assert root.startswith("mlflow-artifacts:/"), root
    return "/api/2.0/mlflow-artifacts/artifacts/" + root.removeprefix("mlflow-artifacts:").lstrip("/")


def test_a_file_can_be_deleted_through_the_proxy(client, run_id, rest):
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    client.log_text(run_id, "x", "d/a.txt")
    client.log_text(run_id, "y", "d/b.txt")
    get_artifact_repository(client.get_run(run_id).info.artifact_uri).delete_artifacts("d/a.txt")
    assert [f.path for f in client.list_artifacts(run_id, "d")] == ["d/b.txt"]
    assert rest("GET", f"{proxy_path(client, run_id)}/d/a.txt").status_code == 404


@pytest.mark.parametrize("name", ["step%1%timestamp%1795264514561%x.png", "a%1000%10x.png", "50%.txt"])
def test_a_name_is_decoded_once(rest, client, run_id, name):
    # MLflow 2 names images `key%step%1%timestamp%17952…`: what looks like a control character is only text.
    encoded = name.replace("%", "%25")
    assert rest("PUT", f"{proxy_path(client, run_id)}/images/{encoded}", data=b"pixels").status_code == 200
    assert listing(client, run_id, "images") == [(f"images/{name}", False, 6)]
    assert rest("GET", f"{proxy_path(client, run_id)}/images/{encoded}").content == b"pixels"


def test_a_download_is_an_attachment_of_its_bytes(client, run_id, rest):
    content = "<script>alert(1)</script>"
    client.log_text(run_id, content, "page.html")
    answer = rest("GET", f"{proxy_path(client, run_id)}/page.html")
    assert (answer.status_code, answer.text) == (200, content)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_streamed_upload_without_a_length_is_stored(client, run_id, rest, tmp_path):
    pieces = [noise(50_000, seed) for seed in range(20)]
    answer = rest("PUT", f"{proxy_path(client, run_id)}/streamed.bin", data=iter(pieces))
    assert answer.status_code == 200
    assert sha256(client.download_artifacts(run_id, "streamed.bin", str(tmp_path))) == sha256(b"".join(pieces))


@pytest.mark.parametrize(
    "path",
    ["../../secret.txt", "..%2f..%2fsecret.txt", "%2e%2e/secret.txt", "a/%252e%252e/%252e%252e/secret.txt"],
)
def test_a_path_out_of_the_root_is_refused(uri, client, run_id, path):
    for method in ("GET", "PUT", "DELETE"):
        request = requests.Request(method, uri, data=b"x" if method == "PUT" else None).prepare()
        request.url = f"{uri}{proxy_path(client, run_id)}/{path}"
        answer = requests.Session().send(request, timeout=30)
        assert answer.status_code in (400, 404), (method, answer.status_code)
        assert b"root:" not in answer.content
    assert client.list_artifacts(run_id) == []


def test_a_run_listing_refuses_to_leave_the_root(rest, run_id):
    for path in ("..", "../..", "/etc", "a/../../b", "%2e%2e"):
        answer = rest("GET", "/api/2.0/mlflow/artifacts/list", params={"run_id": run_id, "path": path})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), path


def test_the_listing_of_a_run_names_its_root(rest, client, run_id):
    # The Python client lists a proxied root through the proxy; other clients ask for the run.
    client.log_text(run_id, "x", "d/a.txt")
    answer = rest("GET", "/api/2.0/mlflow/artifacts/list", params={"run_id": run_id, "path": "d"}).json()
    assert answer["root_uri"] == client.get_run(run_id).info.artifact_uri
    assert answer["files"] == [{"path": "d/a.txt", "is_dir": False, "file_size": 1}]
