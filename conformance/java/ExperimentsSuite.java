import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.mlflow.api.proto.Service.CreateExperiment;
import org.mlflow.api.proto.Service.Experiment;
import org.mlflow.api.proto.Service.ExperimentTag;
import org.mlflow.api.proto.Service.ViewType;
import org.mlflow.tracking.ExperimentsPage;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.Page;

final class ExperimentsSuite {
  static void run(Check check, MlflowClient client) {
    check.that("the default experiment has id 0", () -> Check.equal(client.getExperiment("0").getName(), "Default"));

    check.that("a created experiment reads back with its tags", () -> {
      String name = "ünï ✓ " + Check.unique();
      String id = client.createExperiment(CreateExperiment.newBuilder().setName(name)
          .addTags(ExperimentTag.newBuilder().setKey("team").setValue("a b")).build());
      client.setExperimentTag(id, "later", "yes");
      Experiment experiment = client.getExperiment(id);
      Check.equal(experiment.getName(), name);
      Check.equal(experiment.getLifecycleStage(), "active");
      Map<String, String> tags = experiment.getTagsList().stream()
          .filter(tag -> !tag.getKey().startsWith("mlflow."))
          .collect(Collectors.toMap(ExperimentTag::getKey, ExperimentTag::getValue));
      Check.equal(tags, Map.of("team", "a b", "later", "yes"));
      Check.holds(experiment.getArtifactLocation().endsWith("/" + id), "the location ends with the id");
      Check.equal(client.getExperimentByName(name).get().getExperimentId(), id);
    });

    check.that("an unknown name is empty and an unknown id is 404", () -> {
      Check.equal(client.getExperimentByName("nobody-" + Check.unique()).isPresent(), false);
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.getExperiment("987654321"), "987654321");
    });

    check.that("a taken name is refused", () -> {
      String name = Check.unique();
      client.createExperiment(name);
      Check.refused(400, "RESOURCE_ALREADY_EXISTS", () -> client.createExperiment(name), name);
    });

    check.that("an experiment is renamed, deleted and restored", () -> {
      String id = Check.newExperiment(client);
      String name = Check.unique();
      client.renameExperiment(id, name);
      client.deleteExperiment(id);
      Check.equal(client.getExperiment(id).getLifecycleStage(), "deleted");
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.deleteExperiment(id));
      client.restoreExperiment(id);
      Check.equal(client.getExperiment(id).getLifecycleStage(), "active");
      Check.equal(client.getExperiment(id).getName(), name);
    });

    check.that("pages of a search hold every experiment once", () -> {
      String stem = Check.unique();
      List<String> wanted = new ArrayList<>();
      for (int i = 0; i < 7; i++) wanted.add(client.getExperiment(client.createExperiment(stem + "-" + i)).getName());
      ExperimentsPage first = client.searchExperiments("name LIKE '" + stem + "-%'", ViewType.ACTIVE_ONLY, 3, List.of("name ASC"));
      List<String> found = new ArrayList<>();
      int pages = 1;
      Page<Experiment> page = first;
      for (Experiment experiment : page.getItems()) found.add(experiment.getName());
      while (page.hasNextPage()) {
        page = page.getNextPage();
        for (Experiment experiment : page.getItems()) found.add(experiment.getName());
        pages++;
      }
      Check.equal(found, wanted);
      Check.equal(pages, 3);
    });
  }
}
