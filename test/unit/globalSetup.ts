/** Runs once before the unit tests. Some of them start the program, which is what was built; takes a second where nothing changed. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";

export default async function setup(): Promise<void> {
  const cwd = fileURLToPath(new URL("../../", import.meta.url));
  await execa("npm", ["run", "--silent", "build"], { cwd, stdout: "inherit", stderr: "inherit" });
}
