// orval's functions have one media type each: a target for each that is wanted, and a document with only that one.

/** Leave one media type of bodies and one of answers, and no operation whose body cannot have the first. */
function only(request, answer) {
  return (document) => {
    for (const methods of Object.values(document.paths)) {
      for (const [method, { requestBody, responses }] of Object.entries(methods)) {
        if (requestBody && !requestBody.content[request]) delete methods[method];
        for (const [body, type] of [[requestBody, request], [responses["200"], answer]]) {
          if (body?.content[type]) body.content = { [type]: body.content[type] };
        }
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
