import { parse } from "yaml";
import { ExitCode, OperatorError } from "../errors.js";
import type { ComposedStack } from "./composedService.js";

/**
 * Reads a compose file that Hephaestus rendered, in the way of `docker stack deploy` (docker/cli, cli/compose/loader and
 * interpolation). `docker stack config` prints the same, but the CLI of line 20.10 does not have it. What
 * src/stack/compose.ts can hold is read, and the short forms of lists; a short form of a mount or a port is refused.
 */

type Yaml = string | Yaml[] | { [key: string]: Yaml };
type Group = { [key: string]: Yaml };

/**
 * The stack of a compose file. Pure.
 *
 * @param text the file
 * @param environment what `${NAME}` and `${NAME:-default}` stand for
 * @throws OperatorError where the file has a form that is not read
 */
export function readComposeFile(text: string, environment: Readonly<Record<string, string>>): ComposedStack {
  // Each value as it stands there (YAML's failsafe schema), whatever it looks like: a variable may be 0o17 or yes.
  const file = group(parse(text, { schema: "failsafe" }) as Yaml);
  const read = (part: string) => group(interpolate(file[part] ?? {}, environment));
  return {
    services: mapGroup(read("services"), readService),
    networks: read("networks"),
    configs: read("configs"),
    secrets: read("secrets"),
  } as unknown as ComposedStack;
}

/** Names of a compose file's services. Pure. */
export const composeServices = (text: string): string[] =>
  Object.keys(group(group(parse(text, { schema: "failsafe" }) as Yaml).services ?? {}));

/** A `$$` is a dollar sign; keys stay as they are. */
function interpolate(value: Yaml, environment: Readonly<Record<string, string>>): Yaml {
  if (Array.isArray(value)) return value.map((entry) => interpolate(entry, environment));
  if (typeof value !== "string") return mapGroup(value, (entry) => interpolate(entry, environment));
  return value.replace(VARIABLE, (_, braced: string, operator: string, fallback: string, bare: string) => {
    const name = braced ?? bare;
    if (name === undefined) return "$";
    const given = environment[name];
    const isMissing = operator === ":-" ? !given : given === undefined;
    return (isMissing ? fallback : given) ?? "";
  });
}

/** `$$`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `$NAME`. */
const VARIABLE = /\$(?:\$|\{([a-z_]\w*)(?:(:?-)([^}]*))?\}|([a-z_]\w*))/gi;

/** What has another form or unit in the file than in what docker makes of it. */
function readService(service: Yaml): Yaml {
  const { environment, labels, networks, volumes, configs, secrets, deploy, ...rest } = group(service);
  const words = Object.fromEntries(
    ["entrypoint", "command"].filter((key) => key in rest).map((key) => [key, list(rest[key], key)]),
  );
  return {
    ...rest,
    ...words,
    ...given("environment", environment, variables),
    ...given("labels", labels, variables),
    ...given("networks", networks, (value) =>
      sorted(
        Array.isArray(value) ? Object.fromEntries(value.map((name) => [String(name), ""])) : group(value),
      ),
    ),
    ...given("volumes", volumes, (value) => list(value, "volumes").map(readVolume)),
    ...given("ports", rest.ports, (value) => list(value, "ports").map((port) => longForm(port, "ports"))),
    ...given("configs", configs, (value) => list(value, "configs").map(readFileMount)),
    ...given("secrets", secrets, (value) => list(value, "secrets").map(readFileMount)),
    ...given("deploy", deploy, readDeploy),
  };
}

/** `[NAME=value]` is a list of what else stands in a map. */
const variables = (value: Yaml): Yaml =>
  sorted(
    Array.isArray(value)
      ? Object.fromEntries(
          value.map((entry) => {
            const [name = "", ...rest] = String(entry).split("=");
            return [name, rest.join("=")];
          }),
        )
      : group(value),
  );

/** In the order of the keys, as docker has what it read from a map. */
const sorted = (values: Group): Group =>
  Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));

function readVolume(volume: Yaml): Yaml {
  const { tmpfs, ...rest } = longForm(volume, "volumes");
  return {
    ...rest,
    ...given("tmpfs", tmpfs, (value) => ({ ...group(value), size: bytes(group(value).size) })),
  };
}

function readFileMount(mount: Yaml): Yaml {
  if (typeof mount === "string") return { source: mount };
  const { mode, ...rest } = group(mount);
  return { ...rest, ...given("mode", mode, (value) => String(wholeNumber(String(value)))) };
}

function readDeploy(deploy: Yaml): Yaml {
  const { labels, resources, ...rest } = group(deploy);
  return {
    ...rest,
    ...given("labels", labels, variables),
    ...given("resources", resources, (value) =>
      mapGroup(group(value), (amounts) => {
        const { memory, ...others } = group(amounts);
        return { ...others, ...given("memory", memory, bytes) };
      }),
    ),
  };
}

/** As YAML 1.1 writes numbers: `0400` and `0o400` are octal. */
const wholeNumber = (text: string): number =>
  /^0o?[0-7]+$/.test(text) ? Number.parseInt(text.replace(/^0o?/, ""), 8) : Number(text);

const UNITS = ["", "k", "m", "g", "t", "p"];

/** "1G", "512mb" and "64MiB" in bytes. Source: docker/go-units, RAMInBytes. */
function bytes(size: Yaml | undefined): string {
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(String(size)) ?? [];
  if (amount === "") throw unreadable(`${String(size)} is no size`);
  return String(Math.floor(Number(amount) * 1024 ** UNITS.indexOf(unit.toLowerCase())));
}

const given = (key: string, value: Yaml | undefined, read: (value: Yaml) => Yaml): Group =>
  value === undefined ? {} : { [key]: read(value) };

const mapGroup = (values: Group, change: (value: Yaml) => Yaml): Group =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]));

/** A part without content is null, which is the text "null" or "" here. */
const group = (value: Yaml | undefined): Group =>
  typeof value === "object" && !Array.isArray(value) ? value : {};

function list(value: Yaml | undefined, part: string): Yaml[] {
  if (Array.isArray(value)) return value;
  throw unreadable(`${part} is no list`);
}

function longForm(value: Yaml, part: string): Group {
  if (typeof value === "object" && !Array.isArray(value)) return value;
  throw unreadable(`${part} has the short form ${String(value)}`);
}

const unreadable = (message: string) =>
  new OperatorError(message, {
    where: "compose file",
    remedy: "Write it as hephaestus render does, or render the file again.",
    exitCode: ExitCode.config,
  });
