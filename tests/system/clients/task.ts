// The inputs of each program, which its test writes, and the results that its test compares with another client's.

import { readFileSync } from "node:fs";

export interface Task {
  address: string;
  key: string;
  samples: number[][];
  latents: number[][];
  /** The path of a PNG file. */
  image: string;
}

export interface Results {
  models: string[];
  encoded: number[][];
  decoded: unknown;
  reconstructed: number[];
  generated: unknown;
  seed: number | undefined;
  /** Latents of an image in JSON, as base64; of an image as the body; of a form with two. */
  imageInJson: number[][];
  imageAsBody: number[][];
  imagesInForm: number[][];
  /** Bytes of an answer, as base64. */
  npy: string;
  png: string;
  /** The code and the status of an error. */
  problem: [string, number];
  unauthorized: [string, number];
}

export const MODEL = "mnist-vae-2d";
export const task: Task = JSON.parse(readFileSync(process.argv[2]!, "utf8"));
export const image = new Blob([readFileSync(task.image)], { type: "image/png" });
export const imageInBase64 = readFileSync(task.image).toString("base64");

export function form(): FormData {
  const form = new FormData();
  form.append("images", image, "one.png");
  form.append("images", image, "two.png");
  return form;
}

export async function base64(content: ArrayBuffer | Blob): Promise<string> {
  return Buffer.from(content instanceof Blob ? await content.arrayBuffer() : content).toString("base64");
}

export function report(results: Results): void {
  console.log(JSON.stringify(results));
}

/** End with an error, and not in silence, if an awaited promise is rejected. */
export function run(program: () => Promise<Results>): void {
  program().then(report, (error) => {
    console.error(error);
    process.exit(1);
  });
}
