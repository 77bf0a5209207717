import type { Docker } from "../../docker/run.js";
import { ExitCode, OperatorError } from "../../errors.js";
import { BEAT_SECONDS, freeLock, LOCK_SECONDS, renewLock } from "./lockObjects.js";

/** A lock that is kept. */
export interface KeptLock {
  /**
   * Before each docker command of the work. A process that stood still (a laptop that slept, SIGSTOP) asks
   * first whether it still has the lock. Who missed two heartbeats may be taken for dead.
   *
   * @throws OperatorError when it does not, or could not renew it until it expired
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
export function keepLock(docker: Docker, stack: string, id: string): KeptLock {
  let last = Date.now();
  let isLost = false;
  let failure = "";
  let beating: Promise<void> | undefined;
  async function renew(): Promise<void> {
    // The answer may be read long after it was given.
    const asked = Date.now();
    try {
      if (await renewLock(docker, id)) last = asked;
      else isLost = true;
    } catch (error) {
      // An engine that does not answer is asked again.
      failure = (error as Error).message;
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
  const silence = () => (Date.now() - last) / 1000;
  return {
    async check() {
      if (!isLost && silence() > 2 * BEAT_SECONDS) await beat();
      if (!isLost && silence() <= LOCK_SECONDS) return;
      const reason = isLost
        ? "was taken over while this command was suspended"
        : `could not be renewed for ${Math.round(silence())} s: ${failure}`;
      throw new OperatorError(`the lock of ${stack} ${reason}`, {
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
