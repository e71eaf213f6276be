'use strict';

const { Buffer } = binding.buffer;

// What Node's Buffer has beyond what binding brings.
const statics = {
  isBuffer: (value) => value instanceof Buffer,
  isEncoding: (name) => ['utf8', 'utf-8', 'hex', 'base64', 'base64url', 'latin1', 'binary', 'ascii', 'ucs2', 'ucs-2', 'utf16le', 'utf-16le']
    .includes(String(name).toLowerCase()),
  byteLength: (value, encoding) => (typeof value === 'string' ? Buffer.from(value, encoding).length : value.byteLength),
  allocUnsafe: (size) => Buffer.alloc(size),
  allocUnsafeSlow: (size) => Buffer.alloc(size),
  compare(a, b) {
    for (let i = 0; i < a.length && i < b.length; i++) {
      if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return Math.sign(a.length - b.length);
  },
};

const view = (b) => Buffer.from(b.buffer, b.byteOffset, b.byteLength);
const bytes = (value, encoding) => (typeof value === 'string' ? Buffer.from(value, encoding) : typeof value === 'number' ? [value & 255] : value);

const methods = {
  slice(start, end) { return view(Uint8Array.prototype.subarray.call(this, start, end)); },
  subarray(start, end) { return view(Uint8Array.prototype.subarray.call(this, start, end)); },
  toJSON() { return { type: 'Buffer', data: Array.from(this) }; },
  compare(other) { return Buffer.compare(this, other); },
  copy(target, at = 0, start = 0, end = this.length) {
    const part = Uint8Array.prototype.subarray.call(this, start, Math.min(end, start + target.length - at));
    target.set(part, at);
    return part.length;
  },
  indexOf(value, from = 0, encoding) {
    const wanted = bytes(value, encoding);
    for (let i = from < 0 ? Math.max(0, this.length + from) : from; i + wanted.length <= this.length; i++) {
      let j = 0;
      while (j < wanted.length && this[i + j] === wanted[j]) j++;
      if (j === wanted.length) return i;
    }
    return -1;
  },
  includes(value, from, encoding) { return this.indexOf(value, from, encoding) >= 0; },
  inspect() { return '<Buffer ' + this.toString('hex').slice(0, 100).replace(/..(?=.)/g, '$& ') + (this.length > 50 ? ' ...' : '') + '>'; },
};

for (const [name, value] of Object.entries(statics)) {
  Buffer[name] = Buffer[name] || value;
}
for (const [name, value] of Object.entries(methods)) {
  if (!Object.prototype.hasOwnProperty.call(Buffer.prototype, name)) {
    Object.defineProperty(Buffer.prototype, name, { value, writable: true, configurable: true });
  }
}
Object.defineProperty(Buffer.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: methods.inspect });

// One byte for each character.
const narrow = (encoding) => ['latin1', 'binary', 'ascii'].includes(String(encoding).toLowerCase());
const { alloc, from } = Buffer;
const { toString } = Buffer.prototype;
Buffer.from = (value, encoding, ...rest) => {
  return typeof value === 'string' && narrow(encoding) ? from.call(Buffer, binding.narrowBytes(value)) : from.call(Buffer, value, encoding, ...rest);
};
Object.defineProperty(Buffer.prototype, 'toString', {
  value(encoding, start, end) {
    return narrow(encoding) ? binding.narrowText(this.subarray(start, end)) : toString.call(this, encoding, start, end);
  },
  writable: true,
  configurable: true,
});
Buffer.alloc = (size, ...rest) => {
  binding.checkSize(size);
  return alloc.call(Buffer, size, ...rest);
};

module.exports = { Buffer, kMaxLength: 2 ** 28, constants: { MAX_LENGTH: 2 ** 28, MAX_STRING_LENGTH: 2 ** 28 } };
