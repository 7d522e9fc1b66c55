import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.MlflowHttpException;

/** A test is a sentence and a body; each prints one line, `ok - sentence` or `not ok - sentence`, which the runner counts. */
final class Check {
  interface Body {
    void run() throws Exception;
  }

  private final String topic;
  private final List<String> failed = new ArrayList<>();

  Check(String topic) {
    this.topic = topic;
  }

  boolean passed() {
    return failed.isEmpty();
  }

  void that(String sentence, Body body) {
    String name = "java: " + topic + ": " + sentence;
    try {
      body.run();
      System.out.println("ok - " + name);
    } catch (Throwable problem) {
      failed.add(name);
      System.out.println("not ok - " + name);
      System.out.println("    " + String.valueOf(problem).replace("\n", "\n    "));
      for (StackTraceElement frame : problem.getStackTrace()) {
        if (frame.getFileName() != null && frame.getFileName().endsWith("Suite.java")) System.out.println("    at " + frame);
      }
    }
  }

  static void equal(Object found, Object wanted) {
    if (!Objects.equals(found, wanted)) throw new AssertionError("found " + found + ", wanted " + wanted);
  }

  static void holds(boolean truth, String what) {
    if (!truth) throw new AssertionError("it does not hold that " + what);
  }

  /** The server refuses with this HTTP status, and its body names the code and the words. */
  static void refused(int status, String code, Body body, String... words) throws Exception {
    try {
      body.run();
    } catch (MlflowHttpException refusal) {
      equal(refusal.getStatusCode(), status);
      String answer = refusal.getBodyMessage();
      holds(answer.contains("\"error_code\":\"" + code) || answer.contains("\"error_code\": \"" + code), code + " is in " + answer);
      for (String word : words) holds(answer.contains(word), word + " is in " + answer);
      return;
    }
    throw new AssertionError("nothing was refused");
  }

  static String unique() {
    return "u" + UUID.randomUUID().toString().replace("-", "").substring(0, 11);
  }

  static String newExperiment(MlflowClient client) {
    return client.createExperiment("java-" + UUID.randomUUID());
  }

  static String newRun(MlflowClient client) {
    return client.createRun(newExperiment(client)).getRunId();
  }
}
