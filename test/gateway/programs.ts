/** nginx with njs, and the registry, as programs of a folder: Debian's packages unpacked, so nothing is installed and no root is needed. */
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { contentDigest } from "../../src/services/contentName.js";
import { CACHE } from "../support/checkout.js";
import { madeAside } from "../support/madeAside.js";
import { fetchPackages, unpackNginx } from "../support/packages.js";

/** The programs run with the packages' own libraries, whatever the machine has. Source: ld.so(8). */
const wrapper = (folder: string, program: string): string => `#!/bin/sh
root=$(dirname "$(dirname "$0")")/${folder}
for loader in "$root"/lib64/ld-linux-*.so.* "$root"/usr/lib64/ld-linux-*.so.* "$root"/lib/ld-linux-*.so.*; do
  [ -x "$loader" ] && break
done
libraries=$(echo "$root"/lib/*-linux-gnu*):$(echo "$root"/usr/lib/*-linux-gnu*)
exec "$loader" --library-path "$libraries" "$root/${program}" "$@"
`;

/**
 * Needs a Debian or Ubuntu, and the network where the packages are not in the cache yet.
 *
 * @returns the folder of `bin/nginx` and `bin/registry`; nginx's own files are in `nginx`
 * @throws OperatorError if the packages cannot be had
 */
export async function fetchPrograms(): Promise<string> {
  const report = (line: string): void => console.log(line);
  const nginx = await unpackNginx(CACHE, report);
  const packages = await fetchPackages(CACHE, report);
  // The names of the files hold the versions.
  const names = [...packages.values(), nginx].map((path) => path.slice(path.lastIndexOf("/")));
  const made = `${CACHE}/programs/${contentDigest([wrapper("", ""), ...names].join("\n"))}`;
  if (existsSync(made)) return made;
  await madeAside(CACHE, made, async (folder) => {
    const root = `${folder}/root`;
    await mkdir(`${root}/bin`, { recursive: true });
    for (const deb of packages.values()) await execa("dpkg-deb", ["--extract", deb, `${root}/registry`]);
    await cp(nginx, `${root}/nginx`, { recursive: true, verbatimSymlinks: true });
    for (const [name, program] of [
      ["nginx", "usr/sbin/nginx"],
      ["registry", "usr/bin/docker-registry"],
    ] as const) {
      await writeFile(`${root}/bin/${name}`, wrapper(name, program));
      await chmod(`${root}/bin/${name}`, 0o755);
    }
    return root;
  });
  return made;
}
