import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.mlflow.api.proto.Service.Metric;
import org.mlflow.api.proto.Service.Param;
import org.mlflow.api.proto.Service.Run;
import org.mlflow.api.proto.Service.RunTag;
import org.mlflow.tracking.MlflowClient;

final class BatchesSuite {
  static Metric metric(String key, double value, long timestamp, long step) {
    return Metric.newBuilder().setKey(key).setValue(value).setTimestamp(timestamp).setStep(step).build();
  }

  static Param param(String key, String value) {
    return Param.newBuilder().setKey(key).setValue(value).build();
  }

  static void run(Check check, MlflowClient client) {
    check.that("a batch of every kind reads back, and again when it is sent twice", () -> {
      String run = Check.newRun(client);
      List<Metric> metrics = new ArrayList<>();
      for (int i = 0; i < 800; i++) metrics.add(metric("m" + i % 4, Math.sin(i), 1000 + i, i));
      List<Param> params = List.of(param("a", "1"), param("ü", "✓"));
      List<RunTag> tags = List.of(RunTag.newBuilder().setKey("t").setValue("x").build());
      client.logBatch(run, metrics, params, tags);
      Run once = client.getRun(run);
      Check.equal(RunsSuite.params(once), Map.of("a", "1", "ü", "✓"));
      Check.equal(RunsSuite.tags(once).get("t"), "x");
      Check.equal(RunsSuite.metrics(once),
          Map.of("m0", Math.sin(796), "m1", Math.sin(797), "m2", Math.sin(798), "m3", Math.sin(799)));
      client.logBatch(run, metrics, params, tags);
      Check.equal(RunsSuite.metrics(client.getRun(run)), RunsSuite.metrics(once));
      Check.equal(client.getMetricHistory(run, "m1").size(), 200);
    });

    check.that("kinds may be left out", () -> {
      String run = Check.newRun(client);
      client.logBatch(run, null, List.of(param("only", "this")), null);
      Check.equal(RunsSuite.params(client.getRun(run)), Map.of("only", "this"));
    });

    check.that("a batch over the limit is refused whole", () -> {
      String run = Check.newRun(client);
      List<Param> params = new ArrayList<>();
      for (int i = 0; i < 101; i++) params.add(param("p" + i, "1"));
      Check.refused(400, "INVALID_PARAMETER_VALUE",
          () -> client.logBatch(run, List.of(metric("m", 1, 1, 1)), params, List.of()));
      Check.equal(client.getRun(run).getData().getMetricsCount(), 0);
      Check.equal(client.getRun(run).getData().getParamsCount(), 0);
    });

    check.that("a batch that changes a param is refused", () -> {
      String run = Check.newRun(client);
      client.logParam(run, "lr", "0.1");
      Check.refused(400, "INVALID_PARAMETER_VALUE",
          () -> client.logBatch(run, List.of(), List.of(param("lr", "0.2")), List.of()), "lr");
      Check.equal(RunsSuite.params(client.getRun(run)), Map.of("lr", "0.1"));
    });
  }
}
