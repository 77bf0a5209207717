/** What the probes share. */

import { type Image, MANIFEST_TYPE } from "../../e2e/attacks/image.js";
import { type Answer, basic, type Endpoint, ask as rawAsk } from "../../e2e/attacks/raw.js";
import { PASSWORD, USER } from "../../e2e/stack.js";
import type { HeldChecks } from "./heldChecks.js";

/** A gateway for pull: anonymous, and what is around it. */
export interface Site {
  endpoint: Endpoint;
  image: Image;
  /** The registry's folder on disk. */
  storage: string;
  /** What the gateway sends to the registry for a user who writes. */
  machineAuthorization: string;
  log(): Promise<string>;
  /** What the mirror was asked, where there is one. */
  heard: readonly string[];
  /** Where checks are held. */
  checks?: HeldChecks;
}

/** @throws Error where no answer comes: nothing about a rule is known then */
export async function ask(...question: Parameters<typeof rawAsk>): Promise<Answer & { status: number }> {
  const { status, ...rest } = await rawAsk(...question);
  if (status === undefined) throw new Error(`${question[1]} ${question[2]} has no answer`);
  return { status, ...rest };
}

/** Something that must hold at a gateway; an AssertionError says that it does not. The rules' tests break each one. */
export type Probe = (site: Site) => Promise<void>;

export const RIGHT = basic(USER, PASSWORD);
export const ANONYMOUS = "Authorization: Bearer anonymous";
export const OCI = `Accept: ${MANIFEST_TYPE}`;

/** Headers by which a proxy says where a request came from, with an attacker's words. */
export const EVIL = [
  "X-Forwarded-Host: evil.example",
  "X-Forwarded-Proto: gopher",
  "X-Forwarded-For: 203.0.113.9",
  "Forwarded: host=evil.example;proto=gopher",
];

let guesses = 0;

/** A wrong password, another one each time. */
export const wrong = (): string => basic(USER, `wrong-${++guesses}`);

export const manifest = ({ image }: Site): string => `/v2/${image.repository}/manifests/${image.tag}`;

/** A read that needs a password: there is no such upload. */
export const uploadState = ({ image }: Site): string =>
  `/v2/${image.repository}/blobs/uploads/00000000-0000-4000-8000-000000000000`;

export async function cancel(endpoint: Endpoint, target: string): Promise<void> {
  await ask(endpoint, "DELETE", target, [RIGHT]);
}
