/** Reads a stream piece by piece: lines, then so many bytes, then lines again. */
export class ByteReader {
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.chunks = stream[Symbol.asyncIterator]();
  }

  /** The next line without its line feed; undefined at the end. */
  async line(): Promise<string | undefined> {
    const parts: Buffer[] = [];
    for (;;) {
      const at = this.rest.indexOf(10);
      if (at >= 0) {
        parts.push(this.rest.subarray(0, at));
        this.rest = this.rest.subarray(at + 1);
        return Buffer.concat(parts).toString("utf8");
      }
      parts.push(this.rest);
      if (!(await this.more())) return undefined;
    }
  }

  /**
   * So many bytes, as they come.
   *
   * @throws EndOfStream when there are fewer
   */
  async *take(size: number): AsyncGenerator<Buffer> {
    for (let left = size; left > 0; ) {
      if (this.rest.length === 0 && !(await this.more())) throw new EndOfStream();
      const part = this.rest.subarray(0, left);
      this.rest = this.rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  private async more(): Promise<boolean> {
    const { done, value } = await this.chunks.next();
    this.rest = done ? Buffer.alloc(0) : value;
    return !done;
  }
}

/** A stream ended before all was read. */
export class EndOfStream extends Error {}
