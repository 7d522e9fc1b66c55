import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.mlflow.api.proto.Service.FileInfo;
import org.mlflow.tracking.MlflowClient;

/** The Java client has no transport of its own for proxied artifacts: it runs the Python client, so one must be on the path. */
final class ArtifactsSuite {
  private static String sha256(Path file) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
  }

  private static List<String> paths(List<FileInfo> files) {
    return files.stream().map(FileInfo::getPath).sorted().collect(Collectors.toList());
  }

  static void run(Check check, MlflowClient client) {
    check.that("files and folders go up, are listed, and come down byte for byte", () -> {
      Path up = Files.createTempDirectory("lazuli-java-up");
      byte[] noise = new byte[300_000];
      new Random(5).nextBytes(noise);
      Files.write(up.resolve("noise.bin"), noise);
      Files.createDirectories(up.resolve("deep/er"));
      Files.writeString(up.resolve("deep/er/text.txt"), "Zeile ✓\n");
      String run = Check.newRun(client);
      client.logArtifact(run, up.resolve("noise.bin").toFile());
      client.logArtifacts(run, up.toFile(), "folder");
      Check.equal(paths(client.listArtifacts(run)), List.of("folder", "noise.bin"));
      List<FileInfo> inside = client.listArtifacts(run, "folder");
      Check.equal(paths(inside), List.of("folder/deep", "folder/noise.bin"));
      Check.equal(inside.stream().filter(f -> !f.getIsDir()).findFirst().get().getFileSize(), 300_000L);
      File down = client.downloadArtifacts(run, "folder");
      Check.equal(sha256(down.toPath().resolve("noise.bin")), sha256(up.resolve("noise.bin")));
      Check.equal(Files.readString(down.toPath().resolve("deep/er/text.txt")), "Zeile ✓\n");
    });
  }
}
