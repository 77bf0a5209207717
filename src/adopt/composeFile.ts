import { resolve } from "node:path";
import { parse } from "yaml";
import { type OldService, placeOf, variablesOf, withoutDigest } from "./oldService.js";

/** The services of a compose file of somebody else's. Everything in it may have a short form. */

type Part = Readonly<Record<string, unknown>>;

const partOf = (value: unknown): Part =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Part) : {};
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown): string => (value === undefined || value === null ? "" : String(value));

/** A map, or a list of NAME=value. */
const pairsOf = (value: unknown): Record<string, string> =>
  Array.isArray(value)
    ? variablesOf(value.map(textOf))
    : Object.fromEntries(Object.entries(partOf(value)).map(([name, inner]) => [name, textOf(inner)]));

/** `${NAME}`, `${NAME:-default}` and `$$`, as compose reads them. */
const interpolated = (text: string, environment: Readonly<Record<string, string | undefined>>): string =>
  text.replace(
    /\$(?:(\$)|\{(\w+)(?::?-([^}]*))?\}|(\w+))/g,
    (_, dollar?: string, name?: string, fallback = "", bare?: string) =>
      dollar ?? (environment[name ?? bare ?? ""] || fallback),
  );

/**
 * The services of a compose file, as `docker stack deploy` would make them. Pure.
 *
 * @param stack what the names of networks, volumes and files begin with
 * @param environment where `${NAME}` is looked up
 * @param folder of the file, which relative paths begin at
 */
export function fromCompose(
  text: string,
  stack: string,
  environment: Readonly<Record<string, string | undefined>>,
  folder: string,
): OldService[] {
  const file = partOf(
    parse(text, (_, value) => (typeof value === "string" ? interpolated(value, environment) : value), {
      merge: true,
      logLevel: "silent",
    }),
  );
  /** The name of a network, volume, secret or config in the Swarm. */
  const named = (section: string, key: string): { name: string; external: boolean } => {
    const { name, external } = partOf(partOf(file[section])[key]);
    const outside = textOf(partOf(external).name);
    const isExternal = external !== undefined && external !== false;
    return { name: textOf(name) || outside || (isExternal ? key : `${stack}_${key}`), external: isExternal };
  };
  const filesOf = (kind: "secret" | "config", list: unknown) =>
    listOf(list).map((entry) => {
      const { source, target } = typeof entry === "string" ? { source: entry, target: "" } : partOf(entry);
      const path = textOf(partOf(partOf(file[`${kind}s`])[textOf(source)]).file);
      return {
        kind,
        ...(path === "" ? {} : { path: resolve(folder, path) }),
        name: named(`${kind}s`, textOf(source)).name,
        target: placeOf(kind, textOf(target) || textOf(source)),
      };
    });
  return Object.entries(partOf(file.services)).map(([key, value]) => {
    const service = partOf(value);
    const deploy = partOf(service.deploy);
    const networks = Array.isArray(service.networks)
      ? service.networks.map(textOf)
      : Object.keys(partOf(service.networks));
    return {
      name: `${stack}_${key}`,
      stack,
      image: withoutDigest(textOf(service.image)),
      user: textOf(service.user),
      environment: pairsOf(service.environment),
      labels: { ...pairsOf(service.labels), ...pairsOf(deploy.labels) },
      mounts: listOf(service.volumes).map((entry) =>
        mountOf(entry, folder, (name) => named("volumes", name).name),
      ),
      files: [...filesOf("secret", service.secrets), ...filesOf("config", service.configs)],
      networks: networks.map((name) => named("networks", name)),
      constraints: listOf(partOf(deploy.placement).constraints).map(textOf),
      ports: listOf(service.ports).flatMap(portOf),
      dnsrr: textOf(deploy.endpoint_mode) === "dnsrr",
    };
  });
}

function mountOf(entry: unknown, folder: string, volumeName: (name: string) => string) {
  const { type, source, target } = typeof entry === "string" ? shortMount(entry) : partOf(entry);
  const isPath = /^[./~]/.test(textOf(source));
  const kind = textOf(type) || (isPath ? "bind" : "volume");
  const name = textOf(source);
  return {
    type: kind,
    source: name === "" ? "" : kind === "volume" ? volumeName(name) : resolve(folder, name),
    target: textOf(target),
  };
}

function shortMount(entry: string): Part {
  const [first = "", second] = entry.split(":");
  return second === undefined ? { target: first } : { source: first, target: second };
}

function portOf(entry: unknown): { target: number; published: number }[] {
  if (typeof entry === "object") {
    const { target, published } = partOf(entry);
    return published === undefined ? [] : [{ target: Number(target), published: Number(published) }];
  }
  const words = textOf(entry)
    .replace(/\/\w+$/, "")
    .split(":");
  return words.length < 2 ? [] : [{ target: Number(words.at(-1)), published: Number(words.at(-2)) }];
}
