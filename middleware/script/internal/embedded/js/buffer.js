'use strict';

const { coded, invalidType } = require('internal/errors');

const encodings = new Map([['utf8', 'utf8'], ['utf-8', 'utf8'], ['latin1', 'latin1'], ['binary', 'latin1'], ['ascii', 'latin1'], ['hex', 'hex'],
  ['base64', 'base64'], ['base64url', 'base64url']]);
const find = (name) => encodings.get(String(name).toLowerCase());
const { subarray } = Uint8Array.prototype;

// Node's Buffer is a function that needs no new; its prototype is that of a class of bytes.
class FastBuffer extends Uint8Array {}

function Buffer(value, encodingOrOffset, length) {
  return typeof value === 'number' ? Buffer.alloc(value) : Buffer.from(value, encodingOrOffset, length);
}
Object.setPrototypeOf(Buffer, Uint8Array);
Object.defineProperty(Buffer, Symbol.species, { get: () => FastBuffer, configurable: true });
Buffer.prototype = FastBuffer.prototype;

function encodingOf(name) {
  const encoding = find(name || 'utf8');
  if (encoding === undefined) throw coded(TypeError, 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: ' + String(name));
  return encoding;
}

function from(value, encodingOrOffset, length) {
  if (typeof value === 'string') return new FastBuffer(native.decode(value, encodingOf(encodingOrOffset)));
  if (value instanceof ArrayBuffer) return new FastBuffer(value, encodingOrOffset, length);
  if (Object(value) === value && value.length !== undefined) return new FastBuffer(value);
  if (Object(value) === value && value.type === 'Buffer') return new FastBuffer(value.data);
  throw invalidType('value', 'of type string or an instance of Buffer, ArrayBuffer, or Array');
}

function alloc(size, value, encoding) {
  const bytes = new FastBuffer(Number(size));
  return value === undefined ? bytes : bytes.fill(value, encoding);
}

function concat(list, length = list.reduce((sum, part) => sum + part.length, 0)) {
  const whole = alloc(length);
  let at = 0;
  for (const part of list) {
    const taken = part.subarray(0, length - at);
    whole.set(taken, at);
    at += taken.length;
  }
  return whole;
}

// As text of which each character is a byte, bytes are searched and compared.
const characters = (bytes, encoding) => from(bytes, encoding).toString('latin1');

function compare(a, b) {
  const [first, second] = [characters(a), characters(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}

function search(bytes, value, offset, encoding, method) {
  if (typeof offset === 'string') [encoding, offset] = [offset];
  const needle = characters(typeof value === 'number' ? [value] : value, encoding);
  return characters(bytes)[method](needle, offset < 0 ? offset + bytes.length : offset);
}

const methods = {
  toString(encoding, start, end) { return native.encode(subarray.call(this, start, end), encodingOf(encoding)); },
  write(text, ...where) {
    const encoding = typeof where[where.length - 1] === 'string' ? where.pop() : 'utf8';
    const [offset = 0, length = this.length] = where;
    return from(text, encoding).copy(this, offset, 0, length);
  },
  fill(value, offset = 0, end = this.length, encoding = 'utf8') {
    if (typeof offset === 'string') [encoding, offset] = [offset, 0];
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) return Uint8Array.prototype.fill.call(this, value, offset, end);
    const pattern = from(value, encoding);
    for (let i = offset; i < end; i++) this[i] = pattern[(i - offset) % pattern.length];
    return this;
  },
  equals(other) { return compare(this, other) === 0; },
  compare(target, targetStart, targetEnd, sourceStart, sourceEnd) {
    return compare(this.subarray(sourceStart, sourceEnd), target.subarray(targetStart, targetEnd));
  },
  copy(target, targetStart = 0, sourceStart = 0, sourceEnd = this.length) {
    const room = Math.max(0, target.length - targetStart);
    const bytes = this.subarray(sourceStart, Math.min(sourceEnd, sourceStart + room));
    if (bytes.length > 0) target.set(bytes, targetStart);
    return bytes.length;
  },
  indexOf(value, offset, encoding) { return search(this, value, offset, encoding, 'indexOf'); },
  lastIndexOf(value, offset, encoding) { return search(this, value, offset, encoding, 'lastIndexOf'); },
  includes(value, offset, encoding) { return this.indexOf(value, offset, encoding) !== -1; },
  readUIntBE(offset, length) { return this.subarray(offset, offset + length).reduce((sum, byte) => sum * 256 + byte, 0); },
  slice: subarray,
  toJSON() { return { type: 'Buffer', data: Array.from(this) }; },
  inspect() {
    const most = 50;
    return '<Buffer ' + this.toString('hex', 0, most).replace(/..(?=.)/g, '$& ') + (this.length > most ? ' ...' : '') + '>';
  },
};
methods[Symbol.for('nodejs.util.inspect.custom')] = methods.inspect;

// The numbers that DataView knows, with the names that Buffer has for them.
for (const [type, name, size] of [['Int8', 'Int8', 1], ['Uint8', 'UInt8', 1], ['Int16', 'Int16', 2], ['Uint16', 'UInt16', 2], ['Int32', 'Int32', 4],
  ['Uint32', 'UInt32', 4], ['Float32', 'Float', 4], ['Float64', 'Double', 8], ['BigInt64', 'BigInt64', 8], ['BigUint64', 'BigUInt64', 8]]) {
  const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const order of size === 1 ? [''] : ['LE', 'BE']) {
    const read = function (offset = 0) { return view(this)['get' + type](offset, order === 'LE'); };
    const write = function (value, offset = 0) {
      view(this)['set' + type](offset, value, order === 'LE');
      return offset + size;
    };
    for (const alias of [name, name.replace('UInt', 'Uint')]) Object.assign(methods, { ['read' + alias + order]: read, ['write' + alias + order]: write });
  }
}

for (const name of Reflect.ownKeys(methods)) {
  Object.defineProperty(Buffer.prototype, name, { value: methods[name], writable: true, configurable: true });
}
Object.defineProperty(Buffer.prototype, 'constructor', { value: Buffer, writable: true, configurable: true });

Object.assign(Buffer, {
  alloc, compare, concat, from,
  allocUnsafe: (size) => alloc(size),
  allocUnsafeSlow: (size) => alloc(size),
  byteLength: (value, encoding) => (typeof value === 'string' ? from(value, encoding) : value).byteLength,
  of: (...items) => new FastBuffer(items),
  isBuffer: (value) => value instanceof Buffer,
  isEncoding: (name) => find(name) !== undefined,
});

module.exports = { Buffer };
