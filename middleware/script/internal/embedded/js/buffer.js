'use strict';

const { invalidType, invalidValue, outOfRange, checkNumber } = require('internal/errors');
const { find, need } = require('internal/encodings');

const kMaxLength = 2 ** 32; // Node's; the memory limit of a script is below it
const { subarray } = Uint8Array.prototype;

// Node's Buffer is a function that needs no new; its prototype is that of a class of bytes.
class FastBuffer extends Uint8Array {}

function Buffer(value, encodingOrOffset, length) {
  return typeof value === 'number' ? Buffer.alloc(value) : Buffer.from(value, encodingOrOffset, length);
}
Object.setPrototypeOf(Buffer, Uint8Array);
Object.defineProperty(Buffer, Symbol.species, { get: () => FastBuffer, configurable: true });
Buffer.prototype = FastBuffer.prototype;

function checkBytes(value, name) {
  if (!(value instanceof Uint8Array)) throw invalidType(name, 'an instance of Buffer or Uint8Array', value);
}

function fromString(text, name) {
  const encoding = name ? need(name) : 'utf8';
  if (encoding !== 'utf16le') return new FastBuffer(native.decode(text, encoding));
  return new FastBuffer(Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)).buffer);
}

function toText(bytes, encoding) {
  if (encoding !== 'utf16le') return native.encode(bytes, encoding);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength & ~1);
  return Array.from({ length: view.byteLength / 2 }, (_, i) => String.fromCharCode(view.getUint16(2 * i, true))).join('');
}

function from(value, encodingOrOffset, length) {
  if (typeof value === 'string') return fromString(value, encodingOrOffset);
  if (value instanceof ArrayBuffer) return new FastBuffer(value, encodingOrOffset, length);
  if (value !== null && typeof value === 'object') {
    const plain = value.valueOf && value.valueOf();
    if (plain !== value && (typeof plain === 'string' || typeof plain === 'object' && plain !== null)) return from(plain, encodingOrOffset, length);
    if (value.length !== undefined) return value.length > 0 ? new FastBuffer(value) : new FastBuffer();
    if (value.type === 'Buffer' && Array.isArray(value.data)) return new FastBuffer(value.data);
  }
  throw invalidType('value', 'of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object', value);
}

function alloc(size, value, encoding) {
  checkNumber(size, 'size', 0, kMaxLength);
  const bytes = new FastBuffer(size);
  return value === undefined || value === 0 ? bytes : bytes.fill(value, 0, bytes.length, encoding);
}

function byteLength(value, encoding) {
  if (typeof value === 'string') return fromString(value, find(encoding)).length;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
  throw invalidType('string', 'of type string or an instance of Buffer or ArrayBuffer', value);
}

function concat(list, length) {
  if (!Array.isArray(list)) throw invalidType('list', 'an instance of Array', list);
  const whole = alloc(length === undefined ? list.reduce((sum, part) => sum + part.length, 0) : length);
  let at = 0;
  list.forEach((part, i) => {
    checkBytes(part, 'list[' + i + ']');
    const taken = subarray.call(part, 0, Math.max(0, whole.length - at));
    whole.set(taken, at);
    at += taken.length;
  });
  return whole;
}

// Bytes are searched as text of which each character is one byte, or a pair of them if they are such text.
function search(bytes, value, offset, encoding, method) {
  if (typeof offset === 'string') [encoding, offset] = [offset];
  const kind = encoding === undefined ? 'utf8' : need(encoding);
  const needle = typeof value === 'number' ? Uint8Array.of(value) : typeof value === 'string' ? fromString(value, kind) : value;
  checkBytes(needle, 'value');
  const [unit, form] = kind === 'utf16le' ? [2, kind] : [1, 'latin1'];
  let at = +offset;
  if (at < 0 && (at += bytes.length) < 0 && method === 'lastIndexOf') return -1;
  if (method === 'indexOf' && needle.length > 0 && at > bytes.length - needle.length) return -1;
  const found = toText(bytes, form)[method](toText(needle, form), at / unit);
  return found < 0 ? -1 : found * unit;
}

