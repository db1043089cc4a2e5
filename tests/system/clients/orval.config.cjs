// orval's functions have one media type each: a target for each that is wanted, and a document with only that one.

function only(request, answer) {
  return (document) => {
    for (const operation of Object.values(document.paths).flatMap(Object.values)) {
      const bodies = [operation.requestBody, operation.responses["200"]];
      for (const [body, type] of [[bodies[0], request], [bodies[1], answer]]) {
        if (body?.content[type]) body.content = { [type]: body.content[type] };
      }
    }
    return document;
  };
}

function target(name, request, answer) {
  return {
    input: { target: "openapi.json", override: { transformer: only(request, answer) } },
    output: {
      client: "fetch",
      target: `generated/${name}/client.ts`,
      schemas: `generated/${name}/models`,
      override: { mutator: { path: "fetcher.ts", name: "fetcher" } },
    },
  };
}

module.exports = {
  json: target("json", "application/json", "application/json"),
  form: target("form", "multipart/form-data", "application/json"),
  npy: target("npy", "application/json", "application/x-npy"),
  png: target("png", "application/json", "image/png"),
};
