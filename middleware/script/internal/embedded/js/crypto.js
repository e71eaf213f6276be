'use strict';

const { coded, invalidType, invalidValue, outOfRange, check, checkFunction, checkNumber } = require('internal/errors');
const { find } = require('internal/encodings');

function bytesOf(data, name, encoding) {
  if (typeof data === 'string') {
    if (find(encoding) === 'hex' && data.length % 2 !== 0) throw invalidValue('encoding', encoding, 'is invalid for data of length ' + data.length);
    return Buffer.from(data, find(encoding));
  }
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw invalidType(name, 'of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView', data);
}

// What a hash or HMAC is given is kept, and the digest is made of all of it at once: so nothing is kept outside of the
// script.
class Hash {
  #algorithm;
  #key;
  #parts = [];
  constructor(algorithm, key) {
    check(algorithm, 'string', 'algorithm');
    if (!native.hash(algorithm)) throw coded(Error, 'ERR_CRYPTO_INVALID_DIGEST', 'Digest method not supported');
    this.#algorithm = algorithm;
    this.#key = key;
  }
  #open() {
    if (!this.#parts) throw coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
    return this.#parts;
  }
  update(data, encoding) {
    const part = bytesOf(data, 'data', encoding);
    this.#open().push(typeof data === 'string' ? part : Buffer.from(part)); // the script may write in it later
    return this;
  }
  digest(encoding) {
    const sum = Buffer.from(native.hash(this.#algorithm, this.#key, Buffer.concat(this.#open())));
    this.#parts = undefined;
    return find(encoding) ? sum.toString(encoding) : sum;
  }
  copy() {
    const copy = new Hash(this.#algorithm, this.#key);
    copy.#parts = this.#open().slice();
    return copy;
  }
}

exports.createHash = (algorithm) => new Hash(algorithm);
exports.createHmac = (algorithm, key) => new Hash(algorithm, bytesOf(key, 'key'));

exports.randomBytes = (size, callback) => {
  checkNumber(size, 'size', 0, 2 ** 31 - 1);
  const random = Buffer.alloc(size);
  native.random(random);
  if (callback === undefined) return random;
  checkFunction(callback);
  setImmediate(callback, null, random);
  return undefined;
};
exports.randomInt = (low, high, callback) => {
  if (high === undefined || typeof high === 'function') [low, high, callback] = [0, low, high];
  for (const bound of [low, high]) if (!Number.isSafeInteger(bound)) throw invalidType('max', 'a safe integer', bound);
  const span = high - low;
  if (!(span > 0 && span < 2 ** 48)) throw outOfRange('max', 'greater than the value of "min", by less than 2 ** 48', high);
  // What is above a multiple of the span would favour low numbers.
  const most = 2 ** 48 - ((2 ** 48) % span);
  let n = most;
  while (n >= most) n = parseInt(exports.randomBytes(6).toString('hex'), 16);
  if (callback === undefined) return low + (n % span);
  checkFunction(callback);
  process.nextTick(callback, undefined, low + (n % span));
  return undefined;
};
exports.randomUUID = () => {
  const random = exports.randomBytes(16);
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  return random.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
