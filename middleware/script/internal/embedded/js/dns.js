'use strict';

const { isIP } = require('net');
const { coded, check } = require('internal/errors');
const { promised, withCallback } = require('internal/tasks');

const families = { IPv4: 4, IPv6: 6, 4: 4, 6: 6 };

function ask(query, host, family) {
  check(host, 'string', 'name');
  return promised((done) => native.ask(query, host, family, done));
}

const failure = (query, code, host) => coded(Error, code, query + ' ' + code + ' ' + host, { syscall: query, hostname: host });

// An address is no name. The system's resolver would take it as one that stands for itself.
const resolver = (query, family) => async (host, options) => {
  if (options && options.ttl) throw new Error('dns: how long an answer holds: needs runtime node');
  if (isIP(host)) throw failure(query, 'ENOTFOUND', host);
  return ask(query, host, family);
};

exports.promises = {
  async lookup(host, options) {
    const { family, all } = Object(options) === options ? options : { family: options };
    const found = isIP(host) ? [host] : await ask('getaddrinfo', host, families[family]);
    const list = found.map((address) => ({ address, family: isIP(address) }));
    return all ? list : list[0];
  },
  async reverse(ip) {
    if (!isIP(ip)) throw failure('getHostByAddr', 'EINVAL', ip);
    return (await ask('getHostByAddr', ip)).map((name) => name.replace(/\.$/, ''));
  },
  resolve4: resolver('queryA', 4),
  resolve6: resolver('queryAaaa', 6),
  resolveTxt: async (name) => (await resolver('queryTxt')(name)).map((text) => [text]),
};
for (const [method, f] of Object.entries(exports.promises)) {
  exports[method] = withCallback(f, (found) => (found.address ? [found.address, found.family] : [found]));
}

// The errors that an answer may be, by their names.
for (const api of [exports, exports.promises]) {
  for (const code of ['SERVFAIL', 'NOTFOUND', 'TIMEOUT']) api[code] = 'E' + code;
}
