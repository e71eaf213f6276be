'use strict';

function bytes(data, encoding) {
  if (typeof data === 'string') return Buffer.from(data, encoding);
  if (ArrayBuffer.isView(data)) return data;
  throw new TypeError('The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView.');
}

// A hash, or with a key an HMAC.
class Hash {
  constructor(hash) {
    Object.defineProperty(this, '_hash', { value: hash, enumerable: false });
  }
  update(data, encoding) {
    if (this._done) throw new Error('Digest already called');
    this._hash.update(bytes(data, encoding));
    return this;
  }
  digest(encoding) {
    if (this._done) throw new Error('Digest already called');
    Object.defineProperty(this, '_done', { value: true });
    const sum = Buffer.from(this._hash.digest());
    return encoding && encoding !== 'buffer' ? sum.toString(encoding) : sum;
  }
}

exports.createHash = (algorithm) => new Hash(binding.hash(String(algorithm).toLowerCase()));
exports.createHmac = (algorithm, key) => new Hash(binding.hash(String(algorithm).toLowerCase(), bytes(key)));
exports.getHashes = () => binding.hashes();
exports.Hash = Hash;
exports.Hmac = Hash;

exports.randomBytes = (size, callback) => {
  const random = Buffer.from(binding.random(size));
  if (!callback) return random;
  process.nextTick(callback, null, random);
  return undefined;
};
exports.pseudoRandomBytes = exports.randomBytes;
exports.randomInt = (low, high, callback) => {
  if (high === undefined || typeof high === 'function') [low, high, callback] = [0, low, high];
  const span = high - low;
  if (!(span > 0 && span <= 2 ** 48)) throw new RangeError('The value of "max" is out of range.');
  // What is above a multiple of the span would favour low numbers.
  const most = 2 ** 48 - ((2 ** 48) % span);
  let n = most;
  while (n >= most) n = parseInt(exports.randomBytes(6).toString('hex'), 16);
  if (!callback) return low + (n % span);
  process.nextTick(callback, null, low + (n % span));
  return undefined;
};
exports.randomUUID = () => {
  const random = exports.randomBytes(16);
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  return random.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
exports.timingSafeEqual = (a, b) => {
  if (a.byteLength !== b.byteLength) throw new RangeError('Input buffers must have the same byte length');
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
};
