'use strict';

const { coded, outOfRange } = require('internal/errors');

const bytesOf = (data) => (ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data);

// What a hash or HMAC is given is kept, and the digest is made of all of it at once: so nothing is kept outside of the
// script.
class Hash {
  #algorithm;
  #key;
  #parts = [];
  constructor(algorithm, key) {
    this.#algorithm = String(algorithm);
    this.#key = key;
    if (!native.hash(this.#algorithm)) throw coded(Error, 'ERR_CRYPTO_INVALID_DIGEST', 'Digest method not supported');
  }
  update(data, encoding) {
    this.#parts.push(Buffer.from(bytesOf(data), encoding));
    return this;
  }
  digest(encoding) {
    const sum = Buffer.from(native.hash(this.#algorithm, this.#key, Buffer.concat(this.#parts)));
    this.#parts = undefined; // a second call throws an error, as in Node
    return encoding ? sum.toString(encoding) : sum;
  }
}

exports.createHash = (algorithm) => new Hash(algorithm);
exports.createHmac = (algorithm, key) => new Hash(algorithm, Buffer.from(bytesOf(key)));

exports.randomBytes = (size, callback) => {
  const random = Buffer.alloc(size);
  native.random(random);
  if (callback) setImmediate(callback, null, random);
  return random;
};
exports.randomInt = (low, high, callback) => {
  if (typeof high !== 'number') [low, high, callback] = [0, low, high];
  const span = high - low;
  if (!(Number.isSafeInteger(span) && span > 0 && span < 2 ** 48)) throw outOfRange('max', 'an integer above "min", by less than 2 ** 48');
  const n = low + native.randomInt(span);
  if (callback) setImmediate(callback, undefined, n);
  return n;
};
exports.randomUUID = () => {
  const random = exports.randomBytes(16);
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  return random.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
