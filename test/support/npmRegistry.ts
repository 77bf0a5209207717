/** A package registry on loopback that has the packages of a checkout's node_modules, for npm without a network. */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, sep } from "node:path";
import { buffer } from "node:stream/consumers";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";

export interface NpmRegistry {
  url: string;
  /** Names of the packages that were fetched. */
  fetched: Set<string>;
  close(): void;
}

interface Package {
  name: string;
  version: string;
}

/** Answers as docs/REGISTRY-API.md of npm/registry says: a document for each name, and the tarballs that it points to. */
export async function serveInstalledPackages(checkout: string): Promise<NpmRegistry> {
  const lock = JSON.parse(readFileSync(join(checkout, "package-lock.json"), "utf8")) as {
    packages: Record<string, unknown>;
  };
  // Packages of other platforms are in the lock file alone.
  const folders = Object.keys(lock.packages).filter((path) => path && existsSync(join(checkout, path)));
  const packages = folders.map((path) => ({ path, facts: readPackage(join(checkout, path)) }));
  const fetched = new Set<string>();
  const server = createServer(async ({ url = "" }, response) => {
    const asked = decodeURIComponent(url.slice(1));
    const found = packages.find(({ path }) => `${path}.tgz` === asked);
    if (found) {
      fetched.add(found.facts.name);
      return response.end(await tarball(join(checkout, found.path)));
    }
    const versions = packages.filter(({ facts }) => facts.name === asked);
    if (versions.length === 0) return response.writeHead(404).end("{}");
    const home = `http://${address()}`;
    const entries = versions.map(({ path, facts }) => [
      facts.version,
      { ...facts, dist: { tarball: `${home}/${path}.tgz` } },
    ]);
    return response.end(
      JSON.stringify({
        name: asked,
        "dist-tags": { latest: versions[0]?.facts.version },
        versions: Object.fromEntries(entries),
      }),
    );
  });
  const address = () => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://${address()}/`, fetched, close: () => server.close() };
}

const readPackage = (folder: string): Package =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Package;

/** Packages inside of it are packages of their own. */
function tarball(folder: string): Promise<Buffer> {
  const archive = pack();
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const facts = statSync(join(folder, name));
    if (!facts.isFile() || name.split(sep).includes("node_modules")) continue;
    archive.entry({ name: `package/${name}`, mode: facts.mode }, readFileSync(join(folder, name)));
  }
  archive.finalize();
  return buffer(archive.pipe(createGzip()));
}
