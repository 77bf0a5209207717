import type { LeftOut } from "./oldEdge.js";
import type { OldService } from "./oldService.js";
import { driverOf } from "./oldSettings.js";

type Settings = Readonly<Record<string, string>>;

export interface OldStorage {
  /** What registry.storage is to be; undefined if the images cannot stay where they are. */
  storage: Record<string, unknown> | undefined;
  left: LeftOut[];
  refused: string[];
}

const none = (...refused: string[]): OldStorage => ({ storage: undefined, left: [], refused });

/** Where the images are, by the settings and the mounts of the registry. */
export function storageOf(registry: OldService, settings: Settings): OldStorage {
  const driver = driverOf(settings);
  if (driver === "s3") return bucketOf(settings);
  if (driver === "filesystem") return folderOf(registry, settings);
  return none(`its images are in ${driver}, and hephaestus keeps images in a folder, a volume or S3`);
}

const FOLDER = "/var/lib/registry";

function folderOf({ mounts }: OldService, settings: Settings): OldStorage {
  const root = (settings.REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY ?? FOLDER).replace(/(.)\/$/, "$1");
  const holds = ({ target }: { target: string }) =>
    root === target || root.startsWith(`${target.replace(/\/$/, "")}/`);
  const [mount] = mounts.filter(holds).sort((a, b) => b.target.length - a.target.length);
  if (mount === undefined || mount.type === "tmpfs")
    return none(
      `its images are inside the task (${root} is no mount), and are gone with it. Copy them: hephaestus mirror`,
    );
  const below = root.slice(mount.target.replace(/\/$/, "").length);
  if (mount.type === "bind") {
    if (mount.source.startsWith("/"))
      return {
        storage: { driver: "filesystem", path: `${mount.source.replace(/\/$/, "")}${below}` },
        left: [],
        refused: [],
      };
    return none(`the folder ${mount.source} of its images is relative; write it as an absolute path`);
  }
  if (mount.source === "")
    return none("its images are in a volume without a name. Copy them: hephaestus mirror");
  if (below !== "")
    return none(
      `its images are in ${below.slice(1)} below the volume ${mount.source}, and not at the top of it`,
    );
  return { storage: { driver: "filesystem", volume: mount.source }, left: [], refused: [] };
}

/** Keys of S3 that the config has, by the variable. Source: distribution, storage-drivers/s3. */
const KEYS: Readonly<Record<string, string>> = {
  BUCKET: "bucket",
  REGION: "region",
  REGIONENDPOINT: "endpoint",
  ROOTDIRECTORY: "prefix",
  STORAGECLASS: "storageClass",
};
const FLAGS: Readonly<Record<string, string>> = { FORCEPATHSTYLE: "forcePathStyle", ENCRYPT: "encrypt" };

function bucketOf(settings: Settings): OldStorage {
  const prefix = "REGISTRY_STORAGE_S3_";
  const given = Object.entries(settings).flatMap(([name, value]) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
  );
  const storage = given.flatMap(([key, value]): [string, string | boolean][] => {
    const name = KEYS[key];
    if (name !== undefined)
      return value === "" ? [] : [[name, name === "prefix" ? value.replace(/^\/+|\/+$/g, "") : value]];
    return FLAGS[key] === undefined ? [] : [[FLAGS[key], value === "true"]];
  });
  const left = given
    .filter(([key]) => !(key in KEYS) && !(key in FLAGS))
    .map(([key]) => ({
      what: `${prefix}${key}`,
      why: /^(?:ACCESSKEY|SECRETKEY)$/.test(key)
        ? "the keys become a secret: set REGISTRY_S3_ACCESS_KEY_ID and REGISTRY_S3_SECRET_ACCESS_KEY"
        : "registry.storage has no key for it",
    }));
  const endpoint = settings[`${prefix}REGIONENDPOINT`];
  const filled: Record<string, string | boolean> = Object.fromEntries(
    storage.filter(([, value]) => value !== ""),
  );
  if (endpoint !== undefined && !/^https?:\/\//.test(endpoint)) filled.endpoint = `https://${endpoint}`;
  return { storage: { driver: "s3", ...filled }, left, refused: [] };
}
