// A client of @hey-api/openapi-ts.

import { decode, encode, generate, listModels, reconstruct } from "./generated/hey_api";
import { client } from "./generated/hey_api/client.gen";
import { MODEL, base64, form, image, imageInBase64, run, task } from "./task";

client.setConfig({ baseUrl: task.address, auth: task.key });
const path = { model: MODEL };
const throwOnError = true;

run(async () => {
  const models = await listModels({ throwOnError });
  const encoded = await encode({ path, body: { samples: task.samples }, throwOnError });
  const decoded = await decode({ path, body: { latents: task.latents }, throwOnError });
  const reconstructed = await reconstruct({ path, body: { samples: task.samples }, throwOnError });
  const generated = await generate({ path, query: { count: 2, seed: 7 }, throwOnError });
  const imageInJson = await encode({ path, body: { images: [imageInBase64] }, throwOnError });
  // The types have one media type, JSON: cast another body, and send it unchanged.
  const imageAsBody = await encode({
    path,
    body: image as never,
    bodySerializer: null,
    headers: { "Content-Type": "image/png" },
    throwOnError,
  });
  const imagesInForm = await encode({
    path,
    body: form() as never,
    bodySerializer: null,
    headers: { "Content-Type": null },
    throwOnError,
  });
  const npy = await decode({
    path,
    body: { latents: task.latents },
    headers: { Accept: "application/x-npy" },
    parseAs: "arrayBuffer",
    throwOnError,
  });
  const png = await decode({
    path,
    body: { latents: task.latents },
    headers: { Accept: "image/png" },
    parseAs: "blob",
    throwOnError,
  });
  const wrong = await decode({ path, body: { latents: [[1, 2, 3]] } });
  const refused = await listModels({ auth: "" });
  return {
    models: models.data.models.map((manifest) => manifest.name),
    encoded: encoded.data.latents,
    decoded: decoded.data.samples,
    reconstructed: reconstructed.data.errors,
    generated: generated.data.samples,
    seed: generated.data.seed,
    imageInJson: imageInJson.data.latents,
    imageAsBody: imageAsBody.data.latents,
    imagesInForm: imagesInForm.data.latents,
    npy: await base64(npy.data as unknown as ArrayBuffer),
    png: await base64(png.data as unknown as Blob),
    problem: [wrong.error!.code, wrong.error!.status],
    unauthorized: [refused.error!.code, refused.error!.status],
  };
});
