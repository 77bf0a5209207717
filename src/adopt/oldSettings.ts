import { parse } from "yaml";

/**
 * The registry's settings by the names of their variables, from its config file with the environment on top.
 * Source: distribution's configuration.md, "Override specific configuration options".
 */
export function registrySettings(
  environment: Readonly<Record<string, string>>,
  configText: string | undefined,
): Record<string, string> {
  const fromFile =
    configText === undefined ? {} : flat("REGISTRY", parse(configText, { logLevel: "silent" }));
  const storage = environment.REGISTRY_STORAGE;
  // A driver that a variable names replaces the one of the file with all that it has.
  const kept = Object.entries(fromFile).filter(
    ([name]) =>
      storage === undefined ||
      !DRIVER.test(name) ||
      name.startsWith(`REGISTRY_STORAGE_${storage.toUpperCase()}_`),
  );
  return { ...Object.fromEntries(kept), ...environment };
}

const DRIVER = /^REGISTRY_STORAGE_(?:FILESYSTEM|S3|AZURE|GCS|INMEMORY|SWIFT|OSS)(?:_|$)/;

function flat(path: string, value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (value === null || typeof value !== "object") return { [path]: String(value ?? "") };
  // What it needs of a list is only that it is there.
  if (Array.isArray(value)) return { [path]: JSON.stringify(value) };
  const entries = Object.entries(value);
  if (entries.length === 0) return { [path]: "" };
  return Object.assign({}, ...entries.map(([key, inner]) => flat(`${path}_${key.toUpperCase()}`, inner)));
}

/** What the storage is: the one driver below `storage` in the file, or the variable. */
export function driverOf(settings: Readonly<Record<string, string>>): string {
  if (settings.REGISTRY_STORAGE) return settings.REGISTRY_STORAGE;
  const named = Object.keys(settings).flatMap((name) => DRIVER.exec(name) ?? []);
  const [driver = "FILESYSTEM"] = named.map((name) => name.split("_")[2] ?? "");
  return driver.toLowerCase();
}

/** How users log in: the one scheme below `auth`, or the variable; none without it. */
export function authOf(settings: Readonly<Record<string, string>>): string {
  if (settings.REGISTRY_AUTH !== undefined) return settings.REGISTRY_AUTH;
  const name = Object.keys(settings).find((one) => one.startsWith("REGISTRY_AUTH_"));
  return (name?.split("_")[2] ?? "none").toLowerCase();
}
