import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { BEAT_SECONDS, beat, freeLock, LOCK_SECONDS } from "./lockObjects.js";

/** Keeps a lock while the operation runs: sends heartbeats, and notices when the lock was taken over. */
export class LockKeeper {
  private timer: NodeJS.Timeout | undefined;
  private number = 0;
  private last = Date.now();
  private beating: Promise<void> | undefined;
  private lost = false;

  /** @param docker one that still works after an interruption */
  constructor(
    private readonly docker: Docker,
    private readonly stack: string,
    private readonly lock: string,
  ) {}

  begin(): void {
    this.timer = setInterval(() => {
      // An engine that does not answer is asked again; the next command of the work says what is wrong.
      this.beat().catch(() => undefined);
    }, BEAT_SECONDS * 1000);
    this.timer.unref();
  }

  /**
   * Before each docker command of the work. A process that stood still (a laptop that slept, SIGSTOP) asks first whether it
   * still has the lock.
   *
   * @throws OperatorError when it does not
   */
  async check(): Promise<void> {
    if (!this.lost && Date.now() - this.last > (LOCK_SECONDS / 2) * 1000)
      await this.beat().catch(() => undefined);
    if (!this.lost) return;
    throw new OperatorError(`the lock of ${this.stack} was taken over while this command was suspended`, {
      remedy: "Nothing was changed since. Run the same command again.",
      exitCode: ExitCode.locked,
    });
  }

  async end(): Promise<void> {
    clearInterval(this.timer);
    await this.beating?.catch(() => undefined);
    await freeLock(this.docker, this.stack, this.lock);
  }

  /** One at a time. */
  private beat(): Promise<void> {
    this.beating ??= this.beatOnce().finally(() => {
      this.beating = undefined;
    });
    return this.beating;
  }

  private async beatOnce(): Promise<void> {
    this.number++;
    const held = await beat(this.docker, this.stack, this.lock, this.number);
    if (held) this.last = Date.now();
    else this.lost = true;
  }
}
