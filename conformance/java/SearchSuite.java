import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.mlflow.api.proto.Service.CreateRun;
import org.mlflow.api.proto.Service.Run;
import org.mlflow.api.proto.Service.RunInfo;
import org.mlflow.api.proto.Service.RunTag;
import org.mlflow.api.proto.Service.ViewType;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.Page;
import org.mlflow.tracking.RunsPage;

final class SearchSuite {
  static void run(Check check, MlflowClient client) {
    String experiment = Check.newExperiment(client);
    Map<String, String> names = new TreeMap<>();
    for (int i = 0; i < 5; i++) {
      RunInfo info = client.createRun(CreateRun.newBuilder().setExperimentId(experiment).setStartTime(1000 + i)
          .addTags(RunTag.newBuilder().setKey("parity").setValue(i % 2 == 0 ? "even" : "odd")).build());
      names.put(info.getRunId(), String.valueOf((char) ('a' + i)));
      client.logParam(info.getRunId(), "square", String.valueOf(i * i));
      if (i != 2) client.logMetric(info.getRunId(), "score", i == 4 ? Double.NaN : i / 2.0);
    }

    Map<String, String> answers = Map.of(
        "", "abcde",
        "metrics.score >= 0.5", "bd",
        "metrics.score < 1 AND tags.parity = 'even'", "a",
        "params.square = '9'", "d",
        "params.square LIKE '1%'", "be",
        "tags.parity ILIKE 'EV%'", "ace",
        "attributes.start_time > 1002", "de",
        "attributes.status = 'FINISHED'", "",
        "tags.`parity` != 'odd'", "ace");
    new TreeMap<>(answers).forEach((question, answer) -> check.that("the filter \"" + question + "\" finds \"" + answer + "\"", () -> {
      RunsPage page = client.searchRuns(List.of(experiment), question, ViewType.ACTIVE_ONLY, 100, List.of("start_time ASC"));
      Check.equal(text(page, names), answer);
    }));

    Map<String, String> orders = Map.of(
        "start_time DESC", "edcba",
        "metrics.score ASC", "abdec",
        "metrics.score DESC", "dbaec",
        "params.square", "abecd",
        "tags.parity DESC", "dbeca");
    new TreeMap<>(orders).forEach((order, answer) -> check.that("the order \"" + order + "\" gives " + answer + ", in pages too", () -> {
      Check.equal(text(client.searchRuns(List.of(experiment), "", ViewType.ALL, 100, List.of(order)), names), answer);
      StringBuilder paged = new StringBuilder();
      Page<Run> page = client.searchRuns(List.of(experiment), "", ViewType.ALL, 2, List.of(order));
      paged.append(text(page, names));
      while (page.hasNextPage()) {
        page = page.getNextPage();
        paged.append(text(page, names));
      }
      Check.equal(paged.toString(), answer);
    }));

    check.that("a wrong filter and a wrong token are refused", () -> {
      Check.refused(400, "INVALID_PARAMETER_VALUE", () -> client.searchRuns(List.of(experiment), "metrics.score > 'x'"));
      Check.refused(400, "INVALID_PARAMETER_VALUE",
          () -> client.searchRuns(List.of(experiment), "", ViewType.ALL, 10, List.of(), "no token"));
    });
  }

  private static String text(Page<Run> page, Map<String, String> names) {
    StringBuilder text = new StringBuilder();
    for (Run run : page.getItems()) text.append(names.get(run.getInfo().getRunId()));
    return text.toString();
  }
}
