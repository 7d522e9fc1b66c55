import time

import pytest
from expecting import needs_method, refused
from mlflow.entities import ViewType


def test_the_default_experiment_exists_with_id_0(client):
    default = client.get_experiment("0")
    assert default.name == "Default"
    assert client.get_experiment_by_name("Default").experiment_id == "0"


def test_a_created_experiment_reads_back_with_its_tags_and_times(client, unique):
    before = int(time.time() * 1000) - 2000
    experiment_id = client.create_experiment(f"exp-{unique}", tags={"team": "vision", "empty": "", "ключ": "значение"})
    experiment = client.get_experiment(experiment_id)
    assert isinstance(experiment_id, str) and experiment_id.isdigit()
    assert experiment.name == f"exp-{unique}"
    assert experiment.lifecycle_stage == "active"
    assert {k: v for k, v in experiment.tags.items() if not k.startswith("mlflow.")} == {
        "team": "vision",
        "empty": "",
        "ключ": "значение",
    }
    assert before <= experiment.creation_time <= int(time.time() * 1000) + 2000
    assert experiment.last_update_time == experiment.creation_time
    assert experiment.artifact_location.endswith(f"/{experiment_id}")


def test_names_keep_blanks_unicode_and_quotes(client, unique):
    for name in (f"a b  c {unique}", f"名前 🚀 {unique}", f"it's \"{unique}\" 100%_\\"):
        experiment_id = client.create_experiment(name)
        assert client.get_experiment(experiment_id).name == name
        assert client.get_experiment_by_name(name).experiment_id == experiment_id


def test_ids_only_grow(new_experiment):
    ids = [int(new_experiment()) for _ in range(5)]
    assert ids == sorted(set(ids))


def test_an_artifact_location_of_ones_own_is_kept(client, unique):
    location = f"s3://bucket-{unique}/some/prefix"
    experiment_id = client.create_experiment(f"exp-{unique}", artifact_location=location)
    assert client.get_experiment(experiment_id).artifact_location == location
    run = client.create_run(experiment_id)
    assert run.info.artifact_uri == f"{location}/{run.info.run_id}/artifacts"


def test_a_name_is_taken_even_by_a_deleted_experiment(client, unique):
    experiment_id = client.create_experiment(f"exp-{unique}")
    with refused("RESOURCE_ALREADY_EXISTS", f"exp-{unique}"):
        client.create_experiment(f"exp-{unique}")
    client.delete_experiment(experiment_id)
    with refused("RESOURCE_ALREADY_EXISTS"):
        client.create_experiment(f"exp-{unique}")


def test_an_unknown_experiment_is_absent_by_id_and_none_by_name(client, unique):
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_experiment("987654321")
    assert client.get_experiment_by_name(f"nobody-{unique}") is None


def test_renaming_moves_the_name_and_the_update_time(client, unique):
    experiment_id = client.create_experiment(f"old-{unique}")
    created = client.get_experiment(experiment_id).creation_time
    client.rename_experiment(experiment_id, f"new-{unique}")
    experiment = client.get_experiment(experiment_id)
    assert experiment.name == f"new-{unique}"
    assert experiment.creation_time == created
    assert experiment.last_update_time >= created
    assert client.get_experiment_by_name(f"old-{unique}") is None


def test_renaming_to_a_taken_name_is_refused(client, unique):
    client.create_experiment(f"taken-{unique}")
    experiment_id = client.create_experiment(f"mine-{unique}")
    # MLflow answers BAD_REQUEST with the text of its database here; naming the clash is better.
    with refused(("RESOURCE_ALREADY_EXISTS", "BAD_REQUEST"), f"taken-{unique}"):
        client.rename_experiment(experiment_id, f"taken-{unique}")
    assert client.get_experiment(experiment_id).name == f"mine-{unique}"


def test_deleting_an_experiment_deletes_its_runs_and_restoring_brings_them_back(client, experiment_id):
    runs = {client.create_run(experiment_id).info.run_id for _ in range(3)}
    client.delete_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "deleted"
    assert {client.get_run(r).info.lifecycle_stage for r in runs} == {"deleted"}
    assert client.search_runs([experiment_id]) == []
    client.restore_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "active"
    assert {r.info.run_id for r in client.search_runs([experiment_id])} == runs


def test_a_deleted_experiment_is_still_found_by_name(client, unique):
    experiment_id = client.create_experiment(f"gone-{unique}")
    client.delete_experiment(experiment_id)
    assert client.get_experiment_by_name(f"gone-{unique}").lifecycle_stage == "deleted"


def test_deleting_twice_and_restoring_an_active_one_are_refused(client, experiment_id):
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.restore_experiment(experiment_id)
    client.delete_experiment(experiment_id)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.delete_experiment(experiment_id)


