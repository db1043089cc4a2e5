// Java's HttpClient offers h2c with every request without TLS; all its bodies must be answered, and read once.
// java HttpClients.java ADDRESS FOLDER: the folder has image.png, rows.json and, in single/, 100 bodies of one sample.

import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

class HttpClients {
    static final int SINGLE = 100;

    final HttpClient client;
    final String address;

    HttpClients(HttpClient client, String address) {
        this.client = client;
        this.address = address;
    }

    HttpRequest encode(BodyPublisher body, String type, boolean expectContinue) {
        return HttpRequest.newBuilder(URI.create(address + "/v1/models/mnist-ae/encode"))
            .timeout(Duration.ofSeconds(60))
            .header("Content-Type", type)
            .header("Accept", "application/x-npy")
            .expectContinue(expectContinue)
            .POST(body)
            .build();
    }

    /** Print the name of an answer, its status, its version of HTTP, and the numbers of its file as hexadecimal. */
    static void report(String name, HttpResponse<byte[]> answer) {
        StringBuilder hex = new StringBuilder();
        for (byte each : answer.body()) hex.append(String.format("%02x", each));
        System.out.println(name + " " + answer.statusCode() + " " + answer.version() + " " + hex);
    }

    void send(String name, BodyPublisher body, String type, boolean expectContinue) throws Exception {
        report(name, client.send(encode(body, type, expectContinue), BodyHandlers.ofByteArray()));
    }

    static BodyPublisher stream(Path path) {
        return BodyPublishers.ofInputStream((Supplier<FileInputStream>) () -> {
            try {
                return new FileInputStream(path.toFile());
            } catch (java.io.IOException error) {
                throw new java.io.UncheckedIOException(error);
            }
        });
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[1]);
        Path image = folder.resolve("image.png"), rows = folder.resolve("rows.json");
        HttpClients clients = new HttpClients(HttpClient.newHttpClient(), arguments[0]);  // HTTP/2 is its default
        String json = "application/json", png = "image/png";
        clients.send("image", BodyPublishers.ofFile(image), png, false);
        clients.send("image-chunked", stream(image), png, false);
        clients.send("image-expected", BodyPublishers.ofFile(image), png, true);
        clients.send("rows", BodyPublishers.ofFile(rows), json, false);
        clients.send("rows-chunked", stream(rows), json, false);
        clients.send("rows-expected", BodyPublishers.ofFile(rows), json, true);
        List<byte[]> single = new ArrayList<>();
        for (int i = 0; i < SINGLE; i++) single.add(Files.readAllBytes(folder.resolve("single/" + i + ".json")));
        for (int i = 0; i < SINGLE; i++) {
            clients.send("sequential-" + i, BodyPublishers.ofByteArray(single.get(i)), json, false);
        }
        List<CompletableFuture<HttpResponse<byte[]>>> together = new ArrayList<>();
        for (int i = 0; i < SINGLE; i++) {
            byte[] body = single.get(i);
            BodyPublisher publisher = i % 2 == 0
                ? BodyPublishers.ofByteArray(body)
                : BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body));
            together.add(clients.client.sendAsync(clients.encode(publisher, json, false), BodyHandlers.ofByteArray()));
        }
        for (int i = 0; i < SINGLE; i++) report("together-" + i, together.get(i).get());
    }
}
