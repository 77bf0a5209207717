import { createHash } from "node:crypto";

/** Digits of the digest in the name of a Swarm config. */
const DIGITS = 12;

/** The part of a config's name that stands for its content. */
export const contentDigest = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex").slice(0, DIGITS);

/**
 * The name of a rendered file as a Swarm config. Configs are immutable: another content is another name, and
 * only then does a service roll.
 *
 * @param digest what `contentDigest` returned
 */
export const contentName = (stack: string, file: string, digest: string): string =>
  `${stack}_${file}_${digest}`;
