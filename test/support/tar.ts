// Archives that no honest program makes: headers are written by hand.

export interface TarItem {
  readonly name: string;
  /** `0` file, `1` hard link, `2` symlink, `3` character device, `5` directory, `6` FIFO. */
  readonly flag?: string;
  readonly link?: string;
  readonly content?: string | Uint8Array;
  /** As the header says; the content's own when left out. */
  readonly size?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly time?: number;
  readonly major?: number;
  readonly minor?: number;
  /** Records of a pax header in front of it. */
  readonly pax?: Readonly<Record<string, string>>;
}

export function tarOf(items: readonly TarItem[]): Uint8Array {
  return Buffer.concat([...items.flatMap(blocksOf), Buffer.alloc(1024)]);
}

export function blocksOf(item: TarItem): Buffer[] {
  const { pax, content = "" } = item;
  const bytes = Buffer.from(content);
  const head = pax
    ? blocksOf({ name: "pax", flag: "x", content: Object.entries(pax).map(record).join("") })
    : [];
  return [...head, headerOf(item, item.size ?? bytes.length), padded(bytes)];
}

function record([key, value]: readonly [string, string]): string {
  const body = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(body);
  while (length !== Buffer.byteLength(body) + String(length).length) {
    length = Buffer.byteLength(body) + String(length).length;
  }
  return `${length}${body}`;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

function headerOf(item: TarItem, size: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
  block.write(item.name.slice(0, 100), 0, "latin1");
  octal(item.mode ?? (item.flag === "5" ? 0o755 : 0o644), 100, 8);
  octal(item.uid ?? 0, 108, 8);
  octal(item.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(item.time ?? 1_700_000_000, 136, 12);
  block.write(item.flag ?? "0", 156, "latin1");
  block.write((item.link ?? "").slice(0, 100), 157, "latin1");
  block.write("ustar\0" + "00", 257, "latin1");
  octal(item.major ?? 0, 329, 8);
  octal(item.minor ?? 0, 337, 8);
  block.fill(" ", 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}
