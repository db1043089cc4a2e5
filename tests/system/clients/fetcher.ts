// The requests of orval's clients: they add the address and the key, and read each answer as its media type says.

import { task } from "./task";

export async function fetcher<T>(path: string, options: RequestInit): Promise<T> {
  const headers = { "X-API-Key": task.key, ...options.headers };
  const answer = await fetch(task.address + path, { ...options, headers });
  const isJson = answer.headers.get("Content-Type")?.endsWith("json");
  const data: unknown = isJson ? await answer.json() : await answer.blob();
  return { data, status: answer.status, headers: answer.headers } as T;
}
