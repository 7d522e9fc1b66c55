"""The artifacts that the fluent API makes itself: figures, images, tables."""

import json

from expecting import needs_package, sha256


@needs_package("matplotlib")
def test_a_figure_is_drawn_and_comes_back(fluent, client, tmp_path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([0, 1, 2], [0, 1, 4])
    with fluent.start_run() as run:
        fluent.log_figure(figure, "plots/curve.png")
        fluent.log_figure(figure, "plots/curve.svg")
    pyplot.close(figure)
    found = client.list_artifacts(run.info.run_id, "plots")
    assert [f.path for f in found] == ["plots/curve.png", "plots/curve.svg"]
    path = client.download_artifacts(run.info.run_id, "plots/curve.png", str(tmp_path))
    with open(path, "rb") as file:
        content = file.read()
    assert content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) == found[0].file_size


@needs_package("PIL", "numpy")
def test_an_image_comes_back_pixel_for_pixel(fluent, client, tmp_path):
    import numpy
    from PIL import Image

    pixels = numpy.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=numpy.uint8)
    with fluent.start_run() as run:
        fluent.log_image(pixels, "images/random.png")
    path = client.download_artifacts(run.info.run_id, "images/random.png", str(tmp_path))
    assert (numpy.asarray(Image.open(path)) == pixels).all()


@needs_package("PIL", "numpy")
def test_images_logged_by_key_and_step_are_all_stored(fluent, client):
    import numpy

    with fluent.start_run() as run:
        for step in range(3):
            fluent.log_image(numpy.full((8, 8, 3), step, dtype=numpy.uint8), key="sample", step=step, timestamp=1000 + step)
        # Keyed images are uploaded in the background; the end of a run does not wait for them, and only the active run's
        # can be waited for: without one, this call starts a run of its own and waits for nothing.
        fluent.flush_artifact_async_logging()
    names = [f.path for f in client.list_artifacts(run.info.run_id, "images")]
    assert len(names) == 6
    assert [sum(f"step%{step}%" in n or f"step+{step}+" in n for n in names) for step in range(3)] == [2, 2, 2]
    assert client.get_run(run.info.run_id).data.tags["mlflow.loggedImages"] == "True"


@needs_package("pandas")
def test_a_table_grows_by_rows_and_is_loaded(fluent, client):
    import pandas

    with fluent.start_run() as run:
        fluent.log_table({"question": ["a?", "b?"], "score": [0.5, 1.5]}, "eval/table.json")
        fluent.log_table(pandas.DataFrame({"question": ["ç?"], "score": [2.5]}), "eval/table.json")
        run_id = run.info.run_id
    table = fluent.load_table("eval/table.json", run_ids=[run_id], extra_columns=["run_id"])
    assert table["question"].tolist() == ["a?", "b?", "ç?"]
    assert table["score"].tolist() == [0.5, 1.5, 2.5]
    assert set(table["run_id"]) == {run_id}
    tag = json.loads(client.get_run(run_id).data.tags["mlflow.loggedArtifacts"])
    assert tag == [{"path": "eval/table.json", "type": "table"}]


@needs_package("pandas", "numpy")
def test_a_data_frame_stored_as_bytes_comes_back(fluent, client, tmp_path):
    import numpy
    import pandas

    frame = pandas.DataFrame({"x": numpy.linspace(0, 1, 500), "name": [f"row {i}" for i in range(500)]})
    local = tmp_path / "frame.pkl"
    frame.to_pickle(local)
    with fluent.start_run() as run:
        fluent.log_artifact(str(local), "frames")
    assert sha256(client.download_artifacts(run.info.run_id, "frames/frame.pkl", str(tmp_path))) == sha256(local)
