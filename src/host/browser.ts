import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { childEnvironment } from "../docker/run.js";

/**
 * The edge to the desktop. Not the package `open`: it hands its whole environment, with the operator's passwords, to the
 * browser.
 */

export type Platform = typeof process.platform;

/** What opens an address on each system. */
export function openCommand(platform: Platform, url: string): [string, string[]] {
  if (platform === "darwin") return ["open", [url]];
  if (platform === "win32") return ["rundll32", ["url.dll,FileProtocolHandler", url]];
  return ["xdg-open", [url]];
}

/** Whether there is a desktop that could show a browser; over ssh there is none where the person sits. */
export function hasDisplay(
  platform: Platform,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (platform === "darwin" || platform === "win32") return !environment.SSH_CONNECTION;
  return Boolean(environment.DISPLAY || environment.WAYLAND_DISPLAY);
}

/** A command that still runs after so long has become the browser itself. */
const START_MILLISECONDS = 3000;

/**
 * Opens an address in the browser, which goes on when this process ends.
 *
 * @returns whether something was there to open it
 */
export async function openInBrowser(url: string): Promise<boolean> {
  const [command, args] = openCommand(process.platform, url);
  const child = execa(command, args, {
    env: childEnvironment() as Record<string, string>,
    extendEnv: false,
    stdio: "ignore",
    reject: false,
    detached: true,
    cleanup: false,
  });
  child.unref();
  const waiting = new AbortController();
  const ended = await Promise.race([
    child.finally(() => waiting.abort()),
    sleep(START_MILLISECONDS, undefined, { signal: waiting.signal }).catch(() => child),
  ]);
  return ended === undefined || ended.exitCode === 0;
}