// What of a text fits whole characters into a number of bytes.
function fitting(text, encoding, room) {
  const bytes = fromString(text, encoding);
  let end = Math.min(room, bytes.length);
  if (encoding === 'utf16le') end -= end % 2;
  while (encoding === 'utf8' && end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

const methods = {
  toString(encoding, start = 0, end = this.length) {
    return toText(subarray.call(this, Math.max(start, 0), Math.max(end, 0)), encoding === undefined ? 'utf8' : need(encoding));
  },
  write(text, ...where) {
    const encoding = need(typeof where[where.length - 1] === 'string' ? where.pop() : 'utf8');
    const [offset = 0, length = this.length] = where;
    if (typeof text !== 'string') throw invalidType('string', 'of type string', text);
    checkNumber(offset, 'offset', 0, this.length);
    checkNumber(length, 'length', 0, this.length);
    const bytes = fitting(text, encoding, Math.min(length, this.length - offset));
    this.set(bytes, offset);
    return bytes.length;
  },
  fill(value, offset, end, encoding) {
    if (typeof offset === 'string') [encoding, offset, end] = [offset];
    if (typeof end === 'string') [encoding, end] = [end];
    if (offset !== undefined) checkNumber(offset, 'offset', 0, kMaxLength);
    if (end !== undefined) checkNumber(end, 'end', 0, this.length);
    if (value === '' || typeof value !== 'string' && !(value instanceof Uint8Array)) return Uint8Array.prototype.fill.call(this, value & 255, offset, end);
    const pattern = typeof value === 'string' ? fromString(value, encoding) : value;
    if (pattern.length === 0) throw invalidValue('value', value);
    const target = this.subarray(offset, end);
    target.set(subarray.call(pattern, 0, target.length));
    for (let done = pattern.length; done < target.length; done *= 2) target.copyWithin(done, 0, done);
    return this;
  },
  equals(other) {
    checkBytes(other, 'otherBuffer');
    return native.compare(this, other) === 0;
  },
  compare(target, targetStart = 0, targetEnd, sourceStart = 0, sourceEnd = this.length) {
    checkBytes(target, 'target');
    return native.compare(subarray.call(this, sourceStart, sourceEnd), subarray.call(target, targetStart, targetEnd));
  },
  copy(target, targetStart = 0, sourceStart = 0, sourceEnd = this.length) {
    checkBytes(target, 'target');
    checkNumber(targetStart, 'targetStart', 0, kMaxLength);
    checkNumber(sourceStart, 'sourceStart', 0, this.length);
    checkNumber(sourceEnd, 'sourceEnd', 0, kMaxLength);
    if (targetStart >= target.length) return 0;
    const bytes = this.subarray(sourceStart, Math.min(sourceEnd, sourceStart + target.length - targetStart));
    target.set(bytes, targetStart);
    return bytes.length;
  },
  indexOf(value, offset = 0, encoding) { return search(this, value, offset, encoding, 'indexOf'); },
  lastIndexOf(value, offset, encoding) { return search(this, value, offset, encoding, 'lastIndexOf'); },
  includes(value, offset, encoding) { return this.indexOf(value, offset, encoding) !== -1; },
  slice: subarray,
  toJSON() { return { type: 'Buffer', data: Array.from(this) }; },
  inspect() {
    const more = this.length - 50;
    const shown = this.toString('hex', 0, 50).replace(/..(?=.)/g, '$& ');
    return '<Buffer ' + shown + (more > 0 ? ' ... ' + more + ' more byte' + (more > 1 ? 's' : '') : '') + '>';
  },
};
methods.toLocaleString = methods.toString;
methods[Symbol.for('nodejs.util.inspect.custom')] = methods.inspect;

// The numbers that DataView knows, with the names that Buffer has for them. What a type cannot hold is refused.
for (const [type, name, size] of [['Int8', 'Int8', 1], ['Uint8', 'UInt8', 1], ['Int16', 'Int16', 2], ['Uint16', 'UInt16', 2], ['Int32', 'Int32', 4],
  ['Uint32', 'UInt32', 4], ['Float32', 'Float', 4], ['Float64', 'Double', 8], ['BigInt64', 'BigInt64', 8], ['BigUint64', 'BigUInt64', 8]]) {
  const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const probe = new DataView(new ArrayBuffer(8));
  const checkValue = (value) => {
    probe['set' + type](0, value);
    const whole = typeof value === 'bigint' ? value : Math.trunc(value);
    if (!type.startsWith('Float') && probe['get' + type](0) !== whole && !Number.isNaN(whole)) throw outOfRange('value', 'a ' + name, value);
  };
  for (const order of size === 1 ? [''] : ['LE', 'BE']) {
    const read = function (offset = 0) {
      checkNumber(offset, 'offset', 0, this.length - size);
      return view(this)['get' + type](offset, order === 'LE');
    };
    const write = function (value, offset = 0) {
      checkValue(value);
      checkNumber(offset, 'offset', 0, this.length - size);
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
  alloc, byteLength, concat, from, poolSize: 8192,
  allocUnsafe: (size) => alloc(size),
  allocUnsafeSlow: (size) => alloc(size),
  of: (...items) => new FastBuffer(items),
  isBuffer: (value) => value instanceof Buffer,
  isEncoding: (name) => typeof name === 'string' && find(name) !== undefined,
  compare(a, b) {
    checkBytes(a, 'buf1');
    checkBytes(b, 'buf2');
    return native.compare(a, b);
  },
});

module.exports = { Buffer, kMaxLength, constants: { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: 2 ** 29 - 24 } };
