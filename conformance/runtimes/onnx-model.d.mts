export function doublingModel(): Uint8Array<ArrayBuffer>;
