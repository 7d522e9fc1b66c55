import java.util.List;
import org.mlflow.tracking.MlflowClient;

/** java -cp … Conformance TRACKING_URI */
public final class Conformance {
  public static void main(String[] arguments) {
    String uri = arguments[0];
    List<Check> topics = List.of(
        new Check("experiments"), new Check("runs"), new Check("batches"), new Check("metrics"),
        new Check("search"), new Check("artifacts"), new Check("errors"), new Check("registry"));
    try (MlflowClient client = new MlflowClient(uri)) {
      ExperimentsSuite.run(topics.get(0), client);
      RunsSuite.run(topics.get(1), client, uri);
      BatchesSuite.run(topics.get(2), client);
      MetricsSuite.run(topics.get(3), client);
      SearchSuite.run(topics.get(4), client);
      ArtifactsSuite.run(topics.get(5), client);
      ErrorsSuite.run(topics.get(6), client);
      RegistrySuite.run(topics.get(7), client);
    }
    System.exit(topics.stream().allMatch(Check::passed) ? 0 : 1);
  }
}
