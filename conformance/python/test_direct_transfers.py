"""Large files, which clients of 3.15 and later send to the object store itself where the server says that it signs for them."""

import io
import zipfile

import pytest
import requests
from expecting import sha256
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository


@pytest.fixture
def signs(uri):
    return requests.get(f"{uri}/api/3.0/mlflow/server-info", timeout=30).json().get("multipart_uploads_enabled", False)


@pytest.fixture
def calls(monkeypatch):
    """What the client does by itself, noted on its way."""
    noted = []
    for name in ("create_multipart_upload", "complete_multipart_upload", "_multipart_download"):
        original = getattr(HttpArtifactRepository, name)

        def noting(self, *args, name=name, original=original, **options):
            noted.append(name)
            return original(self, *args, **options)

        monkeypatch.setattr(HttpArtifactRepository, name, noting)
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(8 * 2**20))
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(6 * 2**20))
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", str(3 * 2**20))
    return noted


def test_a_large_file_goes_and_comes_in_parts_where_the_store_signs(client, run_id, tmp_path, signs, calls):
    source = tmp_path / "big file 1%.bin"
    source.write_bytes(bytes(range(256)) * (20 * 2**12) + b"the end")
    client.log_artifact(run_id, str(source), "folder")
    (tmp_path / "down").mkdir()
    assert sha256(client.download_artifacts(run_id, "folder/big file 1%.bin", str(tmp_path / "down"))) == sha256(source)
    parts = ["create_multipart_upload", "complete_multipart_upload", "_multipart_download"]
    assert calls == (parts if signs else [])


def test_a_client_that_asks_for_parts_all_the_same_gets_its_file_stored(client, run_id, tmp_path, calls, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    source = tmp_path / "asked.bin"
    source.write_bytes(b"0123456789abcdef" * 2**20)
    client.log_artifact(run_id, str(source))
    assert calls[0] == "create_multipart_upload"
    (tmp_path / "down").mkdir()
    assert sha256(client.download_artifacts(run_id, "asked.bin", str(tmp_path / "down"))) == sha256(source)


def test_small_and_empty_files_come_back_too(client, run_id, tmp_path, calls):
    (tmp_path / "down").mkdir()
    for name, content in (("small.txt", b"x"), ("empty", b"")):
        source = tmp_path / name
        source.write_bytes(content)
        client.log_artifact(run_id, str(source))
        assert sha256(client.download_artifacts(run_id, name, str(tmp_path / "down"))) == sha256(content)
    assert "create_multipart_upload" not in calls


def test_a_folder_is_a_zip_archive_that_python_reads(client, run_id, rest):
    client.log_text(run_id, "one", "a/1.txt")
    client.log_text(run_id, "zwei ✓", "a/b/日本 100%.txt")
    answer = rest("GET", "/api/lazuli/1.0/artifacts/archive", params={"run_id": run_id, "path": "a"})
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert {name: archive.read(name).decode() for name in archive.namelist()} == {"1.txt": "one", "b/日本 100%.txt": "zwei ✓"}
