'use strict';

// The methods of Buffer that read and write numbers.

const { coded, invalidType, outOfRange, checkNumber } = require('internal/errors');

function outOfBounds(value, last, name = 'offset') {
  if (Math.floor(value) !== value) return outOfRange(name, 'an integer', value);
  if (last < 0) return coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', 'Attempt to access memory outside buffer bounds');
  return outOfRange(name, '>= ' + (name === 'offset' ? 0 : 1) + ' and <= ' + last, value);
}

function checkOffset(bytes, offset, size) {
  checkNumber(offset, 'offset');
  const last = bytes.length - size;
  if (!Number.isInteger(offset) || offset < 0 || offset > last) throw outOfBounds(offset, last);
}

function checkRange(value, least, most, size) {
  if (value >= least && value <= most || Number.isNaN(value)) return;
  const n = typeof least === 'bigint' ? 'n' : '';
  const power = (bits) => '2' + n + ' ** ' + bits + n;
  let range = '>= ' + least + n + ' and <= ' + most + n;
  if (size > 4 || (size === 4 && n)) {
    range = least < 0 ? '>= -(' + power(size * 8 - 1) + ') and < ' + power(size * 8 - 1) : '>= 0' + n + ' and < ' + power(size * 8);
  }
  throw outOfRange('value', range, value);
}

const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

// The numbers that DataView knows, each by its size and, if it has any, its bounds.
const numbers = {
  Int8: [1, -(2 ** 7), 2 ** 7 - 1], Uint8: [1, 0, 2 ** 8 - 1],
  Int16: [2, -(2 ** 15), 2 ** 15 - 1], Uint16: [2, 0, 2 ** 16 - 1],
  Int32: [4, -(2 ** 31), 2 ** 31 - 1], Uint32: [4, 0, 2 ** 32 - 1],
  BigInt64: [8, -(2n ** 63n), 2n ** 63n - 1n], BigUint64: [8, 0n, 2n ** 64n - 1n],
  Float32: [4], Float64: [8],
};
const names = { Float32: 'Float', Float64: 'Double' };

const methods = {};

function define(type, size, least, most, order) {
  const name = (names[type] || type) + order;
  const little = order === 'LE';
  const read = function (offset = 0) {
    checkOffset(this, offset, size);
    return view(this)['get' + type](offset, little);
  };
  const write = function (value, offset = 0) {
    const number = typeof least === 'bigint' ? value - 0n : +value;
    if (size === 1) checkNumber(offset, 'offset');
    if (least !== undefined) checkRange(number, least, most, size);
    checkOffset(this, offset, size);
    view(this)['set' + type](offset, number, little);
    return offset + size;
  };
  for (const alias of [name, name.replace('Uint', 'UInt')]) {
    methods['read' + alias] = read;
    methods['write' + alias] = write;
  }
}

for (const [type, [size, least, most]] of Object.entries(numbers)) {
  for (const order of size === 1 ? [''] : ['LE', 'BE']) define(type, size, least, most, order);
}

function checkSize(size) {
  checkNumber(size, 'byteLength');
  if (!Number.isInteger(size) || size < 1 || size > 6) throw outOfBounds(size, 6, 'byteLength');
}

// Integers of any size up to six bytes.
function defineSized(name, signed, order) {
  const index = (i, size) => (order === 'LE' ? i : size - 1 - i);
  const read = function (offset, size) {
    if (offset === undefined) throw invalidType('offset', 'of type number', offset);
    checkSize(size);
    checkOffset(this, offset, size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this[offset + index(i, size)];
    return signed && value >= 2 ** (size * 8 - 1) ? value - 2 ** (size * 8) : value;
  };
  const write = function (value, offset, size) {
    checkSize(size);
    const bits = size * 8;
    let number = +value;
    if (size === 1) checkNumber(offset, 'offset');
    checkRange(number, signed ? -(2 ** (bits - 1)) : 0, 2 ** (signed ? bits - 1 : bits) - 1, size);
    checkOffset(this, offset, size);
    number = Math.trunc(number) || 0;
    for (let i = 0; i < size; i++) {
      this[offset + index(i, size)] = number % 256;
      number = Math.floor(number / 256);
    }
    return offset + size;
  };
  for (const alias of [name, name.replace('UInt', 'Uint')]) {
    methods['read' + alias + order] = read;
    methods['write' + alias + order] = write;
  }
}

for (const order of ['LE', 'BE']) {
  defineSized('Int', true, order);
  defineSized('UInt', false, order);
}

module.exports = methods;
