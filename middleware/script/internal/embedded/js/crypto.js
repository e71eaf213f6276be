'use strict';

const { coded, invalidType, invalidValue, outOfRange, checkString, checkFunction, checkNumber } = require('internal/errors');
const { find } = require('internal/encodings');

function bytes(data, encoding) {
  if (typeof data === 'string') {
    const known = find(encoding);
    if (known === 'hex' && data.length % 2 !== 0) {
      throw invalidValue('encoding', encoding, 'is invalid for data of length ' + data.length);
    }
    return Buffer.from(data, known);
  }
  if (ArrayBuffer.isView(data)) return data;
  throw invalidType('data', 'of type string or an instance of Buffer, TypedArray, or DataView', data);
}

const hide = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });

// Hash and Hmac keep what they are given, and the digest is made of all of it at once: so nothing is kept outside of the
// script.
function Digest(algorithm, key) {
  hide(this, '_algorithm', algorithm);
  hide(this, '_key', key);
  hide(this, '_parts', []);
}

function Hash(algorithm) {
  if (!(this instanceof Hash)) return new Hash(algorithm);
  checkString(algorithm, 'algorithm');
  if (!native.hash(algorithm)) throw new Error('Digest method not supported');
  Digest.call(this, algorithm);
}

function Hmac(algorithm, key) {
  if (!(this instanceof Hmac)) return new Hmac(algorithm, key);
  checkString(algorithm, 'hmac');
  if (typeof key !== 'string' && !ArrayBuffer.isView(key) && !(key instanceof ArrayBuffer)) {
    throw invalidType('key', 'of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, KeyObject, or CryptoKey', key);
  }
  if (!native.hash(algorithm)) throw coded(TypeError, 'ERR_CRYPTO_INVALID_DIGEST', 'Invalid digest: ' + algorithm);
  Digest.call(this, algorithm, typeof key === 'string' ? Buffer.from(key) : key);
}

const finalized = () => coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');

function update(data, encoding) {
  if (!this._parts) throw finalized();
  const part = bytes(data, encoding);
  this._parts.push(typeof data === 'string' ? part : Buffer.from(new Uint8Array(part.buffer, part.byteOffset, part.byteLength))); // the script may write in it later
  return this;
}

// An HMAC gives nothing after the first time, a hash throws.
function digest(encoding) {
  if (!this._parts && this instanceof Hash) throw finalized();
  const sum = this._parts ? Buffer.from(native.hash(this._algorithm, this._key, Buffer.concat(this._parts))) : Buffer.alloc(0);
  this._parts = undefined;
  return find(encoding) ? sum.toString(encoding) : sum;
}

for (const Type of [Hash, Hmac]) {
  hide(Type.prototype, 'update', update);
  hide(Type.prototype, 'digest', digest);
}
hide(Hash.prototype, 'copy', function () {
  if (!this._parts) throw finalized();
  const copy = new Hash(this._algorithm);
  copy._parts = this._parts.slice();
  return copy;
});

exports.createHash = (algorithm) => new Hash(algorithm);
exports.createHmac = (algorithm, key) => new Hmac(algorithm, key);
exports.hash = (algorithm, data, encoding = 'hex') => new Hash(algorithm).update(data).digest(encoding);
exports.getHashes = () => native.hashes();
exports.Hash = Hash;
exports.Hmac = Hmac;

exports.randomBytes = (size, callback) => {
  checkNumber(size, 'size', 0, 2 ** 31 - 1);
  if (callback !== undefined) checkFunction(callback, 'callback');
  const random = Buffer.alloc(size);
  native.random(random);
  if (!callback) return random;
  setImmediate(callback, null, random);
  return undefined;
};
exports.getRandomValues = (array) => {
  native.random(array);
  return array;
};

function checkSafe(value, name) {
  if (!Number.isSafeInteger(value)) throw invalidType(name, 'a safe integer', value);
}

exports.randomInt = (low, high, callback) => {
  const one = high === undefined || typeof high === 'function';
  if (one) [low, high, callback] = [0, low, high];
  if (callback !== undefined) checkFunction(callback, 'callback');
  checkSafe(low, 'min');
  checkSafe(high, 'max');
  if (high <= low) throw outOfRange('max', 'greater than the value of "min" (' + low + ')', high);
  const span = high - low;
  if (span > 2 ** 48 - 1) throw outOfRange(one ? 'max' : 'max - min', '<= ' + (2 ** 48 - 1), span);
  // What is above a multiple of the span would favour low numbers.
  const most = 2 ** 48 - ((2 ** 48) % span);
  let n = most;
  while (n >= most) n = exports.randomBytes(6).readUIntBE(0, 6);
  if (!callback) return low + (n % span);
  process.nextTick(callback, undefined, low + (n % span));
  return undefined;
};
exports.randomUUID = () => {
  const random = exports.randomBytes(16);
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  return random.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
exports.timingSafeEqual = (a, b) => {
  const view = (value, name) => {
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    throw coded(TypeError, 'ERR_INVALID_ARG_TYPE',
      'The "' + name + '" argument must be an instance of ArrayBuffer, Buffer, TypedArray, or DataView.');
  };
  const [first, second] = [view(a, 'buf1'), view(b, 'buf2')];
  if (first.length !== second.length) {
    throw coded(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length');
  }
  let difference = 0;
  for (let i = 0; i < first.length; i++) difference |= first[i] ^ second[i];
  return difference === 0;
};
