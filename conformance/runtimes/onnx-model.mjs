// An ONNX model by hand, in protobuf: y = x + x, for rows of two floats. Numbers are the fields of onnx.proto.
import { TextEncoder } from 'node:util';

/** A message of pairs of a field and its value: a number, a text, or bytes of another message. */
function message(...fields) {
  return fields.flatMap(([field, value]) => {
    if (typeof value === 'number') return [field << 3, ...varint(value)];
    const bytes = typeof value === 'string' ? [...new TextEncoder().encode(value)] : value;
    return [(field << 3) | 2, ...varint(bytes.length), ...bytes];
  });
}

function varint(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** A tensor of floats with a free number of rows of two. */
function tensor(name) {
  const shape = message([1, message([2, 'rows'])], [1, message([1, 2])]);
  return message([1, name], [2, message([1, message([1, 1], [2, shape])])]);
}

export function doublingModel() {
  const add = message([1, 'x'], [1, 'x'], [2, 'y'], [4, 'Add']);
  const graph = message([1, add], [2, 'doubling'], [11, tensor('x')], [12, tensor('y')]);
  return Uint8Array.from(message([1, 8], [7, graph], [8, message([2, 13])]));
}
