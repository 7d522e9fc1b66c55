import pytest
from expecting import refused
from mlflow.exceptions import MlflowException


@pytest.fixture
def name(client, unique):
    client.create_registered_model(f"model-{unique}")
    return f"model-{unique}"


def create(client, name, source="s3://bucket/model", **more):
    return client.create_model_version(name, source, **more)


def test_a_registered_model_reads_back_with_its_tags(client, unique):
    name = f"model {unique} ü"
    created = client.create_registered_model(name, tags={"team": "vision", "empty": ""}, description="what it is")
    model = client.get_registered_model(name)
    assert (model.name, model.description, model.tags) == (name, "what it is", {"team": "vision", "empty": ""})
    assert model.creation_timestamp == created.creation_timestamp == model.last_updated_timestamp
    assert model.latest_versions == [] and model.aliases == {}
    assert client.update_registered_model(name, "something else").description == "something else"
    with refused("RESOURCE_ALREADY_EXISTS", f"Registered Model (name={name}) already exists."):
        client.create_registered_model(name)


def test_versions_count_from_1_and_go_on_after_a_deletion(client, name):
    assert [int(create(client, name).version) for _ in range(3)] == [1, 2, 3]
    client.delete_model_version(name, "3")
    with refused("RESOURCE_DOES_NOT_EXIST", f"Model Version (name={name}, version=3) not found"):
        client.get_model_version(name, "3")
    assert int(create(client, name).version) == 4


def test_a_version_reads_back_with_all_that_was_given(client, name):
    created = create(client, name, run_link="https://example.org/run", tags={"a": "1"}, description="first")
    version = client.get_model_version(name, created.version)
    assert (version.name, version.source, version.status) == (name, "s3://bucket/model", "READY")
    assert (version.run_link, version.tags, version.description) == ("https://example.org/run", {"a": "1"}, "first")
    assert version.current_stage == "None"
    assert client.get_model_version_download_uri(name, created.version) == "s3://bucket/model"
    assert client.update_model_version(name, created.version, "second").description == "second"


def test_an_alias_is_set_moved_read_and_deleted(client, name):
    for _ in range(2):
        create(client, name)
    client.set_registered_model_alias(name, "champion", "1")
    assert str(client.get_model_version_by_alias(name, "champion").version) == "1"
    client.set_registered_model_alias(name, "champion", "2")
    version = client.get_model_version_by_alias(name, "champion")
    assert str(version.version) == "2" and version.aliases == ["champion"]
    assert {alias: str(number) for alias, number in client.get_registered_model(name).aliases.items()} == {
        "champion": "2"
    }
    client.delete_registered_model_alias(name, "champion")
    with refused("INVALID_PARAMETER_VALUE", "Registered model alias champion not found."):
        client.get_model_version_by_alias(name, "champion")


def test_deleting_a_version_ends_the_aliases_that_name_it(client, name):
    create(client, name)
    client.set_registered_model_alias(name, "a", "1")
    client.delete_model_version(name, "1")
    assert client.get_registered_model(name).aliases == {}


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_stages_move_and_archive_what_was_there(client, name):
    for _ in range(2):
        create(client, name)
    assert client.transition_model_version_stage(name, "1", "production").current_stage == "Production"
    client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
    latest = client.get_latest_versions(name)
    assert {(str(each.version), each.current_stage) for each in latest} == {("1", "Archived"), ("2", "Production")}
    assert [str(each.version) for each in client.get_latest_versions(name, ["Production"])] == ["2"]
    with refused("INVALID_PARAMETER_VALUE", "Invalid Model Version stage: bogus."):
        client.transition_model_version_stage(name, "1", "bogus")


def test_tags_of_models_and_versions_are_set_and_deleted(client, name):
    create(client, name)
    client.set_registered_model_tag(name, "k", "v")
    client.set_model_version_tag(name, "1", "t", "u")
    assert client.get_registered_model(name).tags == {"k": "v"}
    assert client.get_model_version(name, "1").tags == {"t": "u"}
    client.delete_registered_model_tag(name, "k")
    client.delete_model_version_tag(name, "1", "t")
    assert client.get_registered_model(name).tags == {}
    assert client.get_model_version(name, "1").tags == {}


