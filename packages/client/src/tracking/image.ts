import { invalidParameter } from '@lazuli/contract';

/** Pixels, row by row from the top; 1 (grey), 3 (RGB) or 4 (RGBA) bytes each. `ImageData` of a canvas is of this shape. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** A picture that is encoded already, as bytes or as a file's path, or pixels, which become a PNG. */
export type ImageSource = string | Blob | Uint8Array<ArrayBuffer> | Pixels;

export async function encodedImage(
  image: ImageSource,
  open: ((path: string) => Promise<Blob>) | undefined,
): Promise<Blob> {
  if (image instanceof Blob) return image;
  if (image instanceof Uint8Array) return new Blob([image]);
  if (typeof image !== 'string') return pngOf(image);
  if (open === undefined) throw invalidParameter('There are no files here; give the image as a Blob or as pixels.');
  return open(image);
}

const colorTypes: Readonly<Record<number, number>> = { 1: 0, 3: 2, 4: 6 };

/** *PNG, second edition: signature, header, one compressed run of unfiltered rows, end.* */
async function pngOf({ width, height, data }: Pixels): Promise<Blob> {
  const channels = data.length / (width * height);
  const colorType = colorTypes[channels];
  if (colorType === undefined) {
    throw invalidParameter(`${data.length} bytes are no ${width} by ${height} pixels of 1, 3 or 4 bytes.`);
  }
  const stride = width * channels;
  const rows = new Uint8Array(height * (stride + 1));
  for (let row = 0; row < height; row++) {
    rows.set(data.subarray(row * stride, (row + 1) * stride), row * (stride + 1) + 1);
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  header.setUint8(9, colorType);
  const zlib = new Blob([rows]).stream().pipeThrough(new CompressionStream('deflate'));
  const compressed = new Uint8Array(await new Response(zlib).arrayBuffer());
  return new Blob(
    [
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
      chunk('IHDR', new Uint8Array(header.buffer)),
      chunk('IDAT', compressed),
      chunk('IEND', new Uint8Array()),
    ],
    { type: 'image/png' },
  );
}

function chunk(type: string, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(content, 8);
  view.setUint32(content.length + 8, crc32(bytes.subarray(4, content.length + 8)));
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
