/** A program on a pseudo-terminal of util-linux's script(1), as a person has it in front of them. Linux only. */
import { execa } from "execa";

const PROGRAM = `import { main } from ${JSON.stringify(import.meta.resolve("../../src/cli.ts"))};
process.exitCode = await main(["node", "hephaestus", ...process.argv.slice(1)]);`;
/** The command as its source is, which needs no build. */
export const HEPHAESTUS = [
  ...[
    process.execPath,
    "--import",
    import.meta.resolve("tsx"),
    "--input-type=module",
    "--eval",
    PROGRAM,
    "--",
  ],
];

export interface TerminalSettings {
  cwd: string;
  /** Added to the environment of this process, in which CI is not set. */
  env?: Record<string, string>;
  /** Columns and rows; a terminal that docker or ssh opened by themselves has [0, 0]. */
  size?: readonly [number, number];
}

export interface TerminalEnd {
  exitCode: number;
  /** All that was shown, without what steers the terminal. */
  text: string;
  /** Whether the cursor and the modes of the terminal are as they were before. */
  restored: boolean;
}

const MILLISECONDS = 90_000;
const LEFT = "the modes of the terminal are not as they were";
/** The program, and what it leaves behind. Ctrl-C is for the program alone. */
const SCRIPT = `stty cols "$1" rows "$2"; shift 2; trap : INT; before=$(stty -g)
"$@"; code=$?
[ "$before" = "$(stty -g)" ] || echo "${LEFT}"
exit $code`;

// biome-ignore lint/suspicious/noControlCharactersInRegex: What steers a terminal begins with it.
const plain = (text: string): string => text.replace(/\x1b\[[\d;?]*[A-Za-z]/g, "").replaceAll("\r", "");
const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

function run(words: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
  const { CI: _, ...inherited } = process.env;
  return execa("script", ["-qefc", words.map(quote).join(" "), "/dev/null"], {
    cwd,
    env: { ...inherited, SHELL: "/bin/sh", TERM: "xterm", ...env },
    extendEnv: false,
    reject: false,
    stdin: "pipe",
  });
}

export class Terminal {
  private seen = "";
  /** What was shown before is not looked at again. */
  private from = 0;

  private constructor(private readonly program: ReturnType<typeof run>) {
    program.stdout?.on("data", (chunk: Buffer) => {
      this.seen += chunk;
    });
  }

  static open(command: readonly string[], { cwd, env = {}, size = [100, 30] }: TerminalSettings): Terminal {
    return new Terminal(run(["sh", "-c", SCRIPT, "sh", ...size.map(String), ...command], cwd, env));
  }

  /**
   * Waits for a text, and types when it is there.
   *
   * @throws Error with what is shown instead, when the program ends or too much time passes
   */
  async answer(expected: RegExp, keys: string): Promise<void> {
    const end = Date.now() + MILLISECONDS;
    while (!expected.test(plain(this.seen.slice(this.from)))) {
      if (this.program.exitCode !== null || Date.now() > end) {
        this.program.kill();
        throw new Error(`${expected} was not shown, but:\n${plain(this.seen.slice(this.from))}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.from = this.seen.length;
    this.program.stdin?.write(keys);
  }

  /** Waits until the program has ended. */
  async end(): Promise<TerminalEnd> {
    const timer = setTimeout(() => this.program.kill(), MILLISECONDS);
    const { exitCode } = await this.program;
    clearTimeout(timer);
    const hidden = this.seen.lastIndexOf("\x1b[?25l") > this.seen.lastIndexOf("\x1b[?25h");
    const text = plain(this.seen);
    return { exitCode: exitCode ?? 255, text, restored: !hidden && !text.includes(LEFT) };
  }
}
