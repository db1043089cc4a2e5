// Clients of orval: one for each media type. They cannot send a file as the body, but a form of one file.

import { encode as encodeForm } from "./generated/form/client";
import { decode, encode, generate, listModels, reconstruct } from "./generated/json/client";
import { decode as decodeToNpy } from "./generated/npy/client";
import { decode as decodeToPng } from "./generated/png/client";
import { MODEL, base64, image, imageInBase64, run, task } from "./task";

/** Return the data of an answer of status 200. */
function ok<T extends { status: unknown; data: unknown }>(answer: T): Extract<T, { status: 200 }>["data"] {
  if (answer.status !== 200) throw new Error(JSON.stringify(answer));
  return (answer as Extract<T, { status: 200 }>).data;
}

run(async () => {
  const latents = { latents: task.latents };
  const generated = ok(await generate(MODEL, { count: 2, seed: 7 }));
  const wrong = await decode(MODEL, { latents: [[1, 2, 3]] });
  const refused = await listModels({ headers: { "X-API-Key": "unknown" } });
  if (wrong.status === 200 || refused.status === 200) throw new Error("expected errors");
  return {
    models: ok(await listModels()).models.map((manifest) => manifest.name),
    encoded: ok(await encode(MODEL, { samples: task.samples })).latents,
    decoded: ok(await decode(MODEL, latents)).samples,
    reconstructed: ok(await reconstruct(MODEL, { samples: task.samples })).errors,
    generated: generated.samples,
    seed: generated.seed,
    imageInJson: ok(await encode(MODEL, { images: [imageInBase64] })).latents,
    imageAsBody: ok(await encodeForm(MODEL, { images: [image] })).latents,
    imagesInForm: ok(await encodeForm(MODEL, { images: [image, image] })).latents,
    npy: await base64(ok(await decodeToNpy(MODEL, latents, {}, { headers: { Accept: "application/x-npy" } }))),
    png: await base64(ok(await decodeToPng(MODEL, latents, {}, { headers: { Accept: "image/png" } }))),
    problem: [wrong.data.code, wrong.data.status],
    unauthorized: [refused.data.code, refused.data.status],
  };
});
