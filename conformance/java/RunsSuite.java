import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.mlflow.api.proto.Service.CreateRun;
import org.mlflow.api.proto.Service.Metric;
import org.mlflow.api.proto.Service.Param;
import org.mlflow.api.proto.Service.Run;
import org.mlflow.api.proto.Service.RunInfo;
import org.mlflow.api.proto.Service.RunStatus;
import org.mlflow.api.proto.Service.RunTag;
import org.mlflow.api.proto.Service.ViewType;
import org.mlflow.tracking.ActiveRun;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.MlflowContext;

final class RunsSuite {
  static Map<String, String> params(Run run) {
    return run.getData().getParamsList().stream().collect(Collectors.toMap(Param::getKey, Param::getValue));
  }

  static Map<String, String> tags(Run run) {
    return run.getData().getTagsList().stream().collect(Collectors.toMap(RunTag::getKey, RunTag::getValue));
  }

  static Map<String, Double> metrics(Run run) {
    return run.getData().getMetricsList().stream().collect(Collectors.toMap(Metric::getKey, Metric::getValue));
  }

  static void run(Check check, MlflowClient client, String uri) {
    check.that("a new run reads back as it was answered", () -> {
      String experiment = Check.newExperiment(client);
      RunInfo info = client.createRun(CreateRun.newBuilder().setExperimentId(experiment).setStartTime(4_102_444_800_123L)
          .setUserId("somebody").addTags(RunTag.newBuilder().setKey("k").setValue("v ✓")).build());
      Run run = client.getRun(info.getRunId());
      Check.equal(run.getInfo(), info);
      Check.holds(info.getRunId().matches("[0-9a-f]{32}"), info.getRunId() + " is 32 hex digits");
      Check.equal(info.getRunUuid(), info.getRunId());
      Check.equal(info.getStatus(), RunStatus.RUNNING);
      Check.equal(info.getStartTime(), 4_102_444_800_123L);
      Check.equal(info.getUserId(), "somebody");
      Check.equal(info.getLifecycleStage(), "active");
      Check.equal(info.hasEndTime(), false);
      Check.equal(tags(run).get("k"), "v ✓");
      Check.equal(tags(run).get("mlflow.runName"), info.getRunName());
    });

    check.that("params, tags and metrics read back", () -> {
      String run = Check.newRun(client);
      client.logParam(run, "lr", "0.1");
      client.logParam(run, "empty", "");
      client.setTag(run, "team", "first");
      client.setTag(run, "team", "second");
      client.logMetric(run, "acc", 1.0 / 3);
      Run read = client.getRun(run);
      Check.equal(params(read), Map.of("lr", "0.1", "empty", ""));
      Check.equal(tags(read).get("team"), "second");
      Check.equal(metrics(read), Map.of("acc", 1.0 / 3));
      client.deleteTag(run, "team");
      Check.equal(tags(client.getRun(run)).containsKey("team"), false);
    });

    check.that("a param is written once", () -> {
      String run = Check.newRun(client);
      client.logParam(run, "lr", "0.1");
      client.logParam(run, "lr", "0.1");
      Check.refused(400, "INVALID_PARAMETER_VALUE", () -> client.logParam(run, "lr", "0.2"), "0.1", "0.2");
      Check.equal(params(client.getRun(run)), Map.of("lr", "0.1"));
    });

    check.that("a run is terminated with its status and time", () -> {
      String run = Check.newRun(client);
      client.setTerminated(run, RunStatus.FAILED, 1_700_000_000_123L);
      RunInfo info = client.getRun(run).getInfo();
      Check.equal(info.getStatus(), RunStatus.FAILED);
      Check.equal(info.getEndTime(), 1_700_000_000_123L);
    });

    check.that("a deleted run is out of sight, refuses writes, and comes back", () -> {
      String experiment = Check.newExperiment(client);
      String run = client.createRun(experiment).getRunId();
      client.deleteRun(run);
      Check.equal(client.getRun(run).getInfo().getLifecycleStage(), "deleted");
      Check.equal(client.searchRuns(List.of(experiment), ""), List.of());
      Check.equal(client.searchRuns(List.of(experiment), "", ViewType.DELETED_ONLY).size(), 1);
      Check.refused(400, "INVALID_PARAMETER_VALUE", () -> client.logMetric(run, "m", 1.0), "active");
      client.restoreRun(run);
      client.logMetric(run, "m", 1.0);
      Check.equal(metrics(client.getRun(run)), Map.of("m", 1.0));
    });

    check.that("a context logs nested runs under an experiment that it finds by name", () -> {
      String name = Check.unique();
      String experiment = client.createExperiment(name);
      MlflowContext context = new MlflowContext(client).setExperimentName(name);
      Check.equal(context.getExperimentId(), experiment);
      ActiveRun parent = context.startRun("parent");
      ActiveRun child = context.startRun("child", parent.getId());
      child.logParams(Map.of("a", "1", "b", "2"));
      child.logMetrics(Map.of("x", 1.5, "y", -2.5), 7);
      child.setTags(Map.of("t", "u"));
      child.endRun();
      parent.endRun(RunStatus.KILLED);
      Run read = client.getRun(child.getId());
      Check.equal(params(read), Map.of("a", "1", "b", "2"));
      Check.equal(metrics(read), Map.of("x", 1.5, "y", -2.5));
      Check.equal(tags(read).get("mlflow.parentRunId"), parent.getId());
      Check.equal(tags(read).get("mlflow.runName"), "child");
      Check.equal(read.getInfo().getStatus(), RunStatus.FINISHED);
      Check.equal(client.getRun(parent.getId()).getInfo().getStatus(), RunStatus.KILLED);
    });

    check.that("an address with a slash at its end works too", () -> {
      try (MlflowClient other = new MlflowClient(uri.replaceAll("/+$", "") + "/")) {
        Check.equal(other.getExperiment("0").getExperimentId(), "0");
      }
    });
  }
}
