'use strict';

// The methods of Buffer that read and write numbers.

const { coded, outOfRange, checkNumber } = require('internal/errors');

const methods = {};
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function checkOffset(bytes, offset, size) {
  checkNumber(offset, 'offset');
  const last = bytes.length - size;
  if (last < 0) throw coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', 'Attempt to access memory outside buffer bounds');
  if (!Number.isInteger(offset)) throw outOfRange('offset', 'an integer', offset);
  if (offset < 0 || offset > last) throw outOfRange('offset', '>= 0 and <= ' + last, offset);
}

function checkRange(value, least, most) {
  if (value < least || value > most) throw outOfRange('value', '>= ' + least + ' and <= ' + most, value);
}

function define(names, size, read, write, least, most) {
  for (const name of names) {
    methods['read' + name] = function (offset = 0) {
      checkOffset(this, offset, size);
      return read(view(this), offset);
    };
    methods['write' + name] = function (value, offset = 0) {
      const number = typeof least === 'bigint' ? value : +value;
      if (least !== undefined) checkRange(number, least, most);
      checkOffset(this, offset, size);
      write(view(this), offset, number);
      return offset + size;
    };
  }
}

// The numbers that DataView knows, with the names that Buffer has for them, and the bounds of the whole ones.
for (const [type, name, size, least, most] of [
  ['Int8', 'Int8', 1, -128, 127], ['Uint8', 'UInt8', 1, 0, 255], ['Int16', 'Int16', 2, -(2 ** 15), 2 ** 15 - 1], ['Uint16', 'UInt16', 2, 0, 2 ** 16 - 1],
  ['Int32', 'Int32', 4, -(2 ** 31), 2 ** 31 - 1], ['Uint32', 'UInt32', 4, 0, 2 ** 32 - 1], ['Float32', 'Float', 4], ['Float64', 'Double', 8],
  ['BigInt64', 'BigInt64', 8, -(2n ** 63n), 2n ** 63n - 1n], ['BigUint64', 'BigUInt64', 8, 0n, 2n ** 64n - 1n],
]) {
  for (const order of size === 1 ? [''] : ['LE', 'BE']) {
    const little = order === 'LE';
    define([name + order, name.replace('UInt', 'Uint') + order], size, (data, offset) => data['get' + type](offset, little),
      (data, offset, value) => data['set' + type](offset, value, little), least, most);
  }
}

// Integers of any size up to six bytes.
for (const order of ['LE', 'BE']) {
  for (const name of ['Int', 'UInt', 'Uint']) {
    const signed = name === 'Int';
    methods['read' + name + order] = function (offset, size) {
      checkNumber(size, 'byteLength', 1, 6);
      checkOffset(this, offset, size);
      let value = 0;
      for (let i = 0; i < size; i++) value = value * 256 + this[order === 'BE' ? offset + i : offset + size - 1 - i];
      return signed && value >= 2 ** (size * 8 - 1) ? value - 2 ** (size * 8) : value;
    };
    methods['write' + name + order] = function (value, offset, size) {
      checkNumber(size, 'byteLength', 1, 6);
      checkRange(+value, signed ? -(2 ** (size * 8 - 1)) : 0, 2 ** (size * 8 - signed) - 1);
      checkOffset(this, offset, size);
      let number = Math.trunc(value);
      for (let i = 0; i < size; i++) {
        this[order === 'LE' ? offset + i : offset + size - 1 - i] = number;
        number = Math.floor(number / 256);
      }
      return offset + size;
    };
  }
}

module.exports = methods;
