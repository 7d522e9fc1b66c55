import java.util.List;
import java.util.stream.Collectors;
import org.mlflow.api.proto.ModelRegistry.ModelVersion;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.ModelVersionsPage;

/** The Java client reads the registry; what it has no method for goes through its `sendPost`. */
final class RegistrySuite {
  static void run(Check check, MlflowClient client) {
    check.that("a registered model and its versions are read", () -> {
      String name = model(client, 2);
      Check.equal(client.getRegisteredModel(name).getName(), name);
      Check.equal(client.getModelVersion(name, "2").getSource(), "s3://bucket/2");
      Check.equal(client.getModelVersionDownloadUri(name, "1"), "s3://bucket/1");
    });

    check.that("the latest versions are got by stage", () -> {
      String name = model(client, 2);
      client.sendPost("model-versions/transition-stage", "{\"name\": \"" + name
          + "\", \"version\": \"1\", \"stage\": \"staging\", \"archive_existing_versions\": false}");
      List<String> latest = client.getLatestVersions(name, List.of("Staging")).stream()
          .map(ModelVersion::getVersion).collect(Collectors.toList());
      Check.equal(latest, List.of("1"));
      Check.equal(client.getLatestVersions(name).size(), 2);
    });

    check.that("versions are searched in pages", () -> {
      String name = model(client, 3);
      ModelVersionsPage page =
          client.searchModelVersions("name = '" + name + "'", 2, List.of("version_number ASC"));
      Check.equal(page.getPageSize(), 2);
      Check.equal(page.hasNextPage(), true);
      Check.equal(((ModelVersionsPage) page.getNextPage()).getItems().get(0).getVersion(), "3");
    });

    check.that("what is unknown or taken is refused", () -> {
      String name = model(client, 0);
      Check.refused(400, "RESOURCE_ALREADY_EXISTS", () -> create(client, name), name);
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.getModelVersion(name, "1"), name);
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.getRegisteredModel(name + "x"), name);
    });
  }

  private static String create(MlflowClient client, String name) {
    return client.sendPost("registered-models/create", "{\"name\": \"" + name + "\"}");
  }

  private static String model(MlflowClient client, int versions) {
    String name = Check.unique();
    create(client, name);
    for (int number = 1; number <= versions; number++)
      client.sendPost("model-versions/create",
          "{\"name\": \"" + name + "\", \"source\": \"s3://bucket/" + number + "\"}");
    return name;
  }
}
