import { cp, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));

/** Where packages and programs stay, so that they are fetched once for the tests and the demo. */
export const CACHE = process.env.HEPHAESTUS_CACHE ?? `${CHECKOUT}.demo/cache`;

/** What a clean clone has not. */
const OWN = new Set([".git", ".demo", "coverage", "dist", "node_modules", "program"]);

/**
 * Copies this checkout as a clean clone has it, so that what is built and kept there is apart from other tests. The packages
 * are those of this one.
 */
export async function copyCheckout(to: string): Promise<void> {
  const isCloned = (path: string) => join(dirname(path), "/") !== CHECKOUT || !OWN.has(basename(path));
  await cp(CHECKOUT, to, { recursive: true, filter: isCloned });
  await symlink(`${CHECKOUT}node_modules`, `${to}/node_modules`);
}
