import { z } from "zod";
import { Secret } from "../credentials/secret.js";
import type { Login } from "../credentials/userLogin.js";
import { parseJson } from "../json.js";
import { RegistryApi } from "../registry/registryApi.js";
import { RegistryClient } from "../registry/registryClient.js";

/** Where Docker Hub's registry is. Source: distribution/reference and docker/docs, "Docker Hub API". */
const HUB = { name: "docker.io", host: "registry-1.docker.io", login: "https://index.docker.io/v1/" };

/** Registries that Docker asks without TLS. Source: Docker docs, "Insecure registries". */
const LOCAL = /^(?:localhost|127\.[\d.]+)(?::\d+)?$/;

export interface OtherRegistry {
  /** As image names have it: docker.io, hub.example.com:5000. */
  name: string;
  /** Whether it speaks HTTP without TLS. */
  plainHttp?: boolean;
  /** A Docker config.json. */
  logins: Secret | undefined;
  signal: AbortSignal;
}

/** The API of a registry that is not the stack's. */
export function otherRegistry({
  name,
  plainHttp = LOCAL.test(name),
  logins,
  signal,
}: OtherRegistry): RegistryApi {
  const url = `${plainHttp ? "http" : "https"}://${name === HUB.name ? HUB.host : name}`;
  return new RegistryApi(new RegistryClient(url, loginAt(name, logins), { signal }));
}

const loginsSchema = z.object({ auths: z.record(z.string(), z.object({ auth: z.string() })) });

/** The login of a Docker config.json at a registry. */
function loginAt(registry: string, logins: Secret | undefined): Login | undefined {
  if (logins === undefined) return undefined;
  const { auths } = parseJson(loginsSchema, logins.reveal());
  const ofHub = registry === HUB.name ? auths[HUB.login] : undefined;
  const { auth = "" } = auths[registry] ?? auths[`https://${registry}`] ?? ofHub ?? {};
  const [, user = "", password = ""] = /^([^:]+):(.*)$/s.exec(Buffer.from(auth, "base64").toString()) ?? [];
  return user === "" ? undefined : { user, password: new Secret(password) };
}
