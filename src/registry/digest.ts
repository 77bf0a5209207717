import { createHash } from "node:crypto";
import { z } from "zod";

/** Digests of content. Source: OCI image specification, descriptor.md. */

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Reads a digest out of a document from outside. Everything that takes a `Digest` may put it into a path. */
export const digestSchema = z.string().regex(DIGEST, "is no digest of the form sha256:…").brand<"Digest">();

/** A digest whose form was checked, or that was computed here. */
export type Digest = z.infer<typeof digestSchema>;

export const isDigest = (value: unknown): value is Digest => typeof value === "string" && DIGEST.test(value);

/** The hash of a digest, in hexadecimal digits. */
export const hexOf = (digest: Digest): string => digest.slice("sha256:".length);

/** Computes a digest piece by piece. */
export class Hashing {
  private readonly hash = createHash("sha256");

  update(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  /** Of what came by; once. */
  digest(): Digest {
    return `sha256:${this.hash.digest("hex")}` as Digest;
  }
}

export function digestOf(bytes: Uint8Array): Digest {
  const hashing = new Hashing();
  hashing.update(bytes);
  return hashing.digest();
}

/**
 * The digest of content that is read piece by piece.
 *
 * @param onBytes gets the length of each piece
 */
export async function digestOfStream(
  content: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Digest> {
  const hashing = new Hashing();
  for await (const chunk of content) {
    hashing.update(chunk);
    onBytes(chunk.length);
  }
  return hashing.digest();
}
