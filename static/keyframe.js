// A copy of the whole engine, and its way back into a new instance of the same build.
//
// Between two calls the engine's stack is empty and it holds no handle to a JavaScript object, so
// its linear memory, the lengths of its tables and the address of its one exported object are all
// there is of it. A copy is worth nothing to another build.

const PAGE_BYTES = 65536;

/** Everything of a running engine. `exports` are the instance's, `address` the object's. */
export function takeKeyframe(exports, address) {
  const tables = {};
  for (const [name, value] of Object.entries(exports)) {
    if (value instanceof WebAssembly.Table) tables[name] = value.length;
  }
  return { memory: exports.memory.buffer.slice(0), tables, address };
}

/** Puts a copy into a fresh instance and returns the address of its object. */
export function restoreKeyframe(exports, keyframe) {
  const missing = keyframe.memory.byteLength - exports.memory.buffer.byteLength;
  if (missing > 0) exports.memory.grow(missing / PAGE_BYTES);
  for (const [name, length] of Object.entries(keyframe.tables)) {
    const table = exports[name];
    if (table.length < length) table.grow(length - table.length);
  }
  const memory = new Uint8Array(exports.memory.buffer);
  memory.fill(0);
  memory.set(new Uint8Array(keyframe.memory));
  return keyframe.address;
}

/** The exported class's object at an address of a restored instance. */
export function adopt(Class, address) {
  const object = Object.create(Class.prototype);
  object.__wbg_ptr = address;
  return object;
}
