import org.mlflow.tracking.MlflowClient;

final class ErrorsSuite {
  private static final String NO_RUN = "f".repeat(32);

  static void run(Check check, MlflowClient client) {
    check.that("an unknown run is 404 whatever is asked of it", () -> {
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.getRun(NO_RUN), NO_RUN);
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.logMetric(NO_RUN, "m", 1.0), NO_RUN);
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.logParam(NO_RUN, "p", "1"), NO_RUN);
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.setTag(NO_RUN, "t", "1"), NO_RUN);
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.deleteRun(NO_RUN), NO_RUN);
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.setTerminated(NO_RUN), NO_RUN);
    });

    check.that("a missing tag is 404", () -> {
      String run = Check.newRun(client);
      Check.refused(404, "RESOURCE_DOES_NOT_EXIST", () -> client.deleteTag(run, "nothing"));
    });

    check.that("a wrong key is 400", () -> {
      String run = Check.newRun(client);
      for (String key : new String[] {"../up", "/abs", "semi;colon", "a".repeat(251)}) {
        Check.refused(400, "INVALID_PARAMETER_VALUE", () -> client.logMetric(run, key, 1.0));
        Check.refused(400, "INVALID_PARAMETER_VALUE", () -> client.logParam(run, key, "1"));
        Check.refused(400, "INVALID_PARAMETER_VALUE", () -> client.setTag(run, key, "1"));
      }
    });

    check.that("a deleted experiment takes no runs", () -> {
      String experiment = Check.newExperiment(client);
      client.deleteExperiment(experiment);
      Check.refused(400, "INVALID_PARAMETER_VALUE", () -> client.createRun(experiment), "active");
    });

    check.that("a body of one's own that lacks a field is 400 and names it", () ->
        Check.refused(400, "INVALID_PARAMETER_VALUE", () -> client.sendPost("experiments/create", "{}"),
            "Missing value for required parameter 'name'"));
  }
}
