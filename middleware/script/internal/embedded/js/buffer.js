'use strict';

const {
  coded, invalidType, invalidValue, outOfRange, unknownEncoding, checkString, checkNumber, checkInteger,
} = require('internal/errors');
const { find, need } = require('internal/encodings');

const kMaxLength = 2 ** 32; // Node's; the memory limit of a script is below it

// Node's Buffer is a function that needs no new; its prototype is that of a class of bytes.
class FastBuffer extends Uint8Array {}

function Buffer(value, encodingOrOffset, length) {
  if (typeof value !== 'number') return Buffer.from(value, encodingOrOffset, length);
  if (typeof encodingOrOffset === 'string') throw invalidType('string', 'of type string', value);
  return Buffer.alloc(value);
}
Object.setPrototypeOf(Buffer, Uint8Array);
Object.defineProperty(Buffer, Symbol.species, { get: () => FastBuffer, configurable: true });
Buffer.prototype = FastBuffer.prototype;

const isBytes = (value) => value instanceof Uint8Array;
const isArrayBuffer = (value) => value instanceof ArrayBuffer;
const outOfBounds = (name) => coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS',
  name ? '"' + name + '" is outside of buffer bounds' : 'Attempt to access memory outside buffer bounds');
const integer = (value, otherwise) => {
  const n = +value;
  return Number.isNaN(n) ? otherwise : Math.trunc(n);
};

function checkBytes(value, name, expected = 'an instance of Buffer or Uint8Array') {
  if (!isBytes(value)) throw invalidType(name, expected, value);
}

const decode = (text, encoding) => new FastBuffer(native.decode(text, encoding));
const fromString = (text, encoding) => decode(text, typeof encoding === 'string' && encoding !== '' ? need(encoding) : 'utf8');

function fromArrayBuffer(buffer, offset, length) {
  const from = offset === undefined ? 0 : +offset || 0;
  const most = buffer.byteLength - from;
  if (most < 0) throw outOfBounds('offset');
  if (length === undefined) return new FastBuffer(buffer, from, most);
  const size = +length > 0 ? +length : 0;
  if (size > most) throw outOfBounds('length');
  return new FastBuffer(buffer, from, size);
}

function fromObject(value) {
  if (value.length !== undefined || isArrayBuffer(value.buffer)) {
    return typeof value.length === 'number' && value.length > 0 ? new FastBuffer(value) : new FastBuffer();
  }
  return value.type === 'Buffer' && Array.isArray(value.data) ? new FastBuffer(value.data) : undefined;
}

function from(value, encodingOrOffset, length) {
  if (typeof value === 'string') return fromString(value, encodingOrOffset);
  if (typeof value === 'object' && value !== null) {
    if (isArrayBuffer(value)) return fromArrayBuffer(value, encodingOrOffset, length);
    const primitive = value.valueOf && value.valueOf();
    if (primitive !== null && primitive !== value && (typeof primitive === 'string' || typeof primitive === 'object')) {
      return from(primitive, encodingOrOffset, length);
    }
    const bytes = fromObject(value);
    if (bytes) return bytes;
    if (typeof value[Symbol.toPrimitive] === 'function') {
      const text = value[Symbol.toPrimitive]('string');
      if (typeof text === 'string') return fromString(text, encodingOrOffset);
    }
  }
  throw invalidType('first argument', 'of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object', value);
}

function fill(bytes, value, offset, end, encoding) {
  if (typeof value === 'string') {
    if (offset === undefined || typeof offset === 'string') {
      [encoding, offset, end] = [offset, 0, bytes.length];
    } else if (typeof end === 'string') {
      [encoding, end] = [end, bytes.length];
    }
    if (encoding !== undefined && encoding !== null && encoding !== '') {
      checkString(encoding, 'encoding');
      need(encoding);
    }
  }
  if (offset !== undefined) checkInteger(offset, 'offset', 0, kMaxLength);
  if (end !== undefined && offset !== undefined) checkInteger(end, 'end', 0, bytes.length);
  const [first, last] = offset === undefined ? [0, bytes.length] : [offset, end === undefined ? bytes.length : end];
  if (first >= last) return bytes;
  let pattern = value;
  if (typeof value === 'string' && value !== '') {
    pattern = fromString(value, encoding);
  } else if (!ArrayBuffer.isView(value)) {
    pattern = Uint8Array.of(typeof value === 'boolean' ? +value : value & 255);
  }
  if (pattern.byteLength === 0) throw invalidValue('value', value);
  const target = part(bytes, first, last);
  const source = new Uint8Array(pattern.buffer, pattern.byteOffset, pattern.byteLength);
  target.set(source.subarray(0, target.length));
  for (let done = source.length; done < target.length; done *= 2) target.copyWithin(done, 0, done);
  return bytes;
}

