'use strict';

const { coded, invalidType, invalidValue, outOfRange, check } = require('internal/errors');

const isIP = (text) => Number(native.ip(String(text))[0] || 0);

// An address as 32 hexadecimal digits, that of IPv4 as one of IPv6, which can be compared as text.
function digits(address, family, name) {
  check(address, 'string', name);
  check(family, 'string', 'family');
  const wanted = { ipv4: '4', ipv6: '6' }[family.toLowerCase()];
  if (!wanted) throw invalidValue('options.family', family);
  const found = native.ip(address);
  if (found[0] !== wanted) throw coded(Error, 'ERR_INVALID_ADDRESS', 'Invalid socket address');
  return found.slice(1);
}

class SocketAddress {
  constructor({ family = 'ipv4', port = 0, flowlabel = 0, address = /^ipv6$/i.test(family) ? '::' : '127.0.0.1' } = {}) {
    digits(address, family, 'address'); // throws if it is none
    if (!(port >= 0 && port < 65536)) throw coded(RangeError, 'ERR_SOCKET_BAD_PORT', 'options.port should be >= 0 and < 65536.');
    Object.assign(this, { address, port: Number(port), family: family.toLowerCase(), flowlabel });
  }
}

const mapped = '00000000000000000000ffff';
const text = (address, family = 'ipv4') => (address instanceof SocketAddress ? [address.address, address.family] : [address, family]);
const label = (family) => (/^ipv4$/i.test(family) ? 'IPv4' : 'IPv6');

// Ranges of addresses in order that do not overlap, so that one is found by halving.
class Ranges {
  list = [];
  sorted = true;
  add(first, last) {
    this.list.push([first, last]);
    this.sorted = false;
  }
  sort() {
    const merged = [];
    for (const range of this.list.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
      const before = merged[merged.length - 1];
      if (!before || range[0] > before[1]) {
        merged.push(range);
      } else if (range[1] > before[1]) {
        before[1] = range[1];
      }
    }
    this.list = merged;
    this.sorted = true;
  }
  has(address) {
    if (!this.sorted) this.sort();
    let low = 0, high = this.list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle][0] <= address) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low > 0 && address <= this.list[low - 1][1];
  }
}

class BlockList {
  #rules = [];
  #addresses = new Set();
  #four = new Ranges(); // what counts for addresses of IPv4
  #six = new Ranges();

  #add(first, last, four) {
    this.#six.add(first, last);
    if (four) this.#four.add(first, last);
  }

  addAddress(address, family) {
    const [given, kind] = text(address, family);
    this.#addresses.add(digits(given, kind, 'address'));
    this.#rules.unshift('Address: ' + label(kind) + ' ' + given);
  }

  addRange(start, end, family) {
    const [first, kind] = text(start, family);
    const [last] = text(end, family);
    const [from, to] = [digits(first, kind, 'start'), digits(last, kind, 'end')];
    if (from > to) throw invalidValue('start', first, 'must come before end');
    this.#add(from, to, from.startsWith(mapped) && to.startsWith(mapped));
    this.#rules.unshift('Range: ' + label(kind) + ' ' + first + '-' + last);
  }

  addSubnet(network, prefix, family) {
    const [address, kind] = text(network, family);
    const start = digits(address, kind, 'network');
    check(prefix, 'number', 'prefix');
    const most = label(kind) === 'IPv4' ? 32 : 128;
    if (!(Number.isInteger(prefix) && prefix >= 0 && prefix <= most)) throw outOfRange('prefix', '>= 0 && <= ' + most, prefix);
    const free = (1n << BigInt(most - prefix)) - 1n;
    const first = BigInt('0x' + start) & ~free;
    const write = (n) => n.toString(16).padStart(32, '0');
    this.#add(write(first), write(first | free), true);
    this.#rules.unshift('Subnet: ' + label(kind) + ' ' + address + '/' + prefix);
  }

  check(address, family) {
    const [given, kind] = text(address, family);
    check(given, 'string', 'address');
    check(kind, 'string', 'family');
    const found = native.ip(given);
    if (!found || 'ipv' + found[0] !== kind.toLowerCase()) return false;
    const all = found.slice(1);
    return this.#addresses.has(all) || (found[0] === '4' ? this.#four : this.#six).has(all);
  }

  get rules() { return this.#rules.slice(); }

  static isBlockList(value) { return value instanceof BlockList; }
}

module.exports = {
  SocketAddress,
  BlockList,
  isIP,
  isIPv4: (value) => isIP(value) === 4,
  isIPv6: (value) => isIP(value) === 6,
};
// A socket is an emitter, which not every script needs that asks for addresses.
for (const name of ['Socket', 'Stream']) Object.defineProperty(module.exports, name, { get: () => require('internal/socket').Socket, enumerable: true });
