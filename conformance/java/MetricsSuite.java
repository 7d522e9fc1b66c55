import java.util.List;
import java.util.stream.Collectors;
import org.mlflow.api.proto.Service.Metric;
import org.mlflow.tracking.MlflowClient;

final class MetricsSuite {
  private static String points(List<Metric> history) {
    return history.stream().map(m -> m.getValue() + "@" + m.getTimestamp() + "#" + m.getStep()).collect(Collectors.joining(" "));
  }

  static void run(Check check, MlflowClient client) {
    check.that("values read back to the last bit", () -> {
      String run = Check.newRun(client);
      double[] values = {0.1 + 0.2, Double.MIN_VALUE, Double.MAX_VALUE, -1.0 / 3, 9007199254740993.0, 1e-300};
      for (int i = 0; i < values.length; i++) {
        client.logMetric(run, "m" + i, values[i], 4_102_444_800_123L, -i);
        Metric point = client.getMetricHistory(run, "m" + i).get(0);
        Check.equal(Double.doubleToLongBits(point.getValue()), Double.doubleToLongBits(values[i]));
        Check.equal(point.getTimestamp() + "#" + point.getStep(), "4102444800123#" + -i);
      }
    });

    check.that("NaN stays NaN and infinities become the largest doubles", () -> {
      String run = Check.newRun(client);
      client.logMetric(run, "nan", Double.NaN);
      client.logMetric(run, "up", Double.POSITIVE_INFINITY);
      client.logMetric(run, "down", Double.NEGATIVE_INFINITY);
      Check.equal(RunsSuite.metrics(client.getRun(run)).get("nan"), Double.NaN);
      Check.equal(client.getMetricHistory(run, "nan").get(0).getValue(), Double.NaN);
      Check.equal(RunsSuite.metrics(client.getRun(run)).get("up"), Double.MAX_VALUE);
      Check.equal(RunsSuite.metrics(client.getRun(run)).get("down"), -Double.MAX_VALUE);
    });

    check.that("a history is ordered by time, step and value, without duplicates", () -> {
      String run = Check.newRun(client);
      client.logMetric(run, "m", 3.0, 30, 0);
      client.logMetric(run, "m", 1.0, 10, 7);
      client.logMetric(run, "m", 2.0, 20, -4);
      client.logMetric(run, "m", 5.0, 10, 2);
      client.logMetric(run, "m", 0.5, 10, 7);
      client.logMetric(run, "m", 1.0, 10, 7);
      Check.equal(points(client.getMetricHistory(run, "m")), "5.0@10#2 0.5@10#7 1.0@10#7 2.0@20#-4 3.0@30#0");
      Check.equal(RunsSuite.metrics(client.getRun(run)).get("m"), 1.0);
      Check.equal(client.getMetricHistory(run, "absent"), List.of());
    });
  }
}
