import type { EngineApi } from "../docker/engineApi.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { BEAT_SECONDS, freeLock, LOCK_SECONDS, renewLock } from "./lockObjects.js";

/** A lock that is kept. */
export interface KeptLock {
  /**
   * Before each docker command of the work. A process that stood still (a laptop that slept, SIGSTOP) asks first whether
   * it still has the lock.
   *
   * @throws OperatorError when it does not
   */
  check(): Promise<void>;
  /** Frees the lock. */
  end(): Promise<void>;
}

/**
 * Keeps a lock while the operation runs: sends heartbeats, and notices when the lock was taken over.
 *
 * @param docker one without a guard that still works after an interruption
 * @param id of the lock
 */
export function keepLock(docker: Docker, api: EngineApi, stack: string, id: string): KeptLock {
  let last = Date.now();
  let isLost = false;
  let beating: Promise<void> | undefined;
  async function renew(): Promise<void> {
    try {
      if (await renewLock(docker, api, id)) last = Date.now();
      else isLost = true;
    } catch {
      // An engine that does not answer is asked again; the next command of the work says what is wrong.
    }
    beating = undefined;
  }
  /** One at a time. */
  const beat = (): Promise<void> => {
    beating ??= renew();
    return beating;
  };
  const timer = setInterval(beat, BEAT_SECONDS * 1000);
  timer.unref();
  return {
    async check() {
      if (!isLost && Date.now() - last > (LOCK_SECONDS / 2) * 1000) await beat();
      if (!isLost) return;
      throw new OperatorError(`the lock of ${stack} was taken over while this command was suspended`, {
        remedy: "Nothing was changed since. Run the same command again.",
        exitCode: ExitCode.locked,
      });
    },
    async end() {
      clearInterval(timer);
      await beating;
      await freeLock(docker, id);
    },
  };
}