function alloc(size, value, encoding) {
  checkNumber(size, 'size', 0, kMaxLength);
  const bytes = new FastBuffer(size);
  return value !== undefined && value !== 0 && size > 0 ? fill(bytes, value, 0, size, encoding) : bytes;
}

function byteLength(value, encoding) {
  if (typeof value !== 'string') {
    if (ArrayBuffer.isView(value) || isArrayBuffer(value)) return value.byteLength;
    throw invalidType('string', 'of type string or an instance of Buffer or ArrayBuffer', value);
  }
  switch (find(encoding)) {
    case 'utf16le': return value.length * 2;
    case 'latin1': case 'ascii': return value.length;
    case 'hex': return value.length >>> 1;
    case 'base64': case 'base64url': return (value.replace(/(.)==?$/s, '$1').length * 3) >>> 2;
    default: return native.decode(value, 'utf8').byteLength;
  }
}

function concat(list, length) {
  if (!Array.isArray(list)) throw invalidType('list', 'an instance of Array', list);
  if (list.length === 0) return new FastBuffer();
  if (length === undefined) {
    length = list.reduce((sum, part) => sum + (part.length || 0), 0);
  } else {
    checkInteger(length, 'length', 0, kMaxLength);
  }
  const whole = Buffer.alloc(length);
  let at = 0;
  list.forEach((part, i) => {
    checkBytes(part, 'list[' + i + ']');
    const taken = part.subarray(0, Math.max(0, length - at));
    whole.set(taken, at);
    at += taken.length;
  });
  return whole;
}

function search(bytes, value, offset, encoding, forward) {
  if (typeof offset === 'string') [encoding, offset] = [offset, undefined];
  const limited = Math.max(-(2 ** 31), Math.min(+offset, 2 ** 31 - 1));
  const start = Number.isNaN(limited) ? (forward ? 0 : bytes.length) : limited;
  if (typeof value === 'number') return native.search(bytes, Uint8Array.of(value), start, forward, false);
  const kind = encoding === undefined ? 'utf8' : find(encoding);
  if (typeof value === 'string') {
    if (kind === undefined) throw unknownEncoding(encoding);
    const pairs = kind === 'utf16le';
    return native.search(pairs ? part(bytes, 0, bytes.length & ~1) : bytes, decode(value, kind), start, forward, pairs);
  }
  checkBytes(value, 'value', 'one of type number or string or an instance of Buffer or Uint8Array');
  return native.search(bytes, value, start, forward, kind === 'utf16le');
}

function part(bytes, start, end) {
  const at = (index) => {
    const n = integer(index, 0);
    return n < 0 ? Math.max(0, bytes.length + n) : Math.min(n, bytes.length);
  };
  const first = at(start);
  const last = end === undefined ? bytes.length : at(end);
  return new FastBuffer(bytes.buffer, bytes.byteOffset + first, Math.max(0, last - first));
}

function swap(bytes, size) {
  if (bytes.length % size !== 0) throw coded(RangeError, 'ERR_INVALID_BUFFER_SIZE', 'Buffer size must be a multiple of ' + size * 8 + '-bits');
  for (let i = 0; i < bytes.length; i += size) Uint8Array.prototype.subarray.call(bytes, i, i + size).reverse();
  return bytes;
}

