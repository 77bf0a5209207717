import { createHash } from "node:crypto";

/** Digests of content. Source: OCI image specification, descriptor.md. */

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/**
 * The digest of content that is read piece by piece.
 *
 * @param onBytes gets the length of each piece
 */
export async function digestOfStream(
  content: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of content) {
    hash.update(chunk);
    onBytes(chunk.length);
  }
  return `sha256:${hash.digest("hex")}`;
}
