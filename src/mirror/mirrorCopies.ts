import type { Secret } from "../credentials/secret.js";
import type { Docker } from "../docker/run.js";
import { isOfManifest, readGatewayLog } from "../frontDoor/gatewayLog.js";
import type { RegistryApi } from "../registry/registryApi.js";
import { otherRegistry } from "./otherRegistry.js";
import { isUpToDate, type MirroredImage, type MirrorReport } from "./regsyncLog.js";

/** An image here, beside the one that it is a copy of. */
export interface ImageCopy {
  /** Registry, repository and tag of the source. */
  source: string;
  /** The repository here. */
  repository: string;
  tag: string;
  /** The digest here; undefined where it is not there. */
  here: string | undefined;
  /** The digest at the source; undefined where this machine cannot ask for it. */
  there: string | undefined;
  state: "same" | "differs" | "missing" | "failed";
}

export interface CopyLookup {
  /** The registry of the stack. */
  here: RegistryApi;
  /** Its name in targets. */
  registry: string;
  /** Registries that speak HTTP without TLS. */
  plain: readonly string[];
  signal: AbortSignal;
  /** Reads a Docker config.json, where a source has to be asked. */
  logins: () => Secret | undefined;
}

/**
 * The copies that a check of the mirror found. Digests of images that are the same are one; others are asked
 * for at the source from this machine, which may reach less than the Swarm does.
 */
export async function copiesOf(report: MirrorReport, lookup: CopyLookup): Promise<ImageCopy[]> {
  const copies: ImageCopy[] = [];
  for (const image of report.images) {
    const [repository, tag] = nameOf(image.target, lookup.registry);
    const here = await lookup.here.digestOf(repository, tag);
    const there = isUpToDate(image) ? here : await digestThere(image, lookup);
    copies.push({ source: image.source, repository, tag, here, there, state: stateOf(image, here) });
  }
  return copies.sort((a, b) =>
    `${a.repository}:${a.tag}`.localeCompare(`${b.repository}:${b.tag}`, "en", { numeric: true }),
  );
}

function stateOf(image: MirroredImage, here: string | undefined): ImageCopy["state"] {
  if (isUpToDate(image)) return "same";
  if (image.state === "failed") return "failed";
  return here === undefined ? "missing" : "differs";
}

function nameOf(target: string, registry: string): [repository: string, tag: string] {
  const [, repository = "", tag = ""] = /^(.+):([^:/]+)$/.exec(target.replace(`${registry}/`, "")) ?? [];
  return [repository, tag];
}

async function digestThere({ source }: MirroredImage, lookup: CopyLookup): Promise<string | undefined> {
  const [, name = "", repository = "", tag = ""] = /^([^/]+)\/(.+):([^:/]+)$/.exec(source) ?? [];
  const signal = AbortSignal.any([lookup.signal, AbortSignal.timeout(10_000)]);
  const api = otherRegistry({
    name,
    plainHttp: lookup.plain.includes(name),
    logins: lookup.logins(),
    signal,
  });
  return api.digestOf(repository, tag).catch(() => undefined);
}

/** Who pushes as the mirror. */
const MIRROR_USER_NAME = /^hephaestus-mirror(?:-\d+)?$/;

/** When the mirror last pushed each `repository:tag`, as far as the gateway's log goes back. */
export async function lastCopies(
  docker: Docker,
  stack: string,
): Promise<{ last: Map<string, Date>; missing: string[] }> {
  const last = new Map<string, Date>();
  const { missing } = await readGatewayLog(docker, stack, undefined, (access) => {
    const { at, user, action, repository, reference, status } = access;
    if (action !== "push" || status >= 400 || !MIRROR_USER_NAME.test(user ?? "") || !isOfManifest(access))
      return;
    const name = `${repository}:${reference}`;
    const known = last.get(name);
    if (known === undefined || known < at) last.set(name, at);
  });
  return { last, missing };
}
