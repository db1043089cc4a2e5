// A client of openapi-generator's typescript-fetch.

import { Configuration, ModelsApi, ProblemFromJSON, ResponseError, TasksApi } from "./generated/openapi_generator";
import type { InitOverrideFunction } from "./generated/openapi_generator";
import { MODEL, base64, form, image, imageInBase64, run, task } from "./task";

const configuration = new Configuration({ basePath: task.address, apiKey: task.key });
const [models, tasks] = [new ModelsApi(configuration), new TasksApi(configuration)];

/** Replace the body, whose types have one media type, JSON. */
function send(body: Blob | FormData): InitOverrideFunction {
  return async ({ init }) => {
    const { "Content-Type": _, ...headers } = init.headers as Record<string, string>;
    return { ...init, body, headers };
  };
}

function accept(type: string): InitOverrideFunction {
  return async ({ init }) => ({ ...init, headers: { ...init.headers, Accept: type } });
}

async function problem(answer: Promise<unknown>): Promise<[string, number]> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    const { code, status } = ProblemFromJSON(await error.response.json());
    return [code, status];
  }
  throw new Error("expected an error");
}

run(async () => {
  const latentsIn = { latents: task.latents };
  const unused = { images: [] };
  const generated = await tasks.generate({ model: MODEL, count: 2, seed: 7 });
  const npy = await tasks.decodeRaw({ model: MODEL, latentsIn }, accept("application/x-npy"));
  const png = await tasks.decodeRaw({ model: MODEL, latentsIn }, accept("image/png"));
  const stranger = new ModelsApi(new Configuration({ basePath: task.address }));
  return {
    models: (await models.listModels()).models.map((manifest) => manifest.name),
    encoded: (await tasks.encode({ model: MODEL, samplesBody: { samples: task.samples } })).latents,
    decoded: (await tasks.decode({ model: MODEL, latentsIn })).samples,
    reconstructed: (await tasks.reconstruct({ model: MODEL, samplesBody: { samples: task.samples } })).errors,
    generated: generated.samples,
    seed: generated.seed,
    imageInJson: (await tasks.encode({ model: MODEL, samplesBody: { images: [imageInBase64] } })).latents,
    imageAsBody: (await tasks.encode({ model: MODEL, samplesBody: unused }, send(image))).latents,
    imagesInForm: (await tasks.encode({ model: MODEL, samplesBody: unused }, send(form()))).latents,
    npy: await base64(await npy.raw.arrayBuffer()),
    png: await base64(await png.raw.arrayBuffer()),
    problem: await problem(tasks.decode({ model: MODEL, latentsIn: { latents: [[1, 2, 3]] } })),
    unauthorized: await problem(stranger.listModels()),
  };
});
