'use strict';

const { coded, outOfRange, check } = require('internal/errors');
const { Socket } = require('internal/socket');

const isIP = (text) => Number(native.ip(String(text))[0] || 0);

// Whether an address is to be one of IPv6: it is a SocketAddress, or text with a family.
const isSix = (address, family) => /^ipv6$/i.test((address && address.family) || family);

// The bits of an address, as text, or nothing if it is none of the family. Those of IPv4 are those of IPv6 that begin with
// mapped.
function bitsOf(address, family = 'ipv4') {
  if (address instanceof SocketAddress) return bitsOf(address.address, address.family);
  check(address, 'string', 'address');
  const found = native.ip(address);
  return 'ipv' + found[0] === String(family).toLowerCase() ? found.slice(1, 129) : undefined;
}

const mapped = '0'.repeat(80) + '1'.repeat(16);

function needBits(address, family) {
  const bits = bitsOf(address, family);
  if (bits === undefined) throw coded(Error, 'ERR_INVALID_ADDRESS', 'Invalid socket address');
  return bits;
}

class SocketAddress {
  constructor({ family = 'ipv4', port = 0, flowlabel = 0, address = isSix(undefined, family) ? '::' : '127.0.0.1' } = {}) {
    needBits(address, family);
    if (!(port >= 0 && port < 65536)) throw coded(RangeError, 'ERR_SOCKET_BAD_PORT', 'options.port should be >= 0 and < 65536.');
    Object.assign(this, { address: native.ip(address).slice(129), port: Number(port), family: family.toLowerCase(), flowlabel });
  }
}

// Bits that addresses begin with.
class Prefixes {
  #known = new Set();
  #lengths = new Set();
  add(prefix) {
    this.#known.add(prefix);
    this.#lengths.add(prefix.length);
  }
  has(bits) {
    for (const length of this.#lengths) if (this.#known.has(bits.slice(0, length))) return true;
    return false;
  }
}

class BlockList {
  #all = new Prefixes();
  #six = new Prefixes(); // what does not count for addresses of IPv4

  addAddress(address, family) { this.#all.add(needBits(address, family)); }

  addRange(start, end, family) {
    const [first, last] = [needBits(start, family), needBits(end, family)];
    if (first > last) throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', "The argument 'start' must come before end");
    const list = first.startsWith(mapped) && last.startsWith(mapped) ? this.#all : this.#six;
    for (const prefix of native.between(first, last)) list.add(prefix);
  }

  addSubnet(network, prefix, family) {
    const bits = needBits(network, family);
    const most = isSix(network, family) ? 128 : 32;
    check(prefix, 'number', 'prefix');
    if (!(Number.isInteger(prefix) && prefix >= 0 && prefix <= most)) throw outOfRange('prefix', '>= 0 && <= ' + most);
    this.#all.add(bits.slice(0, bits.length - most + prefix));
  }

  check(address, family) {
    const bits = bitsOf(address, family);
    return bits !== undefined && (this.#all.has(bits) || isSix(address, family) && this.#six.has(bits));
  }
}

module.exports = {
  SocketAddress,
  BlockList,
  isIP,
  isIPv4: (value) => isIP(value) === 4,
  isIPv6: (value) => isIP(value) === 6,
  Socket,
  Stream: Socket,
};