def test_a_deleted_experiment_takes_no_runs_and_no_tags(client, experiment_id):
    client.delete_experiment(experiment_id)
    with refused("INVALID_PARAMETER_VALUE", "active"):
        client.create_run(experiment_id)
    with refused("INVALID_PARAMETER_VALUE", "active"):
        client.set_experiment_tag(experiment_id, "k", "v")


def test_an_experiment_tag_is_overwritten(client, experiment_id):
    client.set_experiment_tag(experiment_id, "stage", "draft")
    client.set_experiment_tag(experiment_id, "stage", "final ✓")
    assert client.get_experiment(experiment_id).tags["stage"] == "final ✓"


@needs_method("delete_experiment_tag")
def test_an_experiment_tag_can_be_deleted_once(client, experiment_id):
    client.set_experiment_tag(experiment_id, "stage", "draft")
    client.delete_experiment_tag(experiment_id, "stage")
    assert "stage" not in client.get_experiment(experiment_id).tags
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.delete_experiment_tag(experiment_id, "stage")


def search_names(client, **options):
    return [e.name for e in client.search_experiments(**options)]


def test_search_filters_by_name_like_and_tag(client, unique):
    for i in range(4):
        client.create_experiment(f"{unique}-{i}", tags={"parity": str(i % 2)})
    assert search_names(client, filter_string=f"name = '{unique}-2'") == [f"{unique}-2"]
    assert sorted(search_names(client, filter_string=f"name LIKE '{unique}-%'")) == [f"{unique}-{i}" for i in range(4)]
    assert search_names(client, filter_string=f"name LIKE '{unique.upper()}-%'") == []
    assert len(search_names(client, filter_string=f"name ILIKE '{unique.upper()}-%'")) == 4
    odd = search_names(client, filter_string=f"name LIKE '{unique}-%' AND tags.parity = '1'", order_by=["name DESC"])
    assert odd == [f"{unique}-3", f"{unique}-1"]


def test_search_orders_by_default_newest_first(client, unique):
    for i in range(3):
        client.create_experiment(f"{unique}-{i}")
        time.sleep(0.01)
    assert search_names(client, filter_string=f"name LIKE '{unique}-%'") == [f"{unique}-{i}" for i in (2, 1, 0)]


@pytest.mark.parametrize("order", ["name ASC", "name DESC", "creation_time ASC", "experiment_id DESC"])
def test_search_orders_by(client, unique, order):
    for letter in "bca":
        client.create_experiment(f"{unique}-{letter}")
        time.sleep(0.01)
    found = [n[-1] for n in search_names(client, filter_string=f"name LIKE '{unique}-%'", order_by=[order])]
    assert found == {"name ASC": list("abc"), "name DESC": list("cba"), "creation_time ASC": list("bca"),
                     "experiment_id DESC": list("acb")}[order]


def test_search_filters_by_times(client, unique):
    experiment_id = client.create_experiment(f"{unique}-x")
    created = client.get_experiment(experiment_id).creation_time
    base = f"name LIKE '{unique}-%' AND "
    assert search_names(client, filter_string=f"{base}creation_time >= {created}") == [f"{unique}-x"]
    assert search_names(client, filter_string=f"{base}creation_time > {created}") == []
    assert search_names(client, filter_string=f"{base}last_update_time <= {created}") == [f"{unique}-x"]


def test_search_sees_deleted_experiments_only_when_asked(client, unique):
    kept, gone = (client.create_experiment(f"{unique}-{w}") for w in ("kept", "gone"))
    client.delete_experiment(gone)
    found = {
        view: {e.experiment_id for e in client.search_experiments(view, filter_string=f"name LIKE '{unique}-%'")}
        for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
    }
    assert found == {ViewType.ACTIVE_ONLY: {kept}, ViewType.DELETED_ONLY: {gone}, ViewType.ALL: {kept, gone}}


def test_search_pages_hold_every_experiment_once(client, unique):
    for i in range(11):
        client.create_experiment(f"{unique}-{i:02}")
    names, token, sizes = [], None, []
    while True:
        page = client.search_experiments(
            filter_string=f"name LIKE '{unique}-%'", order_by=["name ASC"], max_results=4, page_token=token
        )
        names += [e.name for e in page]
        sizes.append(len(page))
        token = page.token
        if not token:
            break
    assert names == [f"{unique}-{i:02}" for i in range(11)]
    assert sizes == [4, 4, 3]


def test_a_full_last_page_has_no_token(client, unique):
    for i in range(4):
        client.create_experiment(f"{unique}-{i}")
    page = client.search_experiments(filter_string=f"name LIKE '{unique}-%'", max_results=4)
    assert len(page) == 4 and not page.token
