'use strict';

const { isIP } = require('net');
const { coded, invalidType, invalidValue, check, checkFunction } = require('internal/errors');
const { wait } = require('internal/tasks');
const promisified = Symbol.for('nodejs.util.promisify.custom');

const families = { IPv4: 4, IPv6: 6, 0: 0, 4: 4, 6: 6 };

function lookup(host, options, callback) {
  if (typeof options === 'function') [callback, options] = [options];
  if (host) check(host, 'string', 'hostname');
  checkFunction(callback);
  const { family, all } = typeof options === 'number' ? { family: options } : options || {};
  if (Object(options) !== options && typeof options !== 'number' && options) throw invalidType('options', 'of type object or integer', options);
  if (family && !(family in families)) throw invalidValue('options.family', family, 'must be one of: 0, 4, 6');
  const answer = (list) => (all ? callback(null, list) : callback(null, list[0].address, list[0].family));
  if (!host) {
    // As in Node: nothing is nowhere.
    process.nextTick(() => (all ? callback(null, []) : callback(null, null, family === 6 ? 6 : 4)));
  } else if (isIP(host)) {
    process.nextTick(answer, [{ address: host, family: isIP(host) }]);
  } else {
    wait(native.ask('getaddrinfo', host, families[family] || 0), (error, list) => {
      return error ? callback(error) : answer(list.map((address) => ({ address, family: isIP(address) })));
    });
  }
  return {};
}

// An address is no name. The system's resolver would take it as one that stands for itself.
const resolver = (query, family) => (host, options, callback) => {
  if (typeof options === 'function') [callback, options] = [options];
  check(host, 'string', 'name');
  checkFunction(callback);
  if (options && options.ttl) throw new Error('dns: how long an answer holds: needs runtime node');
  if (!isIP(host)) return wait(native.ask(query, host, family), callback);
  const code = isIP(host) === 4 ? 'ENOTFOUND' : 'EBADNAME';
  process.nextTick(callback, coded(Error, code, query + ' ' + code + ' ' + host, { syscall: query, hostname: host }));
  return undefined;
};

function reverse(ip, callback) {
  check(ip, 'string', 'name');
  checkFunction(callback);
  if (!isIP(ip)) throw coded(Error, 'EINVAL', 'getHostByAddr EINVAL ' + ip, { errno: -22, syscall: 'getHostByAddr', hostname: ip });
  wait(native.ask('getHostByAddr', ip), callback);
}

Object.assign(exports, {
  lookup,
  reverse,
  resolve4: resolver('queryA', 4),
  resolve6: resolver('queryAaaa', 6),
  resolveTxt: resolver('queryTxt'),
});

const promised = (method, answer) => async (...args) => new Promise((done, fail) => {
  exports[method](...args, (error, ...values) => (error ? fail(error) : done(answer(args, ...values))));
});

exports.promises = {
  lookup: promised('lookup', ([, options], address, family) => (options && options.all ? address : { address, family })),
};
lookup[promisified] = exports.promises.lookup;
for (const method of ['reverse', 'resolve4', 'resolve6', 'resolveTxt']) exports.promises[method] = promised(method, (args, value) => value);

// The errors that an answer may be, by their names.
for (const api of [exports, exports.promises]) {
  for (const code of ['NODATA', 'SERVFAIL', 'NOTFOUND', 'BADNAME', 'TIMEOUT']) api[code] = 'E' + code;
}
