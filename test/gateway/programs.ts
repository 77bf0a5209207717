/** nginx with njs, and the registry, as programs of a folder: Debian's packages unpacked, so nothing is installed and no root is needed. */
import { existsSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { contentDigest } from "../../src/services/contentName.js";
import { CACHE } from "../support/checkout.js";
import { madeAside } from "../support/madeAside.js";
import { fetchPackages } from "../support/packages.js";

/** The programs run with the packages' own libraries, whatever the machine has. Source: ld.so(8). */
const wrapper = (program: string): string => `#!/bin/sh
root=$(dirname "$(dirname "$0")")
for loader in "$root"/lib64/ld-linux-*.so.* "$root"/lib/ld-linux-*.so.*; do [ -x "$loader" ] && break; done
libraries=$(echo "$root"/lib/*-linux-gnu*):$(echo "$root"/usr/lib/*-linux-gnu*)
exec "$loader" --library-path "$libraries" "$root/${program}" "$@"
`;

/**
 * Needs a Debian or Ubuntu, and the network where the packages are not in the cache yet.
 *
 * @returns the folder of `bin/nginx` and `bin/registry`; nginx's modules are in `usr/lib/nginx/modules`
 * @throws OperatorError if the packages cannot be had
 */
export async function fetchPrograms(): Promise<string> {
  const packages = await fetchPackages(CACHE, (line) => console.log(line));
  // The names of the files hold the versions.
  const names = [...packages.values()].map((deb) => deb.slice(deb.lastIndexOf("/")));
  const made = `${CACHE}/programs/${contentDigest([wrapper(""), ...names].join("\n"))}`;
  if (existsSync(made)) return made;
  await madeAside(CACHE, made, async (folder) => {
    const root = `${folder}/root`;
    for (const deb of packages.values()) await execa("dpkg-deb", ["--extract", deb, root]);
    for (const [name, program] of [
      ["nginx", "usr/sbin/nginx"],
      ["registry", "usr/bin/docker-registry"],
    ] as const) {
      await writeFile(`${root}/bin/${name}`, wrapper(program));
      await chmod(`${root}/bin/${name}`, 0o755);
    }
    return root;
  });
  return made;
}