def test_a_renamed_model_takes_everything_with_it(client, name):
    create(client, name)
    client.set_registered_model_alias(name, "a", "1")
    client.rename_registered_model(name, f"{name}-new")
    assert str(client.get_model_version_by_alias(f"{name}-new", "a").version) == "1"
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_registered_model(name)


def test_a_deleted_model_is_gone_with_its_versions(client, name):
    create(client, name)
    client.delete_registered_model(name)
    with refused("RESOURCE_DOES_NOT_EXIST", f"Registered Model with name={name} not found"):
        client.get_registered_model(name)
    assert client.search_model_versions(f"name = '{name}'") == []
    client.create_registered_model(name)
    assert int(create(client, name).version) == 1


def test_models_are_searched_ordered_and_paged(client, unique):
    names = [f"{unique}-{letter}" for letter in "abc"]
    for each in names:
        client.create_registered_model(each, tags={"unique": unique})
    found = client.search_registered_models(f"tags.unique = '{unique}'")
    assert [each.name for each in found] == names
    found = client.search_registered_models(f"name ILIKE '{unique.upper()}-%'", order_by=["name DESC"])
    assert [each.name for each in found] == names[::-1]
    page = client.search_registered_models(f"name LIKE '{unique}-%'", max_results=2)
    rest = client.search_registered_models(f"name LIKE '{unique}-%'", max_results=2, page_token=page.token)
    assert [each.name for each in [*page, *rest]] == names and not rest.token


def test_versions_are_searched_by_name_run_and_tags(client, name, run_id):
    for index in range(3):
        create(client, name, run_id=run_id if index == 1 else None, tags={"index": str(index)})
    numbers = lambda found: [int(each.version) for each in found]
    assert numbers(client.search_model_versions(f"name = '{name}'", order_by=["version_number ASC"])) == [1, 2, 3]
    assert numbers(client.search_model_versions(f"run_id = '{run_id}'")) == [2]
    assert numbers(client.search_model_versions(f"name = '{name}' AND tags.index = '2'")) == [3]


def test_a_version_comes_from_the_artifacts_of_its_run(client, name, run_id):
    run = client.get_run(run_id)
    version = create(client, name, f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
    assert version.run_id == run.info.run_id
    with refused("INVALID_PARAMETER_VALUE", "Invalid model version source"):
        create(client, name, "/etc/passwd")
    with refused("INVALID_PARAMETER_VALUE", "Invalid model version source"):
        create(client, name, "mlflow-artifacts:/../../etc", run_id=run.info.run_id)


def test_a_version_is_copied_to_another_model(client, name):
    create(client, name)
    if not hasattr(client, "copy_model_version"):
        pytest.skip("this client does not copy versions")
    copy = client.copy_model_version(f"models:/{name}/1", f"{name}-copy")
    assert (copy.name, str(copy.version)) == (f"{name}-copy", "1")
    assert client.get_model_version_download_uri(f"{name}-copy", "1") == "s3://bucket/model"


def test_prompts_are_registered_found_by_alias_and_hidden_among_models(client, unique):
    genai = pytest.importorskip("mlflow.genai", reason="this client has no prompts", exc_type=ImportError)
    if not hasattr(genai, "register_prompt"):
        pytest.skip("this client has no prompts")
    name = f"prompt-{unique}"
    first = genai.register_prompt(name=name, template="Say {{word}}.", commit_message="first", tags={"a": "1"})
    second = genai.register_prompt(name=name, template="Shout {{word}}!")
    assert (first.version, second.version) == (1, 2)
    assert genai.load_prompt(f"prompts:/{name}/1").format(word="hi") == "Say hi."
    genai.set_prompt_alias(name, "best", 2)
    assert genai.load_prompt(f"prompts:/{name}@best").template == "Shout {{word}}!"
    assert name in [each.name for each in genai.search_prompts(f"name = '{name}'")]
    assert client.search_registered_models(f"name = '{name}'") == []
    with pytest.raises(MlflowException, match="already taken by a prompt"):
        client.create_registered_model(name)