// What of a text fits whole characters into a number of bytes.
function fitting(text, encoding, room) {
  const bytes = decode(text, encoding);
  if (bytes.length <= room) return bytes;
  if (encoding === 'utf16le') return bytes.subarray(0, room & ~1);
  let end = room;
  while (encoding === 'utf8' && end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

const methods = {
  toString(encoding, start, end) {
    const first = start <= 0 ? 0 : start >= this.length ? this.length : Math.trunc(start) || 0;
    const last = end === undefined || end > this.length ? this.length : Math.trunc(end) || 0;
    if (last <= first) return '';
    return native.encode(part(this, first, last), encoding === undefined ? 'utf8' : need(encoding));
  },
  write(text, offset, length, encoding) {
    if (length === undefined && typeof offset === 'string') [encoding, length, offset] = [offset, undefined, undefined];
    if (offset === undefined) {
      offset = 0;
      length = undefined;
    }
    checkInteger(offset, 'offset', 0, this.length);
    let room = this.length - offset;
    if (typeof length === 'string') {
      encoding = length;
    } else if (length !== undefined) {
      checkInteger(length, 'length', 0, this.length);
      room = Math.min(room, length);
    }
    const kind = encoding ? need(encoding) : 'utf8';
    if (typeof text !== 'string') throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'argument must be a string');
    const bytes = fitting(text, kind, room);
    this.set(bytes, offset);
    return bytes.length;
  },
  fill(value, offset, end, encoding) { return fill(this, value, offset, end, encoding); },
  equals(other) {
    checkBytes(other, 'otherBuffer');
    return native.compare(this, other) === 0;
  },
  compare(target, targetStart = 0, targetEnd, sourceStart = 0, sourceEnd = this.length) {
    checkBytes(target, 'target');
    if (targetEnd === undefined) targetEnd = target.length;
    checkInteger(targetStart, 'targetStart', 0, kMaxLength);
    checkInteger(targetEnd, 'targetEnd', 0, target.length);
    checkInteger(sourceStart, 'sourceStart', 0, kMaxLength);
    checkInteger(sourceEnd, 'sourceEnd', 0, this.length);
    if (sourceStart >= sourceEnd) return targetStart >= targetEnd ? 0 : -1;
    return targetStart >= targetEnd ? 1 : native.compare(part(this, sourceStart, sourceEnd), part(target, targetStart, targetEnd));
  },
  copy(target, targetStart, sourceStart, sourceEnd) {
    checkBytes(target, 'target');
    const [at, first, last] = [integer(targetStart, 0), integer(sourceStart, 0), sourceEnd === undefined ? this.length : integer(sourceEnd, 0)];
    if (at < 0) throw outOfRange('targetStart', '>= 0', at);
    if (first < 0 || first > this.length) throw outOfRange('sourceStart', '>= 0 && <= ' + this.length, first);
    if (last < 0) throw outOfRange('sourceEnd', '>= 0', last);
    if (at >= target.length || first >= last) return 0;
    const bytes = part(this, first, Math.min(last, first + target.length - at));
    target.set(bytes, at);
    return bytes.length;
  },
  indexOf(value, offset, encoding) { return search(this, value, offset, encoding, true); },
  lastIndexOf(value, offset, encoding) { return search(this, value, offset, encoding, false); },
  includes(value, offset, encoding) { return this.indexOf(value, offset, encoding) !== -1; },
  slice(start, end) { return part(this, start, end); },
  subarray(start, end) { return part(this, start, end); },
  swap16() { return swap(this, 2); },
  swap32() { return swap(this, 4); },
  swap64() { return swap(this, 8); },
  toJSON() { return { type: 'Buffer', data: Array.from(this) }; },
  inspect() {
    const more = this.length - 50;
    const shown = part(this, 0, 50).toString('hex').replace(/..(?=.)/g, '$& ');
    return '<Buffer ' + shown + (more > 0 ? ' ... ' + more + ' more byte' + (more > 1 ? 's' : '') : '') + '>';
  },
  ...require('internal/buffer_numbers'),
};
methods.toLocaleString = methods.toString;
methods[Symbol.for('nodejs.util.inspect.custom')] = methods.inspect;

for (const name of Reflect.ownKeys(methods)) {
  Object.defineProperty(Buffer.prototype, name, { value: methods[name], writable: true, configurable: true });
}
Object.defineProperty(Buffer.prototype, 'constructor', { value: Buffer, writable: true, configurable: true });
Object.defineProperty(Buffer.prototype, 'parent', { get() { return this.buffer; }, configurable: true });
Object.defineProperty(Buffer.prototype, 'offset', { get() { return this.byteOffset; }, configurable: true });

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

const invalid = (message) => Object.assign(new Error(message), { name: 'InvalidCharacterError', code: 5 });

function atob(input) {
  const text = String(input).replace(/[\t\n\f\r ]/g, '');
  const bare = text.length % 4 === 0 ? text.replace(/={1,2}$/, '') : text;
  if (/[^A-Za-z0-9+/]/.test(bare)) throw invalid('Invalid character');
  if (bare.length % 4 === 1) throw invalid('The string to be decoded is not correctly encoded.');
  return Buffer.from(bare, 'base64').toString('latin1');
}

function btoa(input) {
  const text = String(input);
  if (/[^\0-\xff]/.test(text)) throw invalid('Invalid character');
  return Buffer.from(text, 'latin1').toString('base64');
}

module.exports = { Buffer, atob, btoa, kMaxLength, constants: { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: 2 ** 29 - 24 } };
