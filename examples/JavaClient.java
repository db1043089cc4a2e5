// Encode an image and generate one, with Java's own HTTP client (Java 17 or newer, nothing to install).
//
//     java examples/JavaClient.java http://127.0.0.1:8000 docs/images/digit.png digits.png

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;

public class JavaClient {
    public static void main(String[] arguments) throws IOException, InterruptedException {
        URI address = URI.create(arguments[0]);
        HttpClient client = HttpClient.newHttpClient();

        HttpRequest encode = HttpRequest.newBuilder(address.resolve("/v1/models/mnist-vae-2d/encode"))
                .header("Content-Type", "image/png")
                .POST(BodyPublishers.ofFile(Path.of(arguments[1])))
                .build();
        HttpResponse<String> latents = client.send(encode, BodyHandlers.ofString());
        System.out.println(latents.statusCode() + " " + latents.body());

        HttpRequest generate = HttpRequest.newBuilder(address.resolve("/v1/models/mnist-vae/generate?count=16&seed=7"))
                .header("Accept", "image/png")
                .POST(BodyPublishers.noBody())
                .build();
        HttpResponse<byte[]> digits = client.send(generate, BodyHandlers.ofByteArray());
        Files.write(Path.of(arguments[2]), digits.body());
        System.out.println(digits.statusCode() + " " + arguments[2] + ", seed "
                + digits.headers().firstValue("X-Seed").orElseThrow());
    }
}
