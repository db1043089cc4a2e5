// A client of openapi-fetch, with the types of openapi-typescript.

import createClient from "openapi-fetch";

import type { paths } from "./generated/openapi";
import { MODEL, base64, form, image, imageInBase64, run, task } from "./task";

type Json = "application/json" | "application/problem+json";
const client = createClient<paths, Json>({ baseUrl: task.address, headers: { "X-API-Key": task.key } });
const stranger = createClient<paths, Json>({ baseUrl: task.address });
const params = { path: { model: MODEL } };

function data<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

run(async () => {
  const models = data(await client.GET("/v1/models"));
  const encoded = data(await client.POST("/v1/models/{model}/encode", { params, body: { samples: task.samples } }));
  const decoded = data(await client.POST("/v1/models/{model}/decode", { params, body: { latents: task.latents } }));
  const reconstructed = data(
    await client.POST("/v1/models/{model}/reconstruct", { params, body: { samples: task.samples } }),
  );
  const generated = data(
    await client.POST("/v1/models/{model}/generate", { params: { ...params, query: { count: 2, seed: 7 } } }),
  );
  const imageInJson = data(await client.POST("/v1/models/{model}/encode", { params, body: { images: [imageInBase64] } }));
  // A file is a `string` in these types: cast it, and send it unchanged.
  const imageAsBody = data(
    await client.POST("/v1/models/{model}/encode", {
      params,
      body: image as unknown as string,
      bodySerializer: (body) => body,
      headers: { "Content-Type": "image/png" },
    }),
  );
  const imagesInForm = data(
    await client.POST("/v1/models/{model}/encode", { params, body: { images: [] }, bodySerializer: form }),
  );
  const npy = data(
    await client.POST("/v1/models/{model}/decode", {
      params,
      body: { latents: task.latents },
      headers: { Accept: "application/x-npy" },
      parseAs: "arrayBuffer",
    }),
  );
  const png = data(
    await client.POST("/v1/models/{model}/decode", {
      params,
      body: { latents: task.latents },
      headers: { Accept: "image/png" },
      parseAs: "blob",
    }),
  );
  const wrong = await client.POST("/v1/models/{model}/decode", { params, body: { latents: [[1, 2, 3]] } });
  const refused = await stranger.GET("/v1/models");
  return {
    models: models.models.map((manifest) => manifest.name),
    encoded: encoded.latents,
    decoded: decoded.samples,
    reconstructed: reconstructed.errors,
    generated: generated.samples,
    seed: generated.seed,
    imageInJson: imageInJson.latents,
    imageAsBody: imageAsBody.latents,
    imagesInForm: imagesInForm.latents,
    npy: await base64(npy),
    png: await base64(png),
    problem: [wrong.error!.code, wrong.error!.status],
    unauthorized: [refused.error!.code, refused.error!.status],
  };
});
